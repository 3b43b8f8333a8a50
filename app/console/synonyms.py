"""Words that are searched for one another: one list, edited as text."""

from fastapi import APIRouter, Form, Response

from app.console.authors import label_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import Visit, page, path_of, see
from app.console.texts import language_of, sentence_of
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/synonyms", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def synonyms(visit: Reading, saved: bool = False) -> Response:
    return _page(visit, await visit.services.parts.synonyms.lines(visit.tenant), saved=saved)


@router.post("")
async def save(visit: Writing, lines: str = Form("")) -> Response:
    written = lines.replace("\r\n", "\n")
    try:
        await visit.services.parts.synonyms.write(visit.tenant, written, by=label_of(visit))
    except InvalidInput as error:
        return _page(visit, written, problem=sentence_of(language_of(visit.request), error))
    return see(f"{path_of('synonyms')}?saved=1")


def _page(visit: Visit, lines: str, *, saved: bool = False, problem: str = "") -> Response:
    groups = sum("=" in line for line in lines.splitlines())
    status = 422 if problem else 200
    return page(visit, "synonyms.html", status=status, lines=lines, groups=groups, saved=saved, problem=problem)
