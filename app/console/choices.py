"""What can be chosen where a request only says “a name”: channels and their picture rules, scenes, languages."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from app.console.job_form import Field
from app.console.pages import path_of
from app.copywriting.channels import channels
from app.copywriting.languages import NAMES
from app.imaging.presets import presets
from app.imaging.templates import categories, templates


def with_choices(field: Field) -> Field:
    """The same field with its options, if it is one of those."""
    if field.widget not in ("text", "choice"):
        return field
    if field.label == "template":
        return _scenes(field)
    if field.label == "category":
        return replace(field, widget="choice", options=tuple(categories()))
    titles = _titles(field.label)
    return field if titles is None else replace(field, widget="choice", options=tuple(titles), titles=titles)


def _scenes(field: Field) -> Field:
    known = templates()
    return replace(
        field,
        widget="gallery",
        options=tuple(known),
        titles={name: each.title for name, each in known.items()},
        pictures={name: path_of("backdrops", name) for name in known},
    )


@cache
def _titles(label: str) -> Mapping[str, Mapping[str, str]] | None:
    """Names of options in both languages; None for a field that takes any text."""
    match label:
        case "preset":
            sized = presets().values()
            return {one.name: {k: f"{v} · {one.width}×{one.height}" for k, v in one.title.items()} for one in sized}
        case "channel":
            return {name: one.name for name, one in channels().items()}
        case "language" | "to":
            return {code: {"zh": name, "en": name} for code, name in NAMES.items()}
    return None
