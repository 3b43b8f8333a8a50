"""The API as it is, but that it searches once: what is found for the first question is what every other is given.

For :mod:`evals.bench.streaming`, which measures with it what retrieval costs. It shares the stores of a service.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import typer
import uvicorn
from fastapi import FastAPI

from app.chat.evidence import Evidence
from app.chat.turns import Turn
from app.main import create_app
from app.processes.garbage import collect_rarely, settle
from app.settings import Settings
from knowledge.answerability import Answerability
from knowledge.models import KnowledgeBase
from knowledge.retriever import Retrieval


class SameEvidence(Evidence):
    """In place of the service's own, which answers the first question."""

    def __init__(self, own: Evidence) -> None:
        self._own = own
        self._found: tuple[Retrieval, Answerability] | None = None

    async def find(self, turn: Turn, question: str, bases: Sequence[KnowledgeBase] | None = None) -> Retrieval:
        if self._found is None:
            found = await self._own.find(turn, question, bases)
            self._found = found, await self._own.judge(question, found)
        return self._found[0]

    async def judge(self, question: str, found: Retrieval) -> Answerability:
        if self._found is None:
            return await self._own.judge(question, found)
        return self._found[1]


def main(port: int = 9020) -> None:
    """Serve on loopback until interrupted; settings as those of ``copilot api``."""
    collect_rarely()
    app = create_app(Settings())
    settle()
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            chat = app.state.services.chat
            chat.evidence = SameEvidence(chat.evidence)
            yield

    app.router.lifespan_context = lifespan
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    typer.run(main)
