"""HTTP with an end to every call. What httpx raises stops here.

Two kinds of failure are told apart: a request that never left, which may be repeated, and one whose answer is missing,
after which nobody knows whether it was done.
"""

import asyncio
import json
import logging
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from bots.dingtalk import errors
from bots.ports import ChannelRefused

LARGEST_ANSWER = 1 << 20  # bytes; an answer of the API has some hundred
# Connections are kept for less time than servers keep them: one that is closed just now loses the request it carries.
IDLE_S = 4.0
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.WriteError,
    httpx.WriteTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
    httpx.InvalidURL,
)


class Wire:
    """One pool of connections. Times are in seconds and for a whole call, not for a part of it."""

    def __init__(self, *, timeout_s: float = 10.0, connect_s: float = 5.0) -> None:
        # It would log every URL, and with it tokens and the sessions of webhooks.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._timeout = timeout_s
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(timeout_s, connect=min(connect_s, timeout_s)),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_S),
            trust_env=False,
            follow_redirects=False,
        )

    async def call(
        self,
        method: str,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        file: tuple[str, bytes, str] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Any]:
        """The answer's object. ``file`` is name, bytes and media type of the form's ``media``.

        Raises the errors of :mod:`bots.dingtalk.errors`.
        """
        kind = {"Content-Type": "application/json"} if body is not None else {}
        with _our_errors():
            async with asyncio.timeout(timeout_s or self._timeout):
                request = self._http.build_request(
                    method,
                    httpx.URL(url).copy_merge_params(query or {}),
                    headers={"Accept": "application/json", **kind, **(headers or {})},
                    content=as_json(body) if body is not None else None,
                    data=form,
                    files={"media": file} if file else None,
                )
                response = await self._http.send(request, stream=True)
                try:
                    said = await _read(response, LARGEST_ANSWER)
                finally:
                    await response.aclose()
        return errors.answer(response.status_code, said)

    async def fetch(self, url: str, *, limit: int, timeout_s: float) -> bytes:
        """What a link leads to. Raises ChannelRefused ``too_large`` and ``download_expired``, and Unavailable."""
        with _our_errors():
            async with asyncio.timeout(timeout_s), self._http.stream("GET", url) as response:
                if response.status_code >= 500 or response.status_code == 429:
                    raise errors.unreachable()
                if response.status_code != 200:
                    raise ChannelRefused("This file cannot be fetched any more.", code="download_expired")
                return await _read(response, limit)

    async def close(self) -> None:
        await self._http.aclose()


def as_json(body: Mapping[str, Any]) -> bytes:
    """UTF-8 as it is: ``\\uXXXX`` would make six bytes of three, and bytes are limited."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


async def _read(response: httpx.Response, limit: int) -> bytes:
    """Never more than ``limit`` bytes in memory, whatever is announced."""
    if int(response.headers.get("content-length", "0")) > limit:
        raise errors.too_large()
    read = bytearray()
    async for piece in response.aiter_bytes(64 << 10):
        read += piece
        if len(read) > limit:
            raise errors.too_large()
    return bytes(read)


@contextmanager
def _our_errors() -> Generator[None]:
    """The originals are dropped on purpose: they hold URLs, and those hold tokens."""
    try:
        yield
    except _NOT_SENT:
        raise errors.unreachable() from None
    except (httpx.HTTPError, TimeoutError, OSError):
        raise errors.unknown() from None
