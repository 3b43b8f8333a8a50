"""Was an answer that was given by a similar question right? A small share of them is made anew, and compared.

Two answers agree unless

* each has a number, date or code that the other lacks: 50000 元 and 30000 元, not 50000 元 and 50000 元, 60 天内退;
* one of their first sentences, where the prompt wants the conclusion, has a negation and the other's has none;
* or their cosine is under :data:`FAR`, where the embedder's scale is known.

A model says the same in other words each time, so this finds more false hits than there are, not fewer.
"""

import asyncio
import random
import re
from collections.abc import Callable
from contextlib import aclosing

from app import metrics
from app.chat.background import Background
from app.chat.flights import Generate
from app.chat.question_values import valued
from app.chat.tables import if_it_stands, second_looks
from app.llm.ports import Finished, TextDelta
from knowledge.database import Database, now
from knowledge.ports import Embedder
from knowledge.tokens import fold

FAR = 0.88  # multilingual-e5-small: answers about different things stay under it, the same one said twice is over .93
_MARK = re.compile(r"\s?\[\d{1,2}\]")
_VALUE = re.compile(r"⟦([^⟧]*)⟧")
_FIRST = re.compile(r"[^。！？!?\n]*")
_NEGATION = re.compile(r"[不没无非别未否]|\b(?:not?|without|never|cannot|\w+n't)\b", re.IGNORECASE)


class SecondLooks:
    """``share`` of the answers is looked at again, beside whatever else goes on; ``embedder`` None: scale unknown."""

    def __init__(
        self,
        database: Database,
        background: Background,
        embedder: Embedder | None,
        *,
        share: float,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._background = background
        self._embedder = embedder
        self._share = share
        self._draw = draw

    def maybe(self, tenant: str, turn_id: str, served: str, write: Generate) -> None:
        """Begin to look, if the draw says so. Returns at once."""
        if self._draw() < self._share:
            self._background.begin(self._look(tenant, turn_id, served, write), name=f"second look {turn_id}")

    async def _look(self, tenant: str, turn_id: str, served: str, write: Generate) -> None:
        fresh = await _whole(write)
        if not fresh:
            return
        right = agree(served, fresh) and await asyncio.to_thread(self._near, served, fresh)
        row = {"turn_id": turn_id, "tenant": tenant, "right": right, "created_at": now()}
        await self._database.apply(if_it_stands(second_looks, row))
        metrics.second_looks.labels(str(right).lower()).inc()

    def _near(self, served: str, fresh: str) -> bool:
        if self._embedder is None:
            return True
        one, other = self._embedder.embed_passages([served, fresh])
        return bool(one @ other >= FAR)


def agree(served: str, fresh: str) -> bool:
    """By numbers, codes and negation."""
    one, other = _values(served), _values(fresh)
    return (one <= other or other <= one) and _negated(served) == _negated(fresh)


def _values(answer: str) -> set[str]:
    return set(_VALUE.findall(valued(fold(_MARK.sub("", answer)))))


def _negated(answer: str) -> bool:
    first = _FIRST.match(answer.strip())
    return bool(first and _NEGATION.search(first[0]))


async def _whole(write: Generate) -> str:
    """What the model says; empty if it does not say all."""
    said, ended = [], None
    async with aclosing(write()) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                said.append(delta.text)
            elif isinstance(delta, Finished):
                ended = delta.reason
    return "".join(said).strip() if ended == "stop" else ""
