"""A product as the merchant describes it, and its facts numbered so that a claim can name its sources."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Line: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
Value: TypeAlias = Line | bool | int | float | list[Line | int | float]
Goods: TypeAlias = Literal["general", "cosmetics", "food", "supplement", "medical_device", "medicine"]

MAX_FACTS = 200
_SENTENCE = re.compile(r"(?<=[。！？!?；;])\s*|(?<=\.)\s+(?=[A-Z])|\s*\n\s*")
_NAMED = re.compile(r"([^\d:：,，。]{1,24})[:：]\s*((?!//)\S.*)", re.DOTALL)
_PRICE = re.compile(r"价|金额")
_UNIT_OF_NAME = re.compile(r"[(（/_\[]\s*([^\d()（）\[\]/_]{1,12}?)\s*[)）\]]?$")


class Fact(BaseModel):
    """One fact with its name: ``容量``: ``500ml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Line
    value: Value


class Product(BaseModel):
    """``facts`` as a table, as a list, or free ``text``, or several of them.

    ``goods`` decides which advertising rules apply: cosmetics may not "sterilise", a medical device may "treat".
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
    brand: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] | None = None
    facts: dict[Line, Value] | list[Line | Fact] = Field({}, max_length=MAX_FACTS)
    text: str = Field("", max_length=20_000)
    goods: Goods = "general"

    @model_validator(mode="after")
    def _says_something(self) -> "Product":
        if not self.facts and not self.text.strip():
            raise ValueError("Give the product's facts, or a text about it: nothing may be invented.")
        return self


@dataclass(frozen=True, slots=True)
class Statement:
    """A numbered fact: ``line`` is what a model reads, ``name`` is empty for a sentence of a text."""

    id: str
    name: str
    value: str

    @property
    def line(self) -> str:
        return f"{self.name}：{self.value}" if self.name else self.value

    @property
    def unit_hint(self) -> str:
        """The unit in a name, as in ``容量(ml)`` or ``weight_kg``; ``元`` for a price without one."""
        if found := _UNIT_OF_NAME.search(self.name):
            return found.group(1)
        return "元" if _PRICE.search(self.name) else ""


def statements(product: Product) -> tuple[Statement, ...]:
    """``f0`` is the name; the facts follow in their order, then the sentences of the text."""
    pairs = [("商品名称", product.name)]
    pairs += [("品牌", product.brand)] if product.brand else []
    pairs += _facts(product.facts)
    pairs += [_named(sentence) for sentence in sentences(product.text)]
    return tuple(Statement(f"f{number}", name, value) for number, (name, value) in enumerate(pairs))


def sentences(text: str) -> list[str]:
    """A text in sentences and lines, without the blank ones."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def brand_names(product: Product) -> list[str]:
    """Names that may contain words which are banned elsewhere: brand, trade mark, model, patent, award."""
    named = re.compile(r"品牌|商标|型号|专利|奖项|荣誉|brand|trade ?mark|model|patent|award", re.IGNORECASE)
    return [statement.value for statement in statements(product) if named.search(statement.name)]


def _facts(facts: Mapping[str, Value] | list[Line | Fact]) -> Iterator[tuple[str, str]]:
    if isinstance(facts, Mapping):
        yield from ((name, _shown(value)) for name, value in facts.items())
        return
    for fact in facts:
        yield (fact.name, _shown(fact.value)) if isinstance(fact, Fact) else _named(fact)


def _named(line: str) -> tuple[str, str]:
    """``容量：500ml`` is a fact with a name."""
    found = _NAMED.fullmatch(line)
    return (found.group(1).strip(), found.group(2).strip()) if found else ("", line)


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, list):
        return "、".join(_shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) and value == int(value) and abs(value) < 1e6 else str(value)
