"""Units of measure and currencies, from ``units.json``: what a name means and when two figures are the same amount."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

LOOSE = "loose"
_ROUNDED = Decimal("0.02")  # a rounded conversion may be off by this share: 8.5 cm is 3.3 inches
_AFTER_IN = "one|a|an|the|all|each|our|your|this|total|stock|use|any|every|size|style|colou?r|pack|box|case|bulk"
_TIGHT = Decimal("1e-9")  # factors such as a third of an hour are not exact


@dataclass(frozen=True, slots=True)
class Unit:
    """``factor`` leads to the first unit of the dimension; money has its currency as ``system``."""

    name: str
    dimension: str
    system: str
    factor: Decimal


@dataclass(frozen=True, slots=True)
class Units:
    """``pattern`` reads a unit where it stands, the longest name first; :meth:`named` says what was read."""

    pattern: re.Pattern[str]
    before: re.Pattern[str]
    _exact: dict[str, Unit]
    _any_case: dict[str, Unit]
    _currencies: dict[str, Unit]

    def named(self, name: str) -> Unit | None:
        """Single letters by their case (5A is no 5a), longer names in any case."""
        name = "".join(name.split())
        return self._exact.get(name) or (self._any_case.get(name.lower()) if len(name) > 1 else None)

    def currency(self, sign: str) -> Unit | None:
        """What stands before an amount: ¥, US$, RMB."""
        return self._currencies.get(sign.upper())


def same_amount(shown: Decimal, unit: Unit, given: Decimal, given_unit: Unit) -> bool:
    """Whether ``shown unit`` says what ``given given_unit`` says.

    Within a system exactly; across systems as ``shown`` rounds it (500 ml is 16.9 fl oz), off by 2 % at most.
    """
    if unit.dimension != given_unit.dimension:
        return False
    if unit.dimension == "temperature" and unit.system != given_unit.system:
        return _same_temperature(shown, unit, given)
    if unit.dimension == "money" and unit.system != given_unit.system:
        return False
    expected = given * given_unit.factor / unit.factor
    difference = abs(expected - shown)
    if unit.system == given_unit.system:
        return difference <= _TIGHT * abs(expected)
    return difference <= _half_a_digit(shown) and difference <= _ROUNDED * abs(expected)


def _same_temperature(shown: Decimal, unit: Unit, given: Decimal) -> bool:
    nine_fifths = Decimal("1.8")
    expected = given * nine_fifths + 32 if unit.system == "fahrenheit" else (given - 32) / nine_fifths
    return abs(expected - shown) <= _half_a_digit(shown)


def _half_a_digit(shown: Decimal) -> Decimal:
    exponent = shown.as_tuple().exponent
    return Decimal(5).scaleb((exponent if isinstance(exponent, int) and exponent < 0 else 0) - 1)


@lru_cache(maxsize=1)
def units() -> Units:
    """The table of ``units.json``."""
    table = json.loads((Path(__file__).parent / "units.json").read_text(encoding="utf-8"))
    exact: dict[str, Unit] = {}
    spelled: list[str] = []
    for dimension, systems in table["dimensions"].items():
        for system, factors in systems.items():
            for factor, names in factors.items():
                exact |= {name.replace(" ", ""): Unit(name, dimension, system, Decimal(factor)) for name in names}
                spelled += names
    currencies: dict[str, Unit] = {}
    for code, signs in table["money"].items():
        money = Unit(code, "money", code, Decimal(1))
        exact |= dict.fromkeys(signs["after"], money)
        spelled += signs["after"]
        currencies |= {sign.upper(): money for sign in signs["before"]}
    any_case = {name.lower(): unit for name, unit in exact.items() if len(name) > 1}
    return Units(_after(spelled, table["not_units"]), _before(currencies), exact, any_case, currencies)


def _after(names: list[str], words: list[str]) -> re.Pattern[str]:
    """A unit ends where its letters end, or before an × and a figure (500ml×12, 20cmx30cm).

    3天 are three days, 3天然 is no unit; 2 in is a length, 2 in 1 and 2 in stock are not.
    """
    spelled = "|".join(_spelling(name) for name in sorted(names, key=len, reverse=True))
    no_unit = "|".join([*map(re.escape, words), rf"(?i:in[ -]+(?:\d|(?:{_AFTER_IN})\b))"])
    return re.compile(rf"(?!{no_unit})(?:{spelled})(?:(?<![A-Za-z])|(?![A-Za-z0-9])|(?=[xX]\s?\d))")


def _spelling(name: str) -> str:
    spelled = re.escape(name).replace(r"\ ", r"\s?")
    return spelled if len(name) == 1 else f"(?i:{spelled})"


def _before(names: dict[str, Unit]) -> re.Pattern[str]:
    spelled = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![A-Za-z])(?:{spelled})\s?$", re.IGNORECASE)
