"""Questions that could not be answered, those alike together, and what to do about them."""

from fastapi import APIRouter, Form, Query, Response

from app.console.authors import label_of
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import back_to, page, path_of, see
from app.console.paging import Pages

PER_PAGE = 20

router = APIRouter(prefix="/gaps", route_class=ConsoleRoute, include_in_schema=False)


@router.get("")
async def gaps(visit: Reading, number: int = Query(1, alias="page", ge=1)) -> Response:
    clusters = await visit.services.curation.gaps.clusters(visit.tenant)
    pages = Pages.holding(number, PER_PAGE, len(clusters))
    return page(
        visit,
        "gaps.html",
        clusters=clusters[pages.offset : pages.offset + pages.per_page],
        pages=pages,
        bases=[kb.name for kb in await visit.services.knowledge.catalog.named(visit.tenant, None)],
        address=lambda n: f"{path_of('gaps')}?page={n}",
    )


@router.post("/{gap_id}/dismiss")
async def dismiss(visit: Writing, gap_id: str, next: str = Form("")) -> Response:  # noqa: A002
    await visit.services.curation.dismiss(visit.tenant, gap_id, by=label_of(visit))
    return see(back_to(next, path_of("gaps")))
