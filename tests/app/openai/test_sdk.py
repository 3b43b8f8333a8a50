"""The OpenAI-compatible API as the real openai SDK has it, over a real socket."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.identity.keys import Scope
from app.llm.ports import (
    Finished,
    ModelInterrupted,
    ModelRateLimited,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from app.llm.scripted import ScriptedModel, Step
from app.wiring import Services
from evals.fake_model import FakeModelRecord, running_fake_model
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import png
from tests.products import FEES, RETURNS, take_in
from tests.serving import listening

QUESTION = "旗舰店的保证金是多少？"
ASKED = [{"role": "user", "content": QUESTION}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def scripted(*scripts: Sequence[Step]) -> ScriptedModel:
    return ScriptedModel(*scripts, name="qwen-test")


@asynccontextmanager
async def clients(
    data: Path, model: ScriptedModel | None = None, **overrides: Any
) -> AsyncIterator[tuple[openai.AsyncOpenAI, Services]]:
    """The SDK with a key that may write, on an API with two documents."""
    answerer = model and ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=99)
    async with listening(data, answerer=answerer, require_keys=True, **overrides) as (url, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "rules", "退换货.md", RETURNS)
        _, key = await services.keys.issue(DEFAULT_TENANT, "sdk", scope=Scope.WRITE)
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
            yield client, services


async def test_a_completion_is_an_answer_from_the_documents_with_its_citations(tmp_path: Path) -> None:
    record = FakeModelRecord()
    async with running_fake_model(record=record) as model_url:
        model = {"model_base_url": model_url, "model_api_key": "k", "model_name": "fake"}
        async with clients(tmp_path, **model) as (client, _):
            done = await client.chat.completions.create(model="copilot:shop", messages=ASKED)
    message = done.choices[0].message
    assert done.model == "copilot:shop"
    assert done.id.startswith("chatcmpl-")
    assert message.content.endswith("[1]")  # the fake quotes whatever evidence it sees last
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.completion_tokens > 0
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens
    (citation,) = message.copilot["citations"]
    assert (citation["n"], citation["document"], citation["kb"]) == (1, "费用.md", "shop")
    assert "50000" in citation["text"]
    assert message.copilot["model"] == "fake"
    assert len(record.requests) == 1


async def test_a_stream_has_the_same_in_chunks_and_its_usage_when_asked_for(tmp_path: Path) -> None:
    model = scripted(["保证金", "是 50000 元 [1]。", Usage(12, 4)])
    async with clients(tmp_path, model) as (client, _):
        stream = await client.chat.completions.create(
            model="copilot", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        fresh = {"Cache-Control": "no-cache"}
        plain = await client.chat.completions.create(model="copilot", messages=ASKED, stream=True, extra_headers=fresh)
        without = [chunk async for chunk in plain]
    assert chunks[0].choices[0].delta.role == "assistant"
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == "保证金是 50000 元 [1]。"
    *_, last, usage = chunks
    assert last.choices[0].finish_reason == "stop"
    assert [citation["n"] for citation in last.choices[0].delta.copilot["citations"]] == [1]
    assert (usage.choices, usage.usage.prompt_tokens, usage.usage.total_tokens) == ([], 12, 16)
    assert all(chunk.usage is None for chunk in without)
    evidence = next(
        chunk.choices[0].delta.copilot for chunk in chunks if "copilot" in chunk.choices[0].delta.model_extra
    )
    assert evidence["passages"][0]["document"] == "费用.md"
    assert len({chunk.id for chunk in chunks}) == 1


async def test_without_a_model_the_sentences_that_answer_are_quoted(tmp_path: Path) -> None:
    async with clients(tmp_path) as (client, _):
        done = await client.chat.completions.create(model="copilot", messages=ASKED, temperature=0.3, max_tokens=9)
        with_tools = await client.chat.completions.create(model="copilot", messages=ASKED, tools=[WEATHER])
        far = await client.chat.completions.create(
            model="copilot", messages=[{"role": "user", "content": "月球上的重力加速度是多少？"}]
        )
    assert "50000" in done.choices[0].message.content
    assert done.choices[0].message.copilot["notice"] == "no_model"
    assert done.usage.total_tokens == 0
    assert "50000" in with_tools.choices[0].message.content
    assert far.choices[0].message.copilot["refused"] is True


async def test_earlier_messages_are_the_history_and_the_systems_are_instructions(tmp_path: Path) -> None:
    model = scripted(["是 30000 元 [1]。"])
    messages: list[Any] = [
        {"role": "system", "content": "Answer like a pirate."},
        {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": "50000 元 [1]。"},
        {"role": "developer", "content": "Be short."},
        {"role": "user", "content": "专营店的保证金是多少元？"},
    ]
    async with clients(tmp_path, model) as (client, services):
        for _ in range(2):
            await client.chat.completions.create(model="copilot", messages=messages)
        turn = (await services.curation.gaps.open(DEFAULT_TENANT), len(model.calls))
    sent = model.calls[0].messages
    assert [message.role for message in sent[-3:]] == ["user", "assistant", "user"]
    assert [message.content for message in sent[-3:]] == [QUESTION, "50000 元 [1]。", "专营店的保证金是多少元？"]
    assert [message.role for message in sent].count("system") == 1
    assert sent[0].content.endswith("Answer like a pirate.\n\nBe short.")
    assert turn == ([], 2)  # an answer to a history or to instructions is not kept for others


async def test_tools_of_the_client_are_the_models_to_call_and_the_clients_to_run(tmp_path: Path) -> None:
    call = ToolCall("call_1", "weather", '{"city": "Paris"}')
    model = scripted([call, Usage(9, 3), Finished("stop")], ["It is 21 °C in Paris."])
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    async with clients(tmp_path, model) as (client, _):
        asked = await client.chat.completions.create(model="copilot", messages=messages, tools=[WEATHER])
        choice = asked.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.content is None
        (made,) = choice.message.tool_calls
        assert (made.id, made.type, made.function.name) == ("call_1", "function", "weather")
        assert made.function.arguments == '{"city": "Paris"}'
        messages += [choice.message, {"role": "tool", "tool_call_id": made.id, "content": '{"celsius": 21}'}]
        told = await client.chat.completions.create(model="copilot", messages=messages, tools=[WEATHER])
    assert told.choices[0].message.content == "It is 21 °C in Paris."
    assert told.choices[0].finish_reason == "stop"
    first, second = model.calls
    assert [tool.name for tool in first.tools] == ["weather"]
    assert first.tools[0].parameters["required"] == ["city"]
    question, calling, result = second.messages[-3:]
    assert (question.content, calling.calls) == ("What is the weather in Paris?", (call,))
    assert (result.role, result.call_id, result.content) == ("tool", "call_1", '{"celsius": 21}')


async def test_tool_calls_are_streamed_with_their_numbers(tmp_path: Path) -> None:
    calls = [ToolCall(f"call_{n}", "weather", f'{{"city": "{city}"}}') for n, city in enumerate(("Paris", "Rome"))]
    async with clients(tmp_path, scripted([*calls, Finished("stop")])) as (client, _):
        async with client.chat.completions.stream(
            model="copilot", messages=[{"role": "user", "content": "Weather in Paris and Rome?"}], tools=[WEATHER]
        ) as stream:
            done = await stream.get_final_completion()
    assert [call.function.arguments for call in done.choices[0].message.tool_calls] == [
        '{"city": "Paris"}',
        '{"city": "Rome"}',
    ]
    assert done.choices[0].finish_reason == "tool_calls"


async def test_reasoning_is_apart_from_the_answer(tmp_path: Path) -> None:
    model = scripted([ReasoningDelta("[1] says it."), TextDelta("50000 元 [1]。")])
    async with clients(tmp_path, model) as (client, _):
        done = await client.chat.completions.create(model="copilot", messages=ASKED)
    assert done.choices[0].message.reasoning_content == "[1] says it."
    assert done.choices[0].message.content == "50000 元 [1]。"


async def test_an_answer_cut_at_its_longest_says_so(tmp_path: Path) -> None:
    async with clients(tmp_path, scripted(["50000", Finished("length")])) as (client, _):
        done = await client.chat.completions.create(model="copilot", messages=ASKED)
    assert done.choices[0].finish_reason == "length"


async def test_the_models_are_the_knowledge_bases(tmp_path: Path) -> None:
    async with clients(tmp_path) as (client, _):
        models = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("copilot:shop")
        assert set(models) == {"copilot", "copilot:shop", "copilot:rules"}
        assert (one.id, one.object, one.owned_by) == ("copilot:shop", "model", "merchant-copilot")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-5")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("copilot:none")
        rules = await client.chat.completions.create(model="copilot:rules", messages=ASKED)
        assert "50000" not in rules.choices[0].message.content


async def test_a_picture_in_the_message_is_worked_on(tmp_path: Path) -> None:
    url = f"data:image/png;base64,{base64.b64encode(png()).decode()}"
    content = [{"type": "text", "text": "做一张白底图"}, {"type": "image_url", "image_url": {"url": url}}]
    async with clients(tmp_path) as (client, services):
        done = await client.chat.completions.create(model="copilot", messages=[{"role": "user", "content": content}])
        (job,) = done.choices[0].message.copilot["jobs"]
        kept = await services.jobs.ledger.get(DEFAULT_TENANT, job["id"])
    assert kept.kind == "white_background"
    assert kept.channel.name == "openai"


@pytest.mark.parametrize(
    ("changes", "error", "code", "param"),
    [
        ({"model": "gpt-5"}, openai.NotFoundError, "model_not_found", "model"),
        ({"model": "copilot:"}, openai.NotFoundError, "model_not_found", "model"),
        ({"model": "copilot:none"}, openai.NotFoundError, "knowledge_base_not_found", None),
        ({"messages": []}, openai.BadRequestError, "invalid_input", "messages"),
        ({"messages": [{"role": "robot", "content": "?"}]}, openai.BadRequestError, "invalid_input", "messages"),
        ({"messages": [{"role": "system", "content": "?"}]}, openai.BadRequestError, "question_missing", "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, openai.BadRequestError, "question_empty", None),
        ({"model": "copilot:a\0"}, openai.BadRequestError, "invalid_input", None),
        ({"n": 2}, openai.BadRequestError, "unsupported_parameter", "n"),
        ({"logprobs": True}, openai.BadRequestError, "unsupported_parameter", "logprobs"),
        (
            {"tools": [WEATHER], "tool_choice": "required"},
            openai.BadRequestError,
            "unsupported_parameter",
            "tool_choice",
        ),
        (
            {"response_format": {"type": "json_object"}},
            openai.BadRequestError,
            "unsupported_parameter",
            "response_format",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}]}]},
            openai.BadRequestError,
            "picture_url_unsupported",
            "messages",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
            openai.BadRequestError,
            "invalid_input",
            "messages.user.content",
        ),
    ],
)
async def test_a_request_that_cannot_be_done_is_refused_in_openais_words(
    tmp_path: Path, changes: dict[str, Any], error: type[openai.APIStatusError], code: str, param: str | None
) -> None:
    async with clients(tmp_path) as (client, _):
        with pytest.raises(error) as refused:
            await client.chat.completions.create(**{"model": "copilot", "messages": ASKED, **changes})
    assert refused.value.code == code
    assert param is None or str(refused.value.param).startswith(param)
    assert refused.value.type == "invalid_request_error"
    assert refused.value.body["message"]


async def test_keys_are_asked_for_and_a_publishable_one_is_not_enough(tmp_path: Path) -> None:
    async with clients(tmp_path) as (client, services):
        _, page = await services.keys.publish(DEFAULT_TENANT, "site", origins=["https://shop.example"])
        with pytest.raises(openai.AuthenticationError) as wrong:
            await client.with_options(api_key="sk_wrong").models.list()
        assert (wrong.value.code, wrong.value.type) == ("key_invalid", "authentication_error")
        from_page = client.with_options(api_key=page, default_headers={"Origin": "https://shop.example"})
        with pytest.raises(openai.PermissionDeniedError) as narrow:
            await from_page.chat.completions.create(model="copilot", messages=ASKED)
        assert (narrow.value.code, narrow.value.type) == ("scope_missing", "permission_error")


async def test_a_model_that_fails_is_an_error_of_its_own_whole_and_streamed(tmp_path: Path) -> None:
    limited = [ModelRateLimited("The model asks to slow down.")]
    cut: list[Step] = ["50000", ModelInterrupted("The model stopped in the middle of its answer.")]
    async with clients(tmp_path, scripted(limited, cut, limited)) as (client, _):
        with pytest.raises(openai.RateLimitError) as slow:
            await client.chat.completions.create(model="copilot", messages=ASKED)
        assert (slow.value.code, slow.value.type) == ("model_rate_limited", "rate_limit_error")
        stream = await client.chat.completions.create(model="copilot", messages=ASKED, stream=True)
        with pytest.raises(openai.APIError, match="stopped in the middle") as broken:
            [chunk async for chunk in stream]
        assert broken.value.code == "model_interrupted"


async def test_a_body_that_is_too_large_is_refused_in_openais_words(tmp_path: Path) -> None:
    async with clients(tmp_path, max_upload_mb=1) as (client, _):
        with pytest.raises(openai.APIStatusError) as large:
            await client.chat.completions.create(
                model="copilot", messages=[{"role": "user", "content": "x" * (3 << 20)}]
            )
    assert (large.value.status_code, large.value.code) == (413, "too_large")


async def test_who_leaves_stops_the_model(tmp_path: Path) -> None:
    model = scripted(["5", *[0.01, "0"] * 3000])
    async with clients(tmp_path, model) as (client, _):
        stream = await client.chat.completions.create(model="copilot", messages=ASKED, stream=True)
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        await stream.close()
        await until(lambda: model.calls[0].left)


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110 (a model's twin tells nobody)
            await asyncio.sleep(0.02)
