"""A run of a document and how far it is: told to whoever listens, and to SQL, which keeps the claim alive by it."""

import time
from collections.abc import Callable
from typing import Protocol

from ingest.reading import Heard
from knowledge.claims import Claim
from knowledge.versions import Versions

LOADED, LOADED_PAGE_BY_PAGE = 10, 60  # percent of a run that are behind it when the document is read
NOTED_SECONDS = 0.5  # a stage that is over sooner is not worth a transaction


class Report(Protocol):
    """Hears how far a run is: a stage and 0–100. Must not block."""

    def __call__(self, stage: str, percent: int) -> None: ...


def silent(stage: str, percent: int) -> None:
    """Nobody listens."""


class Run:
    """Percent never fall: how much of a run reading is shows only while it goes on."""

    def __init__(
        self, claim: Claim, report: Report, versions: Versions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.claim = claim
        self.percent = 0
        self._report = report
        self._versions = versions
        self._clock = clock
        self._noted = clock()  # with the claim

    async def progress(self, stage: str, percent: int) -> None:
        """SQL hears of it if it has not for a while. Raises LeaseLost, if so."""
        if self._clock() - self._noted >= NOTED_SECONDS:
            await self.beat(stage, percent)
        else:
            self._tell(stage, percent)

    async def beat(self, stage: str, percent: int, heard: Heard | None = None) -> None:
        """Renews the claim. Raises LeaseLost."""
        counted = {"parts_done": heard.done, "parts": heard.total} if heard is not None and heard.total else {}
        await self._versions.progress(self.claim, stage, max(self.percent, percent), **counted)
        self._noted = self._clock()
        self._tell(stage, percent)

    async def heard(self, heard: Heard) -> None:
        """Of the reader."""
        percent = LOADED_PAGE_BY_PAGE * heard.done // heard.total if heard.total else 1
        await self.beat("loading", percent, heard)

    def _tell(self, stage: str, percent: int) -> None:
        self.percent = max(self.percent, percent)
        self._report(stage, self.percent)
