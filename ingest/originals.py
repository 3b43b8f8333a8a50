"""Originals as the console shows them, from the bytes that were received; what was drawn or read last is kept.

Two are drawn at a time, whoever asks: many pictures on one page would else take every thread of the process.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ingest.blocks import LoadedDocument, Table
from ingest.files import FileStore
from ingest.parsing.ports import Viewer
from ingest.shown import ShownPages
from knowledge.errors import DocumentRefused

AT_ONCE = 2
MOST_KEPT = 64 << 20  # bytes, roughly
MOST_CHARACTERS = 6_000_000  # of a document that is shown as blocks: twice ten thousand chunks

Shown = TypeVar("Shown")


class Originals:
    """By tenant and the hash of the bytes."""

    def __init__(self, viewer: Viewer, files: FileStore, *, most_kept: int = MOST_KEPT) -> None:
        self._viewer = viewer
        self._files = files
        self._drawing = asyncio.Semaphore(AT_ONCE)
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._size = 0
        self._most_kept = most_kept

    def path(self, tenant: str, content_hash: str) -> Path:
        """Where the bytes are. Raises DocumentRefused ``corrupt`` when they are gone."""
        path = self._files.path(tenant, content_hash)
        if not path.exists():
            raise DocumentRefused("corrupt", "The uploaded file is not there any more. Upload it again.")
        return path

    async def blocks(self, tenant: str, content_hash: str, name: str) -> LoadedDocument:
        """Raises DocumentRefused."""
        path, most = self.path(tenant, content_hash), self._files.max_bytes

        read = partial(self._viewer.blocks, path, name=name, max_bytes=most, most=MOST_CHARACTERS)
        return await self.keep((tenant, content_hash, "blocks", name), partial(asyncio.to_thread, read), _weight)

    async def pages(self, tenant: str, content_hash: str, *, first: int, count: int) -> ShownPages:
        """Raises DocumentRefused."""
        path, most = self.path(tenant, content_hash), self._files.max_bytes

        read = partial(self._viewer.pages, path, first=first, count=count, max_bytes=most)

        def weight(found: ShownPages) -> int:
            return sum(200 + 2 * len(line.text) for page in found.pages for line in page.lines)

        return await self.keep((tenant, content_hash, "pages", first, count), partial(asyncio.to_thread, read), weight)

    async def picture(self, tenant: str, content_hash: str, number: int) -> bytes:
        """A page as WebP. Raises DocumentRefused."""
        path, most = self.path(tenant, content_hash), self._files.max_bytes

        draw = partial(self._viewer.page_picture, path, number=number, max_bytes=most)
        return await self.keep((tenant, content_hash, "picture", number), partial(asyncio.to_thread, draw), len)

    async def keep(self, key: Hashable, make: Callable[[], Awaitable[Shown]], weight: Callable[[Shown], int]) -> Shown:
        """What was made under this key, or is made now. Must not be called by what makes something."""
        if key not in self._kept:
            async with self._drawing:
                if key not in self._kept:  # somebody who asked before has it made
                    made = await make()
                    self._put(key, made, weight(made))
                    return made
        self._kept.move_to_end(key)
        return self._kept[key][0]  # type: ignore[no-any-return]  # what a key is made with, it has

    def _put(self, key: Hashable, made: object, weight: int) -> None:
        self._size += weight - self._kept.pop(key, (None, 0))[1]
        self._kept[key] = made, weight
        while self._size > self._most_kept and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._size -= freed


def _weight(document: LoadedDocument) -> int:
    """Two bytes a character; a string and its place in a tuple take some sixty more."""
    weight = 0
    for block in document.blocks:
        texts = [cell for row in block.rows for cell in row] if isinstance(block, Table) else [str(block)]
        weight += sum(60 + 2 * len(text) for text in texts)
    return weight
