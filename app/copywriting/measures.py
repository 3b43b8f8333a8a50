"""What a text says that can be checked against facts: numbers with their units, prices, dates, ratios, certificates,
codes. Every find knows where it stands.

Chinese and English are read. In ``strict`` reading (of what a model wrote) a number in words counts only with a unit,
and 十分, 万能, 第一步, "3 reasons" or the numbers of a list are no figures of the product.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from app.copywriting.dates import Date, find_dates
from app.copywriting.folding import fold
from app.copywriting.names import Name, find_certificates, find_codes
from app.copywriting.numbers import Number, find_discounts, find_numbers
from app.copywriting.units import units


@dataclass(frozen=True, slots=True)
class Pair:
    """16:9, 8:30, 1/2, 24/7: two figures that belong together."""

    start: int
    end: int
    left: Decimal
    right: Decimal


Find: TypeAlias = Number | Date | Pair | Name

_PAIR = re.compile(r"(?<![\dA-Za-z.,:/])(\d{1,4}(?:\.\d+)?)\s?([:/])\s?(\d{1,4}(?:\.\d+)?)(?![\dA-Za-z:/]|\.\d)")
_SELF_COUNT = "卖点|理由|优势|亮点|特点|特色|好处|功能点"
# Words in which a numeral counts nothing, or what can be said of anything.
_IDIOMS = re.compile(
    r"一年四季|一年到头|一日三餐|四季|三餐|五官|四肢|四周|千层|百叶|百褶|百搭|百变|百货|万向|万能|万用|三角|五角星|六角|八角"
    r"|四角|五花|三明治|三文鱼|三七|五谷|六神|七夕|双十[一二]|十分|百分(?![之百])|万一|统一|一流|三言两语|一举两得|五颜六色|四通八达"
    r"|千家万户|万家|千万(?!元|像素|次|人|级|用户|美)|万千|千百|百合|半身|半袖|半永久|半成品|一半|双重|三伏|三九|九宫格|一码"
    rf"|[一二三四五六七八九十]大(?={_SELF_COUNT})|第[一二三四五六七八九十]+(?:[步点种项个次天条章眼名]|步骤|选择|印象|时间)"
)
_NO_CLAIM = re.compile(
    rf"(?:^|\n)\s*(?:[-*#>]+\s*)?\(?\d{{1,2}}(?:[.)、](?!\d))|\bstep \d+|\d+\s?大(?={_SELF_COUNT})"
    r"|\b\d+ (?=reasons|benefits|ways|features|tips|highlights)|第\s?\d+\s?(?:[步点种项个次条章]|步骤)"
    r"|(?<=in[- ])1(?!\d)|(?<=合)1(?!\d)",
    re.IGNORECASE,
)


def find(text: str, *, strict: bool = False, commas: bool = False) -> list[Find]:
    """Everything in the order of the text; spans are those of ``text`` itself, however it is spelled.

    ``commas``: the text may write 1,5 for one and a half, as German and most of Europe do.
    """
    folded = fold(text)
    taken = _Taken(len(folded.text))
    if strict:
        for pattern in (_IDIOMS, _NO_CLAIM):
            taken.mark(match.span() for match in pattern.finditer(folded.text))
    finds: list[Find] = []
    for some in (find_certificates, find_dates, find_discounts, _pairs, find_codes):
        finds += taken.keep(some(folded.text))
    finds += find_numbers(folded.text, taken.touches, strict=strict, commas=commas)
    placed = [_placed(one, *folded.span(one.start, one.end)) for one in finds]
    return sorted(placed, key=lambda one: one.start)


class _Taken:
    """Which characters are explained already; the first explanation wins."""

    def __init__(self, size: int) -> None:
        self._marks = bytearray(size)

    def mark(self, spans: Iterable[tuple[int, int]]) -> None:
        for start, end in spans:
            self._marks[start:end] = b"\1" * (end - start)

    def keep(self, finds: Iterable[Find]) -> Iterator[Find]:
        for one in finds:
            if not self.touches(one.start, one.end):
                self.mark([(one.start, one.end)])
                yield one

    def touches(self, start: int, end: int) -> bool:
        return any(self._marks[start:end])


def _pairs(text: str) -> Iterator[Pair]:
    for match in _PAIR.finditer(text):
        if match.group(2) == "/" and units().pattern.match(text, match.end()):
            continue  # 500/750ml are two volumes
        yield Pair(match.start(), match.end(), Decimal(match.group(1)), Decimal(match.group(3)))


def _placed(one: Find, start: int, end: int) -> Find:
    return replace(one, start=start, end=end)
