"""What tests of curated answers and gaps share: an embedder that knows letters, and a service with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.chat.answerers import Answerer
from app.jobs.queue import MemoryQueue
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.ports import Embedder, Vector
from knowledge.vectors import MemoryVectors
from tests.products import settings_for


class Letters:
    """Counts letters, whatever their order; passes for the model whose cosines are known."""

    model_id = "multilingual-e5-small-letters"
    dimensions = 4096

    def embed_query(self, text: str) -> Vector:
        counts = np.zeros(self.dimensions, np.float32)
        for letter in text.lower():
            counts[ord(letter) % self.dimensions] += letter.isalnum()
        return counts / max(float(np.linalg.norm(counts)), 1e-9)  # type: ignore[no-any-return]

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        return np.stack([self.embed_query(text) for text in texts])


@asynccontextmanager
async def served(
    data: Path, *, embedder: Embedder | None = None, answerer: Answerer | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(embedder or Letters(), MemoryVectors(), MemoryQueue(), answerer)
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


async def ask(http: httpx.AsyncClient, question: str, **more: Any) -> dict[str, Any]:
    answer = await http.post("/v1/chat", json={"question": question, "stream": False, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def write(http: httpx.AsyncClient, question: str, answer: str, **more: Any) -> dict[str, Any]:
    made = await http.post("/v1/curated-answers", json={"question": question, "answer": answer, **more})
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found
