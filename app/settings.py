"""Settings of the service, on top of those of knowledge and of the channels."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from app.channel_settings import ChannelSettings
from ingest.ocr.choice import RecognizerName
from knowledge.errors import InvalidInput


class ModelPrice(BaseModel):
    """Money per million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: float = Field(0, ge=0)
    output: float = Field(0, ge=0)


class ModelEndpoint(BaseModel):
    """One of ``COPILOT_MODEL_FALLBACKS``, a JSON list. What is left out is as for the first model.

    ``context`` and ``max_tokens`` (of an answer) left out are not known; ``price`` left out is that of ``prices``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: str = Field(min_length=1)
    model: str = Field(min_length=1)
    api_key: SecretStr | None = None
    context: int | None = Field(None, ge=512)
    max_tokens: int | None = Field(None, ge=16)
    tools: bool = True
    price: ModelPrice | None = None
    connect_timeout: float | None = Field(None, gt=0)
    first_token_timeout: float | None = Field(None, gt=0)
    between_tokens_timeout: float | None = Field(None, gt=0)
    retries: int | None = Field(None, ge=0, le=10)

    @property
    def name(self) -> str:
        """``qwen-plus@dashscope.aliyuncs.com``: how it is called in logs and in figures."""
        return f"{self.model}@{self.base_url.rpartition('://')[2].partition('/')[0].rpartition('@')[2]}"

    @field_validator("api_key")
    @classmethod
    def _usable(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value().strip() if key else ""
        if not (text.isascii() and text.isprintable()):
            raise ValueError("has characters that no key has; copy it again")
        return key


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
    model_context: int | None = Field(
        None, ge=512, description="Tokens of prompt and answer that it takes; longer evidence and history is left out."
    )
    model_tools: bool = Field(True, description="Whether it can call tools.")
    model_fallbacks: tuple[ModelEndpoint, ...] = Field(
        (), description="Models that take over, in order, as JSON: see [app/llm/README.md](app/llm/README.md)."
    )
    passages: int = Field(6, ge=1, le=30, description="Passages an answer is given as evidence.")
    history_tokens: int = Field(2000, ge=0, description="Tokens of earlier turns that a question is read with.")
    history_summary: bool = Field(True, description="Sum up what no longer fits: a call of the model now and then.")
    history_days: int | None = Field(
        None, ge=1, description="Days that conversations are kept unused; empty: for good."
    )
    answer_cache: bool = Field(
        True, description="Keep answers and give them again while their evidence stays; a tenant may switch it."
    )
    suggestions: Literal["model", "headings", "off"] = Field(
        "model",
        description="Questions to ask next, under an answer: a small call of the model, else headings; or none.",
    )
    answer_cache_sample: float = Field(
        0.01, ge=0, le=1, description="Share of answers kept for a similar question that is made anew, to compare."
    )
    call_log_days: int = Field(
        90, ge=1, description="Days that calls of models, and what answers were made from, are kept."
    )
    ocr: RecognizerName = Field("auto", description="Read the text of scans and pictures (extra `ocr`).")
    max_upload_mb: int = Field(50, ge=1, description="Largest document.")
    fetch_allow: tuple[str, ...] = Field(
        (), description="Hosts and networks of one's own that pages may be fetched from, as a JSON list."
    )
    fetch_agent: str = Field(
        "MerchantCopilot/0.1", min_length=1, description="Who fetches pages, as sites and their robots.txt see it."
    )
    source_folders: tuple[str, ...] = Field(
        (), description="Folders and `s3://` prefixes that sources may watch, as a JSON list; empty: none."
    )
    files_folder: Path | None = Field(
        None, description="Folder of received documents; empty: in the data folder. All machines need the same one."
    )
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
    metrics_port: int | None = Field(
        None,
        gt=0,
        le=65533,
        description="Port of a worker's or bot's `/metrics`, without a key; with `copilot up` the first of three.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["console", "json"] = Field("console", description="How it is logged.")

    @property
    def first_model(self) -> ModelEndpoint | None:
        """The model of ``model_base_url``. Raises InvalidInput ``setting_missing`` when it is configured by half."""
        if not (self.model_base_url or self.model_name or self.model_fallbacks):
            return None
        if not (self.model_base_url and self.model_name):
            raise InvalidInput("Set both COPILOT_MODEL_BASE_URL and COPILOT_MODEL_NAME.", code="setting_missing")
        return ModelEndpoint.model_construct(
            base_url=self.model_base_url,
            model=self.model_name,
            api_key=self.model_api_key,
            context=self.model_context,
            tools=self.model_tools,
        )

    @property
    def price_table(self) -> Prices:
        """``prices`` with those that the fallbacks bring along; where both name a model, ``prices`` counts."""
        brought = {each.model: each.price for each in self.model_fallbacks if each.price}
        return self.prices.model_copy(update={"models": brought | self.prices.models})

    @property
    def files(self) -> Path:
        return (self.files_folder or self.data / "files").absolute()

    @property
    def artifacts(self) -> str:
        return self.artifacts_url or str(self.data.absolute() / "artifacts")

    @property
    def keys_required(self) -> bool:
        """Loopback needs no key on a single machine; any other address does."""
        if self.require_keys is not None:
            return self.require_keys
        return self.host not in {"127.0.0.1", "localhost", "::1"}
