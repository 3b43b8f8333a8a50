"""Names that are facts: certificates and standards (``certificates.json``), and codes with a figure in them
(USB3.0, SUS304, 1080P, AB-1200)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from app.copywriting.units import units


@dataclass(frozen=True, slots=True)
class Name:
    """``key`` is the same for every spelling: ``ISO`` for iso-9001 with ``number`` 9001; USB30 for USB-3.0."""

    start: int
    end: int
    kind: Literal["certificate", "code"]
    key: str
    number: str = ""


_LETTERS_FIRST = re.compile(r"(?<![A-Za-z0-9])(?![xX]\d)[A-Za-z]+(?:[-_/.]?[A-Za-z0-9]+)*\+?")
_DIGITS_FIRST = re.compile(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?[A-Za-z]+\d*[A-Za-z]*(?![A-Za-z0-9])")
_SIZE = re.compile(r"\d+(?:\.\d+)?(?:[A-Za-z]{1,2})?[xX](?:\d|$)|\d+(?:st|nd|rd|th)$")
_MANY = re.compile(r"\d+(?:\.\d+)?[kKwW]$")
_FIGURE = re.compile(r"\d+(?:\.\d+)?")


def find_certificates(text: str) -> Iterator[Name]:
    """``text`` is folded."""
    for key, pattern in _certificates():
        for match in pattern.finditer(text):
            number = next((found for found in match.groups() if found), "")
            yield Name(match.start(), match.end(), "certificate", key, _plain_number(number))


def find_codes(text: str) -> Iterator[Name]:
    """Letters and figures in one word that are no figure with a unit. ``text`` is folded."""
    for match in _LETTERS_FIRST.finditer(text):
        word = match.group()
        if any(sign.isdigit() for sign in word) and (any(map(str.isupper, word)) or word.isalnum()):
            yield Name(match.start(), match.end(), "code", squeezed(word))
    for match in _DIGITS_FIRST.finditer(text):
        word = match.group()
        figure = _FIGURE.match(word)
        unit = units().pattern.match(text, match.start() + figure.end()) if figure else None
        if not (unit and unit.end() >= match.end()) and not _SIZE.match(word) and not _MANY.match(word):
            yield Name(match.start(), match.end(), "code", squeezed(word))


def squeezed(text: str) -> str:
    """Without spaces, hyphens and points, in capitals: the same for every way to write a code."""
    return re.sub(r"[\s\-_./]", "", text).upper()


def figures_in(text: str) -> list[str]:
    """The figures inside a code: 3.0 of USB3.0."""
    return _FIGURE.findall(text)


def covers(given: Name, shown: Name) -> bool:
    """Whether a certificate of the facts is the one shown: the same, and no more exact than given."""
    if given.key != shown.key:
        return False
    rest = given.number.removeprefix(shown.number)
    return given.number.startswith(shown.number) and not (shown.number and rest[:1].isdigit())


_IN_WORDS = str.maketrans("一二三四五", "12345")


def _plain_number(number: str) -> str:
    return re.sub(r"\s", "", number).replace(":", "-").translate(_IN_WORDS).upper()


@lru_cache(maxsize=1)
def _certificates() -> tuple[tuple[str, re.Pattern[str]], ...]:
    table = json.loads((Path(__file__).parent / "certificates.json").read_text(encoding="utf-8"))
    return tuple(
        (entry["id"], re.compile(entry["match"], 0 if entry["case"] else re.IGNORECASE)) for entry in table["entries"]
    )
