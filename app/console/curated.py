"""Curated answers: their list, and the page where one is written, published and retired."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Response

from app.console.authors import label_of, names_of
from app.console.curated_form import CuratedForm, cited, of_answer, of_gap, of_turn
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, back_to, page, path_of, see
from app.console.paging import Pages
from app.console.texts import language_of, sentence_of
from knowledge.curated import CuratedAnswer, CuratedState
from knowledge.database import now
from knowledge.errors import CopilotError, InvalidInput, NotFound

PER_PAGE = 50
STATES: Mapping[str, CuratedState | None] = {"all": None, **{state: state for state in get_args(CuratedState)}}

router = APIRouter(prefix="/curated", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def curated(visit: Reading, state: str = "all", number: int = Query(1, alias="page", ge=1)) -> Response:
    answers = visit.services.curation.answers
    group = state if state in STATES else "all"
    counts = {name: (await answers.page(visit.tenant, each, limit=1))[1] for name, each in STATES.items()}
    pages = Pages.holding(number, PER_PAGE, counts[group])
    shown, _ = await answers.page(visit.tenant, STATES[group], limit=pages.per_page, offset=pages.offset)
    return page(
        visit,
        "curated.html",
        answers=shown,
        counts=counts,
        group=group,
        pages=pages,
        moment_now=now(),
        names=await names_of(visit),
        address=lambda n: f"{path_of('curated')}?{urlencode({'state': group, 'page': n})}",
    )


@router.get("/new")
async def new(visit: Writing, gap: str = "", turn: str = "", question: str = "") -> Response:
    """Filled in from a gap, or from an answer that was not right."""
    if gap:
        return await _form(visit, of_gap(await visit.services.curation.gaps.cluster(visit.tenant, gap)))
    if turn:
        wrong = await visit.services.conversations.answered(visit.tenant, turn)
        return await _form(visit, of_turn(wrong), sources=cited(wrong))
    return await _form(visit, CuratedForm(question=question))


@router.post("")
async def create(visit: Writing, filled: Annotated[CuratedForm, Form()]) -> Response:
    try:
        made = await visit.services.curation.create(
            visit.tenant, filled.draft(), live=bool(filled.live), by=label_of(visit), source=filled.source()
        )
    except (InvalidInput, NotFound) as error:
        return await _form(visit, filled, error=error)
    return see(f"{path_of('curated', made.id)}?notice={'published' if filled.live else 'proposed'}")


@router.get("/{curated_id}")
async def edit(visit: Reading, curated_id: str, notice: str = "") -> Response:
    shown = await visit.services.curation.answers.get(visit.tenant, curated_id)
    return await _form(visit, of_answer(shown), shown=shown, notice=notice)


@router.post("/{curated_id}")
async def save(visit: Writing, curated_id: str, filled: Annotated[CuratedForm, Form()]) -> Response:
    curation = visit.services.curation
    shown = await curation.answers.get(visit.tenant, curated_id)
    try:
        await curation.edit(visit.tenant, curated_id, filled.draft(), by=label_of(visit))
    except (InvalidInput, NotFound) as error:
        return await _form(visit, filled, shown=shown, error=error)
    if filled.live:
        await curation.set_state(visit.tenant, curated_id, "live", by=label_of(visit))
    return see(f"{path_of('curated', curated_id)}?notice={'published' if filled.live else 'saved'}")


@router.post("/{curated_id}/state")
async def set_state(visit: Writing, curated_id: str, to: str = Form(""), next: str = Form("")) -> Response:  # noqa: A002
    state = STATES.get(to)
    if state is None:
        raise InvalidInput("This form has a value that makes no sense here.")
    await visit.services.curation.set_state(visit.tenant, curated_id, state, by=label_of(visit))
    return see(back_to(next, path_of("curated", curated_id)))


@router.post("/{curated_id}/delete")
async def delete(visit: Writing, curated_id: str) -> Response:
    await visit.services.curation.answers.delete(visit.tenant, curated_id)
    return see(path_of("curated"))


async def _form(
    visit: Visit,
    filled: CuratedForm,
    *,
    shown: CuratedAnswer | None = None,
    sources: Sequence[Mapping[str, Any]] = (),
    error: CopilotError | None = None,
    notice: str = "",
) -> Response:
    bases = await visit.services.knowledge.catalog.named(visit.tenant, None)
    return page(
        visit,
        "curated_form.html",
        status=422 if error else 200,
        filled=filled,
        shown=shown,
        sources=sources,
        bases=[kb.name for kb in bases],
        names=await names_of(visit) if shown else {},
        notice=notice if notice in ("published", "proposed", "saved") else "",
        problem=sentence_of(language_of(visit.request), error) if error else "",
    )
