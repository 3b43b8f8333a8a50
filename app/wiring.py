"""The service put together from settings: what is behind which port is decided here and nowhere else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from app.chat import prompts
from app.chat.answerers import Answerer, ExtractiveAnswerer, ModelAnswerer
from app.chat.cache import AnswerCache, MemoryCache, RedisCache
from app.chat.history import Conversations
from app.chat.service import ChatService
from app.database import migrate
from app.identity.keys import Keys
from app.jobs.queue import DramatiqQueue, IngestQueue
from app.services import KnowledgeService
from app.settings import Settings
from ingest.files import FileStore
from ingest.loaders import load
from ingest.pipeline import Pipeline
from knowledge import wiring as knowledge_wiring
from knowledge.answerability import assess
from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Embedder, VectorStore
from knowledge.wiring import Knowledge

CALIBRATED_MODEL = "multilingual-e5-small"  # whose cosines knowledge.answerability was fitted on


@dataclass(frozen=True, slots=True)
class Services:
    """What entry points call."""

    settings: Settings
    parts: Knowledge
    knowledge: KnowledgeService
    chat: ChatService
    conversations: Conversations
    keys: Keys
    pipeline: Pipeline
    files: FileStore


@dataclass(frozen=True, slots=True)
class Twins:
    """Doubles to put in place of what is expensive; None is the real thing."""

    embedder: Embedder | None = None
    vectors: VectorStore | None = None
    queue: IngestQueue | None = None
    answerer: Answerer | None = None
    cache: AnswerCache | None = None


@asynccontextmanager
async def running_services(
    settings: Settings, *, chroma_url: str | None = None, redis_url: str | None = None, twins: Twins | None = None
) -> AsyncIterator[Services]:
    """Everything of one process, with the database migrated and the default tenant there; closed on leaving.

    Without a Redis nothing is queued: the caller runs the pipeline itself.
    """
    twins = twins or Twins()
    settings.data.mkdir(parents=True, exist_ok=True)
    parts = knowledge_wiring.build(settings, chroma_url=chroma_url, embedder=twins.embedder, vectors=twins.vectors)
    redis = redis_url or settings.redis_url
    queue = twins.queue or (DramatiqQueue(redis) if redis else None)
    cache = twins.cache or (RedisCache(redis) if redis else MemoryCache())
    try:
        await migrate(parts.database)
        await parts.catalog.ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        services = _services(settings, parts, queue, cache, twins.answerer)
        yield services
        await services.chat.answerer.close()
    finally:
        await cache.close()
        await parts.vectors.close()
        await parts.database.close()
        if isinstance(queue, DramatiqQueue):
            queue.close()


def make_answerer(settings: Settings, embedder: Embedder) -> Answerer:
    """Raises InvalidInput ``setting_missing`` when a model is configured by half."""
    if not settings.model_base_url and not settings.model_name:
        return ExtractiveAnswerer(embedder if embedder.model_id.startswith(CALIBRATED_MODEL) else None)
    if not (settings.model_base_url and settings.model_name):
        raise InvalidInput("Set both COPILOT_MODEL_BASE_URL and COPILOT_MODEL_NAME.", code="setting_missing")
    from app.llm.openai import OpenAIChatModel

    key = settings.model_api_key
    model = OpenAIChatModel(
        settings.model_base_url,
        key.get_secret_value() if key else "",
        settings.model_name,
        connect_timeout=settings.model_connect_timeout,
        first_token_timeout=settings.model_first_token_timeout,
        between_tokens_timeout=settings.model_between_tokens_timeout,
        max_retries=settings.model_retries,
    )
    return ModelAnswerer(
        model,
        prompts.load("answer", think=settings.model_think),
        temperature=settings.model_temperature,
        max_tokens=settings.model_max_tokens,
    )


def _services(
    settings: Settings, parts: Knowledge, queue: IngestQueue | None, cache: AnswerCache, answerer: Answerer | None
) -> Services:
    files = FileStore(settings.data.absolute() / "files", max_bytes=settings.max_upload_mb << 20)
    conversations = Conversations(parts.database)
    knowledge = KnowledgeService(
        catalog=parts.catalog,
        versions=parts.versions,
        vectors=parts.vectors,
        lexical=parts.lexical,
        embedder=parts.embedder,
        retriever=parts.retriever,
        files=files,
        queue=queue,
    )
    chat = ChatService(
        catalog=parts.catalog,
        retriever=parts.retriever,
        conversations=conversations,
        cache=cache,
        answerer=answerer or make_answerer(settings, parts.embedder),
        condense_template=prompts.load("condense"),
        assess=partial(assess, known_scale=parts.embedder.model_id.startswith(CALIBRATED_MODEL)),
        passages=settings.passages,
    )
    pipeline = Pipeline(
        catalog=parts.catalog,
        versions=parts.versions,
        vectors=parts.vectors,
        embedder=parts.embedder,
        files=files,
        load=load,
    )
    return Services(settings, parts, knowledge, chat, conversations, Keys(parts.database), pipeline, files)
