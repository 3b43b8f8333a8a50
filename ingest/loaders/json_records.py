"""JSON and JSON Lines, as :mod:`ingest.loaders.records` shows them. Numbers stay as they were written: 299.90."""

import json
from collections.abc import Iterator

from ingest.encoding import decode
from ingest.loaders.records import Value, draft_of
from ingest.loaders.source import Draft, Progress, Source, corrupt, parsing, too_large
from ingest.sniff import JSONL

MAX_DEPTH = 200


def load_json(source: Source) -> Draft:
    """Raises DocumentRefused ``too_large`` for data nested deeper than :data:`MAX_DEPTH`."""
    with parsing("JSON"):
        text = decode(source.data).text.lstrip("\ufeff")
        if source.media_type == JSONL:
            return _lines(text, source.progress)
        return draft_of(_parse(text), source.progress)


def _lines(text: str, progress: Progress) -> Draft:
    records, broken = [], 0
    for line in text.split("\n"):
        if line.strip():
            try:
                records.append(_parse(line))
            except ValueError:
                broken += 1
    if broken > len(records):
        raise corrupt("JSON Lines")
    draft = draft_of(records, progress)
    if broken:
        draft.notes.append(f"{broken} of {broken + len(records)} lines are not valid JSON and were left out.")
    return draft


def _parse(text: str) -> Value:
    try:
        value = json.loads(text, parse_constant=str, parse_float=_number, parse_int=str)  # NaN and Infinity as words
    except RecursionError as exc:
        raise too_large(f"This JSON is nested more than {MAX_DEPTH} levels deep.") from exc
    if _too_deep(value):
        raise too_large(f"This JSON is nested more than {MAX_DEPTH} levels deep.")
    return value


def _number(written: str) -> str | float:
    """As it was written (299.90), unless a computer wrote it (0.30000000000000004, 1e-7)."""
    return written if len(written) <= 15 and "e" not in written.lower() else float(written)


def _too_deep(value: Value) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return True
        level = [child for parent in level if isinstance(parent, dict | list) for child in _children(parent)]
    return False


def _children(value: dict[str, Value] | list[Value]) -> Iterator[Value]:
    return iter(value.values() if isinstance(value, dict) else value)
