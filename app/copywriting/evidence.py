"""The fact guard: what a text says in figures, dates, prices, certificates and codes must be said by the facts.

500ml, ５００毫升 and 0.5 L are the same; so are 三层 and 3 layers, 八折 and 20% off, 100°C and 212°F. A conversion is
right only if the arithmetic is. Counting words are interchangeable (3层, 3档, 3 layers), and a number without a unit
is covered by the same number with any.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Literal, TypeAlias

from app.copywriting.dates import Date, covered
from app.copywriting.folding import fold
from app.copywriting.measures import Find, Pair, find
from app.copywriting.names import Name, covers, figures_in, squeezed
from app.copywriting.numbers import Number
from app.copywriting.product import Statement
from app.copywriting.units import LOOSE, Unit, same_amount

Kind: TypeAlias = Literal["number", "price", "date", "certificate", "code"]

_DEGREES = {"temperature", "degree", "energy"}
_LISTED = 12  # characters of one thing in a list; longer is a sentence
_PRICEY = re.compile(r"[价满减券元]")
_FABRIC = {"mass", "grammage"}


@dataclass(frozen=True, slots=True)
class Unsupported:
    """Something that the facts do not say, or, with ``elsewhere``, that only facts say which were not named."""

    kind: Kind
    start: int
    end: int
    nearest: tuple[str, str] | None = None
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What a statement says: its finds, the figures in it whatever they mean, and its letters without gaps."""

    id: str
    text: str
    finds: tuple[Find, ...]
    bare: frozenset[Decimal]
    letters: str


class Evidence:
    """``statements`` may be named as sources; ``also`` is text that may be used as well, such as keywords."""

    def __init__(self, statements: Sequence[Statement], also: str = "", *, commas: bool = False) -> None:
        told = [(one.id, _spelled_out(one)) for one in statements]
        self._known = [_known(name, text, commas=commas) for name, text in [*told, ("", also)]]

    def check(self, text: str, cited: Collection[str] | None = None, *, commas: bool = False) -> list[Unsupported]:
        """What is not covered, in the order of the text. With ``cited``, by those statements or by ``also``.

        ``commas``: the language of ``text`` writes 1,5 for one and a half.
        """
        found = (self._judged(one, text, cited) for one in find(text, strict=True, commas=commas))
        return [problem for problem in found if problem is not None]

    def _judged(self, one: Find, text: str, cited: Collection[str] | None) -> Unsupported | None:
        said_by = self.supporters(one, text)
        if said_by:
            if cited is None or said_by & {"", *cited}:
                return None
            return Unsupported(_kind(one), one.start, one.end, elsewhere=tuple(sorted(said_by)))
        return Unsupported(_kind(one), one.start, one.end, nearest=self._nearest(one))

    def supporters(self, one: Find, text: str) -> set[str]:
        """The statements that say it; a list of numbers (1,500 as 1 and 500) may need several."""
        if isinstance(one, Number):
            readings = (self._all_said(reading, one.unit) for reading in one.readings)
            return next((said_by for said_by in readings if said_by), set())
        if isinstance(one, Pair):
            return self._where(partial(_says_pair, pair=one)) or self._all_said((one.left, one.right), None)
        if isinstance(one, Date):
            return self._where(partial(_says_date, date=one))
        shown = squeezed(fold(text[one.start : one.end]).text)
        return self._where(partial(_says_name, name=one, shown=shown))

    def _all_said(self, values: Iterable[Decimal], unit: Unit | None) -> set[str]:
        said_by: set[str] = set()
        for value in values:
            one = self._where(partial(_says_number, value=value, unit=unit))
            if not one:
                return set()
            said_by |= one
        return said_by

    def _where(self, says: Callable[[_Known], bool]) -> set[str]:
        return {known.id for known in self._known if says(known)}

    def _nearest(self, one: Find) -> tuple[str, str] | None:
        """The statement's own figure of the same kind that is closest, to be suggested."""
        if not isinstance(one, Number) or one.unit is None:
            return None
        value = one.readings[0][0] * one.unit.factor
        rivals = [
            (abs(given.readings[0][0] * given.unit.factor - value), known.id, known.text[given.start : given.end])
            for known in self._known
            for given in known.finds
            if isinstance(given, Number) and given.unit and _comparable(one.unit, given.unit) and known.id
        ]
        return min(rivals)[1:] if rivals else None


def _spelled_out(one: Statement) -> str:
    """A statement with what it says between the lines: the unit in its name, and how many things it lists."""
    text = f"{one.line} {one.value}{one.unit_hint}" if one.unit_hint else one.line
    listed = [part for part in re.split(r"[、，,/;；]", one.value) if part.strip()]
    words = [part for part in listed if not part.strip()[0].isdigit() and len(part) <= _LISTED]
    return f"{text} {len(words)}种" if one.name and len(words) == len(listed) > 1 else text


def lost(source: str, text: str, *, commas: bool = False) -> list[Find]:
    """Figures with a unit, prices and codes of ``source`` that ``text``, its translation, does not say any more."""
    kept = Evidence([], text, commas=commas)
    whole = [one for one in find(source, strict=True) if _must_stay(one)]
    return [one for one in whole if not kept.supporters(one, source)]


def _must_stay(one: Find) -> bool:
    if isinstance(one, Number):
        return one.unit is not None and one.unit.system != LOOSE and not one.inherited
    return isinstance(one, Name) and one.kind == "code"


def _known(name: str, text: str, *, commas: bool) -> _Known:
    finds = tuple(find(text, commas=commas))
    bare = frozenset(value for one in finds for value in _figures(one, text))
    return _Known(name, text, finds, bare, squeezed(fold(text).text))


def _figures(one: Find, text: str) -> list[Decimal]:
    if isinstance(one, Number):
        return [value for reading in one.readings for value in reading]
    if isinstance(one, Pair):
        return [one.left, one.right]
    if isinstance(one, Date):
        return [Decimal(part) for part in (one.year, one.month, one.day) if part is not None]
    return [Decimal(figure) for figure in figures_in(fold(text[one.start : one.end]).text)]


def _says_number(known: _Known, value: Decimal, unit: Unit | None) -> bool:
    if unit is None:
        return value in known.bare or abs(value) in known.bare
    numbers = [one for one in known.finds if isinstance(one, Number)]
    return any(
        _same(value, unit, part, one.unit) or (one.unit is None and _goes_without(value, unit, part, known.text))
        for one in numbers
        for reading in one.readings
        for part in reading
    )


def _goes_without(value: Decimal, unit: Unit, given: Decimal, text: str) -> bool:
    """Whether a bare figure may get a unit: a counting word (``数量: 3``, not USB 3.0), yuan (满199减20)."""
    if unit.system == LOOSE:
        return value == given and given.as_tuple().exponent == value.as_tuple().exponent
    return unit.name == "CNY" and value == given and bool(_PRICEY.search(text))


def _same(value: Decimal, unit: Unit, given: Decimal, given_unit: Unit | None) -> bool:
    if given_unit is None:
        return False
    both = {unit.dimension, given_unit.dimension}
    if both == {"percent", "discount"}:  # 八折 is 20 % off
        percent, tenths = (value, given) if unit.dimension == "percent" else (given, value)
        return percent == 100 - 10 * tenths
    if (unit.system == given_unit.system == LOOSE) or ("degree" in both and both <= _DEGREES) or both == _FABRIC:
        return value == given
    return same_amount(value, unit, given, given_unit)


def _comparable(unit: Unit, given: Unit) -> bool:
    return unit.name == given.name if LOOSE in (unit.system, given.system) else unit.dimension == given.dimension


def _says_pair(known: _Known, pair: Pair) -> bool:
    def same(one: Find) -> bool:
        return isinstance(one, Pair) and (one.left, one.right) == (pair.left, pair.right)

    return any(same(one) for one in known.finds)


def _says_date(known: _Known, date: Date) -> bool:
    if any(isinstance(one, Date) and covered(date, one) for one in known.finds):
        return True
    return date.month is None and Decimal(date.year or 0) in known.bare


def _says_name(known: _Known, name: Name, shown: str) -> bool:
    """The same certificate, or the same letters and figures: USB3.0 is said by ``USB 3.0 接口``."""
    if any(isinstance(one, Name) and one.kind == name.kind and covers(one, name) for one in known.finds):
        return True
    if name.kind != "code":
        return False
    at = known.letters.find(shown)
    around = known.letters[max(at - 1, 0) : at] if shown[0].isdigit() else ""
    return at >= 0 and not (around + known.letters[at + len(shown) : at + len(shown) + 1]).isdigit()


def _kind(one: Find) -> Kind:
    if isinstance(one, Date):
        return "date"
    if isinstance(one, Name):
        return one.kind
    if isinstance(one, Number) and one.unit is not None and one.unit.dimension in ("money", "discount"):
        return "price"
    return "number"
