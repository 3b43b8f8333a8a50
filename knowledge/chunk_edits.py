"""What people changed of a document's chunks: corrected, split, merged, or out of every answer.

An edit says what stands in the place of some chunks that follow each other, as they were read from the file. It is
kept with the version of the document and laid over what the next bytes say, wherever those still have the same chunks;
elsewhere it is lost, and people are told. So a document is its slots: each is a chunk as it was read, or an edit.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from knowledge.chunk_rows import IndexedChunk
from knowledge.errors import Conflict, InvalidInput
from knowledge.models import Chunk

EditKind: TypeAlias = Literal["text", "split", "merge", "disable", "enable", "revert"]
Index: TypeAlias = Callable[[Chunk], IndexedChunk]
Listed: TypeAlias = tuple[Any, ...]  # a chunk as a version lists it: id, fingerprint, page, sheet, row

MOST_CHARACTERS = 4_000  # of one chunk: some four of those that are cut by themselves
MOST_PARTS = 50
_OVERLAP = 400  # characters; more is not said again at the beginning of a chunk


@dataclass(frozen=True, slots=True)
class Part:
    """A chunk that an edit made. ``of`` is the base chunk, counted from 0, whose heading and place it has."""

    text: str
    of: int = 0
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """``base`` are ids of chunks as they were read; ``parts`` what stands there instead."""

    base: tuple[str, ...]
    parts: tuple[Part, ...]
    by: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Slot:
    """Chunks as they were read, and what became of them; without an edit it is one chunk."""

    base: tuple[IndexedChunk, ...]
    edit: Edit | None = None

    @property
    def parts(self) -> tuple[Part, ...]:
        return self.edit.parts if self.edit else (Part(self.base[0].chunk.text),)

    def ids(self) -> list[str]:
        """One a part. A part that says what its base says is that chunk still, so it keeps its vector."""
        if self.edit is None:
            return [self.base[0].chunk.id]
        seen: Counter[Part] = Counter()
        ids = []
        for part in self.parts:
            same = replace(part, disabled=False)
            ids.append(_part_id(self.base[part.of].chunk, part.text, seen[same]))
            seen[same] += 1
        return ids


@dataclass(frozen=True, slots=True)
class Laid:
    """A document as it is published: the chunks that are found, those under edits, and the edits to keep with it."""

    pieces: Sequence[IndexedChunk]
    hidden: Sequence[IndexedChunk] = ()
    edits: Sequence[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """``slots[start:stop]`` become ``new``."""

    start: int
    stop: int
    new: tuple[Slot, ...]


ChunkChange: TypeAlias = Callable[[Sequence[Slot], int, int, str | None, datetime], Changed]


def lay_over(read: Sequence[IndexedChunk], edits: Sequence[Edit]) -> tuple[list[Slot], list[Edit]]:
    """The slots of what was read, and the edits that are lost: one of their chunks is not there, or not beside the
    other, or under a newer edit."""
    at = {piece.chunk.id: number for number, piece in enumerate(read)}
    taken: dict[int, tuple[Edit, int] | None] = {}
    lost: list[Edit] = []
    for edit in sorted(edits, key=lambda edit: edit.at, reverse=True):
        start, count = at.get(edit.base[0]), len(edit.base)
        run = range(start, start + count) if start is not None else range(0)
        there = run and tuple(piece.chunk.id for piece in read[run.start : run.stop]) == edit.base
        if not there or any(number in taken for number in run):
            lost.append(edit)
            continue
        taken |= dict.fromkeys(run)
        taken[run.start] = (edit, count)
    return list(_slots(read, taken)), lost


def _slots(read: Sequence[IndexedChunk], taken: dict[int, tuple[Edit, int] | None]) -> Iterator[Slot]:
    for number, piece in enumerate(read):
        if number not in taken:
            yield Slot((piece,))
        elif (found := taken[number]) is not None:
            edit, count = found
            yield Slot(tuple(read[number : number + count]), edit)


def laid(slots: Sequence[Slot], lost: Sequence[Edit], index: Index) -> Laid:
    """Numbered in reading order; what is disabled has a number, too, and is not among the pieces."""
    pieces: list[IndexedChunk] = []
    hidden: list[IndexedChunk] = []
    edits: list[dict[str, Any]] = []
    ordinal = 0
    for slot in slots:
        made = [
            (part, _made(slot, part, chunk_id, index)) for part, chunk_id in zip(slot.parts, slot.ids(), strict=True)
        ]
        if slot.edit is not None:
            hidden += [*slot.base, *(piece for part, piece in made if part.disabled)]
            edits.append(edit_json(slot.edit, first=ordinal, base=[listed(piece) for piece in slot.base]))
        for number, (part, piece) in enumerate(made, start=ordinal):
            if not part.disabled:
                same = piece.chunk.ordinal == number
                pieces.append(piece if same else replace(piece, chunk=replace(piece.chunk, ordinal=number)))
        ordinal += len(made)
    edits += [edit_json(edit, first=None, base=[(chunk_id,) for chunk_id in edit.base]) for edit in lost]
    return Laid(pieces, list({(piece.chunk.id, piece.fingerprint): piece for piece in hidden}.values()), edits or None)


def _made(slot: Slot, part: Part, chunk_id: str, index: Index) -> IndexedChunk:
    base = slot.base[part.of]
    if part.text == base.chunk.text and chunk_id == base.chunk.id:
        return base
    return index(replace(base.chunk, id=chunk_id, text=part.text))


def _part_id(base: Chunk, text: str, before: int) -> str:
    if text == base.text and not before:
        return base.id
    parts = "\x1f".join((base.document_id, "edited", base.id, text, str(before)))
    return blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


# --- as a version keeps them ---


def listed(piece: IndexedChunk) -> Listed:
    place = piece.chunk.place
    return piece.chunk.id, piece.fingerprint, place.page, place.sheet, place.row


def edit_json(edit: Edit, *, first: int | None, base: Sequence[Listed]) -> dict[str, Any]:
    """``first`` is the number of its first part in the document; None for an edit that is lost."""
    parts = [[part.text, part.of, part.disabled] for part in edit.parts]
    return {"base": base, "parts": parts, "first": first, "by": edit.by, "at": edit.at.isoformat()}


def edit_of(kept: dict[str, Any]) -> Edit:
    base, parts = tuple(each[0] for each in kept["base"]), tuple(Part(*part) for part in kept["parts"])
    return Edit(base, parts, kept["by"], datetime.fromisoformat(kept["at"]))


def lost_edits(edits: Sequence[dict[str, Any]] | None) -> list[Edit]:
    return [edit_of(kept) for kept in edits or () if kept["first"] is None]


def disabled_texts(edits: Sequence[dict[str, Any]] | None) -> list[str]:
    applied = [edit_of(kept) for kept in edits or () if kept["first"] is not None]
    return [part.text for edit in applied for part in edit.parts if part.disabled]


def disabled_ordinals(edits: Sequence[dict[str, Any]] | None) -> set[int]:
    applied = [kept for kept in edits or () if kept["first"] is not None]
    return {kept["first"] + n for kept in applied for n, (_, _, off) in enumerate(kept["parts"]) if off}


# --- what people do ---


def located(slots: Sequence[Slot], chunk_id: str) -> tuple[int, int]:
    """(slot, part) of a chunk. Raises Conflict ``chunk_changed``."""
    for number, slot in enumerate(slots):
        if chunk_id in (ids := slot.ids()):
            return number, ids.index(chunk_id)
    raise chunk_changed()


def retold(text: str) -> ChunkChange:
    """Another text. Raises InvalidInput ``chunk_text_empty`` or ``chunk_text_too_long``."""
    return split([text])


def split(texts: Sequence[str]) -> ChunkChange:
    """Several chunks in the place of one."""
    for text in texts:
        _require_text(text)
    if not 1 <= len(texts) <= MOST_PARTS:
        raise InvalidInput(
            f"A chunk can be split into 2 to {MOST_PARTS} parts.", code="chunk_parts_invalid", most=MOST_PARTS
        )

    def change(slots: Sequence[Slot], at: int, part: int, by: str | None, when: datetime) -> Changed:
        slot, was = slots[at], _enabled(slots[at], part)
        parts = (*slot.parts[:part], *(replace(was, text=text) for text in texts), *slot.parts[part + 1 :])
        return Changed(at, at + 1, _edited(slot.base, parts, by, when))

    return change


def merged(following: str) -> ChunkChange:
    """One chunk of this and the next, whose id the caller knows; what the next repeats is said once."""

    def change(slots: Sequence[Slot], at: int, part: int, by: str | None, when: datetime) -> Changed:
        other_at, other = located(slots, following)
        if (other_at, other) != ((at, part + 1) if part + 1 < len(slots[at].parts) else (at + 1, 0)):
            raise chunk_changed()
        one, two = _enabled(slots[at], part), _enabled(slots[other_at], other)
        joined = replace(one, text=_joined(one.text, two.text))
        _require_text(joined.text)
        base, parts = slots[at].base, slots[at].parts
        rest = parts[part + 2 :]
        if other_at != at:
            rest = tuple(replace(each, of=each.of + len(base)) for each in slots[other_at].parts[1:])
            base = (*base, *slots[other_at].base)
        return Changed(at, other_at + 1, _edited(base, (*parts[:part], joined, *rest), by, when))

    return change


def switched(*, disabled: bool) -> ChunkChange:
    """Out of every answer, or back."""

    def change(slots: Sequence[Slot], at: int, part: int, by: str | None, when: datetime) -> Changed:
        slot = slots[at]
        parts = (*slot.parts[:part], replace(slot.parts[part], disabled=disabled), *slot.parts[part + 1 :])
        return Changed(at, at + 1, _edited(slot.base, parts, by, when))

    return change


def reverted() -> ChunkChange:
    """What was read from the file, again."""

    def change(slots: Sequence[Slot], at: int, part: int, by: str | None, when: datetime) -> Changed:  # noqa: ARG001 (as all changes)
        return Changed(at, at + 1, tuple(Slot((piece,)) for piece in slots[at].base))

    return change


def _edited(
    base: tuple[IndexedChunk, ...], parts: tuple[Part, ...], by: str | None, when: datetime
) -> tuple[Slot, ...]:
    """No edit at all where it says what the base says."""
    if parts == tuple(Part(piece.chunk.text, of) for of, piece in enumerate(base)):
        return tuple(Slot((piece,)) for piece in base)
    return (Slot(base, Edit(tuple(piece.chunk.id for piece in base), parts, by, when)),)


def _enabled(slot: Slot, part: int) -> Part:
    if slot.parts[part].disabled:
        raise Conflict("This chunk is disabled. Enable it first.", code="chunk_disabled")
    return slot.parts[part]


def _joined(one: str, two: str) -> str:
    for length in range(min(len(one), len(two), _OVERLAP), 3, -1):
        if one.endswith(two[:length]):
            return one + two[length:]
    return f"{one}\n{two}"


def _require_text(text: str) -> None:
    if not any(char.isalnum() for char in text):
        raise InvalidInput("A chunk needs text. Disable it to take it out of the answers.", code="chunk_text_empty")
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(
            f"A chunk has at most {MOST_CHARACTERS} characters. Split it.",
            code="chunk_text_too_long",
            most=MOST_CHARACTERS,
        )


def chunk_changed() -> Conflict:
    return Conflict(
        "This chunk was changed or removed meanwhile. Load the document again and repeat what you want.",
        code="chunk_changed",
    )
