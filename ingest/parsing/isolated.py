"""Files are read in other processes: warm ones, a few at a time, each until it is worn."""

import logging
import queue
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import NoReturn

from ingest.blocks import LoadedDocument
from ingest.loaders.source import ArchiveFound, Progress, corrupt, silent
from ingest.ocr.choice import RecognizerName
from ingest.parsing.process import TICK_MS, Died, Limits, ParserProcess
from ingest.parsing.wire import Message, document_of, pages_of, picture_of, unpacked_of
from ingest.shown import ShownPages
from ingest.unpacked import Unpacked
from knowledge.errors import DocumentRefused

MOST_DOCUMENTS = 500  # of one process; libraries leak, and a fresh one costs 0.3 s
WORN_BYTES = 700 << 20  # resident after a document; what it took is not given back, and text recognition keeps 500 MB

log = logging.getLogger(__name__)


class IsolatedParser:
    """A parser and a viewer (:mod:`ingest.parsing.ports`) for any number of threads, ``slots`` of them at a time.

    ``module`` has the functions that the processes call, named as the methods here; ``soffice`` is LibreOffice's
    program, ``ocr`` what reads pictures (:func:`ingest.ocr.choice.recognizer_named`).
    """

    def __init__(
        self,
        *,
        slots: int = 2,
        limits: Limits | None = None,
        soffice: Path | None = None,
        ocr: RecognizerName = "auto",
        module: str = "ingest.loaders",
    ) -> None:
        self._limits = limits or Limits()
        self._soffice = soffice
        self._ocr = ocr
        self._module = module
        self._slots: queue.LifoQueue[ParserProcess | None] = queue.LifoQueue()  # the warmest first
        for _ in range(slots):
            self._slots.put(None)
        self._started: set[ParserProcess] = set()
        self._lock = Lock()

    def load(self, path: Path, *, name: str, max_bytes: int, progress: Progress = silent) -> LoadedDocument:
        """Raises DocumentRefused: a crash is ``corrupt``, too much time or memory ``too_large``."""
        asked = {"path": str(path.absolute()), "name": name, "max_bytes": max_bytes, "ocr": self._ocr}
        answer = self._ask({"load": {**asked, "soffice": str(self._soffice) if self._soffice else None}}, progress)
        try:
            return document_of(answer["document"])
        except (ValueError, TypeError, LookupError):
            _refuse(answer)

    def unpack(self, path: Path, *, name: str, folder: Path, max_bytes: int, progress: Progress = silent) -> Unpacked:
        """Raises as :meth:`load` does."""
        asked = {"path": str(path.absolute()), "name": name, "max_bytes": max_bytes}
        answer = self._ask({"unpack": {**asked, "folder": str(folder.absolute())}}, progress)
        try:
            return unpacked_of(answer["unpacked"])
        except (ValueError, TypeError, LookupError):
            _refuse(answer)

    def blocks(self, path: Path, *, name: str, max_bytes: int, most: int) -> LoadedDocument:
        """Raises as :meth:`load` does."""
        asked = {"path": str(path.absolute()), "name": name, "max_bytes": max_bytes, "most": most}
        answer = self._ask({"blocks": asked}, silent)
        try:
            return document_of(answer["document"])
        except (ValueError, TypeError, LookupError):
            _refuse(answer)

    def pages(self, path: Path, *, first: int, count: int, max_bytes: int) -> ShownPages:
        """Raises as :meth:`load` does."""
        asked = {"path": str(path.absolute()), "name": "", "max_bytes": max_bytes, "first": first, "count": count}
        answer = self._ask({"pages": asked}, silent)
        try:
            return pages_of(answer["pages"])
        except (ValueError, TypeError, LookupError):
            _refuse(answer)

    def page_picture(self, path: Path, *, number: int, max_bytes: int) -> bytes:
        """Raises as :meth:`load` does."""
        answer = self._ask(
            {"picture": {"path": str(path.absolute()), "name": "", "max_bytes": max_bytes, "number": number}}, silent
        )
        try:
            return picture_of(answer["picture"])
        except (ValueError, TypeError, LookupError):
            _refuse(answer)

    def close(self) -> None:
        """End all processes; who waits for one hears that the file is refused."""
        with self._lock:
            started, self._started = self._started, set()
        for process in started:
            process.kill()

    def _ask(self, request: Message, progress: Progress) -> Message:
        """One answer. A process that has read other files and died may have been worn: a fresh one tries once more."""
        try:
            with self._process(progress) as process:
                return process.ask(request, progress)
        except Died as died:
            if died.fresh:
                raise corrupt("uploaded") from died
        try:
            with self._process(progress, fresh=True) as process:
                return process.ask(request, progress)
        except Died as died:
            raise corrupt("uploaded") from died

    @contextmanager
    def _process(self, progress: Progress, *, fresh: bool = False) -> Generator[ParserProcess]:
        process = self._free_slot(progress)
        try:
            if process is not None and fresh:
                self._end(process)
                process = None
            if process is None:
                process = self._start()
            yield process
        except BaseException:
            if process is not None:
                self._end(process)
            self._slots.put(None)
            raise
        if process.served >= MOST_DOCUMENTS or process.resident() > WORN_BYTES or not process.alive:
            self._end(process)
            process = None
        self._slots.put(process)

    def _free_slot(self, progress: Progress) -> ParserProcess | None:
        while True:
            try:
                return self._slots.get(timeout=TICK_MS / 1000)
            except queue.Empty:
                progress(0, 0)

    def _start(self) -> ParserProcess:
        process = ParserProcess(self._module, self._limits)
        with self._lock:
            self._started.add(process)
        return process

    def _end(self, process: ParserProcess) -> None:
        with self._lock:
            self._started.discard(process)
        process.kill()


def _refuse(answer: Message) -> NoReturn:
    """What a process says instead of a document. Raises DocumentRefused."""
    match answer:
        case {"refused": [reason, message]}:
            raise DocumentRefused(reason, message)
        case {"archive": _}:
            raise ArchiveFound
        case {"broke": trace}:
            log.error("reading a document broke: %s", trace)
    raise corrupt("uploaded")
