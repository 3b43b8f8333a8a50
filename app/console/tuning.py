"""Weights of a knowledge base: learned from pasted questions, shown with what they gained, taken away again."""

from fastapi import APIRouter, Form, Response

from app.console.authors import label_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from app.tuning import Learned, exemplars_of
from knowledge.errors import Conflict, InvalidInput

router = APIRouter(prefix="/kb/{kb}/tuning", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def tuning(visit: Reading, kb: str) -> Response:
    return await _page(visit, kb)


@router.post("")
async def learn(visit: Writing, kb: str, questions: str = Form(""), dry_run: str = Form("")) -> Response:
    try:
        exemplars = exemplars_of(questions)
        learned = await visit.services.tuning.learn(
            visit.tenant, kb, exemplars, by=label_of(visit), dry_run=bool(dry_run)
        )
    except (Conflict, InvalidInput) as error:
        problem = sentence_of(language_of(visit.request), error)
        return await _page(visit, kb, questions=questions, dry_run=bool(dry_run), problem=problem)
    return await _page(visit, kb, questions=questions, dry_run=bool(dry_run), learned=learned)


@router.post("/reset")
async def reset(visit: Writing, kb: str) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    await visit.services.tuning.reset(visit.tenant, base.id)
    return see(path_of("kb", base.name, "tuning"))


async def _page(
    visit: Visit,
    kb: str,
    *,
    questions: str = "",
    dry_run: bool = False,
    problem: str = "",
    learned: Learned | None = None,
) -> Response:
    base = await visit.services.knowledge.catalog.knowledge_base(visit.tenant, kb)
    return page(
        visit,
        "tuning.html",
        status=422 if problem else 200,
        base=base,
        shown=learned.tuning if learned else base.tuning,
        learned=learned,
        questions=questions,
        dry_run=dry_run,
        problem=problem,
    )
