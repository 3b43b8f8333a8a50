"""Our events → OpenAI's chat completion, whole or in chunks. What OpenAI has no field for is in ``copilot``:

* a chunk's ``delta.copilot`` has ``passages`` (the evidence) as soon as it is found, and ``job`` when one is started;
* ``message.copilot``, and ``delta.copilot`` of the chunk with the ``finish_reason``, have ``citations`` (the passages
  that [n] in the text means), ``refused``, ``cached``, ``curated``, ``notice``, ``model``, ``jobs``, ``timings_ms``,
  ``turn_id`` and ``conversation_id``.

Reasoning is in ``reasoning_content``, as DeepSeek and vLLM have it.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.chat.events import Done, Event, Job, Reasoning, Sources, Started, Token, Tool, payload_of

_FINISH = {"length": "length", "content_filter": "content_filter", "tool_calls": "tool_calls"}
_FROM_DONE = ("refused", "cached", "curated", "notice", "model", "timings_ms", "turn_id", "conversation_id")


@dataclass(slots=True)
class Reply:
    """One answer as it comes in; ``model`` is what the client asked for."""

    turn_id: str
    model: str
    created: int = field(default_factory=lambda: int(time.time()))
    passages: Sequence[dict[str, Any]] = ()
    jobs: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)

    def take(self, event: Event) -> dict[str, Any] | None:
        """The delta that an event is in OpenAI's words."""
        delta: dict[str, Any] | None = None
        match event:
            case Started():
                delta = {"role": "assistant", "content": ""}
            case Sources():
                self.passages = payload_of(event)["passages"]
                delta = {"copilot": {"passages": self.passages}}
            case Reasoning(text):
                self.reasoning.append(text)
                delta = {"reasoning_content": text}
            case Token(text):
                delta = {"content": text}
            case Tool():
                self.calls.append(_call(event))
                delta = {"tool_calls": [{"index": len(self.calls) - 1, **self.calls[-1]}]}
            case Job():
                self.jobs.append(payload_of(event))
                delta = {"copilot": {"job": self.jobs[-1]}}
            case Done():
                delta = {"copilot": self.end(event)}
        return delta

    def chunk(self, delta: dict[str, Any], *, finish: str | None, with_usage: bool) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        chunk = {**self._head("chat.completion.chunk"), "choices": [choice]}
        return {**chunk, "usage": None} if with_usage else chunk

    def chunks(self, event: Event, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """Nothing for what OpenAI's clients need not know."""
        delta = self.take(event)
        if delta is None:
            return
        done = event if isinstance(event, Done) else None
        yield self.chunk(delta, finish=finish_of(done) if done else None, with_usage=with_usage)
        if done and with_usage:
            yield {**self._head("chat.completion.chunk"), "choices": [], "usage": usage_of(done)}

    def completion(self, done: Done) -> dict[str, Any]:
        """The whole of it."""
        message: dict[str, Any] = {"role": "assistant", "content": done.answer or None, "refusal": None}
        if self.calls:
            message["tool_calls"] = self.calls
        else:
            message["content"] = done.answer
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        message["copilot"] = self.end(done)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_of(done)}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage_of(done)}

    def end(self, done: Done) -> dict[str, Any]:
        """The extension field of the end."""
        whole = payload_of(done)
        cited = [self.passages[number - 1] for number in done.citations]
        return {"citations": cited, "jobs": self.jobs, **{name: whole[name] for name in _FROM_DONE}}

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": f"chatcmpl-{self.turn_id}", "object": kind, "created": self.created, "model": self.model}


def finish_of(done: Done) -> str:
    return _FINISH.get(done.finish, "stop")


def usage_of(done: Done) -> dict[str, int]:
    """Zeros for an answer that cost no tokens: quoted, or from the cache."""
    prompt, completion = done.usage.get("prompt_tokens", 0), done.usage.get("completion_tokens", 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _call(tool: Tool) -> dict[str, Any]:
    return {"id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": tool.arguments}}
