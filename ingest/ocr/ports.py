"""What a recogniser of text is to us."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:  # most documents need no picture read, and their readers no numpy
    import numpy as np
    from numpy.typing import NDArray

Picture: TypeAlias = "NDArray[np.uint8]"  # rows × columns × (red, green, blue)
Alive: TypeAlias = Callable[[], None]  # called every few lines: a page may take longer than a reader may be silent


@dataclass(frozen=True, slots=True)
class SeenLine:
    """A line of text and its edges, in pixels from the upper left corner of the upright, levelled picture."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float = 1.0  # 0 to 1

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


@dataclass(frozen=True, slots=True)
class SeenPage:
    """What was read of a picture: its size when upright, and its lines in no particular order."""

    width: float
    height: float
    lines: tuple[SeenLine, ...] = ()


def nobody() -> None:
    """Nobody waits."""


class Unreadable(Exception):
    """A picture that can't be opened, or that the recogniser gave up on."""


class TooLarge(Unreadable):
    """A picture with more pixels than there is memory for."""


class Recognizer(Protocol):
    """Reads Chinese and English, also of pictures that lie on their side or upside down. Blocking."""

    def read(self, picture: Picture, *, alive: Alive = nobody) -> SeenPage:
        """All lines, whatever their confidence. Raises Unreadable; what ``alive`` raises passes through."""
