"""JSON schemas that requests bring along: are they sound, and does a value fit? (The jsonschema package.)"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

MAX_ATTRIBUTES = 80
MAX_CHARACTERS = 20_000


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises ValueError for what is no schema of an object with properties, or refers to something outside it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    properties = schema.get("properties")
    if schema.get("type", "object") != "object" or not isinstance(properties, Mapping) or not properties:
        raise ValueError("Give a JSON schema of type object with at least one property.")
    if len(properties) > MAX_ATTRIBUTES or len(json.dumps(schema)) > MAX_CHARACTERS:
        raise ValueError(f"At most {MAX_ATTRIBUTES} attributes in {MAX_CHARACTERS} characters.")
    if "$ref" in _keys(schema) or "$dynamicRef" in _keys(schema):
        raise ValueError("References ($ref) are not followed; write the schema out.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"This is no JSON schema: {error.message}") from None


def value_problem(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why a value does not fit, or None if it does."""
    from jsonschema import Draft202012Validator

    error = next(iter(Draft202012Validator(schema).iter_errors(value)), None)
    return None if error is None else str(error.message)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _keys(inner)
