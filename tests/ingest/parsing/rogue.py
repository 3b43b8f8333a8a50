"""A module that a parser process reads with: what a file is called says how it misbehaves."""

import ctypes
import os
import subprocess
import time
from pathlib import Path

from ingest.blocks import LoadedDocument, Text
from ingest.loaders import unpack  # noqa: F401 - a parser's module has both


def load(path: Path, *, name: str, max_bytes: int, progress, soffice, recognizer) -> LoadedDocument:  # type: ignore[no-untyped-def]
    match name:
        case "hang":
            path.write_text(str(_child_of_its_own()))
            time.sleep(600)
        case "crash":
            ctypes.string_at(0)
        case "crash once":
            if path.stat().st_size == 0:
                path.write_text("crashed")
                os.abort()
        case "bomb":
            held = []
            while True:
                held.append(bytearray(b"x") * (1 << 20))
        case "one great piece":
            bytearray(1 << 40)
        case "slow":
            for page in range(12):
                progress(page, 12)
                time.sleep(0.1)
        case "bug":
            raise KeyError("ours")
        case "noise":
            os.write(1, b"a library prints")
    return LoadedDocument("text/plain", (Text(f"{name} {os.getpid()}"),))


def page_picture(path: Path, *, number: int, max_bytes: int) -> bytes:
    held = []
    while number == 1:
        held.append(bytearray(b"x") * (1 << 20))
    time.sleep(600)
    return b""


def _child_of_its_own() -> int:
    return subprocess.Popen(["sleep", "600"]).pid
