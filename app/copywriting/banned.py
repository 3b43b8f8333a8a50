"""Words that advertising law does not allow, found where they stand: ``banned_words.json`` read and matched."""

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.copywriting.folding import fold
from app.copywriting.product import Goods

_HAN = re.compile(r"[㐀-鿿]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of the file: what is found, what excuses it, the law it goes back to."""

    id: str
    category: str
    source: str
    goods: frozenset[str]
    found: re.Pattern[str]
    excused: re.Pattern[str] | None
    suggestion: dict[str, str]


@dataclass(frozen=True, slots=True)
class BannedWord:
    """A hit; the span is that of the text as given."""

    start: int
    end: int
    rule: Rule


def find_banned(text: str, *, goods: Goods = "general", allowed: Collection[str] = ()) -> list[BannedWord]:
    """Every hit in order, the longest where several overlap. ``allowed``: brands and models that may contain them."""
    folded = fold(text)
    names = sorted((re.escape(fold(name).text) for name in allowed if name.strip()), key=len, reverse=True)
    free = [match.span() for match in re.finditer("|".join(names), folded.text, re.IGNORECASE)] if names else []
    hits = [
        (start, end, rule)
        for rule in rules()
        if not rule.goods or goods in rule.goods
        for start, end in _hits(rule, folded.text)
        if not _inside(start, end, free)
    ]
    hits.sort(key=lambda hit: (hit[0], -hit[1]))
    kept: list[BannedWord] = []
    reached = 0
    for start, end, rule in hits:
        if start >= reached:
            kept.append(BannedWord(*folded.span(start, end), rule))
            reached = end
    return kept


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """The list. Raises KeyError for an entry whose source the file does not explain."""
    table = json.loads((Path(__file__).parent / "banned_words.json").read_text(encoding="utf-8"))
    return tuple(_rule(entry, table["sources"]) for entry in table["entries"])


def _rule(entry: dict[str, Any], sources: dict[str, str]) -> Rule:
    patterns = [entry["pattern"]] if "pattern" in entry else []
    patterns += [_spelling(term) for term in sorted(entry.get("terms", []), key=len, reverse=True)]
    excuses = entry.get("except", [])
    return Rule(
        id=entry["id"],
        category=entry["category"],
        source=sources[entry["source"]],
        goods=frozenset(entry.get("goods", [])),
        found=re.compile("|".join(patterns), re.IGNORECASE),
        excused=re.compile("|".join(excuses), re.IGNORECASE | re.MULTILINE) if excuses else None,
        suggestion=entry["suggest"],
    )


def _spelling(term: str) -> str:
    """Chinese with or without gaps (最 佳), Latin as whole words with spaces or hyphens between."""
    if _HAN.search(term):
        return r"[\s·]*".join(re.escape(sign) for sign in term)
    return r"(?<![A-Za-z0-9])" + r"[\s-]+".join(map(re.escape, term.split())) + r"(?![A-Za-z0-9])"


def _hits(rule: Rule, text: str) -> list[tuple[int, int]]:
    found = [match.span() for match in rule.found.finditer(text)]
    if not found or rule.excused is None:
        return found
    excused = [match.span() for match in rule.excused.finditer(text)]
    return [(start, end) for start, end in found if not _inside(start, end, excused)]


def _inside(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether one of the spans, which are in order, holds the whole hit: 最大容量 does 最大, 第一 not 第一品牌."""
    at = bisect_right(spans, start, key=lambda span: span[0]) - 1
    return at >= 0 and end <= spans[at][1]
