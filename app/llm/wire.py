"""The bytes of an OpenAI chat stream → deltas. No clock and no network in here.

It reads server-sent events and their JSON itself: a pydantic object for every chunk, as the SDK makes them, costs
several times what everything else on a token's way costs (see evals/bench/streaming.py).
"""

import json
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import orjson

from app.llm.ports import Delta, Finished, FinishReason, ReasoningDelta, TextDelta, ToolCall, Usage
from app.llm.think_tags import Split, TagSplitter

_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # Zhipu's word for it
}
# Endpoints that give up say so here: DeepSeek, OpenRouter, Zhipu. Every other word means that the model was done.
_GAVE_UP = {"insufficient_system_resource", "error", "network_error"}

_Piece: TypeAlias = tuple[bool, str]  # is it reasoning? and the text


class BrokenStream(Exception):
    """The stream is not what the protocol promises, or it ended before the answer did."""


class ErrorInStream(Exception):
    """The endpoint sent an error object instead of the next chunk."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ChatStreamReader:
    """Feed it bytes as they arrive, cut anywhere; pieces of text that arrive together come out as one delta."""

    def __init__(self) -> None:
        self.done = False  # nothing that matters follows
        self.finished = False  # the model has said why it stopped; usage may still follow
        self._line = b""
        self._event = b""
        self._unparsed = b""
        self._tags: TagSplitter | None = TagSplitter()
        self._cut_characters = False
        self._half = ""
        self._choices = False
        self._reason: FinishReason = "stop"
        self._usage: Usage | None = None
        self._calls: dict[int, dict[str, str]] = {}
        self.calling = False  # pieces of a tool call have come since this was last set to False

    def feed(self, data: bytes) -> list[Delta]:
        """The text and reasoning in ``data``. Raises :class:`BrokenStream` or :class:`ErrorInStream`."""
        *lines, self._line = (self._line + data).split(b"\n")
        said: list[_Piece] = []
        try:
            for line in lines:
                if line.startswith(b"data:"):
                    self._data(line[5:].strip(), said)
                elif line:
                    self._other(line)
                else:
                    self._end_of_event()
            return self._deltas(said)
        except (AttributeError, KeyError, TypeError) as exc:  # JSON of another shape than the protocol's
            raise BrokenStream(f"The stream holds an unknown kind of event: {exc}") from exc

    def close(self) -> list[Delta]:
        """What is left at the end of the stream, ``Finished`` last. Raises :class:`BrokenStream` if it came early."""
        deltas = [] if self.done else self.feed(b"\n\n")
        if not (self.finished or (self.done and self._choices)):
            raise BrokenStream("The stream ended before the answer did.")
        left = _both(self._tags.close()) if self._tags else []
        usage: list[Delta] = [self._usage] if self._usage else []
        return [*deltas, *left, *self._tool_calls(), *usage, Finished(self._reason)]

    def _deltas(self, said: list[_Piece]) -> list[Delta]:
        """Runs of pieces as one. An endpoint that keeps reasoning apart leaves no tags in the answer."""
        deltas: list[Delta] = []
        for is_reasoning, run in groupby(said, key=itemgetter(0)):
            text = "".join([piece for _, piece in run])
            if is_reasoning:
                self._tags = None
                deltas.append(ReasoningDelta(text))
            else:
                deltas += _both(self._tags.feed(text)) if self._tags else [TextDelta(text)]
        return deltas

    def _tool_calls(self) -> list[Delta]:
        return [
            ToolCall(call["id"] or f"call_{index}", call["name"], call["arguments"])
            for index, call in sorted(self._calls.items())
        ]

    def _data(self, text: bytes, said: list[_Piece]) -> None:
        if text == b"[DONE]":
            self.done = True
            return
        try:
            chunk = orjson.loads(self._unparsed + text)
        except orjson.JSONDecodeError:
            try:
                chunk = json.loads(self._unparsed + text)  # takes half characters, which orjson rightly refuses
            except ValueError:
                self._unparsed += text + b"\n"  # an event may spread its JSON over several data lines
                return
            self._cut_characters = True
        self._unparsed = b""
        self._chunk(chunk, said)

    def _other(self, line: bytes) -> None:
        """An event's name, the end of an event with CRLF, or a comment that keeps the connection alive."""
        if line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif line == b"\r":
            self._end_of_event()

    def _end_of_event(self) -> None:
        self._event = b""
        if self._unparsed.strip():
            raise BrokenStream("The stream holds an event that is not JSON.")
        self._unparsed = b""

    def _chunk(self, chunk: dict[str, Any], said: list[_Piece]) -> None:
        if (error := chunk.get("error")) or self._event == b"error" or chunk.get("object") == "error":
            raise _error_in(error or chunk)
        if usage := chunk.get("usage"):
            self._usage = Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
        for choice in chunk.get("choices") or ():
            self._choices = True
            self._choice(choice, said)

    def _choice(self, choice: dict[str, Any], said: list[_Piece]) -> None:
        delta = choice.get("delta") or choice.get("message") or {}
        if (text := delta.get("reasoning_content") or delta.get("reasoning")) and (reasoning := self._whole(text)):
            said.append((True, reasoning))
        if (text := delta.get("content")) and (content := self._whole(text)):
            said.append((False, content))
        for at, piece in enumerate(delta.get("tool_calls") or ()):
            self._call(piece.get("index", at), piece)
        if reason := choice.get("finish_reason"):
            if reason in _GAVE_UP:
                raise ErrorInStream(f"The model gave up: {reason}.", reason)
            self.finished = True
            self._reason = _FINISH.get(reason, "stop")

    def _call(self, index: int, piece: dict[str, Any]) -> None:
        """The name comes once, the arguments in pieces; an endpoint that does not stream sends all of it at once."""
        self.calling = True
        call = self._calls.setdefault(index, {"id": "", "name": "", "arguments": ""})
        function = piece.get("function") or {}
        call["id"] = piece.get("id") or call["id"]
        call["name"] = function.get("name") or call["name"]
        arguments = function.get("arguments") or ""
        call["arguments"] += arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)

    def _whole(self, text: str) -> str:
        """Joins surrogate pairs that a gateway written in JavaScript has cut between two chunks."""
        if not self._cut_characters:
            return text
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def as_event(body: bytes) -> bytes:
    """A whole completion, from an endpoint that does not stream although asked to, as a stream of one event."""
    try:
        return b"data: " + orjson.dumps(orjson.loads(body)) + b"\n\ndata: [DONE]\n\n"
    except orjson.JSONDecodeError as exc:
        raise BrokenStream("The answer is not JSON.") from exc


def _error_in(error: Any) -> ErrorInStream:
    if not isinstance(error, dict):
        return ErrorInStream(str(error), "")
    code = error.get("code") or error.get("type") or ""
    return ErrorInStream(str(error.get("message") or ""), str(code))


def _both(split: Split) -> list[Delta]:
    reasoning: list[Delta] = [ReasoningDelta(split.reasoning)] if split.reasoning else []
    return [*reasoning, TextDelta(split.answer)] if split.answer else reasoning
