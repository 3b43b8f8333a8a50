"""What an answerer yields, as events of a turn; the turn keeps what its end needs."""

from app.chat.events import Event, Reasoning, Token, Tool
from app.chat.turns import Turn
from app.llm import refusals
from app.llm.ports import Answering, Delta, Finished, ReasoningDelta, TextDelta, ToolCall, Usage


def say(turn: Turn, text: str) -> Token:
    """A piece of the answer."""
    turn.lap("first_token")
    turn.text.append(text)
    return Token(text)


def event_of(turn: Turn, delta: Delta) -> Event | None:
    """None for what only the turn has to know. Raises ModelFailed ``model_refused``: withheld before the first word."""
    match delta:
        case TextDelta(text):
            return say(turn, text)
        case ReasoningDelta(text):
            turn.lap("first_reasoning")
            return Reasoning(text)
        case ToolCall(call_id, name, arguments):
            turn.finish = "tool_calls"
            return Tool(call_id, name, arguments)
        case Usage(prompt_tokens, completion_tokens):
            turn.spend({"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens})
        case Finished("content_filter") if not turn.text:
            raise refusals.withheld()
        case Finished(reason) if turn.finish != "tool_calls":
            turn.finish = reason
        case Answering(endpoint):
            turn.model = endpoint.model
    return None
