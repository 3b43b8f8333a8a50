"""A filled-in form → the request of a job, and a request → what its form shows."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.datastructures import FormData

from app.console.job_form import Field

SEPARATOR = "|"  # between the values of a row
_NUMBER = ("数字", "number")
_LEFT_OUT: Any = object()


def request_of(fields: Sequence[Field], form: FormData) -> dict[str, Any]:
    """What was filled in. What cannot be read as its type is passed on as it is: the request's model says what is
    wrong with it. What was left empty is its default, so that emptying a field undoes an earlier value."""
    values = {field.label: _value(field, form) for field in fields}
    return {label: value for label, value in values.items() if value is not _LEFT_OUT}


def shown_value(field: Field, request: Mapping[str, Any] | None) -> Any:
    """What a field's input shows: of a request, else the default; as text for what is typed."""
    value: Any = request
    for part in field.name.split("."):
        value = value.get(part, _LEFT_OUT) if isinstance(value, Mapping) else _LEFT_OUT
    if value is _LEFT_OUT:
        value = field.default
    return value if field.widget in ("check", "checks", "group") else _typed(field, value)


def _value(field: Field, form: FormData) -> Any:
    if field.widget == "check":
        return field.name in form
    if field.widget == "checks":
        return [value for value in form.getlist(field.name) if isinstance(value, str)]
    if field.widget == "group":
        filled = any(str(form.get(part.name) or part.default or "") != str(part.default or "") for part in field.parts)
        return request_of(field.parts, form) if filled or not field.nullable else None
    given = form.get(field.name)
    text = given.replace("\r\n", "\n").strip() if isinstance(given, str) else ""
    if not text:
        return _empty(field)
    return _READ[field.widget](field, text) if field.widget in _READ else text


def _empty(field: Field) -> Any:
    if field.has_default:
        return field.default
    if field.nullable:
        return None
    return [] if field.widget in ("lines", "rows") and not field.required else _LEFT_OUT


def _number(_: Field, text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _choice(field: Field, text: str) -> Any:
    return next((option for option in field.options if str(option) == text), text)


def _lines(_: Field, text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _pairs(field: Field, text: str) -> dict[str, str] | list[str]:
    lines = _lines(field, text)
    pairs = [_pair(line) for line in lines]
    return lines if field.listed and not all(value for _, value in pairs) else dict(pairs)


def _pair(line: str) -> tuple[str, str]:
    """``材质：纯棉`` or ``material: cotton``; a line without a colon is a name without a value."""
    at = min((place for place in (line.find("："), line.find(":")) if place >= 0), default=len(line))
    return line[:at].strip(), line[at + 1 :].strip()


def _rows(field: Field, text: str) -> list[dict[str, Any]]:
    return [_row(field.parts, line) for line in _lines(field, text)]


def _row(columns: Sequence[Field], line: str) -> dict[str, Any]:
    cells = [cell.strip() for cell in line.split(SEPARATOR, maxsplit=len(columns) - 1)]
    return {
        column.label: _READ[column.widget](column, cell) if column.widget in _READ else cell
        for column, cell in zip(columns, cells, strict=False)
        if cell
    }


def _attributes(field: Field, text: str) -> Any:
    """Attributes to fill in, one a line, as a JSON schema: ``材质``, ``颜色: 红/蓝``, ``容量(ml): 数字``."""
    if text.startswith("{"):
        return _json(field, text)
    return {"type": "object", "properties": {name: _wanted(of) for name, of in map(_pair, _lines(field, text))}}


def _wanted(of: str) -> dict[str, Any]:
    if of.lower() in _NUMBER:
        return {"type": "number"}
    options = [option.strip() for option in re.split("[/／、]", of) if option.strip()]
    return {"type": "string", "enum": options} if len(options) > 1 else {"type": "string"}


def _json(_: Field, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_READ: dict[str, Callable[[Field, str], Any]] = {
    "number": _number,
    "choice": _choice,
    "lines": _lines,
    "pairs": _pairs,
    "rows": _rows,
    "attributes": _attributes,
    "json": _json,
}


def _typed(field: Field, value: Any) -> str:
    """The other way round: what one would type to get this value."""
    if value is None:
        return ""
    if field.widget == "attributes":
        return _attribute_lines(value)
    if field.widget == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{name}: {_plain(one)}" for name, one in value.items())
    if field.widget in ("lines", "pairs", "rows") and isinstance(value, Sequence):
        return "\n".join(_line(field, one) for one in value)
    return json.dumps(value, ensure_ascii=False) if field.widget == "json" else str(value)


def _attribute_lines(schema: Any) -> str:
    """Lines where they say all of the schema, else the schema."""
    given = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    lines = []
    for name, of in given.items():
        options = "/".join(map(str, of.get("enum", ())))
        lines.append(f"{name}: {_NUMBER[0]}" if of.get("type") == "number" else f"{name}: {options}".rstrip(": "))
    text = "\n".join(lines)
    same = bool(lines) and _attributes(Field("attributes"), text) == schema
    return text if same else json.dumps(schema, ensure_ascii=False)


def _line(field: Field, value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    if field.widget == "pairs":
        return ": ".join(_plain(one) for one in value.values())
    cells = [_plain(value.get(column.label)) for column in field.parts]
    return f" {SEPARATOR} ".join(cells).rstrip(f" {SEPARATOR}")


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return "、".join(map(str, value)) if isinstance(value, list) else str(value)
