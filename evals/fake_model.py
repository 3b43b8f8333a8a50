"""A fake OpenAI-compatible model server that keeps to the protocol, and breaks it when asked to.

The model's name chooses the behaviour (``MODELS`` in :mod:`evals.fake_replies`); the key ``bad-key`` gets 401.
It is a raw asyncio protocol with precomputed frames and one timer a stream, so that a bench measures what stands
in front of it and not the fake.

    python -m evals.fake_model --port 9009 --first-token-ms 200 --rate 50 --tokens 100
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import httptools
import orjson
import typer

from evals.fake_replies import MODELS, Asked, FakeModelSettings, Reply, json_reply, refuse, reply_to

BAD_KEY = "bad-key"


@dataclass(slots=True)
class FakeModelRecord:
    """What the server saw. ``disconnects`` counts streams that the client left before their end."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    finished: int = 0
    disconnects: int = 0


@asynccontextmanager
async def running_fake_model(
    *, port: int = 0, record: FakeModelRecord | None = None, **settings: Any
) -> AsyncGenerator[str]:
    """Serve on 127.0.0.1 in this process; yields the base URL (``http://127.0.0.1:PORT/v1``).

    ``settings`` are the fields of :class:`evals.fake_replies.FakeModelSettings`; ``record`` is filled as it runs.
    """
    model = _FakeModel(FakeModelSettings(**settings), record or FakeModelRecord())
    server = await asyncio.get_running_loop().create_server(model.connection, "127.0.0.1", port, backlog=2048)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        model.close()
        await server.wait_closed()


class _FakeModel:
    def __init__(self, settings: FakeModelSettings, record: FakeModelRecord) -> None:
        self.settings = settings
        self.record = record
        self._open: set[_Connection] = set()
        self._attempts: Counter[str] = Counter()

    def connection(self) -> "_Connection":
        return _Connection(self)

    def opened(self, connection: "_Connection") -> None:
        self.record.connections += 1
        self._open.add(connection)

    def closed(self, connection: "_Connection") -> None:
        self._open.discard(connection)

    def close(self) -> None:
        for connection in tuple(self._open):
            connection.abort()

    def answer(self, path: str, key: str, body: bytes) -> Reply:
        if path.endswith("/stats"):
            record = self.record
            seen = {"requests": len(record.requests), "in_flight": record.in_flight}
            return json_reply({**seen, "finished": record.finished, "disconnects": record.disconnects})
        if key == BAD_KEY:
            # Like some real servers it repeats the key.
            return refuse("401 Unauthorized", f"Incorrect API key provided: {key}.", "invalid_api_key")
        if path.endswith("/models"):
            listed = [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in MODELS]
            return json_reply({"object": "list", "data": listed})
        if not path.endswith("/chat/completions"):
            return refuse("404 Not Found", "There is nothing here.")
        try:
            return self._complete(key, orjson.loads(body))
        except (KeyError, TypeError, orjson.JSONDecodeError):
            return refuse("400 Bad Request", "This is not a chat request.")

    def _complete(self, key: str, request: dict[str, Any]) -> Reply:
        self.record.requests.append(request)
        self.record.keys.append(key)
        self._attempts[request["model"]] += 1
        options = request.get("stream_options") or {}
        asked = Asked(
            model=request["model"],
            messages=tuple((message["role"], message["content"]) for message in request["messages"]),
            stream=bool(request.get("stream")),
            include_usage=bool(options.get("include_usage")),
            has_options=bool(options),
            max_tokens=request.get("max_completion_tokens") or request.get("max_tokens"),
            attempt=self._attempts[request["model"]],
        )
        return reply_to(self.settings, asked)


class _Connection(asyncio.Protocol):
    """One keep-alive connection; one request at a time, as every HTTP/1.1 client of a model sends them."""

    def __init__(self, model: _FakeModel) -> None:
        self._model = model
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._stream: _Stream | None = None
        self._path, self._key, self._body = "", "", bytearray()
        self._keep_alive = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._model.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        self._model.closed(self)
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
            self._model.record.in_flight -= 1
            self._model.record.disconnects += 1

    def abort(self) -> None:
        self._transport.abort()

    # The parser's callbacks; their names are httptools'.

    def on_message_begin(self) -> None:
        self._path, self._key, self._body = "", "", bytearray()

    def on_url(self, url: bytes) -> None:
        self._path += url.decode()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._key = value.decode().removeprefix("Bearer ")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        reply = self._model.answer(self._path, self._key, bytes(self._body))
        self._keep_alive = self._parser.should_keep_alive()
        self._model.record.in_flight += 1
        self._stream = _Stream(self._loop, self._transport, reply, self._ended)
        self._stream.start()

    def _ended(self, reply: Reply) -> None:
        self._stream = None
        self._model.record.in_flight -= 1
        self._model.record.finished += 1
        if reply.end == "drop":
            self.abort()
        elif not self._keep_alive:
            self._transport.close()


class _Stream:
    """Sends a reply's frames on time. When the loop is late, the frames that are due go out in one write."""

    __slots__ = ("_due", "_ended", "_gap", "_loop", "_next", "_reply", "_timer", "_transport")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        reply: Reply,
        ended: Callable[[Reply], None],
    ) -> None:
        self._loop = loop
        self._transport = transport
        self._reply = reply
        self._ended = ended
        self._gap = reply.gap
        self._next = 0
        self._due = loop.time() + reply.first
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._reply.frames:
            self._timer = self._loop.call_at(self._due, self._tick)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        frames, start, now = self._reply.frames, self._next, self._loop.time()
        due = 1 + int((now - self._due) / self._gap) if self._gap else len(frames)
        self._next = min(start + max(1, due), len(frames))
        self._transport.write(frames[start] if self._next == start + 1 else b"".join(frames[start : self._next]))
        if self._next < len(frames):
            self._due += self._gap * (self._next - start)
            self._timer = self._loop.call_at(self._due, self._tick)
        elif self._reply.end != "hang":
            self._timer = None
            self._ended(self._reply)


def main(
    port: Annotated[int, typer.Option(help="0 takes any free port; it is printed.")] = 9009,
    first_token_ms: float = 200.0,
    rate: Annotated[float, typer.Option(help="Tokens a second; 0 for all at once.")] = 50.0,
    tokens: Annotated[int | None, typer.Option(help="Length of the answer; as long as its text by default.")] = None,
    text: str | None = None,
    cite: Annotated[bool, typer.Option(help="Answer from the evidence block [1] of the prompt.")] = True,
) -> None:
    """Serve until interrupted. Prints the base URL in one line."""
    asyncio.run(_serve(port, first_token_ms=first_token_ms, rate=rate, tokens=tokens, text=text, cite=cite))


async def _serve(port: int, **settings: Any) -> None:
    async with running_fake_model(port=port, **settings) as base_url:
        print(base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    typer.run(main)
