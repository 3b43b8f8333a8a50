"""What an operator says should have been found: a document, a chunk, or a text; and whether it can be found at all."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from sqlalchemy import Select, or_, select

from knowledge.catalog import Catalog
from knowledge.chunk_edits import disabled_texts
from knowledge.database import Database
from knowledge.errors import InvalidInput
from knowledge.lexical import LexicalIndex
from knowledge.models import Document, DocumentStatus, KnowledgeBase
from knowledge.tables import chunks, document_versions, documents, past_chunks
from knowledge.tokens import fold, terms

NEAR = 0.6  # of the terms of a text; a chunk with fewer is not where it stands
LOOKED_AT = 50  # chunks that might hold a text, the best by words
MOST_BASES = 20  # other knowledge bases looked through

Kind: TypeAlias = Literal["document", "chunk", "text"]
Obstacle: TypeAlias = Literal[
    "not_here", "elsewhere", "waiting", "failed", "deleted", "scheduled", "expired", "disabled", "no_text"
]


@dataclass(frozen=True, slots=True)
class Expected:
    """``chunk_ids`` are what any of which would do; ``share`` of a text's terms the chunk has, ``nearest`` or meant.

    ``obstacle`` is why no search could find it: it is in ``elsewhere``, say, or failed for a ``reason``. ``older``: an
    earlier version answers, as the newest is not published.
    """

    kind: Kind
    document: Document | None = None
    chunk_ids: frozenset[str] = frozenset()
    share: float | None = None
    obstacle: Obstacle | None = None
    elsewhere: str = ""
    reason: str = ""
    older: bool = False


class Expectations:
    """Finds what is meant."""

    def __init__(self, database: Database, catalog: Catalog, lexical: LexicalIndex) -> None:
        self._database = database
        self._catalog = catalog
        self._lexical = lexical

    async def meant(self, base: KnowledgeBase, wanted: str) -> Expected:
        """The name or id of a document, the id of a chunk, part of a name that only one has, or else a text.

        Raises InvalidInput ``expected_empty``.
        """
        wanted = wanted.strip()
        if not wanted:
            raise InvalidInput("Say what should have been found.", code="expected_empty")
        named = await self._named(base, or_(documents.c.id == wanted, documents.c.name == wanted))
        if named is None and (owner := await self._owner(base.tenant, wanted)) is not None:
            return await self._standing(base, Expected("chunk", owner, frozenset((wanted,))))
        if named is None and (text := await self._text_put_aside(base.tenant, wanted)) is not None:
            return await self._text(base, text)
        if named is None:
            named = await self._only_one_with(base, wanted)
        if named is not None:
            return await self._standing(base, Expected("document", named, await self._chunks_of(named)))
        return await self._text(base, wanted)

    async def _named(self, base: KnowledgeBase, which: Any) -> Document | None:
        """In this knowledge base, or else in another of the tenant's."""
        here = documents.c.kb_id == base.id
        query = select(documents.c.id).where(documents.c.tenant == base.tenant, which).order_by(here.desc())
        return await self._first(base.tenant, query)

    async def _owner(self, tenant: str, chunk_id: str) -> Document | None:
        return await self._first(
            tenant, select(chunks.c.document_id).where(chunks.c.id == chunk_id, chunks.c.tenant == tenant)
        )

    async def _only_one_with(self, base: KnowledgeBase, part: str) -> Document | None:
        found, total = await self._catalog.documents(base, contains=part, limit=1)
        return found[0] if total == 1 else None

    async def _first(self, tenant: str, ids: Select[Any]) -> Document | None:
        async with self._database.read() as connection:
            found = (await connection.execute(ids.limit(1))).scalar()
        return None if found is None else await self._catalog.document(tenant, found)

    async def _chunks_of(self, document: Document) -> frozenset[str]:
        query = select(chunks.c.id).where(chunks.c.document_id == document.id)
        async with self._database.read() as connection:
            return frozenset((await connection.execute(query)).scalars())

    async def _text(self, base: KnowledgeBase, text: str) -> Expected:
        here = await self._holding(base, text)
        off = max(((share_of(text, said), id_) for id_, said in await self._disabled(base)), default=(0.0, ""))
        if off[0] >= NEAR and off[0] > (here.share or 0.0):
            owner = await self._catalog.document(base.tenant, off[1])
            return Expected("text", owner, share=off[0], obstacle="disabled")
        if here.share is not None and here.share >= NEAR:
            return await self._standing(base, here)
        others = [kb for kb in await self._catalog.named(base.tenant, None) if kb.id != base.id]
        for other in others[:MOST_BASES]:
            there = await self._holding(other, text)
            if there.share is not None and there.share >= NEAR:
                return await self._standing(base, there)
        return replace(here, obstacle="not_here")

    async def _holding(self, base: KnowledgeBase, text: str) -> Expected:
        """The chunk that has most of a text; live or not."""
        hits = await self._lexical.search(base, text, LOOKED_AT)
        query = select(chunks.c.id, chunks.c.document_id, chunks.c.text)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.where(chunks.c.id.in_([hit.chunk_id for hit in hits])))).all()
        if not rows:
            return Expected("text")
        best = max(rows, key=lambda row: (share_of(text, row.text), row.id))
        owner = await self._catalog.document(base.tenant, best.document_id)
        return Expected("text", owner, frozenset((best.id,)), share_of(text, best.text))

    async def _text_put_aside(self, tenant: str, chunk_id: str) -> str | None:
        """What a chunk said that was live once."""
        query = select(past_chunks.c.text).where(past_chunks.c.id == chunk_id, past_chunks.c.tenant == tenant)
        async with self._database.read() as connection:
            text: str | None = (await connection.execute(query.limit(1))).scalar()
        return text

    async def _disabled(self, base: KnowledgeBase) -> list[tuple[str, str]]:
        """Document and text of each chunk that people took out of what is found."""
        live = (document_versions.c.document_id == documents.c.id) & (document_versions.c.number == documents.c.version)
        query = select(documents.c.id, document_versions.c.edits).join(document_versions, live)
        changed = (documents.c.kb_id == base.id) & document_versions.c.edits.is_not(None)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.where(changed))).all()
        return [(row.id, text) for row in rows for text in disabled_texts(row.edits)]

    async def _standing(self, base: KnowledgeBase, meant: Expected) -> Expected:
        document = meant.document
        assert document is not None  # noqa: S101 (it was found)
        if document.kb_id != base.id:
            there = await self._catalog.knowledge_base(base.tenant, document.kb_id)
            return replace(meant, obstacle="elsewhere", elsewhere=there.name)
        older = document.live_hash is not None and document.status is not DocumentStatus.LIVE
        obstacle = _obstacle(document, meant.chunk_ids)
        if obstacle == "no_text" and document.id in dict(await self._disabled(base)):
            obstacle = "disabled"
        return replace(meant, obstacle=obstacle, reason=document.reason or "", older=older)


def share_of(text: str, chunk: str) -> float:
    """How much of a text a chunk has, 0–1: all of it where it stands there word for word, white space apart."""
    if "".join(fold(text).split()) in "".join(fold(chunk).split()):
        return 1.0
    wanted = frozenset(terms(text))
    return len(wanted & frozenset(terms(chunk))) / len(wanted) if wanted else 0.0


def _obstacle(document: Document, chunk_ids: Collection[str]) -> Obstacle | None:
    if document.status is DocumentStatus.DELETED:
        return "deleted"
    if document.live_hash is None:
        return "failed" if document.status is DocumentStatus.FAILED else "waiting"
    if document.validity != "current":
        return document.validity
    return None if chunk_ids else "no_text"
