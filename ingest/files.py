"""The bytes of documents as they were received: content-addressed, by tenant, whole or not at all."""

import hashlib
import os
import shutil
from collections.abc import AsyncIterator
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
        if self.path(tenant, content_hash).exists():
            return StoredFile(content_hash, source.stat().st_size)
        part = self._part(tenant)
        try:
            shutil.copyfile(source, part)
            with part.open("rb") as stream:  # what was copied decides, should the source have changed meanwhile
                content_hash = hashlib.file_digest(stream, "sha256").hexdigest()
            return self._keep(tenant, part, content_hash, part.stat().st_size)
        finally:
            part.unlink(missing_ok=True)

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
