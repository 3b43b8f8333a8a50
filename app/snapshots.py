"""Snapshots of knowledge bases as people take and restore them."""

import asyncio
from pathlib import Path
from typing import IO

from app.services import KnowledgeService
from knowledge.models import KnowledgeBase
from knowledge.ports import Embedder
from knowledge.restoring import Restored, Restorer
from knowledge.snapshot_file import SnapshotFile
from knowledge.snapshots import Snapshots


class SnapshotService:
    """Of all tenants."""

    def __init__(
        self, snapshots: Snapshots, restorer: Restorer, knowledge: KnowledgeService, embedder: Embedder
    ) -> None:
        self._snapshots = snapshots
        self._restorer = restorer
        self._knowledge = knowledge
        self._embedder = embedder

    async def take(self, tenant: str, kb: str, out: Path, *, with_vectors: bool = True) -> KnowledgeBase:
        """Raises NotFound ``knowledge_base_not_found``, Conflict ``snapshot_busy``."""
        return await self._snapshots.take(tenant, kb, out, with_vectors=with_vectors)

    async def restore(self, tenant: str, source: Path | IO[bytes], *, name: str = "") -> Restored:
        """A new knowledge base, by default of the name that it had; vectors that it lacks are made behind it.

        Raises as :meth:`SnapshotFile.open` and :meth:`Restorer.restore` do.
        """
        file = await asyncio.to_thread(SnapshotFile.open, source)
        try:
            made = await self._restorer.restore(tenant, name, file, embedding_model=self._embedder.model_id)
        finally:
            file.close()
        for document_id in made.waiting:
            await self._knowledge.process(await self._knowledge.catalog.document(tenant, document_id))
        return made
