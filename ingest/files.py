"""The bytes of documents as they were received: content-addressed, by tenant, whole or not at all."""

import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from knowledge.errors import DocumentRefused

COPY = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredFile:
    content_hash: str
    size: int


class FileStore:
    """``folder/<tenant>/<first two>/<sha256>``. A file is written aside and renamed, so a half one is never seen."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._folder = folder
        self.max_bytes = max_bytes

    def path(self, tenant: str, content_hash: str) -> Path:
        return self._folder / tenant / content_hash[:2] / content_hash

    async def save(self, tenant: str, pieces: AsyncIterator[bytes]) -> StoredFile:
        """Stream to disk. Raises DocumentRefused ``too_large`` as soon as the limit is passed."""
        part = self._part(tenant)
        digest, size = hashlib.sha256(), 0
        try:
            with part.open("wb") as out:
                async for piece in pieces:
                    size += len(piece)
                    self.require_size(size)
                    digest.update(piece)
                    out.write(piece)
            return self._keep(tenant, part, digest.hexdigest(), size)
        finally:
            part.unlink(missing_ok=True)

    def add(self, tenant: str, source: Path) -> StoredFile:
        """Take a copy of a local file. Raises DocumentRefused ``too_large``."""
        self.require_size(source.stat().st_size)
        with source.open("rb") as stream:
            content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
        if (there := self.path(tenant, content_hash)).exists():
            there.touch()  # it is wanted again: see :meth:`kept`
            return StoredFile(content_hash, source.stat().st_size)
        part = self._part(tenant)
        try:
            shutil.copyfile(source, part)
            with part.open("rb") as stream:  # what was copied decides, should the source have changed meanwhile
                content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
            return self._keep(tenant, part, content_hash, part.stat().st_size)
        finally:
            part.unlink(missing_ok=True)

    @contextmanager
    def aside(self, tenant: str) -> Generator[Path]:
        """A folder for what is unpacked, gone afterwards; the next sweep's, should this process be killed."""
        folder = self._part(tenant)
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def remove(self, tenant: str, content_hashes: Iterable[str]) -> None:
        """Forget these bytes; those that are not there are no error."""
        for content_hash in content_hashes:
            self.path(tenant, content_hash).unlink(missing_ok=True)

    def kept(self, *, longer_than: float) -> dict[str, set[str]]:
        """tenant → hashes of what was saved longer than so many seconds ago; a younger one may be on its way in."""
        found: dict[str, set[str]] = {}
        before = time.time() - longer_than
        for path in self._folder.glob("*/[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):  # somebody removed it just now
                if path.stat().st_mtime < before:
                    found.setdefault(path.parent.parent.name, set()).add(path.name)
        return found

    def require_size(self, size: int) -> None:
        if size > self.max_bytes:
            limit = self.max_bytes // (1 << 20)
            raise DocumentRefused("too_large", f"The file is larger than {limit} MB. Split it, or raise the limit.")

    def _part(self, tenant: str) -> Path:
        folder = self._folder / tenant / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid4().hex

    def _keep(self, tenant: str, part: Path, content_hash: str, size: int) -> StoredFile:
        target = self.path(tenant, content_hash)
        target.parent.mkdir(parents=True, exist_ok=True)
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
        return StoredFile(content_hash, size)
