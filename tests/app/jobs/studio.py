"""Jobs alone, put together as the wiring does it, without the rest of the product."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from app.jobs.artifacts import Artifacts
from app.jobs.events import JobEvents, MemoryEvents
from app.jobs.ledger import Ledger
from app.jobs.ports import Handler
from app.jobs.queue import JobQueue
from app.jobs.service import JobService
from app.settings import Prices
from knowledge.catalog import Catalog
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT
from tests.products import database_of


@asynccontextmanager
async def small_studio(
    data: Path,
    handlers: Sequence[Handler[Any]],
    *,
    events: JobEvents | None = None,
    queue: JobQueue | None = None,
    tenants: Sequence[str] = (DEFAULT_TENANT,),
    ledger: type[Ledger] = Ledger,
) -> AsyncIterator[JobService]:
    database = Database(database_of(data))
    try:
        for tenant in tenants:
            await Catalog(database).ensure_tenant(tenant, tenant)
        yield JobService(
            ledger=ledger(database),
            events=events or MemoryEvents(),
            artifacts=Artifacts(database, str(data / "artifacts"), secret=b"of tests"),
            queue=queue,
            prices=Prices(currency="CNY", image=0.5),
            handlers=handlers,
        )
    finally:
        await database.close()
