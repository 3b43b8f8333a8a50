"""A busy merchant's documents, and what happens to them: edits, deletions and others in their place, undoings, chunks
that are switched off and on. Every passage has a number of its own, so that it is known what must be found, and what
must not."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from zlib import crc32

import numpy as np

from evals.bench.retrieval import sentences
from knowledge.ports import Embedder, Vector

SECTIONS = 20  # of a document, a chunk each
EDITED = 4  # of them, when it is published again
LETTERS = 230  # of a section: below that, two are one chunk
NOISE = 0.02  # as in ``bench retrieval``
KINDS = {"edit": 80, "replace": 8, "switch": 8, "undo": 4}  # percent of the changes


@dataclass(slots=True)
class Shop:
    """Name → the numbers of a document's passages. ``before``: of those that an undoing would bring back; ``gone``:
    numbers that were true once, the last ones."""

    documents: dict[str, list[int]] = field(default_factory=dict)
    before: dict[str, list[int]] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    serial: int = 0
    names: int = 0
    round: int = 0

    @classmethod
    def read(cls, file: Path) -> "Shop":
        """As it was left; an empty one where there is no file."""
        return cls(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else cls()

    def write(self, file: Path) -> None:
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps({name: getattr(self, name) for name in self.__slots__}), encoding="utf-8")
        fresh.replace(file)

    def opened(self, sections: int = SECTIONS) -> str:
        """A new document; → its name."""
        name = f"资料-{self.names:06d}.md"
        self.names += 1
        self.documents[name] = [self._next() for _ in range(sections)]
        return name

    def edited(self, chance: random.Random) -> tuple[str, list[int], list[int]]:
        """→ (name, numbers that are true from now on, numbers that are not any more)."""
        name = chance.choice(list(self.documents))
        numbers = self.documents[name]
        self.before[name] = list(numbers)
        at = chance.sample(range(len(numbers)), EDITED)
        old = [numbers[place] for place in at]
        for place in at:
            numbers[place] = self._next()
        self._forget(old)
        return name, [numbers[place] for place in at], old

    def deleted(self, chance: random.Random) -> tuple[str, list[int]]:
        name = chance.choice(list(self.documents))
        self.before.pop(name, None)
        old = self.documents.pop(name)
        self._forget(old)
        return name, old

    def undone(self, chance: random.Random) -> tuple[str, list[int], list[int]] | None:
        """As :meth:`edited`; None where there is nothing to undo."""
        if not self.before:
            return None
        name = chance.choice(list(self.before))
        now, was = self.documents[name], self.before.pop(name)
        self.documents[name] = was
        back, old = [one for one in was if one not in now], [one for one in now if one not in was]
        self.gone = [one for one in self.gone if one not in back]
        self._forget(old)
        return name, back, old

    def text(self, name: str) -> str:
        parts = [f"## 第 {at} 节\n\n{passage(number)}" for at, number in enumerate(self.documents[name], 1)]
        return "\n\n".join([f"# {name.removesuffix('.md')}", *parts])

    def _forget(self, numbers: Sequence[int]) -> None:
        self.gone = [*self.gone, *numbers][-1000:]

    def _next(self) -> int:
        self.serial += 1
        return self.serial


class SyntheticPassages:
    """The embedder's questions, and for passages vectors near its own of some sentences: the same for the same text.

    A day has more passages than two cores embed in an hour.
    """

    def __init__(self, real: Embedder) -> None:
        self._real = real
        self._known = real.embed_passages(sentences()[:256])

    @property
    def model_id(self) -> str:
        return self._real.model_id

    @property
    def dimensions(self) -> int:
        return self._real.dimensions

    def embed_query(self, text: str) -> Vector:
        return self._real.embed_query(text)

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        return np.array([self._near(text) for text in texts], np.float32).reshape(-1, self.dimensions)

    def _near(self, text: str) -> Vector:
        random_ = np.random.default_rng(crc32(text.encode()))
        row = self._known[random_.integers(len(self._known))] + random_.normal(0, NOISE, self.dimensions)
        unit: Vector = (row / np.linalg.norm(row)).astype(np.float32)
        return unit


def kind_of_change(chance: random.Random, kinds: Mapping[str, int] = KINDS) -> str:
    return chance.choices(list(kinds), weights=list(kinds.values()))[0]


def code(number: int) -> str:
    return f"HB-{number:07d}"


def passage(number: int) -> str:
    """A section's text, without figures: those of the same sentences a thousand times would be the radar's work."""
    chance, said = random.Random(number), _said()
    text = f"编号 {code(number)}。"
    while len(text) < LETTERS:
        text += chance.choice(said)
    return text


@cache
def _said() -> list[str]:
    return [sentence for sentence in sentences() if not any(letter.isdigit() for letter in sentence)]
