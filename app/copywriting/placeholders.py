"""What a translation keeps letter by letter: {name}, %s, <b>, &nbsp;, links, codes of goods; and the glossary."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from app.copywriting.flags import Flag, flag

_KEPT = re.compile(
    r"\{\{[^{}]*\}\}|\$?\{[^{}]*\}|%\(\w+\)[sdif]|(?<![\d%])%(?:\d+\$)?[sdif@](?![A-Za-z])|\[\[[^\[\]]*\]\]"
    r"|</?[A-Za-z][^<>]*>|&(?:[a-z]+|#\d+);|https?://[^\s<>\"，。；）)]+|[\w.+-]+@[\w-]+\.[\w.]+"
)
_CODE = re.compile(r"(?<![A-Za-z0-9])(?=[A-Z0-9_-]*[A-Z])(?=[A-Z0-9_-]*\d)[A-Z0-9]+(?:[-_][A-Z0-9]+)+(?![A-Za-z0-9])")


def kept_parts(text: str, keep: Iterable[str] = ()) -> Counter[str]:
    """How often each thing that must stay stands in ``text``. ``keep`` names more of them."""
    parts = Counter(match.group() for match in _KEPT.finditer(text))
    parts.update(match.group() for match in _CODE.finditer(_KEPT.sub(" ", text)))
    for word in keep:
        if found := text.count(word):
            parts[word] = max(parts[word], found)
    return parts


def placeholder_flags(source: str, text: str, keep: Iterable[str] = ()) -> list[Flag]:
    """What was lost, and what came in that the source has not."""
    before, after = kept_parts(source, keep), kept_parts(text, keep)
    lost = [flag("placeholder_lost", part) for part in (before - after) if text.count(part) < before[part]]
    added = [flag("placeholder_added", part, *_place(text, part)) for part in (after - before) if part not in source]
    return lost + added


def glossary_flags(source: str, text: str, glossary: Mapping[str, str]) -> list[Flag]:
    """Terms of the source whose agreed translation is missing; the longest term counts where several overlap."""
    said = text.lower()
    flags = []
    left = source
    for term in sorted(glossary, key=len, reverse=True):
        pattern = _word(term)
        if pattern.search(left):
            left = pattern.sub(" ", left)
            if glossary[term].lower() not in said:
                flags.append(flag("glossary_missed", term, source=term, wanted=glossary[term]))
    return flags


def _word(term: str) -> re.Pattern[str]:
    before = r"(?<![A-Za-z0-9])" if term[:1].isascii() and term[:1].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if term[-1:].isascii() and term[-1:].isalnum() else ""
    return re.compile(before + re.escape(term) + after, re.IGNORECASE)


def _place(text: str, part: str) -> tuple[int, int]:
    start = text.find(part)
    return start, start + len(part)
