"""What a loader gets and what it gives back, and the one place where vendors' errors stop."""

import csv
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar

from ingest.blocks import Block, Heading
from ingest.ocr.ports import Recognizer
from knowledge.errors import DocumentRefused
from knowledge.validity import Window

Item = TypeVar("Item")


class Progress(Protocol):
    """Hears how far reading is. Must not block. May raise what is no refusal, when nobody wants the file any more: let
    it pass through. Each report renews the time that a reader may be silent."""

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` parts (pages, say); a total of 0 is not known."""


def silent(done: int, total: int) -> None:
    """Nobody listens."""


def heard(items: Iterable[Item], progress: Progress, *, every: int = 2_000) -> Iterator[Item]:
    """The items, with a sign of life now and then where their number is not known."""
    for number, item in enumerate(items):
        if number % every == 0:
            progress(number, 0)
        yield item


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file. ``media_type`` is sniffed from them, ``name`` only what they were called.

    A loader that takes seconds calls ``progress`` with each part. ``soffice`` is LibreOffice's program, if it is there;
    ``recognizer`` reads pictures, where there is one.
    """

    data: bytes
    name: str
    media_type: str
    progress: Progress = field(default=silent, kw_only=True)
    soffice: Path | None = field(default=None, kw_only=True)
    recognizer: Recognizer | None = field(default=None, kw_only=True)

    @property
    def suffix(self) -> str:
        """The name's ending, lower case, with its dot; empty if there is none."""
        stem, dot, ending = self.name.rpartition("/")[2].rpartition(".")
        return f".{ending.lower()}" if dot and stem else ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside a file (of an e-mail, say); loaded in its turn, one level deep."""

    name: str
    data: bytes


@dataclass(slots=True)
class Draft:
    """What a loader found. Texts need not be cleaned yet, and blocks may turn out to be empty.

    ``pictures`` counts what may hold text that only OCR could read.
    """

    blocks: list[Block] = field(default_factory=list)
    title: str | None = None
    notes: list[str] = field(default_factory=list)
    pictures: int = 0
    attachments: list[Attachment] = field(default_factory=list)
    window: Window | None = None

    def leading_title(self) -> str | None:
        """The heading that names the whole document: its only first-level one, or one at its very beginning."""
        top = [block for block in self.blocks if isinstance(block, Heading) and block.level == 1]
        return top[0].text if top and (len(top) == 1 or self.blocks[0] is top[0]) else None


class ArchiveFound(DocumentRefused):
    """A ZIP of documents: nothing to read by itself, but its members are (:mod:`ingest.loaders.members`)."""

    def __init__(self) -> None:
        super().__init__("unsupported", "This is an archive inside a document. Upload its files by themselves.")


Loader: TypeAlias = Callable[[Source], Draft]

# What parsers let out when bytes are not what they should be. Vendors' own errors are added by each loader.
_MALFORMED: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,  # also RecursionError and NotImplementedError; zipfile's for a member with a password
    TypeError,
    ValueError,
    csv.Error,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def parsing(kind: str, *vendor_errors: type[Exception]) -> Generator[None]:
    """Turn whatever a parser of ``kind`` (a word such as "PDF") throws at bad bytes into a typed refusal."""
    try:
        yield
    except MemoryError as exc:
        raise too_large(f"This {kind} file needs more memory than a document may take.") from exc
    except (*_MALFORMED, *vendor_errors) as exc:
        raise corrupt(kind) from exc


def corrupt(kind: str) -> DocumentRefused:
    return DocumentRefused(
        "corrupt",
        f"This {kind} file is damaged and cannot be read. Open it in the program it was made "
        "with, save it again, and upload the new copy.",
    )


def encrypted(kind: str) -> DocumentRefused:
    return DocumentRefused(
        "encrypted",
        f"This {kind} file is protected by a password or encryption. Remove the protection and upload it again.",
    )


def needs_ocr(what: str) -> DocumentRefused:
    return DocumentRefused(
        "needs_ocr",
        f"{what} Its text was not recognised: install text recognition (pip install 'merchant-copilot[ocr]', "
        "COPILOT_OCR=auto), or upload a version whose text can be selected and copied.",
    )


def too_large(why: str) -> DocumentRefused:
    return DocumentRefused("too_large", f"{why} Split it into smaller files and upload those.")
