"""Settings of the knowledge side, read once from the environment (``COPILOT_*``) and ``.env``, then passed down."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class KnowledgeSettings(BaseSettings):
    """Each field is the environment variable ``COPILOT_<NAME>``; the description is its row in the README."""

    model_config = SettingsConfigDict(env_prefix="COPILOT_", env_file=".env", extra="ignore", frozen=True)

    data: Path = Field(Path("data"), description="Folder of everything that is kept: database, files, indexes.")
    cache: Path = Field(
        Path("~/.cache/merchant-copilot"), description="Folder of what can be made again: the converted embedder."
    )
    database_url: str | None = Field(None, description="SQLAlchemy URL; empty: SQLite in the data folder.")
    chroma_url: str | None = Field(None, description="Chroma server; empty: one is started for you.")
    embedder: Literal["bundled", "openai"] = Field("bundled", description="What turns text into vectors.")
    embedding_base_url: str | None = Field(None, description="OpenAI-compatible endpoint, for `openai`.")
    embedding_api_key: SecretStr | None = Field(None, description="Its key.")
    embedding_model: str | None = Field(None, description="Its model.")
    embedding_threads: int | None = Field(None, ge=1, description="CPU threads of the bundled embedder; empty: all.")
    candidates: int = Field(50, ge=5, le=500, description="Chunks each retrieval stage proposes.")

    @property
    def database(self) -> str:
        # Imported here: the process that supervises the others reads settings too and has no use for SQLAlchemy.
        from knowledge.database import sqlite_url

        return self.database_url or sqlite_url(self.data.absolute() / "copilot.db")

    @property
    def cache_folder(self) -> Path:
        return self.cache.expanduser()
