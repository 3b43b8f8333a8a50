"""What can be read of a JSON reply while it is still being written."""

import json
import re

# A readable field, and as much of its string as is there.
_FIELD = re.compile(r'"(?:text|heading|value)"\s*:\s*"((?:[^"\\]|\\.)*)')


def readable(reply: str) -> str:
    """The texts so far, one a line; the last may be cut."""
    return "\n".join(_unescaped(match.group(1)) for match in _FIELD.finditer(reply))


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except json.JSONDecodeError:
        return re.sub(r"\\(?:u[0-9a-fA-F]{0,4}|.)?", "", text)  # an escape cut in two
