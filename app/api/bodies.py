"""What every request body is checked for: text that no database and no other program could take."""

import re
from typing import Any

from pydantic import BaseModel, model_validator

from knowledge.errors import InvalidInput

_BROKEN = re.compile("[\\x00\\ud800-\\udfff]")
MOST = 2**31 - 1  # the largest number that every database takes for a count


class Body(BaseModel):
    """A request's JSON. Raises a validation error for text that :func:`is_text` refuses, wherever it is."""

    @model_validator(mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        if not is_text(value):
            raise ValueError("half characters (lone surrogates) and U+0000 cannot be read")
        return value


def is_text(value: Any) -> bool:
    """Whether strings in JSON are whole characters without U+0000, which PostgreSQL does not keep."""
    if isinstance(value, str):
        return _BROKEN.search(value) is None
    if isinstance(value, dict):
        return all(is_text(name) and is_text(each) for name, each in value.items())
    return all(is_text(each) for each in value) if isinstance(value, list) else True


def check_text(value: Any) -> None:
    """Raises InvalidInput ``invalid_input``."""
    if not is_text(value):
        raise InvalidInput("Half characters (lone surrogates) and U+0000 cannot be read.", code="invalid_input")
