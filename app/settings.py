"""Settings of the service, on top of those of knowledge and of the channels."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.channel_settings import ChannelSettings


class ModelPrice(BaseModel):
    """Money per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(0, ge=0)
    output: float = Field(0, ge=0)


class Prices(BaseModel):
    """``COPILOT_PRICES`` as JSON. A model that is not named has no known price; one of one's own costs nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    currency: str = "CNY"
    models: dict[str, ModelPrice] = {}
    image: float = Field(0, ge=0)
    gpu_second: float = Field(0, ge=0)


class Settings(ChannelSettings):
    """One object for a process; see :class:`knowledge.settings.KnowledgeSettings`."""

    host: str = Field("127.0.0.1", description="Address the API listens on; any but loopback makes keys required.")
    port: int = Field(8000, ge=0, le=65535, description="Port of the API.")
    url: str | None = Field(
        None, description="Running service that commands talk to; empty: the one of the data folder."
    )
    api_key: SecretStr | None = Field(None, description="Key that commands send to it.")
    redis_url: str | None = Field(None, description="Redis or Valkey; empty: one is started for you.")
    require_keys: bool | None = Field(None, description="Ask for API keys; empty: only when not on loopback.")
    model_base_url: str | None = Field(
        None, description="OpenAI-compatible endpoint of the language model; empty: answers quote the documents."
    )
    model_api_key: SecretStr | None = Field(None, description="Its key.")
    model_name: str | None = Field(None, description="Its model, e.g. `qwen-plus`, `deepseek-chat`, `gpt-5-mini`.")
    model_temperature: float = Field(0.2, ge=0, le=2, description="Its temperature.")
    model_max_tokens: int = Field(1024, ge=16, description="Longest answer, in tokens.")
    model_think: bool = Field(
        True,
        description="Ask it to think first, in tags (chain of thought); false for models that reason by themselves.",
    )
    model_reasoning_tokens: int = Field(
        0, ge=0, description="Tokens allowed on top of a text job's answer, for models that reason by themselves."
    )
    model_connect_timeout: float = Field(10.0, gt=0, description="Seconds to reach it.")
    model_first_token_timeout: float = Field(60.0, gt=0, description="Seconds until it says something.")
    model_between_tokens_timeout: float = Field(30.0, gt=0, description="Seconds it may pause.")
    model_retries: int = Field(2, ge=0, le=10, description="Tries again before the first token.")
    passages: int = Field(6, ge=1, le=30, description="Passages an answer is given as evidence.")
    answer_cache: bool = Field(
        True, description="Keep answers and give them again while their evidence stays; a tenant may switch it."
    )
    max_upload_mb: int = Field(50, ge=1, description="Largest document.")
    artifacts_url: str | None = Field(
        None, description="Folder or fsspec URL (`s3://…`) of what jobs make; empty: in the data folder."
    )
    secret: SecretStr | None = Field(None, description="Signs links; empty: one is made in the data folder.")
    prices: Prices = Field(
        Prices(),
        description="Price table as JSON: `currency`, `models` (per million tokens), `image`, `gpu_second`.",
    )
    job_concurrency: int | None = Field(None, ge=1, description="Jobs of a tenant that run at a time in a queue.")
    job_daily_limit: int | None = Field(None, ge=0, description="Jobs of a tenant in a day.")
    job_daily_budget: float | None = Field(None, ge=0, description="Money of a tenant's jobs in a day.")
    job_approval_over: float | None = Field(None, ge=0, description="A job that may cost more waits for approval.")
    image_models: Path | None = Field(
        None, description="Folder of diffusers models, with `loras/` in it; empty: `models` in the data folder."
    )
    image_model: str | None = Field(None, description="Model that draws when none is named: a folder's name or hub id.")
    image_device: Literal["auto", "cuda", "cpu"] = Field(
        "auto", description="Where it draws. One process draws on one device (`CUDA_VISIBLE_DEVICES`)."
    )
    image_threads: int | None = Field(None, ge=1, description="CPU threads of picture jobs; empty: all.")
    producer: str = Field(
        "merchant-copilot", description="Who answers for generated content: named in the AI label of every file."
    )
    visible_label: bool = Field(False, description="Mark generated pictures and texts visibly, too (“AI生成”).")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["console", "json"] = Field("console", description="How it is logged.")

    @property
    def artifacts(self) -> str:
        return self.artifacts_url or str(self.data.absolute() / "artifacts")

    @property
    def keys_required(self) -> bool:
        """Loopback needs no key on a single machine; any other address does."""
        if self.require_keys is not None:
            return self.require_keys
        return self.host not in {"127.0.0.1", "localhost", "::1"}
