"""A service whose model is a script, with a document in it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from app.chat import prompts
from app.chat.answerers import Answerer, ModelAnswerer
from app.chat.cache import AnswerCache
from app.jobs.queue import MemoryQueue
from app.llm.scripted import ScriptedModel, Step
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.vectors import MemoryVectors
from tests.products import FEES, settings_for, take_in

QUESTION = "旗舰店的保证金是多少？"
MARK = "请用一句话回答。"
SHIPPED = (prompts.FOLDER / "answer.md").read_text(encoding="utf-8")
CHANGED = SHIPPED.replace("## output\n", f"## output\n{MARK}\n")


def answering(*scripts: Sequence[Step]) -> tuple[ScriptedModel, ModelAnswerer]:
    model = ScriptedModel(*scripts)
    return model, ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=99)


@asynccontextmanager
async def served(
    data: Path, answerer: Answerer | None = None, *, cache: AnswerCache | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    """Suggestions are off unless a test is about them: they are one more call of the model."""
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), answerer, cache=cache)
    app = create_app(settings_for(data, **({"suggestions": "off"} | overrides)), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            await take_in(app.state.services, "shop", "费用.md", FEES)
            yield http, app.state.services


async def told(http: httpx.AsyncClient, question: str = QUESTION) -> dict[str, Any]:
    answer = await http.post("/v1/chat", json={"question": question, "stream": False})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def drafted(http: httpx.AsyncClient, text: str = CHANGED, name: str = "answer") -> int:
    made = await http.post(f"/v1/prompts/{name}/versions", json={"text": text, "note": "更短"})
    assert made.status_code == 201, made.text
    number: int = made.json()["number"]
    return number


async def published(http: httpx.AsyncClient, text: str = CHANGED, name: str = "answer") -> int:
    number = await drafted(http, text, name)
    live = await http.post(f"/v1/prompts/{name}/versions/{number}/publish")
    assert live.status_code == 200, live.text
    return number
