"""The HTTP API for a command: of the running service, or of one in this process for the time of the call."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import httpx

from app.cli.remote import service_client
from app.settings import Settings

if TYPE_CHECKING:  # importing it takes a second, which a command that speaks to a service need not wait
    from app.wiring import Services

T = TypeVar("T")
Work: TypeAlias = Callable[[httpx.AsyncClient, "Services | None"], Awaitable[T]]


async def with_service(settings: Settings, work: Work[T]) -> T:
    """``work`` gets a client, and, without a running service, the services here, whose jobs nobody else does."""
    async with _service(settings) as (http, here):
        return await work(http, here)


@asynccontextmanager
async def _service(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, "Services | None"]]:
    from app.processes.runtime import find_running

    running = find_running(settings) if settings.url is None else None
    url = running.url if running else settings.url
    if url is not None:
        async with service_client(url, settings.api_key) as http:
            yield http, None
        return
    from app.main import create_app
    from app.processes.embedded import embedded_services

    async with embedded_services(settings, redis=False, chroma=True) as started:
        app = create_app(settings.model_copy(update={"require_keys": False}), chroma_url=started.chroma_url)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                yield http, app.state.services
