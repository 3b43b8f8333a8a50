"""The process that reads files, one after the other: ``python -m ingest.parsing.child MODULE BYTES``.

``MODULE`` has ``load``, ``unpack`` and what shows files (:mod:`ingest.loaders`); ``BYTES`` is the most memory that may
be asked for. Requests come by standard input. Where that ends the parent is gone, and everything started here goes,
too.
"""

import gc
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from ingest.loaders.source import ArchiveFound, too_large
from ingest.ocr.choice import recognizer_named
from ingest.parsing.wire import (
    Message,
    TooLong,
    document_message,
    packed,
    pages_message,
    picture_message,
    taken,
    unpacked_message,
)
from knowledge.errors import DocumentRefused

_READ = 1 << 16
# Seconds of a processor between two words to the parent, which allows half of that. Only for what never lets Python's
# other threads run and whose parent is gone: nothing else would end it.
_SECONDS = 60 * (os.cpu_count() or 1)


def main(arguments: list[str]) -> None:
    module, most_memory = arguments
    _limit(int(most_memory))
    gc.set_threshold(100_000, 20, 100)  # what a document is made of lives on: YAML in half the time
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a native library prints is no reply
    requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    _send(replies, {"ready": []})
    while True:
        _send(replies, _answer(import_module(module), requests.get(), replies))


def _limit(most_memory: int) -> None:
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_DATA, most_memory)):
        with suppress(ValueError, OSError):  # macOS has no use for some, and a lower hard limit stays
            resource.setrlimit(kind, (most, most))


def _listen(requests: "queue.SimpleQueue[Message]") -> None:
    buffer = bytearray()
    while data := os.read(0, _READ):
        buffer += data
        while (message := taken(buffer)) is not None:
            requests.put(message)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _answer(parsers: ModuleType, request: Message, replies: BinaryIO) -> Message:
    """One request's last message. Nothing gets past: a bug of ours costs one document, too."""
    try:
        return _read(parsers, request, lambda done, total: _send(replies, {"progress": [done, total]}))
    except ArchiveFound:
        return {"archive": []}
    except DocumentRefused as refusal:
        return _refused(refusal)
    except MemoryError:
        return _refused(too_large("This file needs more memory than a document may take."))
    except Exception:  # noqa: BLE001 - the edge of a process
        return {"broke": traceback.format_exc()[-4000:]}


def _read(parsers: ModuleType, request: Message, progress: Callable[[int, int], None]) -> Message:
    ((kind, asked),) = request.items()
    path, name, most = Path(asked["path"]), asked["name"], asked["max_bytes"]
    if kind == "unpack":
        folder = Path(asked["folder"])
        return unpacked_message(parsers.unpack(path, name=name, folder=folder, max_bytes=most, progress=progress))
    if kind == "blocks":
        shown = parsers.blocks(path, name=name, max_bytes=most, most=asked["most"], progress=progress)
        return document_message(shown)
    if kind == "pages":
        return pages_message(parsers.pages(path, first=asked["first"], count=asked["count"], max_bytes=most))
    if kind == "picture":
        return picture_message(parsers.page_picture(path, number=asked["number"], max_bytes=most))
    soffice = Path(asked["soffice"]) if asked["soffice"] else None
    recognizer = recognizer_named(asked["ocr"])
    document = parsers.load(path, name=name, max_bytes=most, progress=progress, soffice=soffice, recognizer=recognizer)
    return document_message(document)


def _refused(refusal: DocumentRefused) -> Message:
    return {"refused": [refusal.reason, refusal.message]}


def _renew() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + _SECONDS, hard))


def _send(replies: BinaryIO, message: Message) -> None:
    _renew()
    try:
        data = packed(message)
    except TooLong:
        data = packed(_refused(too_large("This file holds more text than a document may.")))
    replies.write(data)
    replies.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
