"""HTTP for the SDK, over aiohttp, which parses it in C: about half the CPU a token of the SDK's own transport.

A socket is read only while somebody waits for what it brings: what a model says meanwhile waits there, and is one read
then, not one for every token. Of 400 tokens that come to somebody who looks in now and then that saves 2 ms of 9.
"""

import asyncio
from collections.abc import AsyncIterator
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

MOST_CONNECTIONS = 1_000
IDLE_SECONDS = 5.0  # for another request over the same connection


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Belongs to one event loop. Raises aiohttp's errors as they are.

    ``connect_timeout`` is for a connection in seconds, and for being one of :data:`MOST_CONNECTIONS`; nothing else is
    limited. The proxy is what the environment has for ``url``, where all requests go.
    """

    def __init__(self, url: str, *, connect_timeout: float) -> None:
        self._proxy = _proxy(httpx2.URL(url))
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_connect=connect_timeout)
        self._ssl = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await self._opened().request(
            request.method,
            str(request.url),
            headers=request.headers,
            data=await request.aread() or None,
            allow_redirects=False,
            proxy=self._proxy,
        )
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """It wants a running loop when it is made."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._ssl, limit=MOST_CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
                timeout=self._timeout,
                auto_decompress=False,  # the client's
                cookie_jar=aiohttp.DummyCookieJar(),  # as above
            )
        return self._session


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._response.content.readany():
            if (socket := self._socket()) is not None:
                socket.pause_reading()
            yield data
            if (socket := self._socket()) is not None:
                socket.resume_reading()

    async def aclose(self) -> None:
        self._response.release()

    def _socket(self) -> asyncio.Transport | None:
        """None once all has come."""
        connection = self._response.connection
        return None if connection is None else connection.transport


def _proxy(url: httpx2.URL) -> str | None:
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(url.host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
