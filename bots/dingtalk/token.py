"""An access token, fetched once for all who need it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from copy import copy
from dataclasses import dataclass, field

from knowledge.errors import CopilotError

SPARE_S = 300.0  # tokens live 7200 s; one that is about to end is not used for a call that may take a while


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and how many seconds it is good for."""

    token: str = field(repr=False)
    seconds: float


class AccessToken:
    """Keeps a token until shortly before it ends. However many ask, one fetch is under way at a time, and when it
    fails all who waited for it get its error: a service that is down is not asked once for each of them."""

    def __init__(self, fetch: Callable[[], Awaitable[Grant]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._alone = asyncio.Lock()
        self._token: str | None = None
        self._until = 0.0
        self._failures = 0
        self._failure: CopilotError | None = None

    async def get(self) -> str:
        """The token. Raises what fetching it raises."""
        failures = self._failures
        if (token := self._good()) is not None:
            return token
        async with self._alone:
            if (token := self._good()) is not None:
                return token
            if self._failures != failures and self._failure is not None:
                raise copy(self._failure)
            return await self._renew()

    def reject(self, token: str) -> None:
        """It was not accepted. Nothing happens if another one has been fetched meanwhile."""
        if token == self._token:
            self._token = None

    def _good(self) -> str | None:
        return self._token if self._clock() < self._until else None

    async def _renew(self) -> str:
        try:
            grant = await self._fetch()
        except CopilotError as failure:
            self._failures += 1
            self._failure = failure
            raise
        self._token = grant.token
        self._until = self._clock() + grant.seconds - min(SPARE_S, grant.seconds / 10)
        return grant.token
