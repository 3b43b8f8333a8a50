"""The service put together from settings: what is behind which port is decided here and nowhere else."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from app.channels.calls import Calls
from app.channels.groups import Groups
from app.channels.handoffs import Handoffs
from app.channels.processes import ChannelProcesses
from app.channels.replies import Replies
from app.chat import prompts
from app.chat.answerers import Answerer, ExtractiveAnswerer, ModelAnswerer
from app.chat.cache import AnswerCache, MemoryCache
from app.chat.cache_use import AnswerCacheUse
from app.chat.flights import Flights, flights
from app.chat.history import Conversations
from app.chat.kept import KeptAnswers
from app.chat.redis_cache import RedisCache
from app.chat.redis_streams import RedisStreams
from app.chat.service import ChatService
from app.chat.streams import MemoryStreams, TurnStreams
from app.chat.working import Worker
from app.copywriting.handlers import WriterSettings, copy_handlers
from app.database import migrate
from app.identity.keys import Keys
from app.identity.users import Users
from app.imaging.engines.diffusion.engine import DiffusionEngine
from app.imaging.engines.diffusion.handlers import SceneInpainter, TextToImageHandler, VariationHandler
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelShelf
from app.imaging.engines.diffusion.service import GpuService
from app.imaging.handlers import Desk, image_handlers
from app.imaging.presets import presets
from app.imaging.templates import templates
from app.jobs.artifacts import Artifacts, secret_of
from app.jobs.events import JobEvents, MemoryEvents, RedisEvents
from app.jobs.ingestion import IngestHandler
from app.jobs.ledger import Ledger
from app.jobs.models import Limits
from app.jobs.ports import Handler
from app.jobs.queue import DramatiqQueue, JobQueue
from app.jobs.service import JobService
from app.llm.budget import TokenBudget
from app.llm.calls import ModelCalls
from app.llm.fallback import FallbackModel
from app.llm.logged import CallBook
from app.llm.ports import ChatModel, Endpoint, Price
from app.llm.tokens import TokenCounter
from app.services import KnowledgeService
from app.settings import ModelEndpoint, Settings
from app.tools.commands import Commands
from app.tools.create_copy import CreateCopy
from app.tools.job_tools import CancelJob, JobStatus
from app.tools.make_image import MakeImage
from app.tools.registry import Registry, Tool
from ingest.files import FileStore
from ingest.loaders import load
from ingest.pipeline import Pipeline
from knowledge import wiring as knowledge_wiring
from knowledge.answerability import assess
from knowledge.catalog import Catalog
from knowledge.curated import CuratedAnswers
from knowledge.database import Database
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
    streams: TurnStreams
    keys: Keys
    pipeline: Pipeline
    files: FileStore
    jobs: JobService
    users: Users
    groups: Groups
    replies: Replies
    handoffs: Handoffs
    curated: CuratedAnswers
    calls: Calls
    model_calls: ModelCalls
    channel_processes: ChannelProcesses
    tools: Registry
    kept: KeptAnswers
    cache_use: AnswerCacheUse


@dataclass(frozen=True, slots=True)
class Twins:
    """Doubles to put in place of what is expensive; None is the real thing. ``handlers`` are further kinds of job."""

    embedder: Embedder | None = None
    vectors: VectorStore | None = None
    queue: JobQueue | None = None
    answerer: Answerer | None = None
    cache: AnswerCache | None = None
    streams: TurnStreams | None = None
    events: JobEvents | None = None
    handlers: Sequence[Handler[Any]] = ()


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
    cache = twins.cache or (RedisCache(redis) if redis else MemoryCache())
    streams = twins.streams or (RedisStreams(redis) if redis else MemoryStreams())
    try:
        await migrate(parts.database)
        await parts.catalog.ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        counter = TokenCounter(settings.cache_folder / "tokenizers")
        model_calls = ModelCalls(parts.database, currency=settings.prices.currency)
        calls = CallBook(model_calls, counter)
        answerer = twins.answerer or make_answerer(settings, parts.embedder, counter)
        files = FileStore(settings.data.absolute() / "files", max_bytes=settings.max_upload_mb << 20)
        pipeline = _pipeline(parts, files)
        model = answerer.model if isinstance(answerer, ModelAnswerer) else None
        kinds: list[Handler[Any]] = [IngestHandler(pipeline, parts.versions), *twins.handlers]
        drawer = GpuService(device=settings.image_device)
        kinds = [*studio_handlers(settings, model, drawer, calls), *kinds]
        async with (
            _running_jobs(settings, parts.database, redis, kinds, twins) as jobs,
            flights() as shared,
        ):
            behind = _Behind(parts, files, pipeline, jobs, cache, streams, answerer, shared, calls, model_calls)
            yield _services(settings, behind)
        await answerer.close()
    finally:
        await cache.close()
        await streams.close()
        await parts.vectors.close()
        await parts.database.close()


@asynccontextmanager
async def running_studio(settings: Settings, *, redis_url: str | None = None) -> AsyncIterator[JobService]:
    """What a worker of the text and image queues needs: no embedder, no vectors."""
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    model = make_model(settings)
    drawer = GpuService(device=settings.image_device, threads=settings.image_threads)
    redis = redis_url or settings.redis_url
    try:
        await migrate(database)
        await Catalog(database).ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        counter = TokenCounter(settings.cache_folder / "tokenizers")
        calls = CallBook(ModelCalls(database, currency=settings.prices.currency), counter)
        kinds = studio_handlers(settings, model, drawer, calls)
        async with _running_jobs(settings, database, redis, kinds, Twins()) as jobs:
            yield jobs
    finally:
        await asyncio.to_thread(drawer.close)
        if model is not None:
            await model.aclose()
        await database.close()


def studio_handlers(
    settings: Settings, model: ChatModel | None, drawer: GpuService, calls: CallBook
) -> list[Handler[Any]]:
    """Every kind of text and image job."""
    writer = WriterSettings(
        producer=settings.producer,
        visible_label=settings.visible_label,
        reasoning_tokens=settings.model_reasoning_tokens,
    )
    return [
        *copy_handlers(model, settings=writer, calls=calls),
        *_picture_handlers(settings, drawer),
    ]


def _picture_handlers(settings: Settings, service: GpuService) -> list[Handler[Any]]:
    desk = Desk(
        settings.cache_folder,
        threads=settings.image_threads or os.cpu_count() or 1,
        producer=settings.producer,
        mark="zh" if settings.visible_label else "none",
    )
    models = settings.image_models or settings.data / "models"
    engine = DiffusionEngine(
        ModelShelf(models, default=settings.image_model),
        LoraShelf(models / "loras"),
        service,
        label=desk.label_drawn,
        open_picture=desk.open_picture,
    )
    painter = SceneInpainter(engine, desk.mask)
    return [*image_handlers(desk, painter=painter), TextToImageHandler(engine), VariationHandler(engine)]


def make_answerer(settings: Settings, embedder: Embedder, counter: TokenCounter) -> Answerer:
    """Raises InvalidInput ``setting_missing`` when a model is configured by half."""
    model = make_model(settings)
    if model is None:
        return ExtractiveAnswerer(embedder if embedder.model_id.startswith(CALIBRATED_MODEL) else None)
    # The smallest counts, so that any of them can take over with the same evidence.
    contexts = [each.context for each in (settings.first_model, *settings.model_fallbacks) if each and each.context]
    return ModelAnswerer(
        model,
        prompts.load("answer", think=settings.model_think),
        temperature=settings.model_temperature,
        max_tokens=settings.model_max_tokens,
        budget=TokenBudget(min(contexts), counter, model.name) if contexts else None,
    )


def make_model(settings: Settings) -> ChatModel | None:
    """The configured language models as one. Raises InvalidInput ``setting_missing``: configured by half."""
    first = settings.first_model
    if first is None:
        return None
    return FallbackModel([_place(settings, each) for each in (first, *settings.model_fallbacks)])


def _place(settings: Settings, given: ModelEndpoint) -> tuple[Endpoint, ChatModel]:
    from app.llm.openai import OpenAIChatModel

    price = given.price or settings.prices.models.get(given.model)
    endpoint = Endpoint(
        given.name,
        given.model,
        context=given.context,
        max_tokens=given.max_tokens,
        tools=given.tools,
        price=Price(price.input, price.output) if price else None,
    )
    model = OpenAIChatModel(
        given.base_url,
        given.api_key.get_secret_value() if given.api_key else "",
        given.model,
        connect_timeout=given.connect_timeout or settings.model_connect_timeout,
        first_token_timeout=given.first_token_timeout or settings.model_first_token_timeout,
        between_tokens_timeout=given.between_tokens_timeout or settings.model_between_tokens_timeout,
        max_retries=settings.model_retries if given.retries is None else given.retries,
    )
    return endpoint, model


@asynccontextmanager
async def _running_jobs(
    settings: Settings, database: Database, redis: str | None, handlers: Sequence[Handler[Any]], twins: Twins
) -> AsyncIterator[JobService]:
    queue = twins.queue or (DramatiqQueue(redis) if redis else None)
    events = twins.events or (RedisEvents(redis) if redis else MemoryEvents())
    secret = settings.secret.get_secret_value().encode() if settings.secret else secret_of(settings.data.absolute())
    limits = Limits(
        concurrency=settings.job_concurrency,
        daily_jobs=settings.job_daily_limit,
        daily_amount=settings.job_daily_budget,
        approval_over=settings.job_approval_over,
    )
    try:
        yield JobService(
            ledger=Ledger(database, limits),
            events=events,
            artifacts=Artifacts(database, settings.artifacts, secret=secret),
            queue=queue,
            prices=settings.price_table,
            handlers=handlers,
        )
    finally:
        await events.close()
        if queue is not None:
            queue.close()


def _worker(jobs: JobService, *, has_model: bool) -> Worker:
    """The tools of this installation: those whose kinds of job it has."""
    pictures = [kind for kind, handler in jobs.handlers.items() if handler.queue == "image"]
    channels = {name: " ".join(preset.title.values()) for name, preset in presets().items()}
    scenes = {name: " ".join(template.title.values()) for name, template in templates().items()}
    copy = [kind for kind, handler in jobs.handlers.items() if handler.queue == "text"]
    tools: list[Tool] = [JobStatus(jobs), CancelJob(jobs)]
    tools += [CreateCopy(jobs, copy)] if copy else []
    tools += [MakeImage(jobs, pictures, templates=scenes, presets=channels)] if pictures else []
    registry = Registry.of(tools)
    commands = Commands(registry, list(scenes), copy_possible=has_model)
    return Worker(registry, commands, prompts.load("work"))


def _pipeline(parts: Knowledge, files: FileStore) -> Pipeline:
    return Pipeline(
        catalog=parts.catalog,
        versions=parts.versions,
        vector_ledger=parts.vector_ledger,
        vectors=parts.vectors,
        embedder=parts.embedder,
        files=files,
        load=load,
    )


@dataclass(frozen=True, slots=True)
class _Behind:
    """What the services are made from."""

    parts: Knowledge
    files: FileStore
    pipeline: Pipeline
    jobs: JobService
    cache: AnswerCache
    streams: TurnStreams
    answerer: Answerer
    flights: Flights
    calls: CallBook
    model_calls: ModelCalls


def _services(settings: Settings, behind: _Behind) -> Services:
    parts, files, jobs, answerer = behind.parts, behind.files, behind.jobs, behind.answerer
    calibrated = parts.embedder.model_id.startswith(CALIBRATED_MODEL)
    cache_use = AnswerCacheUse(parts.database, default=settings.answer_cache)
    recipe = f"{version('merchant-copilot')}/{settings.passages}/{settings.candidates}"
    kept = KeptAnswers(behind.cache, behind.flights, cache_use, recipe=recipe, known_scale=calibrated)
    conversations = Conversations(parts.database)
    knowledge = KnowledgeService(
        catalog=parts.catalog,
        versions=parts.versions,
        vector_ledger=parts.vector_ledger,
        vectors=parts.vectors,
        lexical=parts.lexical,
        embedder=parts.embedder,
        retriever=parts.retriever,
        files=files,
        jobs=jobs,
    )
    worker = _worker(jobs, has_model=isinstance(answerer, ModelAnswerer))
    chat = ChatService(
        catalog=parts.catalog,
        retriever=parts.retriever,
        conversations=conversations,
        kept=kept,
        answerer=answerer,
        condense_template=prompts.load("condense"),
        assist_template=prompts.load("assist"),
        assess=partial(assess, known_scale=calibrated),
        worker=worker,
        jobs=jobs,
        calls=behind.calls,
        passages=settings.passages,
    )
    return Services(
        settings=settings,
        parts=parts,
        knowledge=knowledge,
        chat=chat,
        conversations=conversations,
        streams=behind.streams,
        keys=Keys(parts.database),
        pipeline=behind.pipeline,
        files=files,
        jobs=jobs,
        users=Users(parts.database),
        groups=Groups(parts.database, parts.catalog),
        replies=Replies(parts.database),
        handoffs=Handoffs(parts.database),
        curated=CuratedAnswers(parts.database),
        calls=Calls(parts.database),
        model_calls=behind.model_calls,
        channel_processes=ChannelProcesses(parts.database),
        tools=worker.registry,
        kept=kept,
        cache_use=cache_use,
    )
