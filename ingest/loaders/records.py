"""Parsed records (JSON, YAML) → blocks: question lists, tables of flat records, products with their variants, or nested
data as readable lines."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ingest.blocks import Block, Faq, Heading, Table, Text
from ingest.loaders.faq import faq_columns
from ingest.loaders.numbers import plain
from ingest.loaders.source import Draft, Progress, heard, silent

Value: TypeAlias = Any  # dict, list, str, float, int, bool, None

_MOST_COLUMNS = 100  # records with more different keys are written out instead
_TITLES = ("title", "name", "标题", "名称", "名字")
# What an item of a list is called by, the best first; underscores, blanks and case do not count.
_ITEM_NAMES = (
    *(
        "productname",
        "producttitle",
        "goodsname",
        "itemname",
        "商品名称",
        "商品标题",
        "产品名称",
        "商品名",
        "产品名",
        "品名",
    ),
    *_TITLES,
    *(
        "sku",
        "spu",
        "skuid",
        "spuid",
        "productid",
        "code",
        "productcode",
        "货号",
        "商品编码",
        "商品编号",
        "编码",
        "编号",
        "id",
    ),
)
_LONGEST_NAME = 200
_KEY_NOISE = re.compile(r"[\s_\-]")
_AMOUNTS, _UNITS = ("amount", "value", "price", "金额", "数值"), ("currency", "currencycode", "unit", "币种", "单位")
_ASKS = frozenset(("user", "human", "client", "customer", "用户"))
_REPLIES = frozenset(("assistant", "gpt", "bot", "model", "agent", "客服", "助手"))


def draft_of(value: Value, progress: Progress = silent) -> Draft:
    """``value`` must not be nested deeper than Python recurses, nor hold itself."""
    draft = Draft(blocks=list(heard(_blocks(value, level=1), progress)))
    if isinstance(value, dict):
        draft.title = next((value[key] for key in _TITLES if isinstance(value.get(key), str)), None)
    return draft


def _blocks(value: Value, *, level: int) -> Iterator[Block]:
    if isinstance(value, list):
        yield from _list_blocks(value, level)
    elif isinstance(value, dict):
        yield from _record_blocks(value, level)
    elif (text := _scalar(value)) is not None:
        yield Text(text)


def _list_blocks(values: list[Value], level: int) -> Iterator[Block]:
    records = [_flattened(value) for value in values if isinstance(value, dict)]
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
        for record in records:
            yield from _item_blocks(record, level)
        return
    if all(not isinstance(value, dict | list) for value in values):
        yield Text("\n".join(f"- {text}" for value in values if (text := _scalar(value)) is not None))
        return
    for value in values:
        yield from _blocks(value, level=level)


def _item_blocks(record: Mapping[str, Value], level: int) -> Iterator[Block]:
    """A product under its name, so that the rows of its variants are found by it."""
    keys = {_KEY_NOISE.sub("", key).lower(): key for key in reversed(list(record))}
    names = (record[keys[name]] for name in _ITEM_NAMES if name in keys)
    name = next((text for name in names if isinstance(name, str | int) and (text := _scalar(name))), None)
    if name is not None and not faq_columns(list(record)):
        yield Heading(min(level, 6), name[:_LONGEST_NAME])
        level += 1
    yield from _record_blocks(record, level)


def _flattened(record: Mapping[str, Value]) -> dict[str, Value]:
    """Plain records inside a record as keys of it: ``price: {amount: 299, currency: CNY}`` is ``price: 299 CNY``,
    ``size: {w: 1, h: 2}`` is ``size.w: 1`` and ``size.h: 2``."""
    flat: dict[str, Value] = {}
    for key, value in record.items():
        if not isinstance(value, dict) or not value or not _is_flat(value):
            flat[key] = value
        elif (amount := _amount(value)) is not None:
            flat[key] = amount
        else:
            flat |= {f"{key}.{inner}": below for inner, below in value.items()}
    return flat


def _amount(record: Mapping[str, Value]) -> str | None:
    keys = {_KEY_NOISE.sub("", key).lower(): key for key in record}
    amount, unit = (next((record[keys[name]] for name in names if name in keys), None) for names in (_AMOUNTS, _UNITS))
    if len(record) != 2 or amount is None or unit is None:
        return None
    return f"{_cell(amount)} {_cell(unit)}"


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
