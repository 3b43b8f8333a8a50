"""A model's arguments against a tool's JSON schema: what is missing, what is wrong. Nothing is filled in or guessed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator, ValidationError

# Names that some tool catalogues use for JSON schema's types.
_DIALECT = {
    "dict": "object",
    "float": "number",
    "double": "number",
    "int": "integer",
    "list": "array",
    "tuple": "array",
    "str": "string",
    "bool": "boolean",
}
_SAYS_NOTHING = ("", None)


@dataclass(frozen=True, slots=True)
class Checked:
    """``missing``: required arguments that are not there, as dotted paths. ``wrong``: path → what is the matter."""

    arguments: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    wrong: Mapping[str, str] | None = None

    @property
    def good(self) -> bool:
        return not (self.missing or self.wrong)


def check(schema: Mapping[str, Any], arguments: str) -> Checked:
    """``arguments`` as the model wrote them. A required argument that is empty counts as missing."""
    try:
        parsed = json.loads(arguments or "{}")
    except ValueError:
        return Checked({}, wrong={"": "The arguments are not JSON."})
    if not isinstance(parsed, dict):
        return Checked({}, wrong={"": "The arguments are not a JSON object."})
    errors = sorted(Draft202012Validator(standard(schema)).iter_errors(parsed), key=lambda error: list(error.path))
    missing = [path for error in errors for path in _missing(error)]
    missing += [path for path in _blank(standard(schema), parsed) if path not in missing]
    wrong = {_path(e): e.message for e in errors if e.validator != "required" and _path(e) not in missing}
    return Checked(parsed, tuple(missing), wrong or None)


def standard(schema: Any) -> Any:
    """A schema in standard words: other catalogues' type names are understood."""
    if isinstance(schema, list):
        return [standard(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # An old style has `required: true` at the property itself.
    kept = {name: standard(value) for name, value in schema.items() if name != "required" or isinstance(value, list)}
    if isinstance(kept.get("type"), str):
        kept["type"] = _DIALECT.get(kept["type"], kept["type"])
    return kept


def _missing(error: ValidationError) -> list[str]:
    if error.validator != "required" or not isinstance(error.instance, Mapping):
        return []
    absent = [name for name in error.validator_value if name not in error.instance]
    # jsonschema reports each absent name on its own: this error's is the one in its message.
    return [_joined([*error.path, name]) for name in absent if repr(name) in error.message]


def _blank(schema: Any, value: Any, path: tuple[str, ...] = ()) -> list[str]:
    """Required arguments that are there, and say nothing."""
    if not (isinstance(schema, dict) and isinstance(value, dict)):
        return []
    found = [
        _joined([*path, name]) for name in schema.get("required", []) if name in value and value[name] in _SAYS_NOTHING
    ]
    for name, inner in schema.get("properties", {}).items():
        found += _blank(inner, value.get(name), (*path, name))
    return found


def _path(error: jsonschema.ValidationError) -> str:
    return _joined(error.path)


def _joined(parts: Any) -> str:
    return ".".join(str(part) for part in parts)
