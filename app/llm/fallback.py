"""Several endpoints as one model: asked in their order, until one begins to answer.

What begins is never begun again elsewhere: a reader would see two answers in one. An endpoint that keeps failing is
passed over for a while (:mod:`app.llm.breaker`); when all are, they are asked all the same, so that one endpoint
alone behaves as it does without a breaker.
"""

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from app.llm.breaker import Breaker
from app.llm.ports import (
    RESTING,
    Answering,
    Attempted,
    ChatModel,
    Delta,
    Endpoint,
    Message,
    ModelBadRequest,
    ModelError,
    ToolSpec,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    endpoint: Endpoint
    model: ChatModel
    breaker: Breaker


class _AskAnother(Exception):
    def __init__(self, error: ModelError) -> None:
        super().__init__(error)
        self.error = error


class FallbackModel:
    """``places`` in the order in which they are asked, at least one; closed with it.

    Raises the error of the last that was asked. Withheld content is final, and a prompt that is too long for all but
    those with a larger context; neither, nor any other request that is refused, counts against an endpoint.
    """

    def __init__(
        self, places: Sequence[tuple[Endpoint, ChatModel]], *, breaker: Callable[[], Breaker] = Breaker
    ) -> None:
        self._places = [_Place(endpoint, model, breaker()) for endpoint, model in places]

    @property
    def name(self) -> str:
        return self._places[0].endpoint.model

    async def aclose(self) -> None:
        """Close the connections of all."""
        for place in self._places:
            await place.model.aclose()

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        """See :class:`app.llm.ports.ChatModel`."""
        needs_tools = bool(tools) or any(message.calls or message.call_id for message in messages)
        error: ModelError | None = None
        for place, passed_over in _in_turn(self._able(needs_tools=needs_tools)):
            if error is not None:
                if not _may_help(place.endpoint, error):
                    continue
                yield Attempted(error.error_code, _name(error.endpoint))
            for other in passed_over:
                yield Attempted(RESTING, other.endpoint.name)
            answer = _answer(place, messages, temperature=temperature, max_tokens=max_tokens, tools=tools)
            try:
                async with aclosing(answer) as deltas:
                    async for delta in deltas:
                        yield delta
            except _AskAnother as failed:
                error = failed.error
            else:
                return
        if error is not None:
            raise error

    def _able(self, *, needs_tools: bool) -> list[_Place]:
        """Where no endpoint takes tools, all are asked without them."""
        able = [place for place in self._places if place.endpoint.tools or not needs_tools]
        return able or self._places


async def _answer(
    place: _Place,
    messages: Sequence[Message],
    *,
    temperature: float,
    max_tokens: int | None,
    tools: Sequence[ToolSpec],
) -> AsyncGenerator[Delta, None]:
    """The stream of one endpoint. Raises _AskAnother where it has said nothing and another may."""
    endpoint = place.endpoint
    begun = False
    stream = place.model.stream(
        messages,
        temperature=temperature,
        max_tokens=_least(max_tokens, endpoint.max_tokens),
        tools=tools if endpoint.tools else (),
    )
    try:
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if isinstance(delta, Attempted):
                    yield replace(delta, endpoint=endpoint.name)
                    continue
                if not begun:
                    begun = True
                    place.breaker.succeeded()
                    yield Answering(endpoint)
                yield delta
    except ModelError as exc:
        exc.endpoint = endpoint
        _count(place, exc)
        if begun or exc.error_code == "model_withheld":
            raise
        raise _AskAnother(exc) from None


def _in_turn(places: Sequence[_Place]) -> Iterator[tuple[_Place, Sequence[_Place]]]:
    """Those that are passed over come last. With each those that were passed over just before it."""
    resting: list[_Place] = []
    passed_over: list[_Place] = []
    for place in places:
        if place.breaker.admits():
            yield place, passed_over
            passed_over = []
        else:
            passed_over.append(place)
            resting.append(place)
    for place in resting:
        yield place, ()


def _may_help(next_one: Endpoint, error: ModelError) -> bool:
    """A prompt that was too long needs a context that is known to be larger."""
    asked = error.endpoint.context if error.endpoint else None
    return error.error_code != "model_prompt_too_long" or (next_one.context or 0) > (asked or 0)


def _count(place: _Place, error: ModelError) -> None:
    """A request that is refused says nothing about the endpoint, unless it has no such model."""
    of_request = isinstance(error, ModelBadRequest) and error.error_code != "model_not_found"
    if not of_request and place.breaker.failed():
        log.warning("endpoint %s keeps failing (%s): passed over for a while", place.endpoint.name, error.error_code)


def _name(endpoint: Endpoint | None) -> str:
    return endpoint.name if endpoint else ""


def _least(asked: int | None, most: int | None) -> int | None:
    return min((limit for limit in (asked, most) if limit is not None), default=None)
