"""What a loader gets and what it gives back, and the one place where vendors' errors stop."""

import csv
import struct
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from ingest.blocks import Block, Heading
from knowledge.errors import DocumentRefused


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes of one file. ``media_type`` is sniffed from them, ``name`` only what they were called."""

    data: bytes
    name: str
    media_type: str

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

    def leading_title(self) -> str | None:
        """The heading that names the whole document: its only first-level one, or one at its very beginning."""
        top = [block for block in self.blocks if isinstance(block, Heading) and block.level == 1]
        return top[0].text if top and (len(top) == 1 or self.blocks[0] is top[0]) else None


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


def too_large(why: str) -> DocumentRefused:
    return DocumentRefused("too_large", f"{why} Split it into smaller files and upload those.")
