"""What the parts of imaging hand to each other, and what another engine for scenes has to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.imaging.engines.diffusion.requests import SceneInpaint
from app.jobs.ports import Outcome, Quantities, Work

Pixels: TypeAlias = NDArray[np.uint8]  # (height, width, 3), RGB in sRGB
Alpha: TypeAlias = NDArray[np.float32]  # (height, width), 0 background … 1 product
Report: TypeAlias = Callable[[int, str], None]  # percent, stage; raises JobCancelled
Size: TypeAlias = tuple[int, int]  # width, height


@dataclass(frozen=True, slots=True)
class Note:
    """What a person should know about a picture that was made all the same: a stable code and its English sentence."""

    code: str
    message: str

    def json(self) -> dict[str, str]:
        return {"code": self.code, "message": self.message}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture as it was sent, upright and in sRGB. ``alpha`` is None when all of it is opaque.

    ``size`` is what was sent; ``pixels`` may be smaller, because nobody needs more. ``digest`` names its bytes.
    """

    pixels: Pixels
    alpha: Alpha | None
    format: str
    size: Size
    digest: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """The product out of its picture: colours without the old background in them, and how much each pixel is product.

    ``saliency`` is what the network said, before the edges were treated (None: the picture brought its own mask).
    """

    pixels: Pixels
    alpha: Alpha
    saliency: Alpha | None
    model: str


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A finished picture before it becomes a file. ``alpha`` is None when it is opaque."""

    pixels: Pixels
    alpha: Alpha | None
    told: Mapping[str, Any]
    notes: tuple[Note, ...] = ()


class ScenePainter(Protocol):
    """Another engine for scenes, that draws the surroundings and does all of the job. See ``engine`` of the request."""

    def estimate(self, request: SceneInpaint) -> Quantities: ...

    async def run(self, request: SceneInpaint, work: Work) -> Outcome: ...
