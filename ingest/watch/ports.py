"""A place that is watched, in our words: what is there now, and the bytes of one thing of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from ingest.files import StoredFile
from knowledge.errors import CopilotError
from knowledge.origins import Validators

MOST_ENTRIES = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """``key`` names it in its place, ``name`` among the documents.

    ``mark`` differs whenever the content does (size and time, a server's tag); None where nothing tells.
    """

    key: str
    name: str
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What is there. ``waiting`` are keys of things that are being written just now; ``complete`` is false where there
    is more than was listed, so that what is missing here may be there."""

    entries: Sequence[Entry]
    waiting: Sequence[str] = ()
    complete: bool = True
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """The bytes, in the file store, and what tells the next time whether they have changed."""

    stored: StoredFile
    validators: Validators = field(default_factory=Validators)
    mark: str | None = None


class Gone(Exception):
    """It was listed and is not there."""


class StillWritten(Exception):
    """It changed while it was read; the next run takes it."""


class PlaceUnreadable(CopilotError):
    """The place as a whole cannot be listed now; nothing may be concluded from that."""

    code = "source_unreadable"


class Place(Protocol):
    """Raises PlaceUnreadable."""

    async def list(self) -> Listing: ...

    async def take(self, tenant: str, entry: Entry, known: Validators) -> Taken | None:
        """None: as it was when ``known`` was noted. Raises Gone, StillWritten, DocumentRefused, OSError."""


@dataclass(frozen=True, slots=True)
class Globs:
    """Which keys are wanted: any of ``include`` (none: all) and none of ``exclude``; ``*`` matches ``/`` too."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def want(self, key: str) -> bool:
        included = not self.include or any(fnmatchcase(key, glob) for glob in self.include)
        return included and not any(fnmatchcase(key, glob) for glob in self.exclude)
