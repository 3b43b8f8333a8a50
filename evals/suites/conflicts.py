"""Does the conflict radar see what contradicts, and nothing else?

samples    a folder whose documents agree: whatever is found there is false.
copies     a copy of a document with one number of it changed (any number before a unit, chosen without the radar's
           rules): is exactly that found?
pairs      two sentences by two people (``datasets/conflicts.jsonl``), some of which contradict.
"""

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.chunk import chunk
from ingest.loaders import load
from knowledge.contradiction import contradict, handles
from knowledge.errors import DocumentRefused
from knowledge.facts import Fact, facts
from knowledge.models import Chunk, Place

COPIES = 400
MAX_BYTES = 200 << 20
_UNITS = "%|元|天|个?工作日|小时|分钟|次|件|张|kg|g|cm|days?|hours?|business days"
_CHANGED = re.compile(rf"(?<![\w.,/-])\d+(?:\.\d+)?(?=\s?(?:{_UNITS})(?![A-Za-z]))")


@dataclass(frozen=True, slots=True)
class Report:
    """``found`` of ``changed`` copies; ``false`` conflicts of documents that agree, among ``facts``.

    Of the pairs, ``right`` of the ``contradicting`` were found, and ``wrong`` of the others.
    """

    name: str
    documents: int = 0
    facts: int = 0
    false: tuple[str, ...] = ()
    changed: int = 0
    found: int = 0
    contradicting: int = 0
    right: int = 0
    agreeing: int = 0
    wrong: int = 0
    missed: tuple[str, ...] = field(default=())

    @property
    def recall(self) -> float:
        asked = self.changed + self.contradicting
        return (self.found + self.right) / asked if asked else 1.0

    def lines(self) -> list[str]:
        if self.contradicting:
            return [f"{self.name}: {self.right} of {self.contradicting} found, {self.wrong} of {self.agreeing} false"]
        head = f"{self.name}: {self.documents} documents, {self.facts} facts, {len(self.false)} false conflicts"
        tail = f"; one number changed in a copy: {self.found} of {self.changed} found" if self.changed else ""
        return [head + tail, *(f"  false: {each}" for each in self.false[:20])]


Stated = list[tuple[Fact, str]]  # with the chunk it is in


def folder(name: str, path: Path, *, copies: int = COPIES) -> Report:
    """A folder's documents, and copies of them."""
    documents = dict(_documents(path))
    stated = [(fact, piece.id) for file, pieces in documents.items() for piece in pieces for fact in _of(piece, file)]
    false = [f"{one.subject}: {one.value} / {other.value}" for one, other in _found(stated, stated)]
    changes = list(_changes(documents))
    chosen = random.Random(7).sample(changes, min(copies, len(changes)))  # the seed makes runs alike
    missed = tuple(text for file, piece, text, at in chosen if not _is_found(file, piece, text, at))
    return Report(
        name, len(documents), len(stated), tuple(false), len(chosen), len(chosen) - len(missed), missed=missed
    )


def pairs(path: Path) -> Report:
    """The written pairs."""
    asked = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    seen = {True: 0, False: 0}
    missed = []
    for pair in asked:
        one, other = (_written(pair[side], side) for side in ("one", "other"))
        found = next(_found(one, other), None) is not None
        seen[pair["conflict"]] += found
        if found is not pair["conflict"]:
            missed.append(f"{pair['one']} / {pair['other']}")
    contradicting = sum(pair["conflict"] for pair in asked)
    return Report(
        "pairs",
        contradicting=contradicting,
        right=seen[True],
        agreeing=len(asked) - contradicting,
        wrong=seen[False],
        missed=tuple(missed),
    )


def _documents(path: Path) -> Iterator[tuple[str, list[Chunk]]]:
    for file in sorted(path.rglob("*")):
        if not file.is_file() or file.name.startswith(("_", ".")):
            continue
        try:
            loaded = load(file, name=file.name, max_bytes=MAX_BYTES)
        except DocumentRefused:
            continue
        name = file.relative_to(path).as_posix()
        yield name, chunk(loaded, document_id=name)


def _of(piece: Chunk, document: str) -> list[Fact]:
    return facts(piece, document=document)


def _written(text: str, name: str) -> Stated:
    piece = Chunk(name, name, 0, text, Place("说明"))
    return [(fact, name) for fact in _of(piece, "说明.md")]


def _changes(documents: dict[str, list[Chunk]]) -> Iterator[tuple[str, Chunk, str, int]]:
    """(document, chunk, its text with one number changed, where) for every number before a unit."""
    for file, pieces in documents.items():
        for piece in pieces:
            for match in _CHANGED.finditer(piece.text):
                other = f"{float(match[0]) + 1:g}"
                yield file, piece, piece.text[: match.start()] + other + piece.text[match.end() :], match.start()


def _is_found(file: str, piece: Chunk, changed: str, at: int) -> bool:
    copy = Chunk("copy", "copy", 0, changed, piece.place)
    there, here = [(each, piece.id) for each in _of(piece, file)], [(each, "copy") for each in _of(copy, file)]
    return any(one.start <= at < one.end for one, _ in _found(there, here))


def _found(some: Sequence[tuple[Fact, str]], others: Sequence[tuple[Fact, str]]) -> Iterator[tuple[Fact, Fact]]:
    """As the radar does: those that share a handle are compared, and none with what is in its own chunk."""
    by_handle: dict[str, list[tuple[int, Fact, str]]] = {}
    for number, (fact, where) in enumerate(others):
        for handle in handles(fact):
            by_handle.setdefault(handle, []).append((number, fact, where))
    for at, (one, place) in enumerate(some):
        near = {number: (fact, where) for handle in handles(one) for number, fact, where in by_handle.get(handle, ())}
        for number, (other, where) in near.items():
            if where != place and (some is not others or at < number) and contradict(one, other):
                yield one, other
