"""What the channels ask of a listing picture, read from ``presets.json``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from app.imaging.requests import Format, PictureRequest
from knowledge.errors import NotFound

FILE = Path(__file__).parent / "presets.json"
DEFAULT_SIZE = (1000, 1000)


@dataclass(frozen=True, slots=True)
class Preset:
    """Typical rules of one channel. ``fill`` is the product's share of the frame, ``max_kb`` the largest file."""

    name: str
    title: Mapping[str, str]
    width: int
    height: int
    fill: float
    white: bool
    format: Format
    max_kb: int
    source: str


@cache
def presets() -> Mapping[str, Preset]:
    """All of them, by name."""
    told = json.loads(FILE.read_text(encoding="utf-8"))["presets"]
    return MappingProxyType({name: Preset(name=name, **fields) for name, fields in told.items()})


def preset_of(request: PictureRequest) -> Preset | None:
    """Raises NotFound ``preset_not_found``, with the names there are."""
    if request.preset is None:
        return None
    found = presets().get(request.preset)
    if found is None:
        names = ", ".join(presets())
        raise NotFound(
            f"There is no channel preset {request.preset}; there are: {names}.",
            code="preset_not_found",
            preset=request.preset,
            presets=names,
        )
    return found


def size_of(request: PictureRequest) -> tuple[int, int]:
    """(width, height) that the request comes to. Raises as :func:`preset_of`."""
    preset = preset_of(request)
    if preset is not None:
        return preset.width, preset.height
    if request.width is not None and request.height is not None:
        return request.width, request.height
    return DEFAULT_SIZE
