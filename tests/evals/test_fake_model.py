"""The fake model keeps to the protocol as the vendor's own SDK reads it, and tells what it saw."""

import asyncio
import sys
import time
from subprocess import PIPE
from typing import Any

import httpx
import openai
import pytest

from evals.fake_model import BAD_KEY, FakeModelRecord, running_fake_model
from evals.fake_replies import DEFAULT_TEXT, MODELS, tokenise

HELLO = [{"role": "user", "content": "几天内可以退货？"}]


def client(base_url: str, key: str = "any") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0)


async def streamed(base_url: str, model: str = "fake", **options: Any) -> list[Any]:
    options.setdefault("messages", HELLO)
    async with client(base_url) as sdk:
        stream = await sdk.chat.completions.create(model=model, stream=True, **options)
        return [chunk async for chunk in stream]


def content(chunks: list[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


async def test_the_vendors_sdk_reads_its_stream() -> None:
    async with running_fake_model() as base_url:
        chunks = await streamed(base_url, stream_options={"include_usage": True})

    assert content(chunks) == DEFAULT_TEXT
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == len(tokenise(DEFAULT_TEXT))


async def test_usage_comes_only_when_asked_for() -> None:
    async with running_fake_model() as base_url:
        chunks = await streamed(base_url)

    assert all(chunk.usage is None for chunk in chunks)


async def test_the_vendors_sdk_reads_its_whole_answers_and_its_models() -> None:
    async with running_fake_model() as base_url, client(base_url) as sdk:
        whole = await sdk.chat.completions.create(model="fake", messages=HELLO)
        models = await sdk.models.list()

    assert whole.choices[0].message.content == DEFAULT_TEXT
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    assert {model.id for model in models.data} == set(MODELS)


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("fake-400", openai.BadRequestError),
        ("fake-401", openai.AuthenticationError),
        ("fake-429", openai.RateLimitError),
        ("fake-500", openai.InternalServerError),
        ("unheard-of", openai.NotFoundError),
    ],
)
async def test_its_refusals_are_the_vendors(model: str, error: type[Exception]) -> None:
    async with running_fake_model() as base_url:
        with pytest.raises(error):
            await streamed(base_url, model)


async def test_a_bad_key_is_refused_whatever_the_model() -> None:
    async with running_fake_model() as base_url, client(base_url, BAD_KEY) as sdk:
        with pytest.raises(openai.AuthenticationError):
            await sdk.models.list()
        with pytest.raises(openai.AuthenticationError):
            await sdk.chat.completions.create(model="fake", messages=HELLO)


async def test_max_tokens_cuts_the_answer() -> None:
    async with running_fake_model() as base_url:
        chunks = await streamed(base_url, max_tokens=3)

    assert content(chunks) == "".join(tokenise(DEFAULT_TEXT)[:3])
    assert chunks[-1].choices[0].finish_reason == "length"


async def test_the_first_token_and_the_rate_are_kept() -> None:
    async with running_fake_model(first_token_ms=200, rate=100, tokens=21) as base_url, client(base_url) as sdk:
        started = time.perf_counter()
        stream = await sdk.chat.completions.create(model="fake", messages=HELLO, stream=True)
        arrived = [time.perf_counter() - started async for chunk in stream if chunk.choices[0].delta.content]

    assert len(arrived) == 21
    assert arrived[0] >= 0.2
    assert arrived[-1] >= 0.4  # 20 gaps of 10 ms after the first


@pytest.mark.parametrize(
    "evidence",
    [
        "[1] 七天内可以退货。其他情况除外。\n[2] 别的。",
        "[1] (售后.md | 退货)\n七天内可以退货。其他情况除外。\n\n[2] (别的.md)\n别的。",
    ],
)
async def test_it_answers_from_the_evidence_of_the_prompt_and_cites_it(evidence: str) -> None:
    messages = [{"role": "system", "content": f"资料：\n{evidence}"}, *HELLO]
    async with running_fake_model() as base_url:
        assert content(await streamed(base_url, messages=messages)) == "七天内可以退货。 [1]"

    async with running_fake_model(cite=False) as base_url:
        assert content(await streamed(base_url, messages=messages)) == DEFAULT_TEXT


async def test_it_counts_streams_that_were_left() -> None:
    record = FakeModelRecord()
    async with running_fake_model(record=record, rate=20, tokens=2000) as base_url, httpx.AsyncClient() as http:
        request = {"model": "fake", "messages": HELLO, "stream": True}
        async with http.stream("POST", f"{base_url}/chat/completions", json=request) as response:
            await anext(response.aiter_bytes())
            assert record.in_flight == 1
        async with asyncio.timeout(20):
            while record.disconnects == 0:  # noqa: ASYNC110 (what the server saw has no event)
                await asyncio.sleep(0.005)
        stats = (await http.get(f"{base_url}/stats")).json()

    assert stats == {"requests": 1, "in_flight": 0, "finished": 0, "disconnects": 1}


@pytest.mark.processes
async def test_it_runs_as_a_command() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "evals.fake_model", "--port", "0", "--first-token-ms", "0", "--rate", "0", stdout=PIPE
    )
    assert process.stdout is not None
    try:
        base_url = (await process.stdout.readline()).decode().strip()
        assert content(await streamed(base_url)) == DEFAULT_TEXT
    finally:
        process.terminate()
        await process.wait()
