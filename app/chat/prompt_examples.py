"""Approved answers that show a model how to answer: the nearest two, where the template names ``{examples}``.

They show form and bring no facts: every figure in them is hidden, they are named as examples, and the one that answers
this very question is left out.
"""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from app.chat.cache import cosine, normalised, packed
from app.chat.language import say
from app.chat.prompt_tables import prompt_examples
from app.chat.same_question import read, same
from app.chat.tables import feedback, turns
from knowledge.database import Database, now
from knowledge.errors import Conflict, NotFound
from knowledge.language import language_of
from knowledge.ports import Embedder, Vector

SHOWN = 2
LONGEST = 400  # characters of an answer in the prompt
MOST = 200
CANDIDATES = 20

_FIGURE = re.compile(r"(\[\d+\])|\d+(?:[.,:/-]\d+)*")


@dataclass(frozen=True, slots=True)
class Example:
    turn_id: str
    question: str
    answer: str
    vector: str = ""
    marked_by: str = ""
    marked_at: datetime | None = None


class Examples:
    """Every call is of one tenant. Examples that another embedding model placed are not found."""

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder
        self._kept: dict[str, tuple[str, list[Example]]] = {}

    async def mark(self, tenant: str, turn_id: str, *, by: str) -> None:
        """Make an example of an answer; one that is marked already stays.

        Raises NotFound ``turn_not_found``, Conflict ``example_not_answered`` or ``too_many_examples``.
        """
        rows = await self._database.rows(select(turns).where(turns.c.tenant == tenant, turns.c.id == turn_id))
        if not rows:
            raise NotFound("There is no such turn.", code="turn_not_found")
        turn = rows[0]
        if turn.status != "done" or turn.refused or not turn.answer:
            raise Conflict("Only a whole answer can be an example.", code="example_not_answered")
        if len(await self.all(tenant)) >= MOST:
            raise Conflict(f"There are {MOST} examples already.", code="too_many_examples", limit=MOST)
        vector = await asyncio.to_thread(self._embedder.embed_query, turn.condensed)
        row = {
            "turn_id": turn_id,
            "tenant": tenant,
            "question": turn.condensed,
            "answer": turn.answer,
            "embedding_model": self._embedder.model_id,
            "vector": packed(vector),
            "marked_by": by[:120],
            "marked_at": now(),
        }
        try:
            await self._database.apply(insert(prompt_examples).values(row))
        except IntegrityError:
            return

    async def unmark(self, tenant: str, turn_id: str) -> None:
        """Raises NotFound ``example_not_found``."""
        mine = (prompt_examples.c.tenant == tenant) & (prompt_examples.c.turn_id == turn_id)
        async with self._database.write() as connection:
            gone = (await connection.execute(delete(prompt_examples).where(mine))).rowcount
        if not gone:
            raise NotFound("This answer is no example.", code="example_not_found")

    async def all(self, tenant: str) -> list[Example]:
        """The newest first."""
        query = select(prompt_examples).where(prompt_examples.c.tenant == tenant)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(prompt_examples.c.marked_at.desc()))).all()
        mine = self._embedder.model_id
        return [
            Example(
                row.turn_id,
                row.question,
                row.answer,
                row.vector if row.embedding_model == mine else "",
                row.marked_by,
                row.marked_at,
            )
            for row in rows
        ]

    async def candidates(self, tenant: str) -> list[Example]:
        """Answers that somebody liked and that are no examples yet, the newest first."""
        marked = select(prompt_examples.c.turn_id).where(prompt_examples.c.tenant == tenant)
        query = (
            select(turns.c.id, turns.c.condensed, turns.c.answer)
            .join(feedback, feedback.c.turn_id == turns.c.id)
            .where(feedback.c.tenant == tenant, feedback.c.rating == "up", turns.c.id.not_in(marked))
            .where(turns.c.status == "done", turns.c.refused.is_(False))
            .order_by(feedback.c.created_at.desc())
            .limit(CANDIDATES)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Example(row.id, row.condensed, row.answer) for row in rows]

    async def revision(self, tenant: str) -> str:
        """Changes with every example that is marked or taken away: part of what an answer is kept under."""
        mine = select(prompt_examples.c.turn_id).where(prompt_examples.c.tenant == tenant)
        rows = await self._database.rows(mine.order_by(prompt_examples.c.turn_id))
        return hashlib.sha256(" ".join(row.turn_id for row in rows).encode()).hexdigest()[:8]

    async def shown(self, tenant: str, question: str, vector: Vector | None) -> str:
        """What stands in the prompt for a question; empty where there is none."""
        if not (near := self._nearest(await self._current(tenant), question, vector)):
            return ""
        blocks = [f"问：{each.question}\n答：{formal(each.answer)}" for each in near]
        return "\n\n".join([say("examples", language_of(question)), *blocks])

    async def _current(self, tenant: str) -> list[Example]:
        revision = await self.revision(tenant)
        if self._kept.get(tenant, ("", []))[0] != revision:
            self._kept[tenant] = (revision, await self.all(tenant))
        return self._kept[tenant][1]

    def _nearest(self, examples: Sequence[Example], question: str, vector: Vector | None) -> list[Example]:
        scored = [
            (similar, each)
            for each in examples
            if (similar := cosine(each.vector, vector)) is not None
            and normalised(each.question) != normalised(question)
            and not same(read(each.question), read(question))
        ]
        return [each for _, each in sorted(scored, key=lambda pair: -pair[0])[:SHOWN]]


def formal(answer: str) -> str:
    """An answer without its figures, so that none can be taken from it; its citations stay."""
    return _FIGURE.sub(lambda found: found[1] or "××", answer[:LONGEST])
