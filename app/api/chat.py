"""Questions and answers over HTTP."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from sse_starlette import EventSourceResponse

from app.api.bodies import Body
from app.api.dependencies import Chatter, TheRunning, TheServices
from app.api.event_stream import EventStream
from app.api.problems import EVENT_STREAM, problems
from app.chat.events import Done, Failed, Sources, Suggestions, payload_of
from app.chat.frames import Frame
from app.chat.shared_turns import SharedTurns
from app.chat.turns import Ask
from app.errors import problem
from app.identity.keys import Scope
from knowledge.errors import InvalidInput

router = APIRouter(prefix="/v1", tags=["chat"], responses=problems(400, 404, 413, 422, 500, 502, 503, 504))

PIECE = 1 << 14  # bytes in a write

Origin = Annotated[str | None, Header(description="A page's, as browsers send it: the turn is of the web.")]


class ChatRequest(Body):
    """``kb`` names knowledge bases; without it all are asked. ``stream`` false answers with one JSON.

    ``attachments`` are ids of uploaded pictures (``POST /v1/artifacts``). ``suggestions`` false: no questions to ask
    next, for who does not show them.
    """

    question: str
    conversation_id: str | None = None
    kb: list[str] | None = Field(default=None, min_length=1)
    stream: bool = True
    attachments: list[str] = Field(default_factory=list)
    suggestions: bool = True


class FeedbackRequest(Body):
    """``rating`` is up or down; ``reason`` one of wrong, outdated, incomplete, irrelevant, other."""

    rating: str
    reason: str | None = None
    comment: str | None = Field(default=None, max_length=2000)


@router.post("/chat", responses=EVENT_STREAM)
async def chat(
    body: ChatRequest,
    who: Chatter,
    services: TheServices,
    running: TheRunning,
    cache_control: str = Header(default="", description="no-cache: no kept answer will do."),
    origin: Origin = None,
) -> Response:
    """Answer from the documents, with citations: SSE events, or one JSON."""
    ask = Ask(
        who.tenant,
        body.question,
        tuple(body.kb) if body.kb else None,
        body.conversation_id,
        channel=_channel(origin),
        attachments=tuple(body.attachments),
        requester=who.label,
        may_work=who.may(Scope.WRITE),
        no_cache=refuses_kept(cache_control),
        suggests=body.suggestions,
    )
    turn = await services.chat.prepare(ask)
    running.start(turn)
    return _stream(running, who.tenant, turn.id) if body.stream else await _whole(running, who.tenant, turn.id)


@router.get("/turns/{turn_id}/events", response_class=EventSourceResponse, responses=EVENT_STREAM)
async def events(
    turn_id: str, who: Chatter, running: TheRunning, last_event_id: str | None = Header(default=None)
) -> Response:
    """The events of a turn, from the one after ``Last-Event-ID`` on."""
    await running.require(who.tenant, turn_id)
    return _stream(running, who.tenant, turn_id, after=_number(last_event_id))


@router.post("/turns/{turn_id}/stop", status_code=202)
async def stop(turn_id: str, who: Chatter, running: TheRunning) -> dict[str, str]:
    """Stop writing. What was said so far is kept."""
    await running.stop(who.tenant, turn_id)
    return {"id": turn_id, "state": "stopping"}


@router.post("/turns/{turn_id}/regenerate", responses=EVENT_STREAM)
async def regenerate(
    turn_id: str,
    who: Chatter,
    services: TheServices,
    running: TheRunning,
    stream: bool = True,
    origin: Origin = None,
) -> Response:
    """Answer the same question again; both answers are kept."""
    turn = await services.chat.again(
        who.tenant,
        turn_id,
        channel=_channel(origin),
        requester=who.label,
        may_work=who.may(Scope.WRITE),
        suggests=True,
    )
    running.start(turn)
    return _stream(running, who.tenant, turn.id) if stream else await _whole(running, who.tenant, turn.id)


@router.post("/turns/{turn_id}/feedback", status_code=204)
async def feedback(turn_id: str, body: FeedbackRequest, who: Chatter, services: TheServices) -> None:
    """Thumbs, with a reason."""
    await services.conversations.rate(who.tenant, turn_id, rating=body.rating, reason=body.reason, comment=body.comment)


def _channel(origin: str | None) -> str:
    return "web" if origin else "api"


def refuses_kept(cache_control: str) -> bool:
    """Whether a Cache-Control header asks for an answer that is made now."""
    directives = {part.strip().lower() for part in cache_control.split(",")}
    return not directives.isdisjoint({"no-cache", "no-store"})


def _stream(running: SharedTurns, tenant: str, turn_id: str, *, after: int = 0) -> EventStream:
    async def frames() -> AsyncGenerator[bytes, None]:
        async with aclosing(running.frames(tenant, turn_id, after=after)) as batches:
            async for batch in batches:
                for some in _pieces(batch):
                    yield some

    return EventStream(frames())


def _pieces(batch: Sequence[Frame]) -> Iterator[bytes]:
    """What a reader is owed, a little at a time: one that is slow must not have all of it in its buffer."""
    some = bytearray()
    for frame in batch:
        for at in range(0, len(frame.data), PIECE):
            some += frame.data[at : at + PIECE]
            if len(some) >= PIECE:
                yield bytes(some)
                some.clear()
    if some:
        yield bytes(some)


async def _whole(running: SharedTurns, tenant: str, turn_id: str) -> Response:
    passages: Sequence[dict[str, Any]] = ()
    questions: Sequence[str] = ()
    async for batch in running.here.read(tenant, turn_id):
        for _, event in batch:
            match event:
                case Sources():
                    passages = payload_of(event)["passages"]
                case Suggestions():
                    questions = event.questions
                case Done():
                    more = {"passages": list(passages), "suggestions": list(questions)}
                    return JSONResponse({**payload_of(event), **more})
                case Failed():
                    return problem(502, event.code, event.message, params={"turn_id": event.turn_id})
    raise AssertionError("a stream ends in done or failed")


def _number(last_event_id: str | None) -> int:
    if not last_event_id:
        return 0
    if not last_event_id.isdigit():
        raise InvalidInput("Last-Event-ID is a number.", code="last_event_id_invalid")
    return int(last_event_id)
