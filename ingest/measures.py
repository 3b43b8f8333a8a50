"""「单位：元/件」: the line above a table that says what its figures are."""

import re

_MEASURE = re.compile(
    r"[（(【\[]?\s*(?:(?:计价|计量|货币|金额|价格)?(?:单位|單位|币种|幣種)|(?:units?|currency)\b)(?: of measure)?"
    r"\s*[:：]\s*\S[^。\n]{0,23}",
    re.IGNORECASE,
)


def measure_of(text: str) -> str:
    """The last line of a text, if it is such a line; else nothing."""
    last = text.strip().rpartition("\n")[2].strip()
    return last if _MEASURE.fullmatch(last) else ""
