"""A ZIP of documents: its members become documents of their own, named below the archive.

``prices.zip`` with ``2026/a.xlsx`` gives the document ``prices.zip/2026/a.xlsx``. The archive stands for what is under
its name: a member that a newer one has no more is deleted, one whose bytes are the same is no work.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ingest.files import FileStore
from ingest.parsing.ports import Unpack
from ingest.reading import Heard, read_beside
from ingest.unpacked import Member, folder_of
from knowledge.catalog import Catalog
from knowledge.claims import Claim
from knowledge.models import DocumentStatus, KnowledgeBase
from knowledge.versions import Versions

_EVERY = 20  # members between two reports

Beat = Callable[[Heard], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class TakenOut:
    """``waiting`` are ids of documents that are to be processed, ``gone`` of those that were deleted."""

    note: str
    waiting: tuple[str, ...]
    gone: tuple[str, ...]


class Archives:
    """Receives what is in an archive as whoever uploads it file by file would."""

    def __init__(self, *, catalog: Catalog, versions: Versions, files: FileStore, unpack: Unpack) -> None:
        self._catalog = catalog
        self._versions = versions
        self._files = files
        self._unpack = unpack

    async def take_out(self, claim: Claim, kb: KnowledgeBase, path: Path, beat: Beat) -> TakenOut:
        """Safe to stop anywhere and to run twice. Raises DocumentRefused, and then nothing has changed."""
        with self._files.aside(claim.tenant) as folder:
            unpacked = await read_beside(
                lambda heard: self._unpack(
                    path, name=claim.name, folder=folder, max_bytes=self._files.max_bytes, progress=heard
                ),
                beat,
            )
            waiting = []
            for done, member in enumerate(unpacked.members):
                if done % _EVERY == 0:
                    await beat(Heard())
                if document_id := await self._receive(kb, folder, member):
                    waiting.append(document_id)
        gone = await self._forget(kb, claim.name, {member.name for member in unpacked.members})
        return TakenOut(unpacked.note, tuple(waiting), tuple(gone))

    async def _receive(self, kb: KnowledgeBase, folder: Path, member: Member) -> str | None:
        """→ the document's id, if there is anything to do: an earlier run may have received it and got no further."""
        stored = await asyncio.to_thread(self._files.add, kb.tenant, folder / member.file)
        document_id, fresh = await self._versions.receive(
            kb, member.name, content_hash=stored.content_hash, size=stored.size
        )
        waits = fresh or await self._versions.status(document_id) is DocumentStatus.RECEIVED
        return document_id if waits else None

    async def _forget(self, kb: KnowledgeBase, archive: str, kept: set[str]) -> list[str]:
        gone = [
            member for member in await self._catalog.documents_below(kb, folder_of(archive)) if member.name not in kept
        ]
        for member in gone:
            await self._versions.delete(member)
        return [member.id for member in gone]
