"""The OpenAI-compatible API behind LangChain's ChatOpenAI, over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.identity.keys import Scope
from app.llm.ports import Finished, ToolCall, Usage
from app.llm.scripted import ScriptedModel
from knowledge.models import DEFAULT_TENANT
from tests.app.openai.test_sdk import QUESTION
from tests.products import FEES, take_in
from tests.serving import listening


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 °C in {city}"


@asynccontextmanager
async def chat(data: Path, model: ScriptedModel | None = None) -> AsyncIterator[ChatOpenAI]:
    answerer = model and ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=99)
    async with listening(data, answerer=answerer, require_keys=True) as (url, services):
        await take_in(services, "shop", "费用.md", FEES)
        _, key = await services.keys.issue(DEFAULT_TENANT, "langchain", scope=Scope.READ)
        yield ChatOpenAI(
            base_url=f"{url}/v1", api_key=SecretStr(key), model="copilot:shop", max_retries=0, stream_usage=True
        )


async def test_it_answers_whole_and_in_chunks_with_usage(tmp_path: Path) -> None:
    model = ScriptedModel(["保证金", "是 50000 元 [1]。", Usage(12, 4)])
    async with chat(tmp_path, model) as llm:
        whole = await llm.ainvoke([SystemMessage("Be short."), HumanMessage(QUESTION)])
        chunks = [chunk async for chunk in llm.astream([HumanMessage("专营店的保证金是多少元？")])]
    assert whole.content == "保证金是 50000 元 [1]。"
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 16
    assert whole.response_metadata["finish_reason"] == "stop"
    joined = chunks[0]
    for chunk in chunks[1:]:
        joined += chunk
    assert joined.content == "保证金是 50000 元 [1]。"
    assert joined.usage_metadata is not None
    assert joined.usage_metadata["output_tokens"] == 4


async def test_bound_tools_are_called_and_their_results_are_read(tmp_path: Path) -> None:
    call = ToolCall("call_1", "weather", '{"city": "Paris"}')
    model = ScriptedModel([call, Finished("stop")], ["It is 21 °C in Paris."])
    messages: list[BaseMessage] = [HumanMessage("What is the weather in Paris?")]
    async with chat(tmp_path, model) as llm:
        bound = llm.bind_tools([weather])
        asked = await bound.ainvoke(messages)
        assert [(made["name"], made["args"]) for made in asked.tool_calls] == [("weather", {"city": "Paris"})]
        told = await bound.ainvoke([*messages, asked, await weather.ainvoke(asked.tool_calls[0])])
    assert told.content == "It is 21 °C in Paris."
    assert model.calls[1].messages[-1].content == "21 °C in Paris"
