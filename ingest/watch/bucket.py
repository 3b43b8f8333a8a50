"""A prefix of an object store that is watched, through fsspec: ``s3://bucket/docs``."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from ingest.files import FileStore
from ingest.watch.ports import MOST_ENTRIES, Entry, Globs, Gone, Listing, PlaceUnreadable, Taken
from knowledge.errors import InvalidInput
from knowledge.origins import Validators

PIECE = 1 << 18
_TELLS = ("ETag", "etag", "md5", "LastModified", "last_modified", "mtime", "created")


class BucketPlace:
    """``url`` is one that fsspec knows; its credentials come from the machine, as the store's own tools find them."""

    def __init__(self, url: str, globs: Globs, files: FileStore) -> None:
        self._url = url
        self._globs = globs
        self._files = files

    async def list(self) -> Listing:
        """Raises InvalidInput ``s3_missing``."""
        return await asyncio.to_thread(self._list)

    async def take(self, tenant: str, entry: Entry, known: Validators) -> Taken | None:  # noqa: ARG002 (the port's)
        fs, root = await asyncio.to_thread(self._open)
        try:
            return Taken(await self._files.save(tenant, _pieces(fs, f"{root}/{entry.key}")), mark=entry.mark)
        except FileNotFoundError:
            raise Gone from None

    def _open(self) -> tuple[Any, str]:
        import fsspec

        try:
            fs, root = fsspec.core.url_to_fs(self._url)
        except ImportError as error:
            raise InvalidInput(
                "Object stores need s3fs: run “pip install s3fs” on the server.", code="s3_missing"
            ) from error
        return fs, str(root).rstrip("/")

    def _list(self) -> Listing:
        fs, root = self._open()
        try:
            fs.invalidate_cache()
            found: Mapping[str, Mapping[str, Any]] = fs.find(root, detail=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise PlaceUnreadable(f"{self._url} cannot be listed: {str(error)[:200]}") from error
        entries = [
            Entry(key, key, _mark(about))
            for path, about in sorted(found.items())
            if (key := str(path).removeprefix(root).lstrip("/")) and self._wanted(key)
        ]
        return Listing(entries[:MOST_ENTRIES], complete=len(entries) <= MOST_ENTRIES)

    def _wanted(self, key: str) -> bool:
        hidden = any(part.startswith(".") for part in key.split("/"))
        return not hidden and key.isprintable() and not key.endswith("/") and self._globs.want(key)


async def _pieces(fs: Any, path: str) -> AsyncIterator[bytes]:
    stream = await asyncio.to_thread(fs.open, path, "rb")
    try:
        while piece := await asyncio.to_thread(stream.read, PIECE):
            yield piece
    finally:
        await asyncio.to_thread(stream.close)


def _mark(about: Mapping[str, Any]) -> str | None:
    told = next((str(about[name]) for name in _TELLS if about.get(name)), None)
    return None if told is None else re.sub(r"\s+", " ", f"{about.get('size')}:{told}")[:200]
