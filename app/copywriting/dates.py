"""Dates in text: 2024年5月1日, 2024-05-01, 5月1日, 2024年, May 1, 2024, 1 May, 05/01/2024."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Date:
    """What is said of a date; None for the parts that are not. ``swapped``: 05/06/2024 may be May or June."""

    start: int
    end: int
    year: int | None
    month: int | None
    day: int | None
    swapped: bool = False


_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?<!\d)(?P<year>(?:19|20)\d\d)\s?年\s?(?P<month>1[0-2]|0?[1-9])\s?月(?:\s?(?P<day>3[01]|[12]\d|0?[1-9])\s?[日号])?",
        r"(?<![\d.-])(?P<year>(?:19|20)\d\d)([-/.])(?P<month>1[0-2]|0?[1-9])\2(?P<day>3[01]|[12]\d|0?[1-9])(?![\d-])",
        r"(?<!\d)(?P<month>1[0-2]|0?[1-9])\s?月\s?(?P<day>3[01]|[12]\d|0?[1-9])\s?[日号]",
        rf"\b{_MONTH}\s(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?(?:,?\s(?P<year>(?:19|20)\d\d))?(?!\d)",
        rf"(?<!\d)(?P<day>3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\s(?:of\s)?{_MONTH}(?:,?\s(?P<year>(?:19|20)\d\d))?\b",
        rf"\b{_MONTH},?\s(?P<year>(?:19|20)\d\d)(?!\d)",
        r"(?<![\d/])(?P<month>1[0-2]|0?[1-9])/(?P<day>3[01]|[12]\d|0?[1-9])/(?P<year>(?:19|20)\d\d)(?!\d)",
        r"(?<![\d/])(?P<day>3[01]|[12]\d|0?[1-9])/(?P<month>1[0-2]|0?[1-9])/(?P<year>(?:19|20)\d\d)(?!\d)",
        r"(?<![\d.])(?P<year>(?:19|20)\d\d)\s?年(?!头)",
        r"(?<!\d)(?P<month>1[0-2]|0?[1-9])\s?月(?:份|底|初|中旬|上旬|下旬)",
    )
)


def find_dates(text: str) -> Iterator[Date]:
    """``text`` is folded. Longer forms come first; a later form may overlap an earlier one."""
    for form in _FORMS:
        for match in form.finditer(text):
            part = match.groupdict()
            yield Date(
                match.start(),
                match.end(),
                year=_number(part.get("year")),
                month=_MONTHS.index(part["name"][:3].lower()) + 1 if part.get("name") else _number(part.get("month")),
                day=_number(part.get("day")),
                swapped="/" in match.group() and not match.group().startswith(("19", "20")),
            )


def covered(shown: Date, given: Date) -> bool:
    """Whether ``given`` says every part that is shown."""
    wanted = (shown.year, shown.month, shown.day)
    said = [(given.year, given.month, given.day)]
    if given.swapped or shown.swapped:
        said.append((given.year, given.day, given.month))
    return any(all(part in (None, known) for part, known in zip(wanted, one, strict=True)) for one in said)


def _number(text: str | None) -> int | None:
    return int(text) if text else None
