"""Styles and list numbers of a DOCX: which paragraphs are headings, and what Word writes before a list item."""

import re
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from lxml import etree  # type: ignore[import-untyped]

from ingest.loaders.archive import Archive

Kind: TypeAlias = Literal["body", "heading", "title", "contents"]

_HEADING_NAME = re.compile(
    r"(?:heading|标题|標題|überschrift|titre|titulo|título|见出し|見出し|제목)\s*([1-9])", re.IGNORECASE
)
_TITLE_NAMES = frozenset(("title", "标题", "標題", "文档标题", "book title"))
_CONTENTS_NAME = re.compile(r"(?:toc|目录|目錄)\s*\d|table of (?:figures|authorities)|图表目录", re.IGNORECASE)
_CHINESE = "零一二三四五六七八九十"
_LEVEL_MARK = re.compile(r"%([1-9])")


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph style says; ``level`` is 1–9 for headings, ``list_of`` (numbering id, level) or None."""

    kind: Kind = "body"
    level: int = 0
    list_of: tuple[str, int] | None = None


@dataclass(slots=True)
class Styles:
    """Paragraph styles by id, with what they inherit."""

    by_id: dict[str, Style] = field(default_factory=dict)

    @classmethod
    def read(cls, archive: Archive, path: str | None) -> "Styles":
        if path is None or not archive.has(path):
            return cls()
        root, _ = archive.tree(path)
        elements = {attribute(el, "styleId") or "": el for el in root.iterchildren("{*}style")}
        return cls({name: _style(element, elements) for name, element in elements.items()})


def _style(element: etree._Element, elements: dict[str, etree._Element]) -> Style:
    """Walk up the ``basedOn`` chain until something decides; a loop in it ends the walk."""
    seen: set[str] = set()
    current: etree._Element | None = element
    list_of: tuple[str, int] | None = None
    while current is not None:
        name = (child_value(current, "name") or "").strip()
        if named := _HEADING_NAME.fullmatch(name):
            return Style("heading", int(named[1]), list_of)
        if name.lower() in _TITLE_NAMES:
            return Style("title", 1, list_of)
        if _CONTENTS_NAME.match(name):
            return Style("contents")
        properties = current.find("{*}pPr")
        outline = child_value(properties, "outlineLvl")
        if outline is not None and outline.isdecimal() and int(outline) < 9:
            return Style("heading", int(outline) + 1, list_of)
        list_of = list_of or list_reference(properties)
        above = child_value(current, "basedOn") or ""
        current = elements.get(above) if above not in seen else None
        seen.add(above)
    return Style(list_of=list_of)


class Numbering:
    """Counts list items the way Word does and writes their numbers: ``1.``, ``第三条``, ``(a)``, or a dash."""

    def __init__(self, archive: Archive, path: str | None) -> None:
        self._levels: dict[str, dict[int, tuple[str, str, int]]] = {}
        self._counts: dict[str, list[int]] = {}
        if path is not None and archive.has(path):
            self._read(archive.tree(path)[0])

    def _read(self, root: etree._Element) -> None:
        abstract = {attribute(el, "abstractNumId") or "": el for el in root.iterchildren("{*}abstractNum")}
        for number in root.iterchildren("{*}num"):
            element = abstract.get(child_value(number, "abstractNumId") or "")
            if element is None:
                continue
            levels = {}
            for level in element.iterchildren("{*}lvl"):
                start = child_value(level, "start") or "1"
                shape = (child_value(level, "numFmt") or "decimal", child_value(level, "lvlText") or "")
                levels[_int(attribute(level, "ilvl"))] = (*shape, _int(start))
            self._levels[attribute(number, "numId") or ""] = levels

    def mark(self, list_of: tuple[str, int]) -> str:
        """What stands before the next item of this list at this level, with a blank; empty if nothing does."""
        number, level = list_of
        levels = self._levels.get(number)
        if number == "0" or levels is None:
            return "" if number == "0" else "- "
        kind, text, _ = levels.get(level, ("bullet", "", 1))
        if kind in ("bullet", "none"):
            return "- " if kind == "bullet" else ""
        counts = self._counts.setdefault(number, [])
        while len(counts) <= level:
            counts.append(levels.get(len(counts), ("", "", 1))[2] - 1)
        counts[level] += 1
        del counts[level + 1 :]
        mark = _LEVEL_MARK.sub(lambda found: self._written(counts, levels, int(found[1]) - 1), text)
        return f"{mark.strip()} " if mark.strip() else ""

    @staticmethod
    def _written(counts: list[int], levels: dict[int, tuple[str, str, int]], level: int) -> str:
        if level >= len(counts):
            return ""
        return written_number(max(counts[level], 1), levels.get(level, ("decimal", "", 1))[0])


def written_number(value: int, kind: str) -> str:
    """A count in one of Word's number formats; those not known are written as digits."""
    if kind in ("lowerLetter", "upperLetter"):
        letter = chr(97 + (value - 1) % 26) * ((value - 1) // 26 + 1)
        return letter.upper() if kind == "upperLetter" else letter
    if kind in ("lowerRoman", "upperRoman"):
        roman = _roman(value)
        return roman if kind == "upperRoman" else roman.lower()
    if kind.startswith(("chinese", "japaneseCounting", "ideographTraditional", "taiwaneseCounting")):
        return chinese_number(value)
    if kind == "decimalEnclosedCircle" and value <= 20:
        return chr(0x2460 + value - 1)
    return str(value)


def chinese_number(value: int) -> str:
    """1 → 一, 12 → 十二, 120 → 一百二十; to 999."""
    if value <= 10:
        return _CHINESE[value]
    if value > 999:
        return str(value)
    hundreds, rest = divmod(value, 100)
    tens, ones = divmod(rest, 10)
    text = f"{_CHINESE[hundreds]}百" if hundreds else ""
    if tens:
        text += ("" if tens == 1 and not hundreds else _CHINESE[tens]) + "十"
    elif hundreds and ones:
        text += "零"
    return text + (_CHINESE[ones] if ones else "")


def _roman(value: int) -> str:
    text = ""
    for size, letters in (
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ):
        text += letters * (value // size)
        value %= size
    return text


def list_reference(properties: etree._Element | None) -> tuple[str, int] | None:
    """(numbering id, level) of a paragraph's properties."""
    numbering = properties.find("{*}numPr") if properties is not None else None
    if numbering is None:
        return None
    number = child_value(numbering, "numId")
    return (number, _int(child_value(numbering, "ilvl"))) if number is not None else None


def attribute(element: etree._Element | None, name: str) -> str | None:
    """An attribute by its local name: transitional and strict files differ in the namespace."""
    if element is None:
        return None
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def child_value(element: etree._Element | None, name: str) -> str | None:
    """The ``val`` of a child, as in ``<w:name w:val="heading 1"/>``."""
    child = element.find(f"{{*}}{name}") if element is not None else None
    return attribute(child, "val")


def _int(text: str | None) -> int:
    return int(text) if text and text.lstrip("-").isdecimal() else 0
