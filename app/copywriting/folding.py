"""Text in one spelling, with the way back: full-width signs, ℃, ㎏, ½ and dashes as their plain forms."""

import unicodedata
from dataclasses import dataclass

# What NFKC leaves alone and people type for the same thing.
_SAME = {
    "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-", "〜": "~", "∼": "~", "⁓": "~", "⁄": "/", "∕": "/",
    "＊": "*", "✕": "×", "✖": "×", "’": "'", "‘": "'", "º": "°", "﹪": "%",
}  # fmt: skip
# "，" stays: it ends a clause, and only between groups of three figures it is what "," is in 1,299.
_ENCLOSED = range(0x2460, 0x2500)  # ①: counts the points of a list, it is no number of the product


@dataclass(frozen=True, slots=True)
class Folded:
    """``text`` to be searched; ``places[i]`` is where its character ``i`` stands in ``original``."""

    text: str
    places: tuple[int, ...]
    original: str

    def span(self, start: int, end: int) -> tuple[int, int]:
        """A span of ``text`` as a span of the original."""
        if start == end:
            at = self.places[start] if start < len(self.places) else len(self.original)
            return at, at
        return self.places[start], self.places[end - 1] + 1


def fold(text: str) -> Folded:
    """Case stays: A is an ampere, a is an article. Invisible characters go, so that they can't hide a word."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        plain = _plain(character)
        characters.append(plain)
        places.extend([place] * len(plain))
    return Folded("".join(characters), tuple(places), text)


def _plain(character: str) -> str:
    if character in _SAME:
        return _SAME[character]
    if character.isascii() or character == "，" or ord(character) in _ENCLOSED:
        return character
    if unicodedata.category(character) == "Cf":
        return ""
    return unicodedata.normalize("NFKC", character).replace("⁄", "/")
