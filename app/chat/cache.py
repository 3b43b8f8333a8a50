"""What answers are kept under: everything they were made from, so that a kept answer cannot be stale.

exact      (tenant, knowledge bases with their states, recipe, prompt version, model, day, normalised question): equal
           states mean equal evidence, so a hit needs no retrieval.
evidence   (tenant, recipe, prompt version, model, day, fingerprint of the passages found now): an edited price changes
           the fingerprint, an unrelated edit changes nothing. Under it are the questions that were answered from
           exactly these passages; which of them asks the same is for :mod:`app.chat.same_question` to say.

The day is in both because the prompt says what day it is; the recipe because other settings find other passages.
"""

import base64
import hashlib
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import orjson

from knowledge.database import now
from knowledge.models import Copy, Passage, State
from knowledge.ports import Vector

SECONDS = 24 * 3600
MOST_QUESTIONS = 32  # under one evidence; each is compared
MOST_IN_MEMORY = 2_000


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """What is needed to replay an answer as ordinary events. ``usage`` is what making it cost, in tokens."""

    answer: str
    evidence: tuple[Passage, ...]
    usage: dict[str, int] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptQuestion:
    """A question answered from a certain evidence. ``vector`` is its embedding as base64 of float16, or empty."""

    question: str
    answer: str
    vector: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    suggestions: tuple[str, ...] = ()


class AnswerCache(Protocol):
    """A cache helps or is absent: a store that is down, or holds what nobody can read, is a miss, never an error."""

    async def get(self, tenant: str, key: str) -> CachedAnswer | None: ...

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None: ...

    async def questions(self, tenant: str, evidence: str) -> list[KeptQuestion]:
        """What was answered from this evidence; at most :data:`MOST_QUESTIONS`."""

    async def keep(self, tenant: str, evidence: str, kept: KeptQuestion) -> None:
        """Add to it; the same question, normalised, is overwritten."""

    async def purge(self, tenant: str) -> int:
        """Forget everything of a tenant; → how many entries there were."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What makes answers: the settings that retrieval depends on, the prompt's version, the model."""

    recipe: str
    prompt: str | None
    model: str


def exact_key(tenant: str, states: Mapping[str, State], made_by: MadeBy, question: str) -> str:
    """``states`` by knowledge base id."""
    return _hash([tenant, sorted(states.items()), *_made(made_by), normalised(question)])


def evidence_key(tenant: str, passages: Sequence[Passage], made_by: MadeBy) -> str:
    return _hash([tenant, fingerprint(passages), *_made(made_by)])


def fingerprint(passages: Sequence[Passage]) -> list[str]:
    """Ordered hashes of what an answer is given of each passage: its text, what is around it, where it stands."""
    return [_hash([*_where(p), p.before, p.text, p.after, *map(_where, p.also_in)]) for p in passages]


def normalised(question: str) -> str:
    """Width, case, white space and the mark at the end do not matter; everything else does."""
    folded = " ".join(unicodedata.normalize("NFKC", question).lower().split())
    return folded.rstrip("?!.。 ")


def packed(vector: Vector | None) -> str:
    return "" if vector is None else base64.b64encode(vector.astype(np.float16).tobytes()).decode()


def unpacked(packed_vector: str) -> Vector | None:
    """None for what cannot be read."""
    try:
        return np.frombuffer(base64.b64decode(packed_vector), dtype=np.float16).astype(np.float32)
    except ValueError:
        return None


def cosine(packed_vector: str, vector: Vector | None) -> float | None:
    """Of unit vectors; None where one of them is not there or of another size."""
    kept = unpacked(packed_vector)
    return None if kept is None or vector is None or kept.shape != vector.shape else float(kept @ vector)


class MemoryCache:
    """The twin, and the cache of one process."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], CachedAnswer] = OrderedDict()
        self._questions: OrderedDict[tuple[str, str], dict[str, KeptQuestion]] = OrderedDict()

    async def get(self, tenant: str, key: str) -> CachedAnswer | None:
        return self._answers.get((tenant, key))

    async def put(self, tenant: str, key: str, answer: CachedAnswer) -> None:
        self._answers[tenant, key] = answer
        if len(self._answers) > MOST_IN_MEMORY:
            self._answers.popitem(last=False)

    async def questions(self, tenant: str, evidence: str) -> list[KeptQuestion]:
        return list(self._questions.get((tenant, evidence), {}).values())

    async def keep(self, tenant: str, evidence: str, kept: KeptQuestion) -> None:
        under = self._questions.setdefault((tenant, evidence), {})
        name = normalised(kept.question)
        if name in under or len(under) < MOST_QUESTIONS:
            under[name] = kept
        if len(self._questions) > MOST_IN_MEMORY:
            self._questions.popitem(last=False)

    async def purge(self, tenant: str) -> int:
        answers = [name for name in self._answers if name[0] == tenant]
        evidence = [name for name in self._questions if name[0] == tenant]
        for name in answers:
            del self._answers[name]
        for name in evidence:
            del self._questions[name]
        return len(answers) + len(evidence)

    async def close(self) -> None:
        """Nothing to close."""


def _made(made_by: MadeBy) -> list[str | None]:
    return [made_by.recipe, made_by.prompt, made_by.model, now().astimezone().date().isoformat()]


def _where(found: Passage | Copy) -> list[object]:
    place = found.place
    return [found.document, found.kb, place.heading, place.page, place.sheet, place.row]


def _hash(parts: Sequence[object]) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
