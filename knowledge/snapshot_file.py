"""A knowledge base as one file: a ZIP of JSON lines, with what is needed to find the same things again.

=================  =====================================================================================
``manifest.json``  :class:`Manifest`: format and version, model, epoch, counts, SHA-256 of every other member
``documents.jsonl`` a :class:`SnapshotDocument` a line
``chunks.jsonl``   a chunk a line: the columns of ``chunks``, and ``document``, the line of its document from 0
``vectors.f32``    float32, little-endian, ``dimensions`` a chunk in the order of the lines; zeros: it had none
``synonyms.txt``   the tenant's list, as it was
=================  =====================================================================================

The original files are not in it. What is read was written by anybody: nothing of it is used before all is checked.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import JSON, Column

from knowledge.errors import InvalidInput
from knowledge.ports import Vector
from knowledge.tables import chunks, knowledge_bases

FORMAT: Final = "merchant-copilot-knowledge-base"
VERSION = 1
TAKEN_BY = "merchant-copilot"
MANIFEST, DOCUMENTS, CHUNKS, VECTORS, SYNONYMS = (
    *("manifest.json", "documents.jsonl", "chunks.jsonl"),
    *("vectors.f32", "synonyms.txt"),
)
MOST_BYTES = 16 << 30  # unpacked: a million chunks with their vectors are some 4 GB
MOST_RATIO = 300  # of unpacked to packed; text reaches 10
_RATIO_MATTERS = 64 << 20
_SMALL = 8 << 20  # what is read whole: the manifest, the synonyms
_LINE = 4 << 20
_COPY = 1 << 20
_ROWS = 10_000
_BROKEN = re.compile("[\\x00\\ud800-\\udfff]")
_KEYS = frozenset(("id", "tenant", "kb_id", "document_id"))
_IDENTITY = ("id", "tenant", "name", "epoch", "created_at")
_UPKEEP = ("embedding_model", "next_model", "dead", "removals_after", "mover", "mover_until")
_OF_BASE = frozenset((*_IDENTITY, *_UPKEEP))
COLUMNS: Mapping[str, Column[Any]] = {column.name: column for column in chunks.c if column.name not in _KEYS}
SETTINGS: Mapping[str, Column[Any]] = {
    column.name: column for column in knowledge_bases.c if column.name not in _OF_BASE
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Manifest(_Strict):
    """What a snapshot is of. ``members``: name → SHA-256; ``settings`` are the knowledge base's own."""

    format: Literal["merchant-copilot-knowledge-base"]
    version: int
    name: str = Field(max_length=120)
    epoch: int = Field(ge=0, le=2**31)
    embedding_model: str
    dimensions: int = Field(ge=0, le=65_536)
    documents: int = Field(ge=0)
    chunks: int = Field(ge=0)
    settings: dict[str, Any]
    taken_at: AwareDatetime
    taken_by: str
    members: dict[str, str]


class SnapshotDocument(_Strict):
    """A document that was live. ``content_hash`` is of the bytes that it was made from."""

    name: str = Field(min_length=1, max_length=500)
    title: str | None = Field(max_length=500)
    media_type: str | None = Field(max_length=120)
    size: int = Field(ge=0)
    content_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    message: str | None
    valid_from: AwareDatetime | None
    valid_until: AwareDatetime | None


class SnapshotFile:
    """One that was checked from end to end. Blocking: call it through a thread."""

    def __init__(self, file: zipfile.ZipFile, manifest: Manifest) -> None:
        self._file = file
        self.manifest = manifest

    @classmethod
    def open(cls, source: Path | IO[bytes]) -> Self:
        """Raises InvalidInput ``snapshot_invalid``, ``snapshot_newer`` or ``snapshot_too_large``."""
        try:
            file = zipfile.ZipFile(source)
            _require_size(file)
            opened = cls(file, _manifest(file))
            opened._check()
        except (
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            EOFError,
            OSError,
            KeyError,
            ValueError,
        ) as broken:
            raise _invalid("it is damaged, or something else") from broken
        return opened

    def documents(self) -> list[SnapshotDocument]:
        return [SnapshotDocument.model_validate_json(line) for line in self._lines(DOCUMENTS)]

    def chunks(self) -> Iterator[dict[str, Any]]:
        """With ``id``, ``document`` and the columns of :data:`COLUMNS`."""
        return map(_chunk, self._lines(CHUNKS))

    def vectors(self, rows: int) -> Iterator[Vector]:
        """So many rows at a time, in the order of the chunks; nothing where it has none."""
        if VECTORS not in self.manifest.members:
            return
        wide = self.manifest.dimensions
        with self._file.open(VECTORS) as stream:
            while data := stream.read(4 * wide * rows):
                yield np.frombuffer(data, dtype="<f4").reshape(-1, wide)

    @property
    def synonyms(self) -> str:
        return self._file.read(SYNONYMS).decode()

    def close(self) -> None:
        self._file.close()

    def _lines(self, member: str) -> Iterator[bytes]:
        with self._file.open(member) as stream:
            while line := stream.readline(_LINE):
                yield line

    def _check(self) -> None:
        for member, digest in self.manifest.members.items():
            with self._file.open(member) as stream:
                if _digest(stream) != digest:
                    raise _invalid(f"{member} is not as it was written")
        self._check_settings()
        self._check_chunks(self._names())
        self._check_vectors()

    def _check_settings(self) -> None:
        settings = self.manifest.settings
        if not settings.keys() <= SETTINGS.keys():
            raise _newer()
        if not all(_fits(value, SETTINGS[name]) for name, value in settings.items()):
            raise _invalid("its settings are something else")

    def _names(self) -> set[str]:
        listed = self.documents()
        if not all(map(_is_text, (text for each in listed for text in (each.name, each.title, each.message) if text))):
            raise _invalid("a document has characters that are none")
        names = {document.name for document in listed}
        if not len(names) == len(listed) == self.manifest.documents:
            raise _invalid("its documents are not those that it counts")
        return names

    def _check_chunks(self, names: set[str]) -> None:
        ids = set()
        for chunk in self.chunks():
            ids.add(chunk["id"])
            if not (0 <= chunk["document"] < len(names) and 0 < chunk["epoch"] <= self.manifest.epoch):
                raise _invalid("a chunk belongs to no document, or to no epoch")
        if len(ids) != self.manifest.chunks:
            raise _invalid("its chunks are not those that it counts")

    def _check_vectors(self) -> None:
        if VECTORS not in self.manifest.members:
            return
        size = 4 * self.manifest.dimensions * self.manifest.chunks
        if not size or self._file.getinfo(VECTORS).file_size != size:
            raise _invalid("its vectors are not those of its chunks")
        if not all(np.isfinite(page).all() for page in self.vectors(_ROWS)):
            raise _invalid("a vector is none")


def write(path: Path, folder: Path, facts: Mapping[str, Any]) -> None:
    """A snapshot of the members in ``folder``; ``facts`` are the manifest's fields but for the members. Blocking."""
    members = sorted(member for member in folder.iterdir() if member.is_file())
    digests = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for member in members:
            with member.open("rb") as stream:
                digests[member.name] = _digest(stream)
            made.write(member, member.name, zipfile.ZIP_STORED if member.name == VECTORS else None)
        manifest = Manifest(format=FORMAT, version=VERSION, members=digests, **facts)
        made.writestr(MANIFEST, manifest.model_dump_json(indent=1))


def line_of(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, default=_plain).encode() + b"\n"


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while data := stream.read(_COPY):
        digest.update(data)
    return digest.hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _require_size(file: zipfile.ZipFile) -> None:
    infos = file.infolist()
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if unpacked > MOST_BYTES or (unpacked > _RATIO_MATTERS and unpacked > MOST_RATIO * packed):
        raise InvalidInput(
            f"This snapshot unpacks to {unpacked >> 20} MB, more than one may.",
            code="snapshot_too_large",
            megabytes=unpacked >> 20,
        )


def _manifest(file: zipfile.ZipFile) -> Manifest:
    """Raises InvalidInput, KeyError."""
    if file.getinfo(MANIFEST).file_size > _SMALL:
        raise _invalid("its manifest is too large")
    told = json.loads(file.read(MANIFEST))
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _invalid("it is no snapshot of a knowledge base")
    if isinstance(told.get("version"), int) and told["version"] > VERSION:
        raise _newer()
    manifest = Manifest.model_validate(told)
    names = [info.filename for info in file.infolist()]
    needed = {DOCUMENTS, CHUNKS, SYNONYMS}
    known = needed <= manifest.members.keys() <= needed | {VECTORS}
    if not known or sorted(names) != sorted([MANIFEST, *manifest.members]):
        raise _invalid("its files are not those that it names")
    if file.getinfo(SYNONYMS).file_size > _SMALL:
        raise _invalid("its synonyms are too many")
    return manifest


def _chunk(line: bytes) -> dict[str, Any]:
    """Raises ValueError."""
    row = json.loads(line)
    if not isinstance(row, dict) or not isinstance(row.get("document"), int) or not _is_id(row.get("id")):
        raise _invalid("a chunk has no document or no id")
    given = row.keys() - {"id", "document"}
    if not given <= COLUMNS.keys():
        raise _newer()
    for name, column in COLUMNS.items():
        if not _fits(row.get(name), column):
            raise _invalid(f"the {name} of a chunk is something else")
    return row


def _is_text(value: str) -> bool:
    """Whole characters, and nothing that a database would not keep."""
    return _BROKEN.search(value) is None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 8 <= len(value) <= 40 and value.isascii()


def _fits(value: object, column: Column[Any]) -> bool:
    if value is None:
        return bool(column.nullable or column.default is not None)
    if isinstance(column.type, JSON):
        return True
    kind = column.type.python_type
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    if isinstance(value, str) and not _is_text(value):
        return False
    length = getattr(column.type, "length", None)
    return fits and (length is None or len(str(value)) <= length)


def _invalid(why: str) -> InvalidInput:
    return InvalidInput(
        f"This file is not a snapshot that can be restored: {why}. Take a new one.", code="snapshot_invalid"
    )


def _newer() -> InvalidInput:
    return InvalidInput("This snapshot was taken by a newer version. Update, and try again.", code="snapshot_newer")
