"""Words that a tenant's people use for the same thing: a question is also searched with the others.

A list has a group a line, its words set apart by ``=``: ``保证金 = 押金 = deposit``. What follows ``#`` is a note.
"""

import re
from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import Column, ForeignKey, String, Table, Text, delete, insert, select

from knowledge.catalog import next_epoch
from knowledge.database import Database, Moment, metadata, now
from knowledge.errors import InvalidInput
from knowledge.models import KnowledgeBase
from knowledge.tables import knowledge_bases
from knowledge.tokens import fold

MOST_GROUPS = 2_000
MOST_WORDS = 20  # of a group
LONGEST_WORD = 40
MOST_PHRASINGS = 3  # of a question besides its own

synonyms = Table(
    "synonyms",
    metadata,
    Column("tenant", ForeignKey("tenants.id"), primary_key=True),
    Column("lines", Text, nullable=False),
    Column("updated_by", String(120)),
    Column("updated_at", Moment, nullable=False),
)


class Synonyms:
    """The groups of one list, ready to be asked."""

    def __init__(self, groups: Sequence[Sequence[str]]) -> None:
        self._others: dict[str, list[str]] = {}
        for group in groups:
            for word in group:
                self._others.setdefault(fold(word), []).extend(other for other in group if fold(other) != fold(word))

    @classmethod
    def parse(cls, lines: str) -> "Synonyms":
        """Raises InvalidInput ``synonyms_invalid`` with the number of the first line that is none."""
        groups = [
            _group(number, text)
            for number, line in enumerate(lines.splitlines(), 1)
            if (text := line.partition("#")[0].strip())
        ]
        if len(groups) > MOST_GROUPS:
            raise _invalid(MOST_GROUPS + 1)
        return cls(groups)

    def phrasings(self, question: str) -> list[str]:
        """The question with another word in the place of one of a group; the longest words first, three at most."""
        if not self._others:
            return []
        asked = fold(question)
        found = dict.fromkeys(match[0] for match in self._words.finditer(asked))
        by_length = sorted(found, key=len, reverse=True)
        all_ = [asked.replace(word, fold(other)) for word in by_length for other in self._others[word]]
        return [phrasing for phrasing in dict.fromkeys(all_) if phrasing != asked][:MOST_PHRASINGS]

    @cached_property
    def _words(self) -> re.Pattern[str]:
        """The longest first; a Latin word only where it stands alone."""
        words = sorted(self._others, key=len, reverse=True)
        return re.compile("|".join(_bounded(word) for word in words))


class SynonymBook:
    """Every tenant's list. A change of it counts as one of every knowledge base: what was kept is not given again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[object, Synonyms]] = {}

    async def lines(self, tenant: str) -> str:
        """As it was written; empty where there is none."""
        rows = await self._database.rows(select(synonyms.c.lines).where(synonyms.c.tenant == tenant))
        return rows[0].lines if rows else ""

    async def write(self, tenant: str, lines: str, *, by: str | None) -> None:
        """Replace the list, for questions from now on. Raises InvalidInput ``synonyms_invalid``."""
        Synonyms.parse(lines)
        async with self._database.write() as connection:
            await connection.execute(delete(synonyms).where(synonyms.c.tenant == tenant))
            row = {"tenant": tenant, "lines": lines, "updated_by": by, "updated_at": now()}
            await connection.execute(insert(synonyms).values(**row))
            mine = select(knowledge_bases.c.id).where(knowledge_bases.c.tenant == tenant)
            for kb_id in (await connection.execute(mine)).scalars().all():
                await connection.run_sync(next_epoch, kb_id)

    async def of(self, tenant: str, bases: Sequence[KnowledgeBase]) -> Synonyms:
        """The list as of these knowledge bases' states, read once a state."""
        states = tuple((kb.id, kb.state) for kb in bases)
        kept = self._known.get(tenant)
        if kept is None or kept[0] != states:
            kept = self._known[tenant] = (states, Synonyms.parse(await self.lines(tenant)))
        return kept[1]


def _group(number: int, text: str) -> list[str]:
    words = list(dict.fromkeys(word.strip() for word in re.split(r"[=＝]", text)))
    if not 2 <= len(words) <= MOST_WORDS or not all(1 < len(word) <= LONGEST_WORD for word in words):
        raise _invalid(number)
    return words


def _invalid(number: int) -> InvalidInput:
    return InvalidInput(
        f"Line {number} is no group of synonyms. Write two to {MOST_WORDS} words of 2 to {LONGEST_WORD} characters "
        f"with = between them; {MOST_GROUPS} lines at most.",
        code="synonyms_invalid",
        line=number,
        words=MOST_WORDS,
        longest=LONGEST_WORD,
        lines=MOST_GROUPS,
    )


def _bounded(word: str) -> str:
    before = r"(?<![0-9a-z])" if word[0].isascii() and word[0].isalnum() else ""
    after = r"(?![0-9a-z])" if word[-1].isascii() and word[-1].isalnum() else ""
    return f"{before}{re.escape(word)}{after}"
