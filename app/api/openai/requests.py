"""OpenAI's chat request → our question, and what the client brought along with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from app.api.bodies import Body
from app.chat.history import MOST_TURNS, PastTurn
from app.chat.turns import Brought
from app.llm.ports import Message, ToolCall, ToolSpec
from knowledge.errors import InvalidInput, NotFound

MODEL = "copilot"


class Text(BaseModel):
    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """A data URL: ``data:image/png;base64,…``."""

    url: str


class Image(BaseModel):
    type: Literal["image_url"]
    image_url: ImageUrl


class Refusal(BaseModel):
    type: Literal["refusal"]
    refusal: str


class CalledFunction(BaseModel):
    name: str
    arguments: str


class Call(BaseModel):
    id: str
    type: Literal["function"] = "function"
    function: CalledFunction


class SystemMessage(BaseModel):
    role: Literal["system", "developer"]
    content: str | list[Text]


class UserMessage(BaseModel):
    role: Literal["user"]
    content: str | list[Annotated[Text | Image, Field(discriminator="type")]]


class AssistantMessage(BaseModel):
    role: Literal["assistant"]
    content: str | list[Annotated[Text | Refusal, Field(discriminator="type")]] | None = None
    tool_calls: list[Call] | None = None


class ToolMessage(BaseModel):
    role: Literal["tool"]
    content: str | list[Text]
    tool_call_id: str


AnyMessage: TypeAlias = SystemMessage | UserMessage | AssistantMessage | ToolMessage


class Function(BaseModel):
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolDefinition(BaseModel):
    type: Literal["function"]
    function: Function


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class ResponseFormat(BaseModel):
    type: str


class CompletionRequest(Body):
    """``model`` is ``copilot``, or ``copilot:NAME`` for one knowledge base. The last user message is the question.

    What would change the shape of the answer and cannot be done is refused; every other parameter is taken and has no
    effect: temperature and length are the installation's.
    """

    model: str
    messages: list[Annotated[AnyMessage, Field(discriminator="role")]] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[ToolDefinition] | None = Field(default=None, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    n: int | None = None
    logprobs: bool | None = None
    response_format: ResponseFormat | None = None
    modalities: list[str] | None = None

    def check(self) -> None:
        """Raises InvalidInput ``unsupported_parameter``."""
        asked_for: Mapping[str, bool] = {
            "n": self.n not in (None, 1),
            "logprobs": bool(self.logprobs),
            "response_format": self.response_format is not None and self.response_format.type != "text",
            "modalities": self.modalities not in (None, ["text"]),
            "tool_choice": self.tool_choice not in (None, "auto", "none"),
        }
        for name, unsupported in asked_for.items():
            if unsupported:
                raise InvalidInput(
                    f"This value of “{name}” is not supported.", code="unsupported_parameter", param=name
                )

    @property
    def kbs(self) -> tuple[str, ...] | None:
        """Raises NotFound ``model_not_found``."""
        return knowledge_bases_of(self.model)

    @property
    def question(self) -> UserMessage:
        """Raises InvalidInput ``question_missing``."""
        return _questioned(self.messages)[1]

    @property
    def pictures(self) -> list[str]:
        """The URLs that came with the question."""
        content = self.question.content
        return [] if isinstance(content, str) else [part.image_url.url for part in content if isinstance(part, Image)]

    def brought(self) -> Brought:
        """Everything but the question."""
        before, _, after = _questioned(self.messages)
        systems = [text_of(message) for message in self.messages if isinstance(message, SystemMessage)]
        tools = [] if self.tool_choice == "none" else self.tools or []
        return Brought(
            past=tuple(_turns(before)[-MOST_TURNS:]),
            instructions="\n\n".join(text for text in systems if text.strip()),
            tools=tuple(_spec(tool.function) for tool in tools),
            since=tuple(message for each in after if (message := _message(each)) is not None),
        )


def knowledge_bases_of(model: str) -> tuple[str, ...] | None:
    """``copilot`` → None, all of them; ``copilot:NAME`` → that one. Raises NotFound ``model_not_found``."""
    name, _, kb = model.partition(":")
    if name != MODEL or (":" in model and not kb):
        raise NotFound(
            f"There is no model “{model[:100]}”. There are “{MODEL}” and “{MODEL}:NAME” of a knowledge base.",
            code="model_not_found",
            param="model",
        )
    return (kb,) if kb else None


def text_of(message: AnyMessage) -> str:
    """A message's text; of several parts each on a line of its own."""
    content = message.content
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(
        part.text if isinstance(part, Text) else part.refusal for part in content if not isinstance(part, Image)
    )


def _questioned(messages: Sequence[AnyMessage]) -> tuple[Sequence[AnyMessage], UserMessage, Sequence[AnyMessage]]:
    """Before the question, the question, and since."""
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, UserMessage):
            return messages[:at], message, messages[at + 1 :]
    raise InvalidInput("There is no user message, so there is no question.", code="question_missing", param="messages")


def _turns(messages: Iterable[AnyMessage]) -> list[PastTurn]:
    """What was asked, with what was answered until the next question; tools in between do not matter any more."""
    turns: list[PastTurn] = []
    question, answer = "", ""
    for message in messages:
        if isinstance(message, UserMessage):
            turns.append(PastTurn(question, answer))
            question, answer = text_of(message), ""
        elif isinstance(message, AssistantMessage):
            answer = f"{answer}\n\n{text_of(message)}".strip()
    turns.append(PastTurn(question, answer))
    return [turn for turn in turns if turn.question and turn.answer]


def _message(message: AnyMessage) -> Message | None:
    match message:
        case AssistantMessage(tool_calls=calls):
            made = tuple(ToolCall(call.id, call.function.name, call.function.arguments) for call in calls or ())
            return Message("assistant", text_of(message), calls=made)
        case ToolMessage(tool_call_id=call_id):
            return Message("tool", text_of(message), call_id=call_id)
    return None


def _spec(function: Function) -> ToolSpec:
    parameters = function.parameters or {"type": "object", "properties": {}}
    return ToolSpec(function.name, function.description or "", parameters)
