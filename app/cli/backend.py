"""What a command talks to: a running service over HTTP, or everything it needs started for this one call."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from app.settings import Settings
from ingest.sources import SourceFile


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file: ``state`` is live, unchanged or failed."""

    name: str
    state: str
    chunks: int = 0
    embedded: int | None = None
    reason: str | None = None
    message: str | None = None


Report = Callable[[FileReport], Awaitable[None]]


class Backend(Protocol):
    """The product as commands see it; events are (name, payload) as on the wire."""

    async def ingest(
        self, kb: str, files: Sequence[SourceFile], report: Report, *, addresses: Sequence[str] = ()
    ) -> None: ...

    async def search(self, kb: str, query: str, limit: int, *, explain: str = "") -> dict[str, Any]: ...

    def ask(
        self, question: str, kbs: Sequence[str] | None, conversation: str | None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]: ...


@asynccontextmanager
async def backend(settings: Settings) -> AsyncIterator[Backend]:
    """The running service if there is one (``COPILOT_URL``, or noted in the data folder), else a local one."""
    from app.processes.runtime import find_running

    url = settings.url
    if url is None and (running := find_running(settings)):
        url = running.url
    if url is not None:
        from app.cli.remote import RemoteBackend

        async with RemoteBackend(url, settings.api_key) as remote:
            yield remote
        return
    from app.cli.local import local_backend

    async with local_backend(settings) as local:
        yield local
