"""How a knowledge base is cut into chunks: chosen beside a look at what a document's chunks would be."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Response

from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from app.rechunking import Preview
from knowledge.chunking import DEFAULT, LARGEST, SMALLEST, Chunking
from knowledge.errors import Conflict, CopilotError, DocumentRefused, InvalidInput
from knowledge.models import KnowledgeBase
from knowledge.widths import width

SHOWN = 12  # chunks of each side
OFFERED = 200  # documents to try it on
WIDE = 400  # from here on the bundled embedder may not read a chunk to its end

router = APIRouter(prefix="/kb/{kb}/chunking", route_class=ConsoleRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form; a box that is not ticked is not sent."""

    size: str
    overlap: str
    join_small: bool
    row_by_row: bool

    def checked(self) -> Chunking:
        """Raises InvalidInput as :meth:`Chunking.checked`."""
        size, overlap = _number(self.size), _number(self.overlap)
        return Chunking(size, overlap, join_small=self.join_small, row_by_row=self.row_by_row).checked()


def _asked(size: str = "", overlap: str = "", join_small: str = "", row_by_row: str = "") -> Typed:
    return Typed(size, overlap, join_small=bool(join_small), row_by_row=bool(row_by_row))


def _sent(
    size: str = Form(""), overlap: str = Form(""), join_small: str = Form(""), row_by_row: str = Form("")
) -> Typed:
    return _asked(size, overlap, join_small, row_by_row)


@router.get("")
async def settings(visit: Reading, kb: str, saved: bool = False) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    return await _page(visit, base, _typed(base.chunking), saved=saved)


@router.post("")
async def save(visit: Writing, kb: str, typed: Annotated[Typed, Depends(_sent)], rechunk: str = Form("")) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    try:
        await visit.services.rechunking.choose(base, typed.checked(), rechunk=bool(rechunk))
    except InvalidInput as error:
        return await _page(visit, base, typed, error=error)
    return see(f"{path_of('kb', base.name, 'chunking')}?saved=1")


@router.get("/preview")
async def preview(
    visit: Reading,
    kb: str,
    typed: Annotated[Typed, Depends(_asked)],
    document: str = Query("", max_length=64),
) -> Response:
    """The two sides alone, for the page that is there."""
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    try:
        seen = await visit.services.rechunking.preview(base, document, typed.checked())
    except (InvalidInput, Conflict, DocumentRefused) as error:
        return _preview(visit, problem=sentence_of(language_of(visit.request), error))
    return _preview(visit, seen)


def _preview(visit: Visit, seen: Preview | None = None, *, problem: str = "") -> Response:
    sides = () if seen is None else (("before", seen.before), ("after", seen.after))
    shown = [(name, side, [(one, round(width(one.text))) for one in side.chunks[:SHOWN]]) for name, side in sides]
    return page(visit, "chunking_preview.html", seen=seen, sides=shown, problem=problem)


async def _page(
    visit: Visit, base: KnowledgeBase, typed: Typed, *, saved: bool = False, error: CopilotError | None = None
) -> Response:
    catalog = visit.services.knowledge.catalog
    documents, _ = await catalog.documents(base, limit=OFFERED)
    return page(
        visit,
        "chunking.html",
        status=422 if error else 200,
        base=base,
        typed=typed,
        least=SMALLEST,
        most=LARGEST,
        default=DEFAULT,
        wide=WIDE,
        documents=[one for one in documents if one.chunks and one.live_hash],
        standing=await visit.services.rechunking.standing(base),
        saved=saved,
        problem=sentence_of(language_of(visit.request), error) if error else "",
    )


def _typed(chunking: Chunking) -> Typed:
    return Typed(
        str(chunking.size), str(chunking.overlap), join_small=chunking.join_small, row_by_row=chunking.row_by_row
    )


def _number(typed: str) -> int:
    """What is no number is out of every bound."""
    return int(typed) if typed.strip().isdecimal() and len(typed) < 9 else -1
