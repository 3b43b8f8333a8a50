"""Settings of the knowledge side, read once from the environment (``COPILOT_*``) and ``.env``, then passed down."""

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from knowledge.torch_models import Device, Precision

EmbedderKind: TypeAlias = Literal["bundled", "sentence_transformers", "openai"]


class EmbedderRecipe(BaseModel):
    """How an embedder is configured, as far as its vectors depend on it, and where it is. Kept in SQL: without keys."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    embedder: EmbedderKind = "bundled"
    base_url: str | None = None
    model: str | None = None
    dimensions: int | None = None
    query_prompt: str | None = None
    passage_prompt: str | None = None
    device: Device = "auto"
    precision: Precision = "auto"


class KnowledgeSettings(BaseSettings):
    """Each field is the environment variable ``COPILOT_<NAME>``; the description is its row in the README."""

    model_config = SettingsConfigDict(env_prefix="COPILOT_", env_file=".env", extra="ignore", frozen=True)

    data: Path = Field(Path("data"), description="Folder of everything that is kept: database, files, indexes.")
    cache: Path = Field(
        Path("~/.cache/merchant-copilot"), description="Folder of what can be made again: the converted embedder."
    )
    database_url: str | None = Field(
        None, description="`postgresql://user:password@host/database`; empty: SQLite in the data folder."
    )
    chroma_url: str | None = Field(None, description="Chroma server; empty: one is started for you.")
    embedder: EmbedderKind = Field(
        "bundled",
        description="What turns text into vectors; more in [knowledge](knowledge/README.md). Knowledge bases move to a "
        "newly set one in the background.",
    )
    embedding_base_url: str | None = Field(None, description="OpenAI-compatible endpoint, for `openai`.")
    embedding_api_key: SecretStr | None = Field(None, description="Its key.")
    embedding_model: str | None = Field(
        None, description="Its model; for `sentence_transformers` a folder or a hub id (`name@revision`)."
    )
    embedding_previous_api_key: SecretStr | None = Field(
        None, description="Key of the endpoint used before, until every knowledge base has moved."
    )
    embedding_dimensions: int | None = Field(
        None, ge=8, le=8192, description="Shorten vectors, if the model can; empty: the model's own."
    )
    embedding_query_prompt: str | None = Field(
        None, description="Words before every question; empty: the model's own, none for `openai`."
    )
    embedding_passage_prompt: str | None = Field(None, description="Words before every passage, likewise.")
    embedding_batch: int = Field(10, ge=1, le=2048, description="Texts in a request to the endpoint.")
    embedding_max_tokens: int = Field(
        8000, ge=64, description="Longest text the endpoint takes; a longer one is cut before it is embedded."
    )
    embedding_timeout: float = Field(30.0, gt=0, description="Seconds an endpoint has for a request.")
    embedding_device: Device = Field("auto", description="Where models of sentence-transformers run.")
    embedding_precision: Precision = Field(
        "auto", description="`auto`: bf16 on CUDA, fp32 on the CPU; set it where both serve one knowledge base."
    )
    embedding_threads: int | None = Field(None, ge=1, description="CPU threads of an embedder here; empty: all.")
    reranker: Literal["none", "cross_encoder", "http"] = Field(
        "none", description="What orders the best passages anew, where `copilot eval retrieval` shows that it helps."
    )
    rerank_url: str | None = Field(None, description="Address of a rerank endpoint (`…/v1/rerank`), for `http`.")
    rerank_api_key: SecretStr | None = Field(None, description="Its key.")
    rerank_model: str | None = Field(
        None, description="Its model; for `cross_encoder` a folder or a hub id (`name@revision`)."
    )
    rerank_top: int = Field(20, ge=2, le=200, description="Passages it orders.")
    rerank_timeout: float = Field(1.0, gt=0, description="Seconds it has; then the order stays as it was.")
    candidates: int = Field(50, ge=5, le=500, description="Chunks each retrieval stage proposes.")
    section_width: int = Field(
        900, ge=0, le=6000, description="Chinese characters of its section that a passage of an answer has; 0: the hit."
    )

    @property
    def database(self) -> str:
        # Imported here: the process that supervises the others reads settings too and has no use for SQLAlchemy.
        from knowledge.database import sqlite_url

        return self.database_url or sqlite_url(self.data.absolute() / "copilot.db")

    @property
    def embedder_recipe(self) -> EmbedderRecipe:
        if self.embedder == "bundled":
            return EmbedderRecipe()
        return EmbedderRecipe(
            embedder=self.embedder,
            base_url=self.embedding_base_url if self.embedder == "openai" else None,
            model=self.embedding_model,
            dimensions=self.embedding_dimensions,
            query_prompt=self.embedding_query_prompt,
            passage_prompt=self.embedding_passage_prompt,
            device=self.embedding_device,
            precision=self.embedding_precision,
        )

    @property
    def cache_folder(self) -> Path:
        return self.cache.expanduser()
