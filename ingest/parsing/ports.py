"""How the pipeline has files read, and the twin that reads them in the process at hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ingest.blocks import LoadedDocument
from ingest.loaders.source import Progress, silent
from ingest.ocr.choice import RecognizerName, recognizer_named
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

    def close(self) -> None:
        """Nothing is held."""
