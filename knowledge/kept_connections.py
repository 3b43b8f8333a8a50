"""Small requests to one HTTP server over connections that stay open.

Beside what the server takes, a client that can do everything (aiohttp) takes 0.7 ms for each question to Chroma.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from ssl import SSLContext
from typing import cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser


class KeptConnections:
    """Of one event loop. ``url`` may have a path, which is put before those asked; a request may take ``seconds``."""

    def __init__(self, url: str, headers: Mapping[str, str], *, trusted: SSLContext | None, seconds: float) -> None:
        """``trusted`` is for https, and None for http."""
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (80 if trusted is None else 443)
        self._path = parts.path.rstrip("/")
        all_ = {"Host": parts.netloc.rpartition("@")[2], **headers}
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in all_.items())
        self._trusted = trusted
        self._seconds = seconds
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """→ status and body. Asks again where a kept connection was closed meanwhile: asking twice must do no harm.

        Raises OSError, TimeoutError among them.
        """
        head = f"POST {self._path}{path} HTTP/1.1\r\n{self._headers}Content-Length: {len(body)}\r\n\r\n"
        request = head.encode() + body
        async with asyncio.timeout(self._seconds):
            while self._idle:
                with suppress(ConnectionError):
                    return await self._asked(self._idle.pop(), request)
            _, fresh = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port, ssl=self._trusted
            )
            return await self._asked(fresh, request)

    async def _asked(self, connection: "_Connection", request: bytes) -> tuple[int, bytes]:
        answer = await connection.ask(request)
        if connection.stays:
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Of a loop that still runs."""
        while self._idle:
            self._idle.pop().close()


class _Connection(asyncio.Protocol):
    """One request after the other."""

    def __init__(self) -> None:
        self.stays = False
        self._parser = HttpResponseParser(self)
        self._body: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Raises ConnectionError."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("The server closed the connection.")
        self.stays, self._body = False, []
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answer
        finally:
            if not self.stays:  # nor is it to be used again when nobody waits for the answer any more
                self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, because uvloop's transport does not inherit from the class that asyncio promises.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError as exc:
            self._lost(f"What came is no answer of an HTTP server: {exc}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(f"The connection was lost: {exc or 'the server closed it'}.")

    def _lost(self, why: str) -> None:
        self.stays = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(why))

    # what httptools calls

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self.stays = self._parser.should_keep_alive()
            self._answer.set_result((self._parser.get_status_code(), b"".join(self._body)))
