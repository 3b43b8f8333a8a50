"""Which places may be watched, and how each kind of them is read."""

import posixpath
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from app.sources.models import Source, SourceKind
from ingest.files import FileStore
from ingest.watch.bucket import BucketPlace
from ingest.watch.folder import FolderPlace
from ingest.watch.ports import Place
from ingest.watch.web import PagePlace, SitemapPlace
from ingest.web.addresses import checked_url
from ingest.web.fetch import Fetcher
from knowledge.errors import InvalidInput


class Places:
    """``roots`` are the folders and store prefixes (``s3://bucket/docs``) that may be watched, with all below them.

    ``clock`` is the time of day in seconds, as file systems tell it.
    """

    def __init__(
        self, roots: Sequence[str], *, fetcher: Fetcher, files: FileStore, clock: Callable[[], float] = time.time
    ) -> None:
        self._folders = [Path(root).expanduser() for root in roots if "://" not in root]
        self._prefixes = [root.rstrip("/") for root in roots if "://" in root]
        self._fetcher = fetcher
        self._files = files
        self._clock = clock

    def checked(self, kind: SourceKind, location: str) -> str:
        """The location as it is kept. Raises InvalidInput ``source_folder_refused``, ``address_invalid``;
        DocumentRefused ``address_refused``."""
        match kind:
            case SourceKind.FOLDER:
                return str(self._folder(location))
            case SourceKind.S3:
                return self._prefix(location)
        return checked_url(location, self._fetcher.allowed)

    def of(self, source: Source) -> Place:
        """Raises as :meth:`checked`: what may be watched can be another matter than it was."""
        place = self.checked(source.kind, source.location)
        match source.kind:
            case SourceKind.FOLDER:
                return FolderPlace(Path(place), source.globs, self._files, clock=self._clock)
            case SourceKind.S3:
                return BucketPlace(place, source.globs, self._files)
            case SourceKind.SITEMAP:
                return SitemapPlace(place, source.globs, self._fetcher, self._files)
        return PagePlace(place, self._fetcher, self._files)

    def _folder(self, location: str) -> Path:
        folder = Path(location).expanduser()
        if folder.is_absolute():
            real = folder.resolve()
            if any(real.is_relative_to(root.resolve()) for root in self._folders):
                return folder
        raise _refused(location)

    def _prefix(self, location: str) -> str:
        parts = urlsplit(location)
        place = f"{parts.scheme}://{parts.netloc}{posixpath.normpath(parts.path or '/')}".rstrip("/")
        inside = any(place == root or place.startswith(f"{root}/") for root in self._prefixes)
        if inside and not (parts.query or parts.fragment or "@" in parts.netloc or "::" in location):
            return place
        raise _refused(location)


def _refused(location: str) -> InvalidInput:
    return InvalidInput(
        f"“{location}” may not be watched. Name it, or a folder above it, in COPILOT_SOURCE_FOLDERS.",
        code="source_folder_refused",
        location=location[:200],
    )
