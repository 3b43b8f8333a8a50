"""Jobs put together from settings: their kinds, their ledger, and what a worker of text and images needs."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from app.answerer import make_model
from app.copywriting.handlers import WriterSettings, copy_handlers
from app.database import migrate
from app.imaging.engines.diffusion.engine import DiffusionEngine
from app.imaging.engines.diffusion.handlers import SceneInpainter, TextToImageHandler, VariationHandler
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelShelf
from app.imaging.engines.diffusion.service import GpuService
from app.imaging.handlers import Desk, image_handlers
from app.jobs.artifacts import Artifacts, secret_of
from app.jobs.events import JobEvents, MemoryEvents, RedisEvents
from app.jobs.ledger import Ledger
from app.jobs.models import Limits
from app.jobs.ports import Handler
from app.jobs.queue import DramatiqQueue, JobQueue
from app.jobs.service import JobService
from app.llm.calls import ModelCalls
from app.llm.logged import CallBook
from app.llm.ports import ChatModel
from app.llm.tokens import TokenCounter
from app.settings import Settings
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT


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
        async with running_jobs(settings, database, redis, kinds) as jobs:
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


@asynccontextmanager
async def running_jobs(
    settings: Settings,
    database: Database,
    redis: str | None,
    handlers: Sequence[Handler[Any]],
    *,
    queue: JobQueue | None = None,
    events: JobEvents | None = None,
) -> AsyncIterator[JobService]:
    """The ledger with what is behind it; closed on leaving. Without a Redis nothing is queued."""
    queue = queue or (DramatiqQueue(redis) if redis else None)
    events = events or (RedisEvents(redis) if redis else MemoryEvents())
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
