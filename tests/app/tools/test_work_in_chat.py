"""Work in the chat: commands without a model, tools with one."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done, Event, Failed, Job, Token
from app.chat.turns import Ask
from app.jobs.models import JobState
from app.jobs.ports import JobRequest, NewArtifact, Outcome, Quantities, Work
from app.jobs.runner import JobRunner
from app.llm.ports import Message, ToolCall, Usage
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.errors import InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, product, take_in

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 64


class PictureRequest(JobRequest):
    image: str
    channel: str | None = None


class SceneRequest(JobRequest):
    image: str
    template: str = "wood"


class Pictures:
    """Image kinds with the request fields of the real ones."""

    queue: Literal["image"] = "image"

    def __init__(self, kind: str, request: type[JobRequest]) -> None:
        self.kind = kind
        self.request = request

    def estimate(self, request: JobRequest) -> Quantities:
        return Quantities(images=1)

    async def run(self, request: Any, work: Work) -> Outcome:
        picture = await work.read(request.image)
        return Outcome({"engine": "test"}, (NewArtifact(picture + b"!", "image/png", "成图.png"),))


@asynccontextmanager
async def shop(data: Path, *scripts: list[Any]) -> AsyncIterator[tuple[Services, ScriptedModel | None]]:
    model = ScriptedModel(*scripts) if scripts else None
    answerer = ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=100) if model else None
    handlers = [Pictures("white_background", PictureRequest), Pictures("scene", SceneRequest)]
    async with product(data, answerer=answerer, handlers=handlers) as services:
        yield services, model


async def picture(services: Services) -> str:
    artifact = await services.jobs.artifacts.upload(DEFAULT_TENANT, NewArtifact(PNG, "image/png", "杯子.png"))
    return artifact.id


async def say(services: Services, text: str, *attached: str, to: str | None = None, **more: Any) -> list[Event]:
    ask = Ask(DEFAULT_TENANT, text, None, to, attachments=attached, **{"may_work": True, **more})
    turn = await services.chat.prepare(ask)
    return [event async for event in services.chat.answer(turn)]


def text_of(events: list[Event]) -> str:
    assert isinstance(events[-1], Done)
    assert "".join(event.text for event in events if isinstance(event, Token)).strip() == events[-1].answer
    return events[-1].answer


def jobs_of(events: list[Event]) -> list[Job]:
    return [event for event in events if isinstance(event, Job)]


async def test_a_command_with_a_picture_starts_a_job_without_any_model(tmp_path: Path) -> None:
    async with shop(tmp_path) as (services, _):
        cup = await picture(services)
        events = await say(services, "/图 白底", cup)
        (job,) = jobs_of(events)
        assert (job.kind, job.state) == ("white_background", "queued")
        assert job.id[:8] in text_of(events)
        assert "白底图" in text_of(events)
        kept = await services.jobs.ledger.get(DEFAULT_TENANT, job.id)
        assert kept.request["image"] == cup
        await JobRunner(services.jobs, "w").drain("image")
        assert (await services.jobs.ledger.get(DEFAULT_TENANT, job.id)).state is JobState.SUCCEEDED


async def test_the_result_is_there_for_the_next_message(tmp_path: Path) -> None:
    async with shop(tmp_path) as (services, _):
        first = await say(services, "/image white", await picture(services))
        conversation = first[-1].conversation_id  # type: ignore[union-attr]
        await JobRunner(services.jobs, "w").drain("image")
        made = (await services.jobs.pictures(DEFAULT_TENANT, conversation))[0]
        (scene,) = jobs_of(await say(services, "/image scene oak", to=conversation))
        request = (await services.jobs.ledger.get(DEFAULT_TENANT, scene.id)).request
        assert request == {"image": made, "template": "oak_table"}
        assert "done 100%" in text_of(await say(services, "/jobs", to=conversation))
        assert "Cancelled: scene" in text_of(await say(services, "/cancel", to=conversation))
        assert "no job under way" in text_of(await say(services, "/cancel", to=conversation))


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/图 白底", "请先发一张商品图片"),
        ("/image white", "send a picture"),
        ("/图 跳舞", "不认识“跳舞”"),
        ("/跳舞", "没有“/跳舞”这个命令"),
        ("/help", "/image white"),
        ("/帮助", "/图 白底"),
        ("/文案", "COPILOT_MODEL_BASE_URL"),
        ("/任务", "还没有任务"),
    ],
)
async def test_commands_say_what_they_need(tmp_path: Path, typed: str, answer: str) -> None:
    async with shop(tmp_path) as (services, _):
        events = await say(services, typed)
        assert answer in text_of(events)
        assert not jobs_of(events)


async def test_who_may_only_ask_starts_nothing(tmp_path: Path) -> None:
    async with shop(tmp_path, [ToolCall("1", "make_image", '{"kind": "white_background"}')]) as (services, model):
        cup = await picture(services)
        assert "只能问答" in text_of(await say(services, "/图 白底", cup, may_work=False))
        assert "/图" in text_of(await say(services, "/帮助", may_work=False))
        await say(services, "帮我做一张白底图", cup, may_work=False)
        assert model is not None
        assert all(not call.tools for call in model.calls)
        assert (await services.jobs.ledger.page(DEFAULT_TENANT))[1] == 0


@pytest.mark.parametrize(
    ("said", "kind"), [("帮我做一张白底图", "white_background"), ("make me a SCENE picture", "scene")]
)
async def test_plain_words_with_a_picture_start_a_job_without_any_model(tmp_path: Path, said: str, kind: str) -> None:
    async with shop(tmp_path) as (services, _):
        events = await say(services, said, await picture(services))
        assert [event.kind for event in events if isinstance(event, Job)] == [kind]


async def test_a_message_that_is_read_again_starts_no_second_job(tmp_path: Path) -> None:
    async with shop(tmp_path) as (services, _):
        attached = await picture(services)
        first = await say(services, "/图 白底", attached, once="message-1")
        again = await say(services, "/图 白底", attached, once="message-1")
        other = await say(services, "/图 白底", attached, once="message-2")
        ids = [next(event.id for event in events if isinstance(event, Job)) for events in (first, again, other)]
        assert ids[0] == ids[1] != ids[2]


async def test_a_picture_without_words_for_it_gets_help_when_there_is_no_model(tmp_path: Path) -> None:
    async with shop(tmp_path) as (services, _):
        assert "/图 白底" in text_of(await say(services, "帮我弄好看点", await picture(services)))


async def test_a_model_calls_a_tool_and_says_which_job_runs(tmp_path: Path) -> None:
    call = ToolCall("c1", "make_image", '{"kind": "scene", "template": "oak_table"}')
    async with shop(tmp_path, ["好的。", call, Usage(50, 9)], ["场景图正在生成。"]) as (services, model):
        assert model is not None
        cup = await picture(services)
        events = await say(services, "帮我把这个杯子放到橡木桌上做一张场景图", cup)
        (job,) = jobs_of(events)
        assert text_of(events) == "好的。\n\n场景图正在生成。"
        assert (await services.jobs.ledger.get(DEFAULT_TENANT, job.id)).request == {
            "image": cup,
            "template": "oak_table",
        }
        assert [tool.name for tool in model.calls[0].tools] == ["job_status", "cancel_job", "create_copy", "make_image"]
        assistant, tool = model.calls[1].messages[-2:]
        assert assistant.calls == (call,)
        assert tool.role == "tool"
        assert tool.call_id == "c1"
        assert job.id in tool.content
        done = events[-1]
        assert isinstance(done, Done)
        assert done.cached is None


async def test_two_calls_at_once_are_two_jobs(tmp_path: Path) -> None:
    calls = [
        ToolCall(f"c{n}", "make_image", f'{{"kind": "{kind}"}}') for n, kind in enumerate(("scene", "white_background"))
    ]
    async with shop(tmp_path, calls, ["两张都在做。"]) as (services, _):
        events = await say(services, "做一张白底图和一张场景图", await picture(services))
        assert [job.kind for job in jobs_of(events)] == ["scene", "white_background"]


async def test_what_only_the_person_knows_is_asked_for_and_not_guessed(tmp_path: Path) -> None:
    async with shop(tmp_path, [ToolCall("c1", "make_image", '{"kind": "white_background"}')]) as (services, model):
        events = await say(services, "帮我做一张白底图")
        assert text_of(events) == "请先发一张商品图片，或说明要用哪一张之前的图片。"
        assert not jobs_of(events)
        assert model is not None
        assert len(model.calls) == 1
    async with shop(tmp_path, [ToolCall("c1", "make_image", "{}")]) as (services, _):
        events = await say(services, "帮我做图", await picture(services))
        assert "要做哪一种图" in text_of(events)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (ToolCall("c1", "drop_tables", "{}"), "tool_unknown"),
        (ToolCall("c1", "make_image", '{"kind": "hologram"}'), "tool_arguments_invalid"),
        (ToolCall("c1", "make_image", "{kind"), "tool_arguments_invalid"),
        (ToolCall("c1", "make_image", '["white_background"]'), "tool_arguments_invalid"),
        (
            ToolCall("c1", "make_image", '{"kind": "white_background", "image": "not-there", "size": 3}'),
            "tool_arguments",
        ),
        (ToolCall("c1", "cancel_job", '{"job_id": "abc"}'), "job_not_found"),
    ],
)
async def test_wrong_calls_are_refused_and_the_model_is_told(tmp_path: Path, call: ToolCall, error: str) -> None:
    async with shop(tmp_path, [call], ["这个做不到。"]) as (services, model):
        events = await say(services, "帮我做一张图", await picture(services))
        assert text_of(events) == "这个做不到。"
        assert not jobs_of(events)
        assert model is not None
        assert error in model.calls[1].messages[-1].content


async def test_a_model_that_never_stops_calling_is_stopped(tmp_path: Path) -> None:
    async with shop(tmp_path, [ToolCall("c1", "job_status", "{}")]) as (services, model):
        events = await say(services, "任务进度怎么样")
        assert "已停止" in text_of(events)
        assert model is not None
        assert [bool(call.tools) for call in model.calls] == [True] * 4 + [False]


async def test_a_question_costs_no_tools(tmp_path: Path) -> None:
    async with shop(tmp_path, ["家居类目佣金 8%[1]。"]) as (services, model):
        await take_in(services, "shop", "费用.md", FEES)
        assert "8%" in text_of(await say(services, "家居类目的佣金是多少？"))
        assert model is not None
        assert not model.calls[0].tools


async def test_a_picture_of_another_tenant_is_not_found(tmp_path: Path) -> None:
    async with shop(tmp_path) as (services, _):
        await services.parts.catalog.ensure_tenant("other", "other")
        cup = await picture(services)
        with pytest.raises(NotFound):
            await services.chat.prepare(Ask("other", "/图 白底", attachments=(cup,), may_work=True))
        with pytest.raises(InvalidInput) as refused:
            await services.chat.prepare(Ask(DEFAULT_TENANT, "看图", attachments=(cup,) * 5))
        assert refused.value.error_code == "too_many_attachments"


async def test_a_failing_model_leaves_the_job_it_started(tmp_path: Path) -> None:
    from app.llm.ports import ModelUnavailable

    call = ToolCall("c1", "make_image", '{"kind": "white_background"}')
    async with shop(tmp_path, [call], [ModelUnavailable("away")]) as (services, _):
        events = await say(services, "做一张白底图", await picture(services))
        assert isinstance(events[-1], Failed)
        (job,) = jobs_of(events)
        assert (await services.jobs.ledger.get(DEFAULT_TENANT, job.id)).state is JobState.QUEUED


async def test_earlier_turns_reach_the_model_at_work(tmp_path: Path) -> None:
    async with shop(tmp_path, ["想放在哪里？"], ["好。"]) as (services, model):
        first = await say(services, "帮我做张场景图", await picture(services))
        await say(services, "做成木桌上的", to=first[-1].conversation_id)  # type: ignore[union-attr]
        assert model is not None
        assert Message("assistant", "想放在哪里？") in model.calls[1].messages


async def test_copy_is_written_from_what_the_user_said_and_nothing_else(tmp_path: Path) -> None:
    said = {
        "kind": "titles",
        "product_name": "保温杯",
        "facts": ["容量：450ml", "材质：316不锈钢"],
        "channel": "taobao",
    }
    call = ToolCall("c1", "create_copy", json.dumps(said, ensure_ascii=False))
    async with shop(tmp_path, [call], ["标题在写了。"]) as (services, _):
        events = await say(services, "给保温杯写淘宝标题，容量450ml，316不锈钢")
        (job,) = jobs_of(events)
        request = (await services.jobs.ledger.get(DEFAULT_TENANT, job.id)).request
        assert request["product"]["facts"] == ["容量：450ml", "材质：316不锈钢"]
        assert request["channel"] == "taobao"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ({"kind": "titles"}, "商品名称、商品的真实信息"),
        ({"kind": "description", "product_name": "保温杯", "facts": []}, "商品的真实信息"),
        ({"kind": "translation", "text": "你好"}, "译成哪种语言"),
        ({"kind": "rewrite"}, "原文"),
    ],
)
async def test_facts_that_are_missing_are_asked_for(tmp_path: Path, arguments: dict[str, Any], asked: str) -> None:
    call = ToolCall("c1", "create_copy", json.dumps(arguments, ensure_ascii=False))
    async with shop(tmp_path, [call]) as (services, _):
        events = await say(services, "帮我写文案")
        assert asked in text_of(events)
        assert not jobs_of(events)
