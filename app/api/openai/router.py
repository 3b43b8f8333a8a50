"""``/v1/chat/completions`` and ``/v1/models`` for clients that speak OpenAI's protocol.

They need a secret key: a client that writes the history and the instructions decides what the model reads.
"""

from collections.abc import AsyncGenerator
from typing import Any

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from app.api.data_urls import keep_picture
from app.api.dependencies import Reader, TheRunning, TheServices
from app.api.event_stream import EventStream
from app.api.openai.replies import Reply
from app.api.openai.requests import MODEL, CompletionRequest, knowledge_bases_of, text_of
from app.api.problems import EVENT_STREAM, openai_problems
from app.chat.events import Done, Failed
from app.chat.frames import coalesced
from app.chat.running import RunningTurns
from app.chat.turns import Ask, Turn
from app.chat.whole import read_to_end, reading
from app.errors import openai_error, status_of_failure
from app.identity.keys import Principal, Scope
from app.wiring import Services
from knowledge.models import KnowledgeBase

router = APIRouter(prefix="/v1", tags=["openai"], responses=openai_problems())


@router.post("/chat/completions", responses=EVENT_STREAM)
async def create_completion(
    body: CompletionRequest, who: Reader, services: TheServices, running: TheRunning
) -> Response:
    """Answer the last user message from the documents. The extension field ``copilot`` has the citations."""
    turn = await services.chat.prepare(await _ask(body, who, services))
    reply = Reply(turn.id, body.model)
    if body.stream:
        options = body.stream_options
        return _streamed(running.here, turn, reply, with_usage=bool(options and options.include_usage))
    return await _completed(running.here, turn, reply)


@router.get("/models")
async def list_models(who: Reader, services: TheServices) -> dict[str, Any]:
    """``copilot`` asks all knowledge bases, ``copilot:NAME`` one."""
    bases = await services.knowledge.catalog.knowledge_bases(who.tenant)
    return {"object": "list", "data": [_model(MODEL, None), *(_model(f"{MODEL}:{kb.name}", kb) for kb in bases)]}


@router.get("/models/{model:path}")
async def get_model(model: str, who: Reader, services: TheServices) -> dict[str, Any]:
    """One of them."""
    names = knowledge_bases_of(model)
    (kb,) = await services.knowledge.catalog.named(who.tenant, names) if names else (None,)
    return _model(model, kb)


async def _ask(body: CompletionRequest, who: Principal, services: Services) -> Ask:
    body.check()
    param = "messages"
    pictures = [await keep_picture(services.jobs.artifacts, who, url, param=param) for url in body.pictures]
    return Ask(
        who.tenant,
        text_of(body.question),
        body.kbs,
        channel="openai",
        attachments=tuple(pictures),
        requester=who.label,
        may_work=who.may(Scope.WRITE),
        brought=body.brought(),
    )


def _streamed(running: RunningTurns, turn: Turn, reply: Reply, *, with_usage: bool) -> Response:
    async def frames() -> AsyncGenerator[bytes, None]:
        async with reading(running, turn) as batches:
            async for batch in batches:
                for _, event in coalesced(batch):
                    if isinstance(event, Failed):
                        yield _data(openai_error(status_of_failure(event.code), event.code, event.message))
                    for chunk in reply.chunks(event, with_usage=with_usage):
                        yield _data(chunk)
        yield b"data: [DONE]\n\n"

    return EventStream(frames())


async def _completed(running: RunningTurns, turn: Turn, reply: Reply) -> Response:
    async for event in read_to_end(running, turn):
        reply.take(event)
    if isinstance(event, Done):
        return JSONResponse(reply.completion(event))
    assert isinstance(event, Failed)  # noqa: S101 (a stream ends in Done or Failed)
    status = status_of_failure(event.code)
    return JSONResponse(openai_error(status, event.code, event.message), status)


def _model(name: str, kb: KnowledgeBase | None) -> dict[str, Any]:
    created = int(kb.created_at.timestamp()) if kb else 0
    return {"id": name, "object": "model", "created": created, "owned_by": "merchant-copilot"}


def _data(value: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(value)
