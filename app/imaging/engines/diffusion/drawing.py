"""What the device is asked to draw, and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from PIL.Image import Image

from app.imaging.engines.diffusion.loras import Lora
from app.imaging.engines.diffusion.models import ModelEntry, Task
from app.imaging.engines.diffusion.recipes import STEP, SchedulerName

BatchKey: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """``width`` × ``height`` are drawn: multiples of 8. One picture a seed.

    ``picture`` (RGB) and ``mask`` (L, 255 is drawn anew) are of that size. ``strength``: how much of ``picture`` is
    drawn anew, 0–1.
    """

    task: Task
    model: ModelEntry
    prompt: str
    seeds: tuple[int, ...]
    width: int
    height: int
    steps: int
    guidance: float
    scheduler: SchedulerName
    negative: str = ""
    loras: tuple[tuple[Lora, float], ...] = ()
    strength: float = 1.0
    picture: Image | None = None
    mask: Image | None = None

    def __post_init__(self) -> None:
        if self.width % STEP or self.height % STEP:
            raise ValueError(f"{self.width}×{self.height} is not made of whole cells of {STEP} pixels")

    @property
    def key(self) -> BatchKey:
        """Drawings with equal keys may share a batch: a pipeline takes these for all its rows at once.

        Whether there is a negative prompt counts, because SDXL treats "none" unlike an empty one.
        """
        styles = tuple(sorted((str(lora.path), weight) for lora, weight in self.loras))
        how = (self.steps, self.guidance, self.scheduler, self.strength, bool(self.negative))
        return (self.task, self.model.name, styles, self.width, self.height, *how)


@dataclass(frozen=True, slots=True)
class Step:
    """How far a drawing is, 0–1, and sometimes a small JPEG of its first unfinished picture."""

    fraction: float
    stage: Literal["loading", "drawing"] = "drawing"
    preview: bytes | None = None


OnStep: TypeAlias = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Drawn:
    """``pictures`` in the order of the seeds; None where the safety checker found something.

    ``seconds`` is the drawing's share of the device's time, ``batch`` the most pictures it was drawn with,
    ``cut_tokens`` how many tokens of the prompt the model never saw, ``screened`` whether there is a safety checker.
    """

    pictures: tuple[Image | None, ...]
    seconds: float
    batch: int
    cut_tokens: int
    screened: bool
