"""JSON and JSON Lines: question lists, tables of flat records, or nested data as readable lines."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ingest.blocks import Block, Faq, Heading, Table, Text
from ingest.encoding import decode
from ingest.loaders.faq import faq_columns
from ingest.loaders.numbers import plain
from ingest.loaders.source import Draft, Source, corrupt, parsing, too_large
from ingest.sniff import JSONL

Value: TypeAlias = Any  # what json gives: dict, list, str, float, int, bool, None

MAX_DEPTH = 200
_MOST_COLUMNS = 100  # records with more different keys are written out instead
_TITLES = ("title", "name", "标题", "名称", "名字")
_ASKS = frozenset(("user", "human", "client", "customer", "用户"))
_REPLIES = frozenset(("assistant", "gpt", "bot", "model", "agent", "客服", "助手"))


def load_json(source: Source) -> Draft:
    """Raises DocumentRefused ``too_large`` for data nested deeper than :data:`MAX_DEPTH`."""
    with parsing("JSON"):
        text = decode(source.data).text.lstrip("\ufeff")
        if source.media_type == JSONL:
            return _lines(text)
        value = _parse(text)
        draft = Draft(blocks=list(_blocks(value, level=1)))
        if isinstance(value, dict):
            draft.title = next((value[key] for key in _TITLES if isinstance(value.get(key), str)), None)
        return draft


def _lines(text: str) -> Draft:
    records, broken = [], 0
    for line in text.split("\n"):
        if line.strip():
            try:
                records.append(_parse(line))
            except ValueError:
                broken += 1
    if broken > len(records):
        raise corrupt("JSON Lines")
    draft = Draft(blocks=list(_blocks(records, level=1)))
    if broken:
        draft.notes.append(f"{broken} of {broken + len(records)} lines are not valid JSON and were left out.")
    return draft


def _parse(text: str) -> Value:
    try:
        value = json.loads(text, parse_constant=str)  # NaN and Infinity as words
    except RecursionError as exc:
        raise too_large(f"This JSON is nested more than {MAX_DEPTH} levels deep.") from exc
    if _too_deep(value):
        raise too_large(f"This JSON is nested more than {MAX_DEPTH} levels deep.")
    return value


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


def _blocks(value: Value, *, level: int) -> Iterator[Block]:
    if isinstance(value, list):
        yield from _list_blocks(value, level)
    elif isinstance(value, dict):
        yield from _record_blocks(value, level)
    elif (text := _scalar(value)) is not None:
        yield Text(text)


def _list_blocks(values: list[Value], level: int) -> Iterator[Block]:
    records = [value for value in values if isinstance(value, dict)]
    if records and len(records) == len(values):
        dialogue = [pair for record in records for pair in _dialogue(record)]
        if dialogue:
            yield from dialogue
            return
        if all(faq_columns(list(record)) for record in records):
            yield from (block for record in records if (block := _faq(record)) is not None)
            return
        keys = list(dict.fromkeys(key for record in records for key in record))
        if len(records) > 1 and len(keys) <= _MOST_COLUMNS and all(_is_flat(record) for record in records):
            rows = tuple(tuple(_cell(record.get(key)) for key in keys) for record in records)
            yield Table(tuple(keys), rows, row_numbers=tuple(range(1, len(rows) + 1)))
            return
    if all(not isinstance(value, dict | list) for value in values):
        yield Text("\n".join(f"- {text}" for value in values if (text := _scalar(value)) is not None))
        return
    for value in values:
        yield from _blocks(value, level=level)


def _record_blocks(record: Mapping[str, Value], level: int) -> Iterator[Block]:
    """Plain values as ``key: value`` lines; what is nested follows under its key as a heading."""
    if dialogue := _dialogue(record):
        yield from dialogue
        return
    if faq_columns(list(record)) and (block := _faq(record)) is not None:
        yield block
        return
    lines = [f"{key}: {_cell(value)}" for key, value in record.items() if _is_plain(value) and _cell(value)]
    if lines:
        yield Text("\n".join(lines))
    for key, value in record.items():
        if not _is_plain(value):
            yield Heading(min(level, 6), str(key))
            yield from _blocks(value, level=level + 1)


def _dialogue(record: Mapping[str, Value]) -> list[Faq]:
    """Question and answer pairs of a chat record (``messages`` or ``conversations`` of role and content)."""
    turns = next((record[key] for key in ("messages", "conversations", "conversation") if key in record), None)
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return []
    pairs, asked = [], ""
    for turn in turns:
        role = str(turn.get("role", turn.get("from", ""))).lower()
        said = turn.get("content", turn.get("value"))
        if not isinstance(said, str):
            continue
        if role in _ASKS:
            asked = said
        elif role in _REPLIES and asked:
            pairs.append(Faq(asked, said))
            asked = ""
    return pairs


def _faq(record: Mapping[str, Value]) -> Faq | Text | None:
    columns = faq_columns(list(record))
    return columns.block([_cell(value, "\n") for value in record.values()]) if columns else None


def _is_plain(value: Value) -> bool:
    return not isinstance(value, dict | list) or (isinstance(value, list) and _is_short(value))


def _is_short(values: Sequence[Value]) -> bool:
    return len(values) <= 20 and all(not isinstance(value, dict | list) and len(str(value)) <= 60 for value in values)


def _is_flat(record: Mapping[str, Value]) -> bool:
    return all(_is_plain(value) for value in record.values())


def _cell(value: Value, glue: str = "、") -> str:
    if isinstance(value, list):
        return glue.join(text for item in value if (text := _scalar(item)) is not None)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return _scalar(value) or ""


def _scalar(value: Value) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain(value) if isinstance(value, float) else str(value)
