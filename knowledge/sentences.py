"""Text → sentences, Chinese and English mixed, without losing or inventing a character that matters.

A sentence ends at 。！？ or … (with the closing quotes and brackets that follow), at ``. ! ?`` where they end an
English sentence, and at every line break: list items, table rows (``列名: 值；列名: 值``) and lines of code are a
sentence each. A semicolon ends one only where it would be longer than 150 characters. A full stop inside a number, a
code, an address or a common abbreviation ends nothing, and neither does a mark inside a quotation or a bracket.
"""

import re

_CLOSING = re.escape("”’\"'」』）)】》〉]")
_ABBREVIATED = (
    "mr mrs ms dr prof sr jr st vs etc e.g i.e eg ie cf fig figs no nos vol pp ed eds al approx dept est inc ltd co "
    "corp llc jan feb mar apr jun jul aug sep sept oct nov dec u.s u.k a.m p.m"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_HAN = "一-鿿"
_BREAK = re.compile(
    rf"(?:[。！？…]+"  # ends a sentence with or without space after it
    rf"|[!?]+(?=[{_CLOSING}]*(?:\s|$|[{_HAN}])))[{_CLOSING}]*"  # not inside an address: /search?q=1
    rf"|\.+[{_CLOSING}]*(?=\s+[^\sa-z]|\s*$)"  # an English full stop is followed by space and no small letter
)
_LONG = 150
_CLAUSE = re.compile(rf"(?<=；)|(?<=[{_HAN}];)")
_QUOTED = re.compile("“[^”]{1,200}”|「[^」]{1,200}」|『[^』]{1,200}』|（[^）]{1,200}）|【[^】]{1,200}】")
_LAST_WORD = re.compile(r"([A-Za-z][A-Za-z.]*)$")
_LIST_NUMBER = re.compile(r"^\s*(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})$")
_ROW = re.compile(r"^[^。！？!?；]{1,40}[:：][^；]*(?:；[^；:：]{1,40}[:：][^；]*)+$")


def split(text: str) -> list[str]:
    """Sentences in reading order, stripped, none empty. Joined they hold every non-space character of ``text``."""
    return [sentence for line in text.splitlines() for sentence in _split_line(line)]


def is_row(line: str) -> bool:
    """Whether the line is a table row rendered as ``列名: 值；列名: 值``, which stays whole."""
    return "；" in line and _ROW.match(line) is not None


def _split_line(line: str) -> list[str]:
    line = line.strip()
    if not line:
        return []
    if is_row(line):
        return [line]
    quoted: list[tuple[int, int]] | None = None
    sentences: list[str] = []
    start = 0
    for match in _BREAK.finditer(line):
        if match[0].startswith(".") and _is_abbreviation(line[start : match.start()]):
            continue
        if match.end() < len(line):  # looked for where it matters, which in most lines is nowhere
            quoted = quoted if quoted is not None else [found.span() for found in _QUOTED.finditer(line)]
            if any(left < match.start() and match.end() < right for left, right in quoted):
                continue
        sentences += _at_semicolons(line[start : match.end()].strip())
        start = match.end()
    sentences += _at_semicolons(line[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _at_semicolons(sentence: str) -> list[str]:
    """A sentence whole, unless it is long; then its clauses."""
    if len(sentence) <= _LONG:
        return [sentence]
    return [clause.strip() for clause in _CLAUSE.split(sentence) if clause.strip()]


def _is_abbreviation(before: str) -> bool:
    """Whether the full stop after ``before`` belongs to its last word (``e.g``, ``J``) or to a list number."""
    if _LIST_NUMBER.match(before):
        return True
    word = _LAST_WORD.search(before)
    return word is not None and (word[1].lower() in _ABBREVIATIONS or len(word[1]) == 1)
