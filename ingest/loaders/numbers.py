"""Spreadsheet values → the text a person sees, without binary noise.

Decimals, per cent, currency signs and units come from the number format; thousands separators do not, because a price
is looked up as 1299.00 and not as 1,299.00. Dates are ISO.
"""

import re
from datetime import datetime, timedelta
from functools import lru_cache

# ECMA-376 part 1, 18.8.30: formats that have a number and no text in the file
BUILT_IN: dict[int, str] = {
    1: "0",
    2: "0.00",
    3: "0",
    4: "0.00",
    9: "0%",
    10: "0.00%",
    **dict.fromkeys((14, 15, 16, 17, 27, 28, 29, 30, 31, 34, 35, 36, *range(50, 59)), "yyyy-mm-dd"),
    **dict.fromkeys((18, 20, 32), "h:mm"),
    **dict.fromkeys((19, 21, 33, 45, 47), "h:mm:ss"),
    22: "yyyy-mm-dd h:mm",
    **dict.fromkeys((37, 38), "0"),
    **dict.fromkeys((39, 40), "0.00"),
    46: "[h]:mm:ss",
}
_QUOTED = re.compile(r'"([^"]*)"|\\(.)')
_SKIPPED = re.compile(r"_.|\*.")
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_PLACES = re.compile(r"[#0?,]*[#0?](?:\.[#0?]*)?")
_DATE_PART = re.compile(r"[ymdhs年月日时分秒]|aaa", re.IGNORECASE)
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - spreadsheet dates have no zone
_EPOCH_1904 = datetime(1904, 1, 1)  # noqa: DTZ001


def shown(value: float, code: str = "General", *, date1904: bool = False) -> str:
    """A number as its cell shows it under the number format ``code``."""
    kind, shape = _shape(code)
    if kind == "date":
        return _date(value, shape, date1904=date1904)
    if kind == "general" or not isinstance(shape, _Shape):
        return plain(value)
    return shape.render(value)


def plain(value: float) -> str:
    """The shortest decimal that is the number for 15 digits; whole numbers without exponent or ``.0``."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = f"{value:.15g}"
    if "e" not in text:
        return text
    return f"{value:.15f}".rstrip("0") if 1e-9 < abs(value) < 1 else text


class _Shape:
    """What of a number format we keep: signs before and after, decimals, least digits before the point."""

    def __init__(self, code: str) -> None:
        code = _SKIPPED.sub("", code)
        places = _PLACES.search(_QUOTED.sub(lambda match: " " * len(match.group()), code))
        start, end = places.span() if places else (len(code), len(code))
        whole, _, decimals = code[start:end].partition(".")
        self.before, self.after = _literal(code[:start]), _literal(code[end:])
        self.percent = "%" in code
        self.decimals = len(decimals)
        self.optional = decimals.count("#") + decimals.count("?")
        self.digits = whole.replace(",", "").count("0")
        scaling = code[end:]
        self.thousands = len(scaling) - len(scaling.lstrip(","))

    def render(self, value: float) -> str:
        scaled = value * (100 if self.percent else 1) / 1000**self.thousands
        text = f"{abs(scaled):.{self.decimals}f}"
        if self.optional and "." in text:
            whole, _, part = text.partition(".")
            required = self.decimals - self.optional
            text = f"{whole}.{part[:required]}{part[required:].rstrip('0')}".rstrip(".")
        whole, point, part = text.partition(".")
        sign = "-" if scaled < 0 and text.strip("0.") else ""
        return f"{sign}{self.before}{whole.zfill(self.digits)}{point}{part}{self.after}"


@lru_cache(maxsize=512)
def _shape(code: str) -> tuple[str, "_Shape | str"]:
    section = code.split(";", maxsplit=1)[0]
    bare = _QUOTED.sub("", section)
    elapsed = re.search(r"\[(h+|m+|s+)\]", bare, re.IGNORECASE)
    bare = _BRACKETS.sub("", bare)
    if elapsed or (
        _DATE_PART.search(bare) and "general" not in bare.lower() and not re.search("[#0?]", bare.split(".")[0])
    ):
        return "date", "elapsed" if elapsed else bare.lower()
    if not re.search("[#0?]", bare) or re.search(r"[eE][+-]|/", bare):
        return "general", ""
    # [$¥-804] is a currency sign with a language; other brackets are colours and conditions
    section = _BRACKETS.sub(
        lambda match: f'"{match.group(1)[1:].split("-")[0]}"' if match.group(1)[:1] == "$" else "", section
    )
    return "number", _Shape(section)


def _literal(code: str) -> str:
    """The text around the digits: quoted or escaped parts and signs, without marks of layout."""
    found = _QUOTED.sub(lambda match: match.group(1) or match.group(2) or "", code)
    return re.sub(r"[#0?,()@\-+]|General", "", found).strip()


def _date(value: float, shape: "_Shape | str", *, date1904: bool) -> str:
    if shape == "elapsed":
        minutes = round(value * 24 * 60)
        return f"{minutes // 60}:{minutes % 60:02d}"
    if not 0 <= value < 2958466:  # 9999-12-31
        return plain(value)
    moment = (_EPOCH_1904 if date1904 else _EPOCH) + timedelta(seconds=round(value * 86400))
    if not date1904 and value < 60:  # the calendar of 1900 has a 29 February that never was
        moment += timedelta(days=1)
    has_date = re.search("[yd年日]|aaa", str(shape)) or ("m" in str(shape) and not re.search("[hs时分秒]", str(shape)))
    has_time = re.search("[hs时分秒]", str(shape))
    if has_time and (not has_date or value < 1):
        return moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    if has_time or (value % 1 and not has_date):
        return moment.strftime("%Y-%m-%d %H:%M:%S" if moment.second else "%Y-%m-%d %H:%M")
    return moment.strftime("%Y-%m-%d")
