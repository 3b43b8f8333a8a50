"""A folder of this machine that is watched. Nothing outside of it is read, whatever links lead there."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.files import FileStore
from ingest.sources import SKIPPED_FOLDERS
from ingest.watch.ports import MOST_ENTRIES, Entry, Globs, Gone, Listing, PlaceUnreadable, StillWritten, Taken
from knowledge.origins import Validators

SETTLED_SECONDS = 2.0  # a file that was written to more recently may be half there


class FolderPlace:
    """``clock`` is the time of day in seconds, as file systems tell it."""

    def __init__(self, folder: Path, globs: Globs, files: FileStore, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._globs = globs
        self._files = files
        self._clock = clock

    async def list(self) -> Listing:
        return await asyncio.to_thread(self._list)

    async def take(self, tenant: str, entry: Entry, known: Validators) -> Taken | None:  # noqa: ARG002 (the port's)
        return await asyncio.to_thread(self._take, tenant, entry)

    def _list(self) -> Listing:
        try:
            root = self._folder.resolve(strict=True)
        except OSError as error:
            raise PlaceUnreadable(f"The folder {self._folder} cannot be read: {error.strerror}.") from error
        entries: list[Entry] = []
        waiting: list[str] = []
        left_out = 0
        for path, key in self._walk(root):
            real = _inside(path, root)
            if real is None or len(entries) >= MOST_ENTRIES:
                left_out += 1
                continue
            state = real.stat()
            if self._clock() - state.st_mtime < SETTLED_SECONDS:
                waiting.append(key)
            else:
                entries.append(Entry(key, key, _mark(state)))
        return Listing(entries, waiting, complete=len(entries) < MOST_ENTRIES, left_out=left_out)

    def _walk(self, root: Path) -> Iterator[tuple[Path, str]]:
        def fails(error: OSError) -> None:
            raise PlaceUnreadable(f"A folder in {self._folder} cannot be read: {error.strerror}.") from error

        for folder, below, names in os.walk(root, onerror=fails, followlinks=False):
            below[:] = sorted(name for name in below if not name.startswith(".") and name not in SKIPPED_FOLDERS)
            for name in sorted(names):
                path = Path(folder, name)
                key = path.relative_to(root).as_posix()
                if not name.startswith((".", "~$")) and self._globs.want(key) and _is_text(key):
                    yield path, key

    def _take(self, tenant: str, entry: Entry) -> Taken:
        root = self._folder.resolve()
        real = _inside(root / entry.key, root)
        if real is None:
            raise Gone
        try:
            before = _mark(real.stat())
            stored = self._files.add(tenant, real)
            if _mark(real.stat()) != before:
                raise StillWritten
        except FileNotFoundError:
            raise Gone from None
        return Taken(stored, mark=before)


def _inside(path: Path, root: Path) -> Path | None:
    """The file itself, if it is one and lies in the folder, also where a link stands for it."""
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return None
    return real if real.is_relative_to(root) and real.is_file() else None


def _mark(state: os.stat_result) -> str:
    return f"{state.st_size}:{state.st_mtime_ns}"


def _is_text(key: str) -> bool:
    """File names are bytes; what is no UTF-8 among them no database takes."""
    return key.isprintable() and not any("\ud800" <= char <= "\udfff" for char in key)
