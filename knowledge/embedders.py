"""The embedder in force, and those that knowledge bases still stand on while they move to it."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import TypeAlias

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from knowledge.database import Database, now
from knowledge.errors import CopilotError
from knowledge.ports import Embedder, Vector
from knowledge.settings import EmbedderRecipe
from knowledge.tables import embedding_models

AGAIN_SECONDS = 60.0  # an earlier model that failed is left alone for so long: no question waits for a dead endpoint

Make: TypeAlias = Callable[[EmbedderRecipe], Embedder]

log = logging.getLogger(__name__)


class Embedders:
    """``current`` is the configured one; ``recipe`` tells how, ``make`` builds an earlier one from its recipe.

    Earlier models are built when they are first asked for, from what SQL knows of how they were configured.
    """

    def __init__(self, database: Database, current: Embedder, *, recipe: EmbedderRecipe | None, make: Make) -> None:
        self.current = current
        self._database = database
        self._recipe = recipe
        self._make = make
        self._earlier: dict[str, Embedder] = {}
        self._not_before: dict[str, float] = {}
        self._building = asyncio.Lock()

    async def remember(self) -> None:
        """Note how the current model is configured, for the day when another one is."""
        if self._recipe is None:
            return
        row = {"recipe": self._recipe.model_dump(mode="json"), "seen_at": now()}
        known = await self._recipe_of(self.current.model_id)
        if known is None:
            with suppress(IntegrityError):  # another process that starts at this moment has the same settings
                await self._database.apply(insert(embedding_models).values(id=self.current.model_id, **row))
        elif known != self._recipe:
            mine = embedding_models.c.id == self.current.model_id
            await self._database.apply(update(embedding_models).where(mine).values(**row))

    async def questions(self, models: Collection[str], text: str) -> dict[str, Vector]:
        """The question's vector by model, for each that can give one.

        Raises Unavailable where the current one is asked and does not answer.
        """
        found: dict[str, Vector] = {}
        for model in models:
            if model == self.current.model_id:
                found[model] = await asyncio.to_thread(self.current.embed_query, text)
            elif (vector := await self._earlier_question(model, text)) is not None:
                found[model] = vector
        return found

    async def passages(self, model: str, texts: Sequence[str]) -> Vector | None:
        """→ (len(texts), dimensions); None where an earlier model cannot give them any more.

        Raises Unavailable where it is the current one and does not answer.
        """
        if model == self.current.model_id:
            return await asyncio.to_thread(self.current.embed_passages, texts)
        embedder = await self._of(model)
        if embedder is None:
            return None
        try:
            return await asyncio.to_thread(embedder.embed_passages, texts)
        except CopilotError as failure:
            self._leave_alone(model, failure)
            return None

    async def _earlier_question(self, model: str, text: str) -> Vector | None:
        embedder = await self._of(model)
        if embedder is None:
            return None
        try:
            return await asyncio.to_thread(embedder.embed_query, text)
        except CopilotError as failure:
            self._leave_alone(model, failure)
            return None

    async def _of(self, model: str) -> Embedder | None:
        if time.monotonic() < self._not_before.get(model, 0.0):
            return None
        async with self._building:
            if model not in self._earlier:
                try:
                    self._earlier[model] = await self._built(model)
                except CopilotError as failure:
                    self._leave_alone(model, failure)
                    return None
        return self._earlier[model]

    async def _built(self, model: str) -> Embedder:
        recipe = await self._recipe_of(model) or EmbedderRecipe()
        embedder = await asyncio.to_thread(self._make, recipe)
        if embedder.model_id != model:
            raise CopilotError(f"{model} is not there any more; what stands in its place is {embedder.model_id}.")
        return embedder

    async def _recipe_of(self, model: str) -> EmbedderRecipe | None:
        query = select(embedding_models.c.recipe).where(embedding_models.c.id == model)
        rows = await self._database.rows(query)
        return EmbedderRecipe.model_validate(rows[0].recipe) if rows else None

    def _leave_alone(self, model: str, failure: CopilotError) -> None:
        self._not_before[model] = time.monotonic() + AGAIN_SECONDS
        log.warning("an earlier embedding model is not there: model=%s code=%s", model, failure.error_code)
