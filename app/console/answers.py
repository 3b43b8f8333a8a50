"""The page of one whole answer, for who has a signed link to it; no key, no script, nothing but the answer.

Who is signed in to the console is shown where to correct it.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from app.channels.answer_links import signed_name
from app.channels.calls import CHINA
from app.chat.history import AnsweredTurn
from app.console.guard import Anybody, visitor
from app.console.pages import SECURITY_HEADERS, Visit, page
from app.console.prose import html_of
from app.console.texts import language_of, sentence_of
from app.errors import status_of
from app.identity.keys import Scope
from app.jobs.signing import moment_of
from knowledge.errors import CopilotError

# The address holds the signature: it goes to nobody else, neither as a referrer nor into an index.
_HEADERS = {
    **SECURITY_HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}

router = APIRouter(include_in_schema=False)


@router.get("/a/{turn_id}")
async def answer(visit: Anybody, turn_id: str, expires: str = "", signature: str = "") -> Response:
    services = visit.services
    try:
        services.jobs.artifacts.signer.check(signed_name(turn_id), moment_of(expires), signature)
        shown = await _page(visit, await services.conversations.shared(turn_id))
    except CopilotError as error:
        shown = _refusal(visit, error)
    shown.headers.update(_HEADERS)
    return shown


async def _page(visit: Visit, turn: AnsweredTurn) -> Response:
    sources = _sources(turn)
    operator = await _operator(visit, turn)
    html = html_of(turn.answer, cited=[number for number, _ in sources])
    return page(visit, "answer.html", turn=turn, html=html, sources=sources, problem="", zone=CHINA, fix=operator)


def _refusal(visit: Visit, error: CopilotError) -> Response:
    sentence = sentence_of(language_of(visit.request), error)
    return page(
        visit, "answer.html", status=status_of(error), turn=None, html="", sources=(), problem=sentence, fix=False
    )


async def _operator(visit: Visit, turn: AnsweredTurn) -> bool:
    """Whether whoever looks is signed in to the console as somebody who may correct this answer."""
    known = await visitor(visit)
    if not known.may(Scope.WRITE):
        return False
    return bool(await visit.services.conversations.questions(known.tenant, [turn.id]))


def _sources(turn: AnsweredTurn) -> list[tuple[int, Mapping[str, Any]]]:
    """The passages that the answer cites, by their numbers."""
    evidence = turn.evidence
    return [(number, evidence[number - 1]) for number in sorted(turn.citations) if 1 <= number <= len(evidence)]
