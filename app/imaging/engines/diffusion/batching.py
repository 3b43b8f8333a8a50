"""Who waits for the device, and which of them can be drawn together."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition

from PIL.Image import Image

from app.imaging.engines.diffusion.drawing import Drawing, Drawn, OnStep, Step


class Ticket:
    """One drawing on its way. Its future ends with the pictures or an error; cancelling it takes its rows back.

    All but ``future`` belongs to the device's thread.
    """

    def __init__(self, drawing: Drawing, on_step: OnStep) -> None:
        self.drawing = drawing
        self.future: Future[Drawn] = Future()
        self.cut_tokens = 0
        self._on_step = on_step
        self._pictures: dict[int, Image | None] = {}
        self._seconds = 0.0
        self._batch = 0

    @property
    def wanted(self) -> bool:
        """Whether anybody still waits for it."""
        return not self.future.done()

    def rows(self) -> list["Row"]:
        """One a picture."""
        now = time.monotonic()
        return [Row(self, index, seed, now) for index, seed in enumerate(self.drawing.seeds)]

    def tell(self, step: Step, *, under_way: int) -> None:
        """Say how far ``under_way`` of its pictures are. Whatever the listener raises ends this drawing, alone."""
        if not self.wanted:
            return
        fraction = (len(self._pictures) + under_way * step.fraction) / len(self.drawing.seeds)
        try:
            self._on_step(Step(fraction, step.stage, step.preview))
        except Exception as trouble:  # noqa: BLE001 (a listener's trouble is not the batch's)
            self.fail(trouble)

    def finish(self, index: int, picture: Image | None, *, seconds: float, batch: int, screened: bool) -> None:
        """One picture is done; after the last, the drawing is."""
        self._pictures[index] = picture
        self._seconds += seconds
        self._batch = max(self._batch, batch)
        if len(self._pictures) == len(self.drawing.seeds):
            pictures = tuple(self._pictures[row] for row in range(len(self._pictures)))
            with suppress(InvalidStateError):  # cancelled this very moment
                self.future.set_result(Drawn(pictures, self._seconds, self._batch, self.cut_tokens, screened))

    def fail(self, error: BaseException) -> None:
        """It ends with ``error``, unless it has ended."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(eq=False, slots=True)
class Row:
    """One picture of a drawing: a row of a batch."""

    ticket: Ticket
    index: int
    seed: int
    arrived: float
    tried_alone: bool = field(default=False)

    @property
    def drawing(self) -> Drawing:
        return self.ticket.drawing

    @property
    def wanted(self) -> bool:
        return self.ticket.wanted


class WaitingRoom:
    """Rows in the order they came. The device takes the oldest, with others that can share its batch."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._rows: list[Row] = []
        self._changed = Condition()
        self._closed = False

    def add(self, rows: Sequence[Row]) -> bool:
        """False: closed, nobody will come for them."""
        with self._changed:
            if self._closed:
                return False
            self._rows.extend(rows)
            self._changed.notify_all()
            return True

    def take(self, most: Callable[[Drawing], int]) -> list[Row]:
        """The next batch, at most ``most`` rows of it; waits for one. Empty once closed.

        A row waits for company until it has been here for the window: after a long batch, not at all.
        """
        with self._changed:
            while not self._closed:
                self._rows = [row for row in self._rows if row.wanted]
                if not self._rows:
                    self._changed.wait()
                    continue
                oldest = self._rows[0]
                together = [row for row in self._rows if row.drawing.key == oldest.drawing.key]
                together = together[: most(oldest.drawing)]
                patience = oldest.arrived + self._window_s - time.monotonic()
                if patience > 0 and len(together) < most(oldest.drawing):
                    self._changed.wait(patience)
                    continue
                self._rows = [row for row in self._rows if row not in together]
                return together
            return []

    def close(self) -> list[Row]:
        """Nobody is let in any more; → those who were waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left, self._rows = self._rows, []
            return left


def tickets_of(rows: Iterable[Row]) -> dict[Ticket, list[Row]]:
    """Rows by their drawing, in their order."""
    grouped: dict[Ticket, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.ticket, []).append(row)
    return grouped
