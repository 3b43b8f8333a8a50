"""What the app asks of a language model, and every way a model fails.

A stream is a sequence of deltas that ends in exactly one :class:`Finished`, or in one of these errors:

ModelError
├── ModelTimeout        model_timeout         too slow to connect, to begin, or to go on
├── ModelUnavailable    model_unavailable     not reachable or failing; nothing was said yet, another model may answer
├── ModelRateLimited    model_rate_limited    asked to slow down, and the wait is longer than a reader has patience for
├── ModelOutOfCredit    model_out_of_credit   the account behind the key has nothing left to spend
├── ModelRefusedKey     model_key_invalid     the key is wrong, or may not use this model
├── ModelBadRequest     model_bad_request     the endpoint refuses the request itself; sending it again is useless
│                       model_not_found       … because it does not know the model or the address
│                       model_prompt_too_long … because there is too much text in it
│                       model_withheld        … because its filter objects to what is said in it
└── ModelInterrupted    model_interrupted     cut off half-way; what came before it has been read already
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from knowledge.errors import CopilotError

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "content_filter"]
RESTING = "resting"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it; ``parameters`` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants a tool. ``arguments`` is JSON as the model wrote it, right or wrong."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation as the model sees it.

    ``calls`` are those of an assistant's message; ``call_id`` says which one a tool's message answers.
    """

    role: Role
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer; never empty. It may hold several tokens, and never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of the model's reasoning, which is shown apart from the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What the call has cost, in tokens, as the endpoint counts them; not every endpoint says so."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the answer: complete, cut at ``max_tokens``, or withheld by the endpoint's filter."""

    reason: FinishReason


@dataclass(frozen=True, slots=True)
class Price:
    """Money per million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is and what it takes. ``context`` and ``max_tokens`` (of an answer) are None where not known.

    ``name`` is ours and tells apart endpoints with the same ``model``. ``price`` None is not known.
    """

    name: str
    model: str
    context: int | None = None
    max_tokens: int | None = None
    tools: bool = True
    price: Price | None = None


@dataclass(frozen=True, slots=True)
class Attempted:
    """A try that failed before it said anything; another follows, at the same endpoint or at the next.

    ``code`` is the error's, or ``resting``: the endpoint failed so often lately that it was not asked.
    """

    code: str
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answers, where that may be one of several; comes right before the first text, reasoning or call."""

    endpoint: Endpoint


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCall | Usage | Finished | Attempted | Answering


class ChatModel(Protocol):
    """A language model that answers as a stream."""

    @property
    def name(self) -> str:
        """Names the model in every result, and in cache keys; of several, the one that is asked first."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        """Text and reasoning as they come, then whole tool calls, ``Usage`` (at most once), and ``Finished`` last.

        Before the first of them there may be ``Attempted`` for every try that failed, then ``Answering``.

        Raises :class:`ModelError`. Closing the generator closes the connection at once and stops the model;
        hold it in ``contextlib.aclosing``.
        """

    async def aclose(self) -> None:
        """Close the connections that are kept; the model is not used afterwards."""


class ModelError(CopilotError):
    """The model did not answer.

    ``retry_after_s`` is the wait that the endpoint asks for, if it does. ``detail`` is what the endpoint said,
    without the key: for debugging only, because some repeat the prompt in it. ``endpoint`` is which of several it was.
    """

    code = "model_error"
    retry_after_s: float | None = None
    detail: str = ""
    endpoint: Endpoint | None = None


class ModelTimeout(ModelError):
    """Too slow. ``params["phase"]`` is ``connect``, ``first_token`` or ``between_tokens``."""

    code = "model_timeout"


class ModelUnavailable(ModelError):
    """Not reachable, or failing on its side, before it said anything. Another model may answer instead."""

    code = "model_unavailable"


class ModelRateLimited(ModelError):
    """The endpoint asks to slow down. Another model may answer instead."""

    code = "model_rate_limited"


class ModelOutOfCredit(ModelError):
    """The account has nothing left to spend. Waiting does not help; another model may answer instead."""

    code = "model_out_of_credit"


class ModelRefusedKey(ModelError):
    """The key is wrong or lacks the right. Nothing helps but a change of settings."""

    code = "model_key_invalid"


class ModelBadRequest(ModelError):
    """The endpoint refuses the request itself. Sending the same again is useless."""

    code = "model_bad_request"


class ModelInterrupted(ModelError):
    """The stream broke off after some of the answer was read. It cannot be resumed, only asked again."""

    code = "model_interrupted"
