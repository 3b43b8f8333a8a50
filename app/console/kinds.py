"""The kinds of jobs in the order a person looks for them, and how their forms are arranged.

What is not named here is shown all the same: kinds after the known ones, fields above the fine settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.console.choices import with_choices
from app.console.job_form import Field, fields_of
from app.jobs.ports import Handler

_ICONS = {
    "white_background": "frame",
    "transparent": "cut",
    "scene": "scene",
    "upscale": "enlarge",
    "crop": "crop",
    "text_to_image": "wand",
    "variation": "copies",
    "titles": "heading",
    "selling_points": "list",
    "description": "doc",
    "attributes": "table",
    "translation": "translate",
    "rewrite": "pen",
}
_QUEUES = {"image": "picture", "text": "doc"}
# What an engine can be told, and most people never do.
_FINE = {
    "enhance", "force", "format", "glossary", "goods", "guidance", "height", "keep", "language", "loras", "mark",
    "max_length", "model", "negative", "seed", "steps", "strength", "width",
}  # fmt: skip
# Fields of a scene that mean something with one of its engines only.
_COMPOSED = {"template", "category", "pitch", "shadow", "scale", "preset", "width", "height"}
_DRAWN = {"prompt", "negative", "model", "loras", "seed", "steps", "guidance", "count"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job as the studio offers it. ``main`` fields are shown, ``fine`` ones on request."""

    name: str
    queue: str
    icon: str
    main: tuple[Field, ...]
    fine: tuple[Field, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.main + self.fine


def kinds_of(handlers: Mapping[str, Handler[Any]]) -> list[Kind]:
    """Everything that can be made, pictures first."""
    known = list(_ICONS)
    shown = [handler for handler in handlers.values() if handler.queue != "ingest"]
    shown.sort(key=lambda each: (each.queue != "image", known.index(each.kind) if each.kind in known else len(known)))
    return [_kind(handler) for handler in shown]


def by_queue(kinds: Sequence[Kind]) -> dict[str, list[Kind]]:
    """The same, in groups."""
    groups: dict[str, list[Kind]] = {}
    for kind in kinds:
        groups.setdefault(kind.queue, []).append(kind)
    return groups


def icon_of(kind: str, queue: str) -> str:
    return _ICONS.get(kind, _QUEUES.get(queue, "doc"))


def _kind(handler: Handler[Any]) -> Kind:
    fields = [_arranged(handler.kind, field) for field in fields_of(handler.request.model_json_schema())]
    main = [field for field in fields if field.required or not _is_fine(field)]
    main.sort(key=lambda field: field.widget != "picture")
    fine = tuple(field for field in fields if field not in main)
    return Kind(handler.kind, handler.queue, icon_of(handler.kind, handler.queue), tuple(main), fine)


def _is_fine(field: Field) -> bool:
    return field.label in _FINE or (field.widget == "group" and field.nullable)


def _arranged(kind: str, field: Field) -> Field:
    if kind == "attributes" and field.name == "attributes":
        return replace(field, widget="attributes")
    if kind == "scene" and field.name in _COMPOSED | _DRAWN:
        field = replace(field, when=("engine", "diffusion" if field.name in _DRAWN else "compositor"))
    return with_choices(field)
