"""Vectors that nothing needs, deleted from their collections and then from the ledger."""

from collections import defaultdict

from knowledge.catalog import Catalog
from knowledge.ports import VectorStore
from knowledge.vector_ledger import VectorLedger
from knowledge.vectors import collection_name


async def delete_orphans(
    catalog: Catalog, ledger: VectorLedger, vectors: VectorStore, *, document_id: str | None = None
) -> int:
    """Of one document or of all; → how many. Raises Unavailable ``vectors_unavailable``; what is left stays known."""
    orphans = await ledger.orphans(document_id=document_id)
    by_collection: dict[tuple[str, str], list[str]] = defaultdict(list)
    for orphan in orphans:
        by_collection[orphan.kb_id, orphan.model].append(orphan.chunk_id)
    bases = {kb.id: kb for kb in await catalog.by_ids({kb_id for kb_id, _ in by_collection})}
    for (kb_id, model), chunk_ids in by_collection.items():
        if kb_id in bases:
            await vectors.delete(collection_name(bases[kb_id], model), chunk_ids)
            await ledger.forget(kb_id, model, chunk_ids)
    return len(orphans)
