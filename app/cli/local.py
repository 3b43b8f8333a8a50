"""Commands without a running service: what the call needs is started, used, and stopped."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

from app.api.render import search_json
from app.chat.events import name_of, payload_of
from app.chat.turns import Ask
from app.cli.backend import Backend, FileReport, Report
from app.settings import Settings
from app.wiring import Services, running_services
from ingest.sources import SourceFile
from knowledge.errors import DocumentRefused
from knowledge.models import DEFAULT_TENANT, KnowledgeBase

AT_A_TIME = 2  # one is read while another is embedded


@asynccontextmanager
async def local_backend(settings: Settings) -> AsyncIterator[Backend]:
    """Chroma as a child process for the time of the call, unless one is configured."""
    from app.processes.embedded import embedded_services

    async with (
        embedded_services(settings, redis=False, chroma=True) as started,
        running_services(settings, chroma_url=started.chroma_url) as services,
    ):
        yield LocalBackend(services)


class LocalBackend:
    """The services of this very process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._owner = f"cli-{uuid4().hex[:8]}"

    async def ingest(self, kb: str, files: Sequence[SourceFile], report: Report) -> None:
        base = await self._services.knowledge.ensure(DEFAULT_TENANT, kb)
        gate = asyncio.Semaphore(AT_A_TIME)

        async def one(source: SourceFile) -> None:
            async with gate:
                await report(await self._ingest(base, source))

        async with asyncio.TaskGroup() as tasks:
            for source in files:
                tasks.create_task(one(source))
        await self._services.pipeline.sweep()
        await self._services.parts.lexical.at_epoch(
            await self._services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, kb)
        )

    async def search(self, kb: str, query: str, limit: int) -> dict[str, Any]:
        return search_json(await self._services.knowledge.search(DEFAULT_TENANT, query, kbs=[kb], limit=limit))

    async def ask(
        self, question: str, kbs: Sequence[str] | None, conversation: str | None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        ask = Ask(DEFAULT_TENANT, question, tuple(kbs) if kbs else None, conversation, channel="cli", may_work=True)
        turn = await self._services.chat.prepare(ask)
        async with aclosing(self._services.chat.answer(turn)) as events:
            async for event in events:
                yield name_of(event), payload_of(event)

    async def _ingest(self, base: KnowledgeBase, source: SourceFile) -> FileReport:
        try:
            received = await self._services.knowledge.add_file(base, source.name, source.path)
        except DocumentRefused as refusal:
            return FileReport(source.name, "failed", reason=refusal.reason, message=refusal.message)
        if not received.fresh and received.document.live_hash == received.document.content_hash:
            return FileReport(source.name, "unchanged", chunks=received.document.chunks, embedded=0)
        await self._services.parts.versions.take_over(received.document.id)
        outcome = await self._services.pipeline.run(received.document.id, owner=self._owner)
        if outcome is None:
            return FileReport(source.name, "failed", reason="busy", message="Another process is working on it.")
        state = "live" if outcome.state == "live" else "failed"
        return FileReport(source.name, state, outcome.chunks, outcome.embedded, outcome.reason, outcome.message)
