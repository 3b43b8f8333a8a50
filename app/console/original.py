"""The original beside its chunks: pages as pictures with the lines marked, or what was read of it as safe text."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from app.console.guard import ConsoleRoute, Reading
from app.console.pages import Visit, page
from app.console.paging import CHUNKS_PER_PAGE, Pages
from app.console.texts import language_of, sentence_of
from ingest import whereabouts
from ingest.shown import CUT, PAGED, ShownLine, ShownPage
from ingest.sniff import ZIP
from ingest.whereabouts import Read, Spot
from knowledge.chunk_edits import Slot
from knowledge.errors import DocumentRefused, NotFound
from knowledge.models import Document

MOST_PAGES = 40  # beside one page of chunks
MOST_SPOTS = 3_000
SPOT_BYTES = 400
KEPT_BY_BROWSER = "private, max-age=600"

router = APIRouter(prefix="/documents", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page; ``lines`` with the ids of the chunks that have them."""

    number: int
    page: ShownPage
    lines: Sequence[tuple[ShownLine, str]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A block of the document; ``spots`` with the ids of the chunks that have them."""

    kind: str
    sheet: str | None
    spots: Sequence[tuple[Spot, str]]


@router.get("/{document_id}/original")
async def original(visit: Reading, document_id: str, number: int = Query(1, alias="page", ge=1)) -> Response:
    """What stands beside a page of chunks."""
    knowledge = visit.services.knowledge
    document = await knowledge.catalog.document(visit.tenant, document_id)
    if document.live_hash is None or document.media_type == ZIP:
        return _pane(visit, document)
    _, total = await knowledge.editor.page(document, limit=1, offset=0)
    pages = Pages.holding(number, CHUNKS_PER_PAGE, total)
    listed, _ = await knowledge.editor.page(document, limit=pages.per_page, offset=pages.offset)
    ids = {each.chunk.ordinal: each.chunk.id for each in listed}
    shown = _as_pages if document.media_type in PAGED else _as_text
    try:
        return await shown(visit, document, ids)
    except DocumentRefused as refusal:
        return _pane(visit, document, problem=sentence_of(language_of(visit.request), refusal))


@router.get("/{document_id}/pages/{number}")
async def page_picture(visit: Reading, document_id: str, number: int) -> Response:
    """A page of the live original."""
    document = await _with_original(visit, document_id)
    if document.media_type not in PAGED or number < 1:
        raise NotFound("There is no such page.", code="page_not_found")
    drawn = await visit.services.originals.picture(visit.tenant, document.live_hash or "", number)
    return Response(drawn, media_type="image/webp", headers={"Cache-Control": KEPT_BY_BROWSER})


@router.get("/{document_id}/file")
async def file(visit: Reading, document_id: str) -> Response:
    """The bytes as they were received, to be kept and not to be run: no browser opens them as a page of ours."""
    document = await _with_original(visit, document_id)
    path = visit.services.originals.path(visit.tenant, document.live_hash or "")
    name = quote(document.name.rpartition("/")[2])
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return FileResponse(path, media_type="application/octet-stream", headers=headers)


async def _with_original(visit: Visit, document_id: str) -> Document:
    document = await visit.services.knowledge.catalog.document(visit.tenant, document_id)
    if document.live_hash is None:
        raise NotFound("This document has no original (any more).", code="original_not_found")
    return document


async def _as_pages(visit: Visit, document: Document, ids: Mapping[int, str]) -> Response:
    chunks = await _reads_kept(visit, document)
    first, last = _span(chunks, ids)
    shown = await visit.services.originals.pages(
        visit.tenant, document.live_hash or "", first=first, count=min(last - first + 1, MOST_PAGES)
    )
    sheets = []
    for number, each in enumerate(shown.pages, start=shown.first):
        placed = whereabouts.of_lines(each.lines, number, chunks)
        lines = [(line, _names(inside, ids)) for line, inside in zip(each.lines, placed, strict=True)]
        sheets.append(Sheet(number, each, [(line, names) for line, names in lines if names]))
    return _pane(visit, document, sheets=sheets, total=shown.total, cut=last - first + 1 > MOST_PAGES)


async def _as_text(visit: Visit, document: Document, ids: Mapping[int, str]) -> Response:
    originals, editor = visit.services.originals, visit.services.knowledge.editor
    loaded = await originals.blocks(visit.tenant, document.live_hash or "", document.name)

    async def placed() -> tuple[list[Spot], list[tuple[int, ...]]]:
        chunks = _reads(await editor.slots(document))
        spots = await asyncio.to_thread(whereabouts.spots, loaded.blocks)
        return spots, await asyncio.to_thread(whereabouts.of_spots, spots, chunks)

    key = ("spots", document.id, document.version)
    spots, where = await originals.keep(key, placed, lambda found: SPOT_BYTES * len(found[0]))
    part = _part(where, ids)
    shown = [(spot, _names(inside, ids)) for spot, inside in zip(spots[part], where[part], strict=True)]
    shown[:0] = [(spot, "") for spot in _header_above(spots, part.start)]
    pieces = [_piece(list(group)) for _, group in groupby(shown[:MOST_SPOTS], key=lambda pair: pair[0].block)]
    return _pane(visit, document, pieces=pieces, cut=len(shown) > MOST_SPOTS or CUT in loaded.notes)


def _pane(
    visit: Visit,
    document: Document,
    *,
    pieces: Sequence[Piece] = (),
    sheets: Sequence[Sheet] = (),
    total: int = 0,
    cut: bool = False,
    problem: str = "",
) -> Response:
    """Empty where there is no original."""
    return page(
        visit,
        "original.html",
        document=document,
        pieces=pieces,
        sheets=sheets,
        total=total,
        cut=cut,
        problem=problem,
    )


async def _reads_kept(visit: Visit, document: Document) -> list[Read]:
    async def made() -> list[Read]:
        return _reads(await visit.services.knowledge.editor.slots(document))

    def weight(reads: list[Read]) -> int:
        return sum(200 + 2 * len(read.text) for read in reads)

    return await visit.services.originals.keep(("reads", document.id, document.version), made, weight)


def _reads(slots: Sequence[Slot]) -> list[Read]:
    """What was read of the file, in order, with the numbers of what stands there now."""
    reads: list[Read] = []
    ordinal = 0
    for slot in slots:
        everywhere = tuple(range(ordinal, ordinal + len(slot.parts)))
        for of, base in enumerate(slot.base):
            place = base.chunk.place
            mine = {number: part.text for number, part in zip(everywhere, slot.parts, strict=True) if part.of == of}
            said = tuple(mine.values()) if len(mine) > 1 else ()
            reads.append(Read(base.chunk.text, tuple(mine) or everywhere, place.page, place.heading, said))
        ordinal += len(slot.parts)
    return reads


def _span(chunks: Sequence[Read], ids: Mapping[int, str]) -> tuple[int, int]:
    """The first and last page that these chunks are on; a chunk ends where the next one begins."""
    here = [index for index, chunk in enumerate(chunks) if any(ordinal in ids for ordinal in chunk.ordinals)]
    pages = [page for index in here if (page := chunks[index].page) is not None]
    if not pages:
        return 1, MOST_PAGES
    after = chunks[here[-1] + 1].page if here[-1] + 1 < len(chunks) else max(pages)
    return min(pages), max(*pages, after or 1)


def _part(where: Sequence[tuple[int, ...]], ids: Mapping[int, str]) -> slice:
    """From the first spot of these chunks to where the next ones begin; all of a document that fits on one page."""
    here = [index for index, inside in enumerate(where) if any(ordinal in ids for ordinal in inside)]
    if not here:
        return slice(0, MOST_SPOTS)
    beyond = range(here[-1] + 1, len(where))
    start = 0 if 0 in ids else here[0]
    return slice(start, next((index for index in beyond if where[index]), len(where)))


def _header_above(spots: Sequence[Spot], start: int) -> list[Spot]:
    """Of the table that the part begins inside of."""
    if start >= len(spots) or spots[start].kind != "row":
        return []
    first = next(index for index in range(start, -1, -1) if not index or spots[index - 1].block != spots[start].block)
    return [spots[first]] if spots[first].kind == "header" else []


def _names(inside: Iterable[int], ids: Mapping[int, str]) -> str:
    return " ".join(ids[ordinal] for ordinal in inside if ordinal in ids)


def _piece(spots: Sequence[tuple[Spot, str]]) -> Piece:
    kind = {"header": "table", "row": "table", "question": "faq"}.get(spots[0][0].kind, spots[0][0].kind)
    return Piece(kind, spots[0][0].sheet, spots)
