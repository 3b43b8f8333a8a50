"""What a Markdown file says of itself before its text: its title, and when it is valid."""

import re

from ingest.clean import clean_line
from ingest.loaders.markdown_inline import inline
from knowledge.errors import InvalidInput
from knowledge.validity import Window, written

_FIELD = r"^{name}\s*[:=]\s*(.*(?:\n[ \t]+\S.*)*)"
_COMMENT = re.compile(r"\s+#.*$")


def title(front: str) -> str | None:
    value = _value(front, "title")
    return None if value is None else clean_line(inline(value)) or None


def window(front: str) -> tuple[Window | None, list[str]]:
    """``valid_from`` and ``valid_until``; None where neither is there, and notes on what cannot be read.

    A day without a time is taken whole: ``valid_until: 2026-11-30`` ends at midnight after it.
    """
    bounds, notes = {}, []
    for name in ("valid_from", "valid_until"):
        if not (value := _COMMENT.sub("", _value(front, name) or "")):
            continue
        try:
            bounds[name] = written(value, ends=name == "valid_until")
        except ValueError:
            notes.append(f"{name} is no date and was left out: {value}")
    if not bounds:
        return None, notes
    try:
        return Window(bounds.get("valid_from"), bounds.get("valid_until")).checked(), notes
    except InvalidInput as wrong:
        return None, [*notes, wrong.message]


def _value(front: str, name: str) -> str | None:
    field = re.search(_FIELD.format(name=name), front, re.M)
    if field is None:
        return None
    value = " ".join(line.strip() for line in field[1].split("\n")).strip()
    value = re.sub(r"^[>|][-+]?\s*", "", value)
    return value[1:-1] if value[:1] in "\"'" and value[-1:] == value[:1] else value
