"""The HTTP application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.routing import Route

from app import errors
from app.api import (
    answer_cache,
    artifacts,
    chat,
    chunking,
    chunks,
    conflicts,
    conversations,
    curation,
    jobs,
    keys,
    knowledge,
    operations,
    pages,
    parse_queue,
    prompts,
    publications,
    receipts,
    snapshots,
    sources,
    synonyms,
    tuning,
)
from app.api.limits import BodyLimit
from app.api.mcp.endpoint import PATH, McpEndpoint, McpRoute
from app.api.openai import router as openai
from app.chat.shared_turns import SharedTurns
from app.console.router import router as console
from app.settings import Settings
from app.wiring import Twins, running_services

ABANDONED = timedelta(minutes=30)


def create_app(
    settings: Settings,
    *,
    chroma_url: str | None = None,
    redis_url: str | None = None,
    twins: Twins | None = None,
) -> FastAPI:
    """The service behind HTTP; its parts live as long as the application does."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running_services(settings, chroma_url=chroma_url, redis_url=redis_url, twins=twins) as services:
            await services.conversations.close_abandoned(older_than=ABANDONED)
            async with asyncio.TaskGroup() as tasks:
                running = SharedTurns(services.chat, services.conversations, services.streams, tasks)
                await running.open()
                app.state.services = services
                app.state.running = running
                app.state.mcp = mcp = McpEndpoint(services, running.here, tasks)
                yield
                mcp.close()
                await running.close()

    app = FastAPI(title="Merchant Copilot", version=version("merchant-copilot"), lifespan=lifespan)
    app.add_middleware(BodyLimit, max_bytes=settings.max_upload_mb << 20, larger={snapshots.PATH: snapshots.MOST_BYTES})
    # Keys travel in headers, never in cookies, across origins; a publishable key checks its own origins.
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Cache-Control", "Range"],
        expose_headers=["Retry-After"],
        max_age=600,
    )
    errors.install(app)
    answers = (chat, receipts, conversations, openai, answer_cache, curation, prompts)
    tended = (knowledge, publications, parse_queue, snapshots, tuning, chunking, chunks, conflicts, synonyms, sources)
    for module in (*answers, *tended, jobs, artifacts, keys, operations, pages):
        app.include_router(module.router)
    app.router.routes.append(Route(PATH, McpRoute()))
    app.include_router(console)
    return app
