"""The service as commands of administration have it: over HTTP, whether one is running or not."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import httpx

from app.cli.remote import service_client
from app.settings import Settings

if TYPE_CHECKING:
    from app.wiring import Services


T = TypeVar("T")


async def with_service(settings: Settings, work: Callable[[httpx.AsyncClient, "Services | None"], Awaitable[T]]) -> T:
    """What ``work`` gives, called with both."""
    async with service(settings) as (http, here):
        return await work(http, here)


@asynccontextmanager
async def service(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, "Services | None"]]:
    """The running service; without one, everything in this process, which then does a worker's work, too."""
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
