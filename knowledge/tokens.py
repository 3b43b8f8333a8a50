"""Text → terms: the words that the lexical index, term coverage and idf are made of.

A term never contains a space. Text is folded first: NFKC (full-width forms become ASCII, ligatures are undone),
lower case, traditional characters simplified, zero-width characters and soft hyphens removed. Then:

===========================  ==========================================================================
运费险                        overlapping pairs ``运费 费险``; a run of one character is that character
Refunds, seller's            ``refund``, ``seller``: only plurals and possessives are folded
1,299.00  2.50  8.1%         ``1299``, ``2.5``, ``8.1%`` + ``8.1``: one spelling a number
HB-KT-2048, SKU_77, 2.4.7    as written, its parts, and the parts without separators (``hbkt2048``), so that
                             a code is found exactly, in pieces, and when the customer leaves out the hyphens
A4-铝                         ``a4-铝`` (the code with the one character after the hyphen), ``a4``, ``铝``
===========================  ==========================================================================

The same function must be used for indexing and asking; a change of it needs a rebuilt lexical index, which is what
:data:`TERMS_VERSION` is for.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from operator import add
from pathlib import Path

TERMS_VERSION = 2
"""Grows with every change of what :func:`terms` returns. Store it beside an index that was built with it."""

# Han (with extensions and compatibility forms), kana and hangul: scripts written without spaces, or agglutinating.
_CJK = "々〇㐀-䶿一-鿿豈-\ufaffぁ-ヿ가-\ud7af\U00020000-\U0003ffff"
# Letters of scripts written with spaces; after lower-casing, so upper case is not needed. Ogham's space is in between.
_WORD = "0-9a-zß-öø-ʯͰ-\u167f\u1681-ᾼ"
_TOKEN = re.compile(
    rf"([{_CJK}]+)"
    rf"|(\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?![{_WORD}])|\d+(?:\.\d+)?(?![{_WORD}]|[-_.][{_WORD}{_CJK}]))(%?)"
    rf"|([{_WORD}]+)((?:[-_.'][{_WORD}]+)*)(?:(?=-([{_CJK}])))?"
)
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(%?)")
_SEPARATORS = re.compile(r"[-_.]")
_PAIRS = re.findall(
    r"(\S)(\S)", (Path(__file__).parent / "simplified.txt").read_text(encoding="utf-8").split("\n", 1)[1]
)
_TRADITIONAL: defaultdict[str, str] = defaultdict(str)
for _from, _to in _PAIRS:
    _TRADITIONAL[_to] += _from
_SIMPLIFIED = {ord(traditional): simplified for traditional, simplified in _PAIRS}
_VARIANTS = frozenset(map(chr, _SIMPLIFIED))
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_LETTERS_THEN_DIGITS = re.compile(r"([a-z]{2,})(\d+)")


def fold(text: str) -> str:
    """The spelling that terms are cut from: NFKC, lower case, simplified characters, nothing invisible."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = _INVISIBLE.sub("", text)
        text = text.replace("’", "'")
        if not _VARIANTS.isdisjoint(text):  # translating costs ten times as much as looking
            text = text.translate(_SIMPLIFIED)
    return text.lower()


def spellings(char: str) -> str:
    """A simplified character and the traditional ones that fold to it."""
    return char + _TRADITIONAL.get(char, "")


def terms(text: str) -> list[str]:
    """Terms in reading order, repetitions kept (BM25 counts them)."""
    found: list[str] = []
    extend, append = found.extend, found.append
    for match in _TOKEN.finditer(fold(text)):
        kind = match.lastindex
        run = match[0]
        if kind == 1:
            if len(run) == 1:
                append(run)
            else:
                extend(map(add, run, run[1:]))
        elif run.isalpha() and match[6] is None:
            append(_word(run))
        else:
            extend(_compound(run, match[6]))
    return found


def tokens_text(text: str) -> str:
    """Terms joined by spaces, for an index that only splits at white space."""
    return " ".join(terms(text))


@lru_cache(maxsize=4096)
def _compound(run: str, cjk: str | None) -> tuple[str, ...]:
    """Terms of a number, a code or a word with inner punctuation; ``cjk`` is what a hyphen ties to its end."""
    if not run[-1].isalpha() and (number := _NUMBER.fullmatch(run)):
        return tuple(_number_terms(number[1], number[2]))
    return tuple(dict.fromkeys(_code_terms(run, cjk)))


def _number_terms(digits: str, percent: str) -> Iterator[str]:
    number = _number(digits.replace(",", ""))
    if percent:
        yield number + percent
    yield number


def _code_terms(written: str, cjk: str | None) -> Iterator[str]:
    if cjk:
        yield f"{written}-{cjk}"
    if "'" in written:  # a possessive (seller's) or a contraction (don't)
        written = written.removesuffix("'s").replace("'", "")
    parts = _SEPARATORS.split(written)
    if len(parts) > 1:
        yield written
        if not written.replace(".", "").isdigit():  # 2.4.7 is not 247
            yield "".join(parts)
    for part in parts:
        yield from _part(part)


def _part(part: str) -> Iterator[str]:
    if part.isdigit():
        yield part if part.startswith("0") else _number(part)
    elif glued := _LETTERS_THEN_DIGITS.fullmatch(part):  # hb2048 is also asked for as "HB 2048"
        yield part
        yield glued[1]
        yield glued[2]
    else:
        yield _word(part)


def _number(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def _word(text: str) -> str:
    if len(text) < 4 or text[-1] != "s" or text.endswith(("ss", "us", "is", "as", "os")):
        return text
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if text.endswith(ending) and len(text) > len(ending) + 1:
            return text[: -len(ending)] + instead
    return text[:-1]
