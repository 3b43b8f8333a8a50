"""A document's window and its versions: when it is valid, what changed, and back to what it was."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

from fastapi import APIRouter, Form, Query, Response

from app.console.authors import label_of
from app.console.curated_form import moment_of, typed
from app.console.guard import ConsoleRoute, Reading, Writing
from app.console.pages import page, path_of, see
from knowledge.errors import InvalidInput
from knowledge.models import Document
from knowledge.validity import Window
from knowledge.version_diff import Change

_TOKEN = re.compile(r"[A-Za-z0-9.,%]+|\s+|.")

router = APIRouter(prefix="/documents", route_class=ConsoleRoute, include_in_schema=False)


def typed_window(document: Document) -> tuple[str, str]:
    """As the form's inputs hold it."""
    return typed(document.window.start), typed(document.window.end)


@router.post("/{document_id}/window")
async def set_window(
    visit: Writing, document_id: str, valid_from: str = Form(""), valid_until: str = Form("")
) -> Response:
    try:
        window = Window(moment_of(valid_from), moment_of(valid_until))
    except ValueError as exc:
        raise InvalidInput("This is no date and time.", code="moment_invalid") from exc
    await visit.services.knowledge.set_window(visit.tenant, document_id, window)
    return see(path_of("documents", document_id))


@router.post("/{document_id}/restore")
async def restore(visit: Writing, document_id: str, number: int = Form(ge=1)) -> Response:
    await visit.services.knowledge.restore(visit.tenant, document_id, number, by=label_of(visit))
    return see(path_of("documents", document_id))


@router.get("/{document_id}/diff")
async def diff(
    visit: Reading, document_id: str, before: int = Query(ge=1, le=2**31), after: int = Query(ge=1, le=2**31)
) -> Response:
    knowledge = visit.services.knowledge
    document = await knowledge.catalog.document(visit.tenant, document_id)
    changes = await knowledge.diff(visit.tenant, document_id, before, after)
    return page(
        visit,
        "document_diff.html",
        document=document,
        before=before,
        after=after,
        changes=[(change, *_marked(change)) for change in changes],
    )


Pieces = list[tuple[str, bool]]


def _marked(change: Change) -> tuple[Pieces, Pieces]:
    """Both texts in pieces, each with whether the other one lacks it."""
    old, new = (_TOKEN.findall(line.text) if line else [] for line in (change.before, change.after))
    if not (old and new):
        return [("".join(old), False)], [("".join(new), False)]
    left: Pieces = []
    right: Pieces = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        _add(left, old[a:b], differs=tag != "equal")
        _add(right, new[c:d], differs=tag != "equal")
    return left, right


def _add(pieces: Pieces, tokens: Sequence[str], *, differs: bool) -> None:
    if tokens:
        pieces.append(("".join(tokens), differs))
