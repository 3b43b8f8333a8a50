"""A product with a watched folder, whose files are as old as they are said to be."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.jobs.queue import MemoryQueue
from app.sources.models import Run, Source
from app.sources.service import NewSource
from app.wiring import Services, Twins, running_services
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT, DocumentStatus
from knowledge.vectors import MemoryVectors
from tests.ingest.web.site import fetcher
from tests.products import settings_for

MINUTE_AGO = 60.0


@asynccontextmanager
async def watching(tmp_path: Path, *roots: str) -> AsyncIterator[Services]:
    """A service that may watch below ``tmp_path/docs`` (and ``roots``), with a knowledge base ``shop``."""
    (tmp_path / "docs").mkdir(exist_ok=True)
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), fetcher=fetcher())
    settings = settings_for(tmp_path / "data", source_folders=(str(tmp_path / "docs"), *roots))
    async with running_services(settings, twins=twins) as services:
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        yield services


def write(path: Path, text: str, *, age: float = MINUTE_AGO) -> Path:
    """``age`` in seconds since it was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


async def add(services: Services, kind: str, location: object, **more: object) -> Source:
    return await services.sources.add(DEFAULT_TENANT, NewSource("shop", kind, str(location), **more))  # type: ignore[arg-type]


async def run(services: Services, source: Source) -> Run:
    """A run of it, here and now, and what came of it."""
    assert await services.keeper.run(source.id)
    _, runs = await services.sources.runs(DEFAULT_TENANT, source.id)
    return runs[0]


def came_to(run: Run) -> dict[str, int]:
    """What was counted, without what was not."""
    return {name: count for name, count in run.counts.items() if count and name != "listed"}


async def names(services: Services) -> list[str]:
    """Of the documents that are not deleted."""
    base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
    found, _ = await services.knowledge.catalog.documents(base)
    return sorted(document.name for document in found if document.status is not DocumentStatus.DELETED)
