"""What ``copilot up`` shows: its own few sentences, and the output of its children.

Once children are forwarded, a thread does the writing. A terminal that is held (Ctrl-S) or a pager that does not read
must neither block the children nor keep us from stopping; what it cannot take is left out, and counted.
"""

import io
import os
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue

from rich.console import Console, RenderableType
from rich.table import Table

from app.processes.children import ChildDied, ChildSilent
from app.processes.words import Language, Param, StartFailure, say

STDOUT, STDERR = 1, 2
WAITING_LINES = 2_000  # lines that may wait for a slow terminal
HELD_LINES = 500  # lines kept from before the children are shown
LAST_WRITES = 1.0  # seconds the end may wait for a slow terminal


class Screen:
    """Two file descriptors and a language."""

    def __init__(self, language: Language, *, out: int = STDOUT, err: int = STDERR) -> None:
        self.language: Language = language
        self._out = out
        self._err = err
        self._held: deque[str] | None = deque(maxlen=HELD_LINES)
        self._queue: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._left_out = 0

    def say(self, code: str, **params: Param) -> None:
        self._write(self._out, f"{say(code, self.language, **params)}\n")

    def word(self, code: str) -> str:
        return say(code, self.language)

    def show(self, part: RenderableType) -> None:
        self._write(self._out, self._rendered(part))

    def failure(self, failure: StartFailure) -> None:
        lines = [failure.sentence(self.language)]
        if isinstance(failure, (ChildDied, ChildSilent)):
            if failure.tail:
                lines += [say("last_lines", self.language), *(f"  {line}" for line in failure.tail)]
            if failure.log:
                lines.append(say("full_log", self.language, path=str(failure.log)))
        self.error("\n".join(lines))

    def error(self, sentence: str) -> None:
        self._write(self._err, f"{sentence}\n")

    def child_line(self, name: str, line: str) -> None:
        """A line a child has written; kept back until :meth:`forward_children`."""
        text = f"{name:>6} | {line}\n"
        if self._held is not None:
            self._held.append(text)
        elif self._queue.qsize() > WAITING_LINES:
            self._left_out += 1
        else:
            if self._left_out:
                note = say("lines_left_out", self.language, count=self._left_out)
                self._queue.put((self._out, f"{note}\n"))
                self._left_out = 0
            self._queue.put((self._out, text))

    def forward_children(self) -> None:
        """From now on show what children write, and what they have written so far."""
        if self._held is None:
            return
        held, self._held = self._held, None
        self._writer = threading.Thread(target=self._keep_writing, name="terminal", daemon=True)
        self._writer.start()
        for text in held:
            self._queue.put((self._out, text))

    def close(self) -> None:
        """Let what waits be written, as far as the terminal takes it."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join(LAST_WRITES)

    def _write(self, target: int, text: str) -> None:
        if self._writer is None:
            _write_all(target, text)
        else:
            self._queue.put((target, text))

    def _keep_writing(self) -> None:
        while item := self._queue.get():
            _write_all(*item)

    def _rendered(self, part: RenderableType) -> str:
        console = Console(file=io.StringIO(), force_terminal=os.isatty(self._out), highlight=False)
        with console.capture() as captured:
            console.print(part)
        return captured.get()


def columns(rows: Sequence[tuple[str, str]], *, title: tuple[str, str] | None = None) -> Table:
    """Two columns, side by side."""
    table = Table(box=None, show_header=title is not None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in title or ("", ""):
        table.add_column(heading, overflow="fold", no_wrap=title is None)
    for row in rows:
        table.add_row(*row)
    return table


def _write_all(target: int, text: str) -> None:
    # The descriptor itself, not sys.stdout: a thread that hangs in a buffered write would block the interpreter's end.
    data = text.encode(sys.stdout.encoding or "utf-8", "replace")
    with suppress(OSError):  # the reader has gone
        while data:
            data = data[os.write(target, data) :]
