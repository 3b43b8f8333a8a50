"""A raw SSE client for benches, run as a process of its own so that it shares no event loop with what it measures.

It notes two instants a stream (first token, last byte) while data arrives, and parses everything afterwards.

    echo '{"url": …}' | python -m evals.bench.sse_client        # an Order as JSON in, a list of Timing as JSON out
"""

import asyncio
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

import orjson

Dialect: TypeAlias = Literal["openai", "events"]

# What the first token looks like on the wire, before any parsing.
_FIRST_TOKEN: dict[Dialect, bytes] = {"openai": b'"delta":{"content":', "events": b"event: token"}


@dataclass(frozen=True, slots=True)
class Order:
    """``bodies`` are sent round-robin, by ``clients`` that each run ``rounds`` streams one after the other.

    The clients start evenly over ``spread_s`` seconds (0: all at once). ``dialect`` says how tokens look: chunks of
    the OpenAI protocol, or events named ``token`` with ``{"text": …}``. ``fresh``: no kept answer will do.
    """

    url: str
    bodies: list[dict[str, Any]]
    dialect: Dialect
    clients: int
    rounds: int
    spread_s: float
    timeout_s: float
    bearer: str | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Timing:
    """One stream. Seconds from the first byte of the request sent (connection already open); ``error`` if it failed."""

    first_token_s: float
    total_s: float
    started_at: float
    text: str
    error: str | None = None


class _Stream(asyncio.Protocol):
    """Collects one response until the server closes the connection."""

    def __init__(self, request: bytes, first_token: bytes) -> None:
        self._request = request
        self._marker = first_token
        self._parts: list[bytes] = []
        self.started = self.first = self.last = 0.0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.started = time.perf_counter()
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self.last = time.perf_counter()
        self._parts.append(data)
        if not self.first and self._marker in (data if len(self._parts) == 1 else b"".join(self._parts)):
            self.first = self.last

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (the protocol's signature)
        if not self.closed.done():
            self.closed.set_result(None)

    @property
    def response(self) -> bytes:
        return b"".join(self._parts)


async def drive(order: Order) -> list[Timing]:
    """Run the order; one :class:`Timing` for each of ``clients × rounds`` streams."""
    target = urlsplit(order.url)
    requests = [_request(order, target.netloc, target.path, body) for body in order.bodies]

    async def client(number: int) -> list[Timing]:
        await asyncio.sleep(order.spread_s * number / order.clients)
        mine = [requests[(number * order.rounds + at) % len(requests)] for at in range(order.rounds)]
        return [await _one(order, target.hostname or "127.0.0.1", target.port or 80, request) for request in mine]

    return [timing for timings in await asyncio.gather(*map(client, range(order.clients))) for timing in timings]


async def _one(order: Order, host: str, port: int, request: bytes) -> Timing:
    transport: asyncio.BaseTransport | None = None
    stream: _Stream | None = None
    try:
        async with asyncio.timeout(order.timeout_s):
            transport, stream = await asyncio.get_running_loop().create_connection(
                lambda: _Stream(request, _FIRST_TOKEN[order.dialect]), host, port
            )
            await stream.closed
    except (OSError, TimeoutError) as exc:
        return Timing(0, 0, stream.started if stream else 0, "", type(exc).__name__)
    finally:
        if transport is not None:
            transport.close()
    text, error = read_response(stream.response, order.dialect)
    if not stream.first:
        error = error or "no token"
    return Timing(stream.first - stream.started, stream.last - stream.started, stream.started, text, error)


def _request(order: Order, netloc: str, path: str, body: dict[str, Any]) -> bytes:
    payload = orjson.dumps(body)
    bearer = f"authorization: Bearer {order.bearer}\r\n" if order.bearer else ""
    fresh = "cache-control: no-cache\r\n" if order.fresh else ""
    head = f"POST {path} HTTP/1.1\r\nhost: {netloc}\r\ncontent-type: application/json\r\naccept: text/event-stream\r\n"
    return f"{head}{bearer}{fresh}content-length: {len(payload)}\r\nconnection: close\r\n\r\n".encode() + payload


def read_response(response: bytes, dialect: Dialect) -> tuple[str, str | None]:
    """The text of all token events, and what was wrong with the response, if anything."""
    head, _, body = response.partition(b"\r\n\r\n")
    status = head[9:12]
    if status != b"200":
        return "", f"status {status.decode() or 'none'}"
    if b"transfer-encoding: chunked" in head.lower():
        body = _unchunk(body)
    text, ended = [], False
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line[1:])
        data = fields.get(b"data", b"")
        if dialect == "openai":
            ended = ended or data == b"[DONE]"
            choices = orjson.loads(data)["choices"] if data.startswith(b"{") else []
            text += [choice["delta"].get("content") or "" for choice in choices]
        elif fields.get(b"event") == b"token":
            text.append(orjson.loads(data)["text"])
        elif fields.get(b"event") == b"failed":
            return "".join(text), f"failed: {orjson.loads(data).get('code')}"
        elif fields.get(b"event") == b"done":
            if orjson.loads(data).get("refused"):
                return "".join(text), "refused"
            ended = True
    return "".join(text), None if ended else "cut short"


def _unchunk(body: bytes) -> bytes:
    parts, at = [], 0
    while (line_end := body.find(b"\r\n", at)) > 0:
        size = int(body[at:line_end], 16)
        parts.append(body[line_end + 2 : line_end + 2 + size])
        at = line_end + 2 + size + 2
    return b"".join(parts)


def main() -> None:
    """Read an order from stdin, print the timings."""
    order = Order(**orjson.loads(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(orjson.dumps([asdict(timing) for timing in asyncio.run(drive(order))]))


if __name__ == "__main__":
    main()
