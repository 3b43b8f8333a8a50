"""A kind's JSON schema → the fields of a form.

A kind that nobody has thought of here gets a form all the same: every type that pydantic writes has a way to be
filled in, at the least as JSON.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Schema: TypeAlias = Mapping[str, Any]
Widget: TypeAlias = Literal[
    "picture",
    "text",
    "long",
    "number",
    "check",
    "choice",
    "checks",
    "gallery",
    "lines",
    "pairs",
    "rows",
    "attributes",
    "json",
    "group",
]
LONG_FROM = 401  # characters a field may have from which it is given several lines
_TYPED = ("text", "long", "number", "choice")
# Of several types a value may have, the one that is easiest to type.
_EASIEST_FIRST = ("string", "object", "array", "number", "integer", "boolean")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in. ``name`` is its path in the request, with dots; ``label`` is the last part of it.

    ``whole``: a number without a fraction. ``parts`` are the fields of a group, or the columns of rows. ``listed``:
    pairs may be plain lines instead. ``titles`` say options in both languages and ``pictures`` show them, where the
    schema can't. ``when``: another field and the value with which this one means something.
    """

    name: str
    widget: Widget = "json"
    required: bool = False
    default: Any = None
    has_default: bool = False
    nullable: bool = False
    options: tuple[Any, ...] = ()
    least: float | None = None
    most: float | None = None
    whole: bool = False
    max_length: int | None = None
    listed: bool = False
    description: str = ""
    parts: tuple["Field", ...] = ()
    titles: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    pictures: Mapping[str, str] = dataclasses.field(default_factory=dict)
    when: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        return self.name.rpartition(".")[2]


def fields_of(schema: Schema) -> list[Field]:
    """The fields of a request's JSON schema, in its order."""
    return _properties(schema, schema.get("$defs", {}), "")


def _properties(schema: Schema, known: Schema, prefix: str) -> list[Field]:
    required = schema.get("required", ())
    return [
        _field(f"{prefix}{name}", given, known, required=name in required)
        for name, given in schema.get("properties", {}).items()
    ]


def _field(name: str, given: Schema, known: Schema, *, required: bool) -> Field:
    schema, nullable = _resolved(given, known)
    field = Field(
        name=name,
        required=required and not nullable,
        default=given.get("default"),
        has_default="default" in given,
        nullable=nullable,
        description=given.get("description") or schema.get("description", ""),
    )
    if "enum" in schema or "const" in schema:
        return replace(field, widget="choice", options=tuple(schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        return _array(field, schema, known)
    if schema.get("type") == "object":
        return _object(field, schema, known, listed=_may_be_list(given, known))
    return _plain(field, schema)


def _plain(field: Field, schema: Schema) -> Field:
    match schema.get("type"):
        case "string":
            return _string(field, schema)
        case "integer" | "number":
            least, most = schema.get("minimum"), schema.get("maximum")
            return replace(field, widget="number", least=least, most=most, whole=schema["type"] == "integer")
        case "boolean" if field.nullable:
            return replace(field, widget="choice", options=(True, False))
        case "boolean":
            return replace(field, widget="check")
    return field


def _string(field: Field, schema: Schema) -> Field:
    if field.label == "image" or field.label.endswith("_image"):
        return replace(field, widget="picture")
    longest = schema.get("maxLength")
    return replace(field, widget="long" if (longest or 0) >= LONG_FROM else "text", max_length=longest)


def _array(field: Field, schema: Schema, known: Schema) -> Field:
    items, _ = _resolved(schema.get("items", {}), known)
    if "enum" in items:
        return replace(field, widget="checks", options=tuple(items["enum"]))
    if items.get("type") == "string":
        return replace(field, widget="lines")
    columns = tuple(_properties(items, known, ""))
    if columns and all(column.widget in _TYPED for column in columns):
        return replace(field, widget="rows", parts=columns)
    return field


def _object(field: Field, schema: Schema, known: Schema, *, listed: bool) -> Field:
    if "properties" in schema:
        parts = _properties(schema, known, f"{field.name}.")
        # A group that may be left out has nothing that must be filled in.
        parts = [replace(part, required=False) for part in parts] if field.nullable else parts
        return replace(field, widget="group", parts=tuple(parts))
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping) and _resolved(values, known)[0].get("type") == "string":
        return replace(field, widget="pairs", listed=listed)
    return field


def _may_be_list(given: Schema, known: Schema) -> bool:
    return any(_resolved(choice, known)[0].get("type") == "array" for choice in given.get("anyOf", ()))


def _resolved(schema: Schema, known: Schema) -> tuple[Schema, bool]:
    """A schema without references, of several choices the easiest one; and whether null was one."""
    if "$ref" in schema:
        return _resolved(known[schema["$ref"].rpartition("/")[2]], known)
    if "anyOf" not in schema:
        return schema, False
    others = [_resolved(choice, known)[0] for choice in schema["anyOf"] if choice.get("type") != "null"]
    return min(others, key=_trouble, default={}), len(others) < len(schema["anyOf"])


def _trouble(schema: Schema) -> int:
    typed = schema.get("type", "")
    return _EASIEST_FIRST.index(typed) if typed in _EASIEST_FIRST else len(_EASIEST_FIRST)
