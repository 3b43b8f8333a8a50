"""The plain relay that ours is measured against: FastAPI, the openai SDK as its README shows it, sse-starlette.

One event for every chunk of the model, nothing clever and nothing clumsy. It retrieves nothing and stores nothing.

    python -m evals.bench.baseline_server --port 9010 --model-url http://127.0.0.1:9009/v1
"""

from collections.abc import AsyncIterator
from typing import Annotated

import orjson
import typer
import uvicorn
from fastapi import FastAPI
from openai import AsyncOpenAI
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent


class Question(BaseModel):
    """The body of a chat request, as far as both servers understand it."""

    question: str


def baseline_app(model_url: str, model_name: str = "fake") -> FastAPI:
    """``POST /v1/chat {"question"}`` → SSE: ``token {"text"}`` for every chunk, then ``done {}``."""
    app = FastAPI()
    client = AsyncOpenAI(base_url=model_url, api_key="none")

    async def answer(question: str) -> AsyncIterator[ServerSentEvent]:
        stream = await client.chat.completions.create(
            model=model_name, messages=[{"role": "user", "content": question}], stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield ServerSentEvent(orjson.dumps({"text": chunk.choices[0].delta.content}).decode(), event="token")
        yield ServerSentEvent("{}", event="done")

    @app.post("/v1/chat")
    async def chat(body: Question) -> EventSourceResponse:
        return EventSourceResponse(answer(body.question))

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main(
    model_url: Annotated[str, typer.Option(help="Base URL of the model, ending in /v1.")],
    port: int = 9010,
) -> None:
    """Serve on loopback until interrupted."""
    uvicorn.run(baseline_app(model_url), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    typer.run(main)
