"""Commands without a running service: what the call needs is started, used, and stopped."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import uuid4

from app.api.explanations import explanation_json
from app.api.render import search_json
from app.chat.events import name_of, payload_of
from app.chat.turns import Ask
from app.cli.backend import Backend, FileReport, Report
from app.services import Received
from app.settings import Settings
from app.wiring import Services, running_services
from ingest.sources import SourceFile
from knowledge.errors import DocumentRefused, InvalidInput
from knowledge.models import DEFAULT_TENANT, DocumentStatus, KnowledgeBase

AT_A_TIME = 24  # two are read, one is published, two batches are embedded, a third is filled, a fourth written


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

    async def ingest(
        self, kb: str, files: Sequence[SourceFile], report: Report, *, addresses: Sequence[str] = ()
    ) -> None:
        base = await self._services.knowledge.ensure(DEFAULT_TENANT, kb)
        gate = asyncio.Semaphore(AT_A_TIME)

        async def one(work: Coroutine[Any, Any, tuple[FileReport, Sequence[str]]]) -> None:
            async with gate:
                done, waiting = await work
            await report(done)
            for document_id in waiting:
                async with gate:
                    document = await self._services.knowledge.catalog.document(DEFAULT_TENANT, document_id)
                    taken, _ = await self._run(document_id, document.name)
                await report(taken)

        async with asyncio.TaskGroup() as tasks:
            for source in files:
                tasks.create_task(one(self._ingest(base, source)))
            for address in addresses:
                tasks.create_task(one(self._fetch(base, address)))
        await self._services.parts.mover.move()
        await self._services.pipeline.sweep()
        await self._services.parts.lexical.at_epoch(
            await self._services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, kb)
        )

    async def search(self, kb: str, query: str, limit: int, *, explain: str = "") -> dict[str, Any]:
        found = search_json(await self._services.knowledge.search(DEFAULT_TENANT, query, kbs=[kb], limit=limit))
        if not explain:
            return found
        told = await self._services.why_not.explain(DEFAULT_TENANT, query, kb, explain, limit=limit)
        return {**found, "explanation": explanation_json(told)}

    async def ask(
        self, question: str, kbs: Sequence[str] | None, conversation: str | None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        ask = Ask(DEFAULT_TENANT, question, tuple(kbs) if kbs else None, conversation, channel="cli", may_work=True)
        turn = await self._services.chat.prepare(ask)
        async with aclosing(self._services.chat.answer(turn)) as events:
            async for event in events:
                yield name_of(event), payload_of(event)

    async def _ingest(self, base: KnowledgeBase, source: SourceFile) -> tuple[FileReport, Sequence[str]]:
        """→ what became of it, and the documents that were taken out of it, if it is an archive."""
        try:
            received = await self._services.knowledge.add_file(base, source.name, source.path)
        except DocumentRefused as refusal:
            return FileReport(source.name, "failed", reason=refusal.reason, message=refusal.message), ()
        return await self._processed(source.name, received)

    async def _fetch(self, base: KnowledgeBase, address: str) -> tuple[FileReport, Sequence[str]]:
        try:
            received = await self._services.knowledge.add_url(base.tenant, base.id, address)
        except (DocumentRefused, InvalidInput) as refusal:
            return FileReport(address, "failed", reason=refusal.error_code, message=refusal.message), ()
        return await self._processed(received.document.name, received)

    async def _processed(self, name: str, received: Received) -> tuple[FileReport, Sequence[str]]:
        if not received.fresh and received.document.live_hash == received.document.content_hash:
            return FileReport(name, "unchanged", chunks=received.document.chunks, embedded=0), ()
        if not received.fresh:
            await self._services.parts.versions.take_over(received.document.id)
        return await self._run(received.document.id, name)

    async def _run(self, document_id: str, name: str) -> tuple[FileReport, Sequence[str]]:
        outcome = await self._services.pipeline.run(document_id, owner=self._owner)
        if outcome is None:
            return FileReport(name, "failed", reason="busy", message="Another process is working on it."), ()
        state = "live" if outcome.state == "live" else "failed"
        done = FileReport(name, state, outcome.chunks, outcome.embedded, outcome.reason, outcome.message)
        return done, outcome.waiting


async def run_source(services: Services, source_id: str) -> None:
    """A run of a watched source and all that it brings, in this process."""
    await services.keeper.run(source_id)
    source, _ = await services.sources.get(DEFAULT_TENANT, source_id)
    await take_in_received(services, source.kb_id)


async def take_in_received(services: Services, kb: str) -> None:
    """Work on all that a knowledge base has received, in this process."""
    base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, kb)
    while received := (await services.knowledge.catalog.documents(base, statuses=[DocumentStatus.RECEIVED]))[0]:
        ends = [await services.pipeline.run(document.id, owner=f"cli-{uuid4().hex[:8]}") for document in received]
        if all(end is None or end.state == "postponed" for end in ends):
            break
    await services.pipeline.sweep()
