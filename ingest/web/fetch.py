"""Pages by their address: politely, from public machines only, with limits on everything, and typed refusals."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from ingest.web.addresses import Allowed, CheckedResolver, Resolve, checked_url, look_up
from ingest.web.bodies import as_utf8, too_large, whole
from ingest.web.login import asks_to_sign_in
from ingest.web.pace import LONGEST_PAUSE, Pace
from ingest.web.robots import Robots
from knowledge.errors import DocumentRefused, InvalidInput
from knowledge.origins import Validators

MOST_REDIRECTS = 5
ROBOTS_BYTES = 512 << 10  # RFC 9309 asks for 500 KiB at least
_REDIRECTS = (301, 302, 303, 307, 308)
_LATER = (429, 503)
_ACCEPT = "text/html,application/xhtml+xml,application/pdf,text/*;q=0.9,*/*;q=0.8"


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds: to connect, for silence, and for one request as a whole."""

    connect: float = 10.0
    silence: float = 20.0
    whole: float = 90.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """``url`` is where the redirects led; ``body`` is unpacked, and tells its encoding if only the headers did."""

    url: str
    body: bytes
    validators: Validators


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes = b""
    validators: Validators = field(default_factory=Validators)
    media_type: str = ""
    charset: str | None = None
    location: str = ""
    retry_after: float | None = None


class Fetcher:
    """Fetches as ``agent``. ``resolve`` is how names become addresses; ``pace`` how often a host is asked."""

    def __init__(
        self,
        *,
        agent: str,
        max_bytes: int,
        allowed: Allowed | None = None,
        resolve: Resolve = look_up,
        pace: Pace | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.allowed = allowed or Allowed()
        self._agent = agent
        self._max_bytes = max_bytes
        self._resolve = resolve
        self._pace = pace or Pace()
        self._limits = limits or Limits()
        self._robots = Robots(agent, self._robots_text)

    async def fetch(self, url: str, *, known: Validators | None = None) -> Fetched | None:
        """None: it is as it was when ``known`` was noted.

        Raises InvalidInput ``address_invalid``; DocumentRefused ``address_refused``, ``address_not_found``,
        ``address_unreachable``, ``robots_refused``, ``login_required``, ``fetch_timeout``, ``too_large``, ``corrupt``.
        """
        asked = checked_url(url, self.allowed)
        final, answer = await self._followed(asked, known or Validators(), self._max_bytes, robots=True)
        if answer.status == 304:
            return None
        _require_page(answer, asked=asked, final=final)
        plain = answer.media_type.startswith("text/") and answer.media_type != "text/xml"
        body = as_utf8(answer.body, answer.charset) if plain else answer.body
        return Fetched(final, body, answer.validators)

    async def _followed(self, url: str, known: Validators, limit: int, *, robots: bool) -> tuple[str, _Answer]:
        for _ in range(MOST_REDIRECTS + 1):
            delay = await self._robots.require(url) if robots else 0.0
            answer = await self._patiently(url, known, limit, delay)
            if answer.status not in _REDIRECTS or not answer.location:
                return url, answer
            url = self._next(url, answer.location)
        raise DocumentRefused("address_unreachable", "This address leads on and on. Give the one where it ends.")

    def _next(self, url: str, location: str) -> str:
        try:
            return checked_url(urljoin(url, location), self.allowed)
        except (InvalidInput, ValueError):
            raise DocumentRefused("address_refused", "This address leads on to one that cannot be fetched.") from None

    async def _patiently(self, url: str, known: Validators, limit: int, delay: float) -> _Answer:
        """Once more if the host says when; it is left alone until then, also by others."""
        host = urlsplit(url).netloc
        for last in (False, True):
            async with self._pace.turn(host, delay=delay):
                answer = await self._once(url, known, limit)
            wait = answer.retry_after
            if answer.status not in _LATER or wait is None or wait > LONGEST_PAUSE or last:
                break
            self._pace.hold(host, wait)
        return answer

    async def _once(self, url: str, known: Validators, limit: int) -> _Answer:
        try:
            async with asyncio.timeout(self._limits.whole), self._response(url, known) as response:
                if response.status != 200:
                    return _answer(response, b"")
                if (response.content_length or 0) > limit:
                    raise too_large(limit)
                packing = response.headers.get("Content-Encoding", "")
                body = await whole(response.content.iter_any(), packing=packing, limit=limit)
                return _answer(response, body)
        except TimeoutError as error:
            raise DocumentRefused("fetch_timeout", "This address took too long to answer. Try again later.") from error
        except (aiohttp.ClientError, OSError, UnicodeError, ValueError) as error:
            host = urlsplit(url).netloc
            message = f"“{host}” cannot be reached. Check the address, or try again later."
            raise DocumentRefused("address_unreachable", message) from error

    @asynccontextmanager
    async def _response(self, url: str, known: Validators) -> AsyncIterator[aiohttp.ClientResponse]:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._limits.connect, sock_read=self._limits.silence)
        resolver = CheckedResolver(self._resolve, self.allowed)
        connector = aiohttp.TCPConnector(
            resolver=resolver, socket_factory=resolver.socket, use_dns_cache=False, force_close=True
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=limits,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers=self._headers(known),
            ) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            yield response

    def _headers(self, known: Validators) -> dict[str, str]:
        headers = {"User-Agent": self._agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
        if known.etag:
            headers["If-None-Match"] = known.etag
        if known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        return headers

    async def _robots_text(self, url: str) -> tuple[int, str]:
        try:
            _, answer = await self._followed(url, Validators(), ROBOTS_BYTES, robots=False)
        except DocumentRefused as refusal:
            if refusal.reason == "address_refused":
                raise
            return (200, "") if refusal.reason in ("too_large", "corrupt") else (0, "")
        return answer.status, answer.body.decode("utf-8", "replace")


def _answer(response: aiohttp.ClientResponse, body: bytes) -> _Answer:
    headers = response.headers
    told = Message()
    told["Content-Type"] = headers.get("Content-Type", "")
    return _Answer(
        status=response.status,
        body=body,
        validators=Validators(headers.get("ETag", "")[:500] or None, headers.get("Last-Modified", "")[:100] or None),
        media_type=told.get_content_type() if headers.get("Content-Type") else "",
        charset=told.get_content_charset(),
        location=headers.get("Location", ""),
        retry_after=_seconds(headers.getall("Retry-After", [])),
    )


def _seconds(told: Sequence[Any]) -> float | None:
    """Of a Retry-After in seconds; one that gives a date is left to the next time."""
    return float(told[0]) if told and str(told[0]).strip().isdecimal() else None


def _require_page(answer: _Answer, *, asked: str, final: str) -> None:
    if answer.status in (404, 410):
        raise DocumentRefused("address_not_found", "There is no page at this address (any more).")
    if answer.status in (401, 403, 407) or asks_to_sign_in(answer.body, answer.media_type, asked=asked, final=final):
        raise DocumentRefused("login_required", "This page is only for who signs in. Download it and upload the file.")
    if answer.status != 200:
        message = f"The site answered {answer.status} instead of a page. Try again later."
        raise DocumentRefused("address_unreachable", message)
