"""A model whose calls are written down, for one turn or one job."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeAlias

from app import metrics
from app.llm.calls import CallLog, ModelCall
from app.llm.ports import (
    Answering,
    Attempted,
    ChatModel,
    Delta,
    Endpoint,
    Finished,
    Message,
    ModelError,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)
from app.llm.prompts import PromptTemplate
from app.llm.tokens import TokenCounter

log = logging.getLogger(__name__)

Sends: TypeAlias = Callable[[PromptTemplate, Sequence[Message]], None]


@dataclass(frozen=True, slots=True)
class CallBook:
    """Where calls are written down; ``counter`` counts for endpoints that do not."""

    log: CallLog
    counter: TokenCounter

    def of(
        self, tenant: str, *, turn_id: str | None = None, job_id: str | None = None, sends: Sends | None = None
    ) -> "CallsOf":
        return CallsOf(self, tenant, turn_id, job_id, sends)


@dataclass(frozen=True, slots=True)
class CallsOf:
    """The calls of one turn or job; ``sends`` is told of each prompt that is about to be sent."""

    book: CallBook
    tenant: str
    turn_id: str | None
    job_id: str | None
    sends: Sends | None = None

    def through(self, model: ChatModel, template: PromptTemplate) -> ChatModel:
        """The model, for prompts of this template."""
        return LoggedModel(model, self, template)


class LoggedModel:
    """Passes everything on as it is; however a stream ends, its call is kept."""

    def __init__(self, model: ChatModel, of: CallsOf, template: PromptTemplate) -> None:
        self._model = model
        self._of = of
        self._template = template

    @property
    def name(self) -> str:
        return self._model.name

    async def aclose(self) -> None:
        await self._model.aclose()

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        """See :class:`app.llm.ports.ChatModel`."""
        if self._of.sends is not None:
            self._of.sends(self._template, messages)
        seen = _Seen(Endpoint(self.name, self.name))
        stream = self._model.stream(messages, temperature=temperature, max_tokens=max_tokens, tools=tools)
        try:
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    seen.take(delta)
                    yield delta
        except ModelError as error:
            seen.outcome = error.error_code
            seen.endpoint = error.endpoint or seen.endpoint
            raise
        finally:
            await self._keep(seen, messages)

    async def _keep(self, seen: "_Seen", messages: Sequence[Message]) -> None:
        total_ms = seen.elapsed_ms()
        prompt, completion, counted_by = await self._tokens(seen, messages)
        call = ModelCall(
            self._of.tenant,
            self._template.name,
            self._template.version,
            seen.endpoint,
            seen.outcome,
            tuple(seen.tried),
            prompt,
            completion,
            counted_by,
            seen.first_token_ms,
            total_ms,
            turn_id=self._of.turn_id,
            job_id=self._of.job_id,
        )
        log.info(
            "model call purpose=%s prompt=%s endpoint=%s model=%s outcome=%s attempts=%d tokens=%d+%d first_ms=%s "
            "total_ms=%.0f amount=%s turn=%s job=%s",
            call.purpose,
            call.prompt_version,
            call.endpoint.name,
            call.endpoint.model,
            call.outcome,
            call.attempts,
            prompt,
            completion,
            "-" if call.first_token_ms is None else round(call.first_token_ms),
            call.total_ms,
            call.amount,
            call.turn_id,
            call.job_id,
        )
        _count(call)
        await self._of.book.log.write(call)

    async def _tokens(self, seen: "_Seen", messages: Sequence[Message]) -> tuple[int, int, str]:
        """Prompt, completion and who counted. A call that never began is not paid for."""
        if seen.usage is not None and seen.usage.prompt_tokens:
            return seen.usage.prompt_tokens, seen.usage.completion_tokens, "endpoint"
        if seen.first_token_ms is None:
            return 0, 0, "none"
        return await asyncio.to_thread(self._counted, messages, "".join(seen.said), seen.endpoint.model)

    def _counted(self, messages: Sequence[Message], said: str, model: str) -> tuple[int, int, str]:
        counter = self._of.book.counter
        prompt = counter.count_messages(messages, model)
        return prompt.tokens, counter.count(said, model).tokens, prompt.counted_by


@dataclass(slots=True)
class _Seen:
    """What a stream has shown so far. ``endpoint`` is the model itself where none is named."""

    endpoint: Endpoint
    outcome: str = "left"
    tried: list[Attempted] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    usage: Usage | None = None
    first_token_ms: float | None = None
    started: float = field(default_factory=time.perf_counter)

    def take(self, delta: Delta) -> None:
        match delta:
            case TextDelta(text) | ReasoningDelta(text):
                self._say(text)
            case ToolCall():
                self._say(delta.name + delta.arguments)
            case Usage():
                self.usage = delta
            case Finished(reason):
                self.outcome = reason
            case Attempted():
                self.tried.append(delta)
            case Answering(endpoint):
                self.endpoint = endpoint

    def _say(self, text: str) -> None:
        if self.first_token_ms is None:
            self.first_token_ms = self.elapsed_ms()
        self.said.append(text)

    def elapsed_ms(self) -> float:
        return round((time.perf_counter() - self.started) * 1000, 1)


def _count(call: ModelCall) -> None:
    which = call.endpoint.name, call.endpoint.model
    metrics.model_calls.labels(*which, call.purpose, call.outcome).inc()
    metrics.model_tokens.labels(*which, "prompt").inc(call.prompt_tokens)
    metrics.model_tokens.labels(*which, "completion").inc(call.completion_tokens)
    metrics.model_cost.labels(*which).inc(call.amount or 0)
    if call.first_token_ms is not None:
        metrics.model_first_token.labels(*which).observe(call.first_token_ms / 1000)
