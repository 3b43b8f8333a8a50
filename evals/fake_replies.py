"""What the fake model says, byte for byte: replies of the OpenAI chat protocol, and every way they go wrong.

A :class:`Reply` is computed before the first byte is due, so that sending it costs one write a token.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import orjson

End: TypeAlias = Literal["keep-alive", "drop", "hang"]
Frames: TypeAlias = tuple[bytes, ...]

MODELS = {
    "fake": "answers",
    "fake-reasoning": "answers after reasoning in `reasoning_content` (DeepSeek, Qwen, vLLM)",
    "fake-reasoning-field": "answers after reasoning in `reasoning` (OpenRouter, newer vLLM, Ollama)",
    "fake-think-tags": "answers after reasoning in <think> tags, each cut over several chunks",
    "fake-slow": "answers, with the first token `slow_ms` later",
    "fake-split": "answers in pieces of 7 bytes that respect neither lines nor characters",
    "fake-comments": "answers, with keep-alive comments before and between the tokens",
    "fake-only-comments": "sends keep-alive comments for ever",
    "fake-length": "answers and ends with finish_reason length",
    "fake-filter": "answers and ends with finish_reason content_filter",
    "fake-no-options": "refuses `stream_options` with 400, answers without",
    "fake-no-done": "answers, but hangs after finish_reason instead of sending [DONE]",
    "fake-no-finish": "ends the stream cleanly with neither finish_reason nor [DONE]",
    "fake-cut": "drops the connection after half of the tokens",
    "fake-cut-first": "drops the connection after the headers",
    "fake-stall": "stops after 3 tokens and keeps the connection open",
    "fake-silent": "accepts and never answers",
    "fake-badjson": "sends broken JSON after 3 tokens",
    "fake-error-event": "sends an error object after 3 tokens",
    "fake-error-first": "sends a rate-limit error object instead of the first token",
    "fake-400": "400, prompt too long",
    "fake-401": "401, whatever the key",
    "fake-402": "402, no credit left",
    "fake-429": "429 with Retry-After, always",
    "fake-429-once": "429 with Retry-After, then answers",
    "fake-500": "500, always",
    "fake-500-once": "500, then answers",
}

_REFUSALS = {
    "fake-400": ("400 Bad Request", "Maximum context length exceeded.", "context_length_exceeded"),
    "fake-401": ("401 Unauthorized", "Incorrect API key provided.", "invalid_api_key"),
    "fake-402": ("402 Payment Required", "Insufficient Balance", "invalid_request_error"),
    "fake-429": ("429 Too Many Requests", "Rate limit reached.", "rate_limit_exceeded"),
    "fake-500": ("500 Internal Server Error", "The server had an error.", "server_error"),
    "fake-no-options": ("400 Bad Request", "Unrecognized request argument supplied.", "invalid_request_error"),
}

DEFAULT_TEXT = (
    "您好，根据店铺的规定，商品签收后七天内可以申请退货，运费由卖家承担。👍 Returns are accepted within 7 days."
)
DEFAULT_REASONING = "先看用户问的是什么，再看资料里有没有答案。The evidence answers it."

_HEAD = (
    b"HTTP/1.1 %s\r\nserver: fake-model\r\ncontent-type: %s\r\ncache-control: no-cache\r\n"
    b"x-request-id: req-fake\r\n%stransfer-encoding: chunked\r\n\r\n"
)
# A block is "[1] text", or "[1] (where it is from)" with the text on the next line.
_EVIDENCE = re.compile(r"^\s*\[(\d+)\][^\S\n]*(?:\([^\n]*\)\s*\n)?\s*(\S.*)", re.MULTILINE)
_TOKEN = re.compile(r"[\u3400-\u9fff]{1,2}|\s*[A-Za-z0-9]{1,6}|.", re.DOTALL)
_CREATED = 1_750_000_000
_COMMENT = b": keep-alive\n\n"
_BAD_JSON = b'data: {"choices":[{"index":0,"delta":{"content":"\xe6\n\n'
_OVERLOADED = {"error": {"message": "The server is overloaded.", "type": "server_error", "code": None}}
_RATE_LIMITED = {"error": {"message": "Rate limit reached.", "type": "requests", "code": "rate_limit_exceeded"}}


@dataclass(frozen=True, slots=True)
class FakeModelSettings:
    """How the fake model behaves. ``rate`` is in tokens a second, 0 for all at once.

    ``tokens`` repeats or cuts the answer to that many; ``text`` replaces it. ``cite`` answers from the evidence
    block ``[1] …`` of the last message that has one, ending in ``[1]``.
    """

    first_token_ms: float = 0.0
    rate: float = 0.0
    tokens: int | None = None
    text: str | None = None
    reasoning_tokens: int | None = None
    reasoning: str = DEFAULT_REASONING
    cite: bool = True
    slow_ms: float = 2_000.0
    retry_after_s: float = 0.05
    comment_every_ms: float = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """``frames[0]`` is due ``first`` seconds after the request, each further one ``gap`` seconds later."""

    frames: Frames
    first: float = 0.0
    gap: float = 0.0
    end: End = "keep-alive"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request said, as far as the reply depends on it."""

    model: str
    messages: tuple[tuple[str, str], ...]
    stream: bool
    include_usage: bool
    has_options: bool
    max_tokens: int | None
    attempt: int = 1


def tokenise(text: str) -> tuple[str, ...]:
    """Two Chinese characters, six letters or one sign a token: about as long as real ones."""
    return tuple(_TOKEN.findall(text))


def to_length(words: tuple[str, ...], count: int | None) -> tuple[str, ...]:
    """Repeated or cut to ``count`` tokens; as it is for ``None``."""
    if count is None:
        return words
    return (words * (count // len(words) + 1))[:count]


def answer_tokens(settings: FakeModelSettings, asked: Asked) -> tuple[str, ...]:
    """The tokens of the answer; the same for every request that shows the same evidence."""
    evidence = next((found for _, text in reversed(asked.messages) if (found := _EVIDENCE.search(text))), None)
    if settings.text is not None or not settings.cite or evidence is None:
        return to_length(tokenise(settings.text or DEFAULT_TEXT), settings.tokens)
    quoted = re.split(r"(?<=[。！？!?])|(?<=\.)\s", evidence.group(2), maxsplit=1)[0].strip()[:200]
    cited = f"[{evidence.group(1)}]"
    return (*to_length(tokenise(quoted + " "), settings.tokens and settings.tokens - 1), cited)


def reply_to(settings: FakeModelSettings, asked: Asked) -> Reply:
    """The reply that ``asked.model`` names; see ``MODELS``."""
    if refused := _refusal(settings, asked):
        return refused
    if asked.model == "fake-silent":
        return Reply(frames=(), end="hang")
    words = answer_tokens(settings, asked)
    finish = "length" if asked.max_tokens and asked.max_tokens < len(words) else "stop"
    words = words[: asked.max_tokens]
    usage = {
        "prompt_tokens": sum(len(text) for _, text in asked.messages) // 2,
        "completion_tokens": len(words),
        "total_tokens": sum(len(text) for _, text in asked.messages) // 2 + len(words),
    }
    first = (settings.first_token_ms + (settings.slow_ms if asked.model == "fake-slow" else 0)) / 1000
    gap = 1 / settings.rate if settings.rate else 0.0
    if not asked.stream:
        return _whole(asked, words, finish, usage, wait=first + gap * len(words))
    return _streamed(settings, asked, words, finish, usage, first=first, gap=gap)


def _refusal(settings: FakeModelSettings, asked: Asked) -> Reply | None:
    """The error status that the name asks for, if it does."""
    name = asked.model
    if name.endswith("-once"):
        name = name.removesuffix("-once") if asked.attempt == 1 else "fake"
    if name == "fake-no-options" and not asked.has_options:
        return None
    if name not in MODELS:
        return refuse("404 Not Found", "The model does not exist.", "model_not_found")
    retry = b"retry-after: %s\r\n" % str(settings.retry_after_s).encode() if name == "fake-429" else b""
    return refuse(*_REFUSALS[name], headers=retry) if name in _REFUSALS else None


def refuse(status: str, message: str, code: str = "invalid_request_error", *, headers: bytes = b"") -> Reply:
    """An error status with the vendor's error object."""
    body = orjson.dumps({"error": {"message": message, "type": "error", "param": None, "code": code}})
    return Reply((_head(status, b"application/json", headers) + _chunk(body) + _chunk(b""),))


def json_reply(payload: object) -> Reply:
    """A plain 200 with a JSON body."""
    return Reply((_head("200 OK", b"application/json") + _chunk(orjson.dumps(payload)) + _chunk(b""),))


def _whole(asked: Asked, words: Sequence[str], finish: str, usage: object, *, wait: float) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(words)}, "finish_reason": finish}
    body = {"id": "chatcmpl-fake", "object": "chat.completion", "created": _CREATED, "model": asked.model}
    return Reply(json_reply({**body, "choices": [choice], "usage": usage}).frames, first=wait)


def _streamed(
    settings: FakeModelSettings,
    asked: Asked,
    words: tuple[str, ...],
    finish: str,
    usage: object,
    *,
    first: float,
    gap: float,
) -> Reply:
    model = asked.model
    thoughts = to_length(tokenise(settings.reasoning), settings.reasoning_tokens)
    head = _head("200 OK", b"text/event-stream; charset=utf-8")
    tokens = _token_frames(model, words, thoughts)
    tokens = (_delta(model, "role", "assistant") + tokens[0], *tokens[1:])  # the role comes with the first token
    finish = {"fake-length": "length", "fake-filter": "content_filter"}.get(model, finish)
    ending = [_event({**_envelope(model), "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})]
    if asked.include_usage:
        ending.append(_event({**_envelope(model), "choices": [], "usage": usage}))
    ending += [_chunk(b"data: [DONE]\n\n"), _chunk(b"")]
    if model == "fake-only-comments":
        return Reply((head, *([_chunk(_COMMENT)] * 10_000)), first, settings.comment_every_ms / 1000, "hang")
    frames, end = _behaviour(model, tokens, ending)
    first_frame = head + frames[0] if frames else head
    return Reply((first_frame, *frames[1:]), first, gap / 7 if model == "fake-split" else gap, end)


def _behaviour(model: str, tokens: Frames, ending: Sequence[bytes]) -> tuple[Frames, End]:
    """The frames after the headers, and how the connection ends, as the model's name says."""
    whole = (*tokens[:-1], tokens[-1] + b"".join(ending))
    broken: dict[str, Callable[[], tuple[Frames, End]]] = {
        "fake-cut": lambda: (tokens[: max(1, len(tokens) // 2)], "drop"),
        "fake-cut-first": lambda: ((), "drop"),
        "fake-stall": lambda: (tokens[:3], "hang"),
        "fake-badjson": lambda: ((*tokens[:3], _chunk(_BAD_JSON), *whole[3:]), "keep-alive"),
        "fake-error-event": lambda: ((*tokens[:3], _event(_OVERLOADED) + _chunk(b"")), "keep-alive"),
        "fake-error-first": lambda: ((_event(_RATE_LIMITED) + _chunk(b""),), "keep-alive"),
        "fake-no-finish": lambda: ((*tokens, _chunk(b"")), "keep-alive"),
        "fake-no-done": lambda: ((*tokens, ending[0]), "hang"),
        "fake-comments": lambda: (tuple(_chunk(_COMMENT) + frame for frame in whole), "keep-alive"),
        "fake-split": lambda: (_in_pieces(whole), "keep-alive"),
    }
    return broken[model]() if model in broken else (whole, "keep-alive")


@lru_cache(maxsize=64)
def _token_frames(model: str, words: tuple[str, ...], thoughts: tuple[str, ...]) -> Frames:
    if model == "fake-think-tags":
        tagged = ("<th", "ink", ">\n", *thoughts, "\n<", "/thi", "nk>", "\n\n", *words)
        return tuple(_delta(model, "content", word) for word in tagged)
    field = {"fake-reasoning": "reasoning_content", "fake-reasoning-field": "reasoning"}.get(model)
    reasoned = tuple(_delta(model, field, word) for word in thoughts) if field else ()
    return reasoned + tuple(_delta(model, "content", word) for word in words)


def _in_pieces(frames: Frames) -> Frames:
    """The same body, cut every 7 bytes, each piece an HTTP chunk of its own."""
    body = b"".join(_unchunk(b"".join(frames)))
    return (*(_chunk(body[at : at + 7]) for at in range(0, len(body), 7)), _chunk(b""))


def _unchunk(data: bytes) -> list[bytes]:
    found = []
    while data:
        size, _, data = data.partition(b"\r\n")
        found.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return found


def _head(status: str, media_type: bytes, headers: bytes = b"") -> bytes:
    return _HEAD % (status.encode(), media_type, headers)


def _envelope(model: str) -> dict[str, Any]:
    return {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": _CREATED, "model": model}


def _delta(model: str, field: str, text: str) -> bytes:
    delta = {"role": text, "content": ""} if field == "role" else {field: text}
    return _event({**_envelope(model), "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def _event(payload: object) -> bytes:
    return _chunk(b"data: " + orjson.dumps(payload) + b"\n\n")


def _chunk(data: bytes) -> bytes:
    """HTTP/1.1 chunked framing; the empty chunk ends the body."""
    return b"%x\r\n%s\r\n" % (len(data), data)
