"""One call of the model for a job: streamed, shown as it grows, cancelled at once; the model's errors in the words of
jobs."""

import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass

from app.copywriting.preview import readable
from app.jobs.ports import JobFailed, Preview, Work
from app.llm.ports import (
    Answering,
    ChatModel,
    Finished,
    FinishReason,
    Message,
    ModelBadRequest,
    ModelError,
    ModelOutOfCredit,
    ModelRefusedKey,
    TextDelta,
    Usage,
)
from app.llm.tokens import TokenCounter
from knowledge.errors import Unavailable

_PREVIEW_SECONDS = 0.1  # between two previews; each is the whole text so far
_FINAL = (ModelBadRequest, ModelOutOfCredit, ModelRefusedKey)


@dataclass(frozen=True, slots=True)
class Written:
    """A reply of a model. ``counted_by``: ``endpoint``, or how :mod:`app.llm.tokens` counted where it did not say."""

    text: str
    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    counted_by: str
    model: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Where in the job this call is: progress goes from ``start`` to ``end`` percent by the length expected."""

    name: str
    start: int
    end: int
    characters: int

    def percent(self, written: int) -> int:
        return self.start + int((self.end - self.start) * min(1.0, written / max(1, self.characters)))


class Writer:
    """A model with its settings."""

    def __init__(self, model: ChatModel, counter: TokenCounter) -> None:
        self.model = model
        self._counter = counter

    async def write(
        self, messages: Sequence[Message], work: Work, stage: Stage, *, temperature: float, max_tokens: int
    ) -> Written:
        """Raises JobCancelled out of ``work.report``; JobFailed or Unavailable, with the model's code, for its errors.

        However it is left, the model's stream is closed.
        """
        progress = _Progress(work, stage)
        progress.tell()
        model = self.model.name
        usage: Usage | None = None
        reason: FinishReason = "stop"
        with _model_errors():
            stream = self.model.stream(messages, temperature=temperature, max_tokens=max_tokens)
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Usage):
                        usage = delta
                    elif isinstance(delta, Finished):
                        reason = delta.reason
                    elif isinstance(delta, Answering):
                        model = delta.endpoint.model
                    elif isinstance(delta, TextDelta):
                        progress.text += delta.text
                    progress.tell()
        return self._written(messages, progress.text, reason, usage, model)

    def _written(
        self, messages: Sequence[Message], text: str, reason: FinishReason, usage: Usage | None, model: str
    ) -> Written:
        if usage is not None:
            return Written(text, reason, usage.prompt_tokens, usage.completion_tokens, "endpoint", model)
        prompt = self._counter.count_messages(messages, model)
        completion = self._counter.count(text, model)
        return Written(text, reason, prompt.tokens, completion.tokens, completion.counted_by, model)


class _Progress:
    """Asks at every delta whether the job is still wanted; shows the text ten times a second at most."""

    def __init__(self, work: Work, stage: Stage) -> None:
        self.text = ""
        self._work = work
        self._stage = stage
        self._shown_at = float("-inf")
        self._shown = ""

    def tell(self) -> None:
        preview = None
        if self.text != self._shown and time.monotonic() - self._shown_at >= _PREVIEW_SECONDS:
            self._shown, self._shown_at = self.text, time.monotonic()
            preview = Preview(text=readable(self.text))
        self._work.report(self._stage.percent(len(self.text)), self._stage.name, preview)


@contextmanager
def _model_errors() -> Iterator[None]:
    """What waiting does not mend ends the job; the rest is tried again later."""
    try:
        yield
    except _FINAL as error:
        raise JobFailed(error.message, code=error.error_code, **error.params) from error
    except ModelError as error:
        raise Unavailable(error.message, code=error.error_code, **error.params) from error
