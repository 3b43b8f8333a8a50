"""Commands that speak HTTP: to the running service, or to one that lives in this process for the time of the call."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from app.cli.remote import service_client
from app.settings import Settings

RunHere = Callable[[str], Awaitable[None]]


async def with_service(settings: Settings, work: Callable[[httpx.AsyncClient, RunHere | None], Awaitable[Any]]) -> Any:
    """What ``work`` makes of the service, and of what runs a source if the service is in this process."""
    async with _service(settings) as (http, here):
        return await work(http, here)


@asynccontextmanager
async def _service(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, RunHere | None]]:
    """The running service; without one, everything in this process, with what runs a source here and now."""
    from app.processes.runtime import find_running

    running = find_running(settings) if settings.url is None else None
    url = running.url if running else settings.url
    if url is not None:
        async with service_client(url, settings.api_key) as http:
            yield http, None
        return
    from app.cli.local import run_source
    from app.main import create_app
    from app.processes.embedded import embedded_services

    async with embedded_services(settings, redis=False, chroma=True) as started:
        app = create_app(settings.model_copy(update={"require_keys": False}), chroma_url=started.chroma_url)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("127.0.0.1", 0))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
                yield http, lambda source_id: run_source(app.state.services, source_id)
