"""How the pipeline has files read, and the twin that reads them in the process at hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest.blocks import LoadedDocument
from ingest.loaders.source import Progress, silent
from ingest.ocr.choice import RecognizerName, recognizer_named
from ingest.shown import ShownPages
from ingest.unpacked import Unpacked


class Load(Protocol):
    """A file → its blocks. Blocking. Raises DocumentRefused; what ``progress`` raises ends the reading."""

    def __call__(self, path: Path, *, name: str, max_bytes: int, progress: Progress = silent) -> LoadedDocument: ...


class Unpack(Protocol):
    """An archive → its members as files in ``folder``. Blocking. Raises as :class:`Load` does."""

    def __call__(
        self, path: Path, *, name: str, folder: Path, max_bytes: int, progress: Progress = silent
    ) -> Unpacked: ...


class Parser(Protocol):
    """Both, until it is closed."""

    @property
    def load(self) -> Load: ...

    @property
    def unpack(self) -> Unpack: ...

    def close(self) -> None: ...


class Viewer(Protocol):
    """What a page of the console shows of a file, until it is closed. Blocking. All raise DocumentRefused."""

    def blocks(self, path: Path, *, name: str, max_bytes: int, most: int) -> LoadedDocument:
        """To the block that passes ``most`` characters; see :data:`ingest.shown.CUT`."""

    def pages(self, path: Path, *, first: int, count: int, max_bytes: int) -> ShownPages:
        """Of a PDF or a picture, from page ``first`` on, counted from 1."""

    def page_picture(self, path: Path, *, number: int, max_bytes: int) -> bytes:
        """A page as WebP."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class DirectParser:
    """Reads here and now: for tests, and where a crash may end the process."""

    soffice: Path | None = None
    ocr: RecognizerName = "off"

    def load(self, path: Path, *, name: str, max_bytes: int, progress: Progress = silent) -> LoadedDocument:
        from ingest.loaders import load

        return load(
            path,
            name=name,
            max_bytes=max_bytes,
            progress=progress,
            soffice=self.soffice,
            recognizer=recognizer_named(self.ocr),
        )

    def unpack(self, path: Path, *, name: str, folder: Path, max_bytes: int, progress: Progress = silent) -> Unpacked:
        from ingest.loaders import unpack

        return unpack(path, name=name, folder=folder, max_bytes=max_bytes, progress=progress)

    def blocks(self, path: Path, *, name: str, max_bytes: int, most: int) -> LoadedDocument:
        from ingest.loaders import blocks

        return blocks(path, name=name, max_bytes=max_bytes, most=most)

    def pages(self, path: Path, *, first: int, count: int, max_bytes: int) -> ShownPages:
        from ingest.loaders import pages

        return pages(path, first=first, count=count, max_bytes=max_bytes)

    def page_picture(self, path: Path, *, number: int, max_bytes: int) -> bytes:
        from ingest.loaders import page_picture

        return page_picture(path, number=number, max_bytes=max_bytes)

    def close(self) -> None:
        """Nothing is held."""
