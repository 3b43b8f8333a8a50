"""The backdrops there are, read from ``backdrops/templates.json``, and which one to take.

Positions and sizes are shares of the backdrop's height and width, measured from its top left corner.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeAlias

from app.imaging.requests import Pitch
from knowledge.errors import NotFound

FOLDER = Path(__file__).parent / "backdrops"
Side: TypeAlias = Literal["left", "right", "above"]
DEFAULT = "studio_grey"


@dataclass(frozen=True, slots=True)
class Template:
    """A backdrop and how a product stands on it.

    ``horizon``: where the surface ends (None: seen from above). ``ground``: where the product's lowest point belongs.
    ``tallest`` and ``widest``: the space for it. ``text_area``: left, top, right, bottom, free for words.
    ``reflection`` and ``shadow``: strength, 0–1. ``reach``: length of the cast shadow against the product's height.
    """

    name: str
    title: Mapping[str, str]
    pitch: Pitch
    horizon: float | None
    ground: float
    centre: float
    light: Side
    tallest: float
    widest: float
    text_area: tuple[float, float, float, float]
    categories: tuple[str, ...]
    shadow: float = 0.8
    reach: float = 0.6
    reflection: float = 0.0

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.jpg"


@cache
def templates() -> Mapping[str, Template]:
    """All of them by name, in the order of the file."""
    told = json.loads((FOLDER / "templates.json").read_text(encoding="utf-8"))
    return MappingProxyType({fields["name"]: _template(fields) for fields in told["templates"]})


def _template(fields: dict[str, object]) -> Template:
    lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
    return Template(**(fields | lists))  # type: ignore[arg-type]


def categories() -> list[str]:
    """Every category that a backdrop names."""
    return sorted({category for template in templates().values() for category in template.categories})


def choose(name: str | None, *, category: str | None, pitch: Pitch | None) -> Template:
    """By name; else the first backdrop for the category and the pitch; else the nearest there is.

    Raises NotFound ``template_not_found`` or ``category_not_found``, with the names there are.
    """
    if name is not None:
        found = templates().get(name)
        if found is None:
            raise _unknown("template", name, templates())
        return found
    if category is not None and category not in categories():
        raise _unknown("category", category, categories())
    wanted = pitch or "level"
    fitting = [each for each in templates().values() if category is None or category in each.categories]
    alike = [each for each in fitting if each.pitch == wanted]
    if category is None and wanted == "level":
        return templates()[DEFAULT]
    if alike:
        return alike[0]
    # No backdrop of this category has the pitch: a wrong perspective looks worse than a neutral surface.
    return next(each for each in templates().values() if each.pitch == wanted)


def _unknown(what: str, name: str, there: Iterable[str]) -> NotFound:
    names = ", ".join(there)
    return NotFound(
        f"There is no scene {what} {name}; there are: {names}.", code=f"{what}_not_found", name=name, names=names
    )
