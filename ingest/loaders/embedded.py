"""Pictures inside an Office file: what they say, where they stand."""

import hashlib
from dataclasses import replace
from functools import partial

from ingest.blocks import Block, Faq
from ingest.loaders.archive import Archive
from ingest.loaders.seen_page import passage_seen
from ingest.loaders.source import Draft, Source
from ingest.ocr.ports import Recognizer, Unreadable
from knowledge.errors import DocumentRefused

_ICON = 32  # pixels of the shorter side; what has fewer is a sign, or a line
_MOST = 300  # pictures of one file


class EmbeddedPictures:
    """Reads each picture of a file once, where it is first met: logos come again on every page.

    Without a recogniser it counts.
    """

    def __init__(self, source: Source, archive: Archive) -> None:
        self._source = source
        self._archive = archive
        self._seen: set[bytes] = set()
        self._total = sum(1 for name in archive.names if "/media/" in name)
        self._unread = 0
        self._with_text = 0

    def blocks(self, path: str, *, page: int | None = None) -> list[Block]:
        """The texts of the picture at this path; empty where it has none."""
        recognizer = self._source.recognizer
        if recognizer is None or not self._archive.has(path):
            self._unread += 1
            return []
        try:
            found = self._read(recognizer, path)
        except (DocumentRefused, Unreadable):  # a drawing of vectors, say
            self._unread += 1
            return []
        self._with_text += bool(found)
        return [block if isinstance(block, Faq) else replace(block, page=page) for block in found]

    def tell(self, draft: Draft) -> None:
        """Add what was read and what not to the draft."""
        draft.pictures += self._unread
        if self._with_text:
            pictures = "1 picture" if self._with_text == 1 else f"{self._with_text} pictures"
            draft.notes.append(f"The text of {pictures} was read by text recognition.")

    def _read(self, recognizer: Recognizer, path: str) -> list[Block]:
        from ingest.ocr.pictures import frame, size_of
        from ingest.ocr.reading import read_page

        data = self._archive.read(path)
        digest = hashlib.sha256(data).digest()
        if digest in self._seen or min(size_of(data)) < _ICON:
            return []
        if len(self._seen) >= _MOST:
            self._unread += 1
            return []
        done = len(self._seen)
        self._seen.add(digest)
        page = read_page(recognizer, frame(data), alive=partial(self._source.progress, done, self._total))
        self._source.progress(done + 1, self._total)
        return passage_seen(page)
