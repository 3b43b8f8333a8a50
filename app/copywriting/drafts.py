"""What came of a reply: pieces of text with their sources and flags, in variants to choose from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.copywriting.channels import Limit
from app.copywriting.flags import Flag


@dataclass(frozen=True, slots=True)
class Piece:
    """One claim or paragraph. ``more`` is what its kind adds to the result: a heading, an attribute's value, …"""

    text: str
    sources: tuple[str, ...]
    flags: tuple[Flag, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As a part of a variant."""
        return {
            "text": self.text,
            "sources": list(self.sources),
            "flags": [one.json() for one in self.flags],
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class Variant:
    """A whole that can be used as it is. Its text is its pieces', ``gaps[i]`` between piece ``i`` and the next."""

    pieces: tuple[Piece, ...]
    gaps: tuple[str, ...] = ()
    limit: Limit | None = None

    @property
    def text(self) -> str:
        return "".join(piece.text + gap for piece, gap in zip(self.pieces, [*self.gaps, ""], strict=True))

    @property
    def flags(self) -> list[Flag]:
        """Those of the pieces, placed in the whole, and those of its length."""
        placed: list[Flag] = []
        start = 0
        for piece, gap in zip(self.pieces, [*self.gaps, ""], strict=True):
            placed += [one.moved(start) for one in piece.flags]
            start += len(piece.text) + len(gap)
        return placed + (self.limit.flags(self.text) if self.limit else [])

    def json(self) -> dict[str, Any]:
        """As it stands in a result; the pieces are given when there are several."""
        text, limit = self.text, self.limit
        sources = list(dict.fromkeys(source for piece in self.pieces for source in piece.sources))
        shown: dict[str, Any] = {
            "text": text,
            "sources": sources,
            "flags": [one.json() for one in self.flags],
            "length": limit.length(text) if limit else len(text),
            "fits": limit.fits(text) if limit else True,
        }
        if len(self.pieces) == 1:
            return shown | dict(self.pieces[0].more)
        return shown | {"parts": [piece.json() for piece in self.pieces]}


@dataclass(frozen=True, slots=True)
class Draft:
    """All variants; ``flags`` concern the whole, such as too few variants; ``more`` goes into the result."""

    variants: tuple[Variant, ...]
    flags: tuple[Flag, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def all_flags(self) -> list[Flag]:
        return [*self.flags, *(one for variant in self.variants for one in variant.flags)]

    def texts(self) -> Sequence[str]:
        return [variant.text for variant in self.variants]
