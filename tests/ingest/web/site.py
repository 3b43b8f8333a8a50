"""A small website on a socket of this machine, that does what it is told and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from ingest.web.addresses import Allowed, Resolve
from ingest.web.fetch import Fetcher, Limits
from ingest.web.pace import Pace

LOCAL = Allowed.of(["127.0.0.0/8", "::1"])


@dataclass
class Page:
    body: bytes | str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "text/html; charset=utf-8"
    slow: float = 0.0


@dataclass
class Site:
    """``pages`` by path; a callable is asked each time."""

    pages: dict[str, Page | Callable[[], Page]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def asked_for(self, path: str) -> int:
        return self.asked.count(path)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.agents.add(request.headers.get("User-Agent", ""))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self._made(request)
        finally:
            self.at_once -= 1

    async def _made(self, request: web.Request) -> web.StreamResponse:
        found = self.pages.get(request.path_qs, Page("nothing here", 404))
        page = found if isinstance(found, Page) else found()
        await asyncio.sleep(page.slow)
        etag = page.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        body = page.body.encode() if isinstance(page.body, str) else page.body
        return web.Response(status=page.status, body=body, headers={"Content-Type": page.kind, **page.headers})


@asynccontextmanager
async def site(pages: dict[str, Page | Callable[[], Page]] | None = None) -> AsyncIterator[Site]:
    made = Site(dict(pages or {}))
    server = web.Server(made.answer)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    place = web.TCPSite(runner, "127.0.0.1", 0)
    await place.start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        await runner.cleanup()


def fetcher(
    *,
    allowed: Allowed = LOCAL,
    max_bytes: int = 1 << 20,
    resolve: Resolve | None = None,
    delay: float = 0.0,
    limits: Limits | None = None,
) -> Fetcher:
    more = {} if resolve is None else {"resolve": resolve}
    return Fetcher(
        agent="MerchantCopilot/0.1",
        max_bytes=max_bytes,
        allowed=allowed,
        pace=Pace(delay),
        limits=limits or Limits(connect=2, silence=2, whole=2),
        **more,
    )
