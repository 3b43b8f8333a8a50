"""The conflict radar: what a publication states that contradicts what the same knowledge base states elsewhere.

Only what is new is compared, and only with facts that share one of its handles: so publishing stays as quick as what
changed. Everything happens in the publication's own transaction.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

from sqlalchemy import Connection, Insert, Row, bindparam, delete, insert, or_, select, update

from knowledge.chunk_rows import BATCH, IndexedChunk, Owner, Replaced
from knowledge.conflict_tables import conflicts, fact_handles, facts
from knowledge.contradiction import contradict, handles
from knowledge.database import now
from knowledge.facts import Fact
from knowledge.facts import facts as facts_of

MOST_ALIKE = 5000  # facts that those of one batch of handles are compared with
COMMON = 8  # new facts that share a handle; what more have says nothing of what they are of
MOST_COMPARED = 20_000  # pairs; seconds of work inside the transaction
MOST_FOUND = 200  # conflicts of one publication: a list of last year's prices beside this year's is one mistake

_KNOWS = select(facts.c.number).where(facts.c.document_id == bindparam("of_id")).limit(1)
_ALIKE = (
    select(facts, fact_handles.c.handle)
    .join_from(
        fact_handles, facts, (facts.c.chunk_id == fact_handles.c.chunk_id) & (facts.c.number == fact_handles.c.number)
    )
    .where(fact_handles.c.kb_id == bindparam("of_kb"), fact_handles.c.handle.in_(bindparam("some", expanding=True)))
    .limit(MOST_ALIKE)
)
_NOTE_FACTS, _NOTE_HANDLES = insert(facts), insert(fact_handles)

Stated: TypeAlias = Mapping[str, Sequence[tuple[Fact, Sequence[str]]]]


@dataclass(frozen=True, slots=True)
class _Held:
    """A fact where it stands."""

    fact: Fact
    chunk_id: str
    document_id: str
    number: int


def stated(pieces: Sequence[IndexedChunk], *, document: str) -> Stated:
    """chunk id → its facts with their handles. Blocking: 1.4 ms a chunk of the samples, 3 % of embedding it."""
    found = {piece.chunk.id: facts_of(piece.chunk, document=document) for piece in pieces}
    return {chunk_id: [(fact, handles(fact)) for fact in some] for chunk_id, some in found.items()}


def watch(
    connection: Connection, owner: Owner, pieces: Sequence[IndexedChunk], replaced: Replaced, says: Stated
) -> None:
    """Note what a publication states, and what contradicts it."""
    knows = connection.execute(_KNOWS, {"of_id": owner.document_id}).first() is not None
    fresh = [piece.chunk.id for piece in (replaced.fresh if knows else pieces)]
    if knows:
        _forget_chunks(connection, [*(row.id for row in replaced.gone), *fresh])
    held = [
        (_Held(fact, chunk_id, owner.document_id, number), shared)
        for chunk_id in fresh
        for number, (fact, shared) in enumerate(says.get(chunk_id, ()))
    ]
    found = [_row(owner, one, other) for one, other in _contradictions(connection, owner, held)]
    _note(connection, owner, held)
    for row in list({row["id"]: row for row in found}.values())[:MOST_FOUND]:
        _keep(connection, row)


def forget(connection: Connection, document_id: str) -> None:
    """Everything that a document states."""
    for table in (facts, fact_handles):
        connection.execute(delete(table).where(table.c.document_id == document_id))
    either = or_(conflicts.c.left_document == document_id, conflicts.c.right_document == document_id)
    connection.execute(delete(conflicts).where(either))


def _forget_chunks(connection: Connection, chunk_ids: Sequence[str]) -> None:
    for some in _batches(chunk_ids):
        for table in (facts, fact_handles):
            connection.execute(delete(table).where(table.c.chunk_id.in_(some)))
        either = or_(conflicts.c.left_chunk.in_(some), conflicts.c.right_chunk.in_(some))
        connection.execute(delete(conflicts).where(either, conflicts.c.state == "open"))


def _note(connection: Connection, owner: Owner, held: Sequence[tuple[_Held, Sequence[str]]]) -> None:
    rows = [_fact_row(owner, one) for one, _ in held]
    shared = [
        {
            "kb_id": owner.kb_id,
            "handle": handle,
            "chunk_id": one.chunk_id,
            "number": one.number,
            "document_id": one.document_id,
        }
        for one, of_it in held
        for handle in dict.fromkeys(of_it)
    ]
    _insert(connection, _NOTE_FACTS, rows)
    _insert(connection, _NOTE_HANDLES, shared)


def _contradictions(
    connection: Connection, owner: Owner, held: Sequence[tuple[_Held, Sequence[str]]]
) -> Iterator[tuple[_Held, _Held]]:
    by_handle: dict[str, list[_Held]] = {}
    for one, shared in held:
        for handle in shared:
            by_handle.setdefault(handle, []).append(one)
    by_handle = {handle: mine for handle, mine in by_handle.items() if len(mine) <= COMMON}
    for one, other in _among_themselves(by_handle):
        yield one, other
    compared = 0
    for some in _batches(list(by_handle)):
        for row in connection.execute(_ALIKE, {"of_kb": owner.kb_id, "some": some}).all():
            compared += len(by_handle[row.handle])
            if compared > MOST_COMPARED:
                return
            other = _Held(_fact(row), row.chunk_id, row.document_id, row.number)
            for one in by_handle[row.handle]:
                if one.chunk_id != other.chunk_id and contradict(one.fact, other.fact):
                    yield one, other


def _among_themselves(by_handle: Mapping[str, Sequence[_Held]]) -> Iterator[tuple[_Held, _Held]]:
    for alike in by_handle.values():
        for one, other in combinations(alike, 2):
            if one.chunk_id != other.chunk_id and contradict(one.fact, other.fact):
                yield one, other


def _keep(connection: Connection, row: dict[str, Any]) -> None:
    """One that is known stays as people left it; its passages may be others now."""
    where = {name: value for name, value in row.items() if name.startswith(("left_", "right_"))}
    known = connection.execute(update(conflicts).where(conflicts.c.id == row["id"]).values(**where))
    if known.rowcount == 0:
        connection.execute(insert(conflicts).values(**row))


def _row(owner: Owner, one: _Held, other: _Held) -> dict[str, Any]:
    left, right = sorted((one, other), key=lambda each: (each.document_id, each.chunk_id, each.number))
    parts = (owner.kb_id, left.document_id, right.document_id, one.fact.measure, *_said(left), *_said(right))
    return {
        "id": hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32],
        "tenant": owner.tenant,
        "kb_id": owner.kb_id,
        "state": "open",
        "subject": min((left.fact.subject, right.fact.subject), key=len),
        "measure": one.fact.measure,
        "found_at": now(),
        **_side("left", left),
        **_side("right", right),
    }


def _said(held: _Held) -> tuple[str, ...]:
    return (*held.fact.words, held.fact.value)


def _side(side: str, held: _Held) -> dict[str, Any]:
    return {
        f"{side}_document": held.document_id,
        f"{side}_chunk": held.chunk_id,
        f"{side}_start": held.fact.start,
        f"{side}_end": held.fact.end,
        f"{side}_value": held.fact.value[:60],
    }


def _fact_row(owner: Owner, held: _Held) -> dict[str, Any]:
    fact = held.fact
    return {
        "chunk_id": held.chunk_id,
        "number": held.number,
        "tenant": owner.tenant,
        "kb_id": owner.kb_id,
        "document_id": owner.document_id,
        "measure": fact.measure[:60],
        "value": fact.value[:60],
        "words": list(fact.words),
        "directed": fact.directed,
        "subject": fact.subject,
        "start": fact.start,
        "end": fact.end,
        "scope": fact.scope,
        "above": fact.above,
        "beside": list(fact.beside),
    }


def _fact(row: Row[Any]) -> Fact:
    return Fact(
        row.measure,
        row.value,
        tuple(row.words),
        row.directed,
        row.subject,
        row.start,
        row.end,
        row.scope,
        row.above,
        tuple(row.beside),
    )


def _insert(connection: Connection, into: Insert, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        connection.execute(into, rows)


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
