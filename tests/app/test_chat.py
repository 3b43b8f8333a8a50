"""A question to its last event: evidence, citations, refusal, failure, stop, history."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done, Event, Failed, Reasoning, Sources, Started, Token
from app.chat.running import RunningTurns
from app.chat.turns import Ask
from app.llm.ports import Finished, ModelInterrupted, ReasoningDelta, TextDelta, Usage
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.errors import InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, RETURNS, product, take_in


def scripted(*deltas: object) -> ModelAnswerer:
    return ModelAnswerer(ScriptedModel(list(deltas)), prompts.load("answer"), temperature=0.2, max_tokens=500)


async def ask(services: Services, question: str, **more: object) -> list[Event]:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question, **more))  # type: ignore[arg-type]
    return [event async for event in services.chat.answer(turn)]


async def fill(services: Services) -> None:
    await take_in(services, "shop", "退换货.md", RETURNS)
    await take_in(services, "shop", "费用.md", FEES)


async def test_without_a_model_the_answer_quotes_the_document_and_says_so(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await fill(services)
        events = await ask(services, "旗舰店的保证金是多少？")
        done = events[-1]
        assert isinstance(done, Done)
        assert "50000" in done.answer
        assert done.citations
        assert done.notice == "no_model"
        assert done.model == "extractive"
        sources = next(event for event in events if isinstance(event, Sources))
        assert sources.passages[done.citations[0] - 1].document == "费用.md"
        assert isinstance(events[0], Started)


async def test_what_the_documents_do_not_answer_is_refused(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await fill(services)
        done = (await ask(services, "月球上的重力加速度是多少？"))[-1]
        assert isinstance(done, Done)
        assert done.refused
        assert done.answer.startswith("知识库里没有找到")
        assert done.notice is None


async def test_an_empty_knowledge_base_asks_for_documents(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        done = (await ask(services, "保证金是多少？"))[-1]
        assert isinstance(done, Done)
        assert done.refused
        assert "上传" in done.answer


async def test_a_model_answers_with_reasoning_apart_and_citations_checked(tmp_path: Path) -> None:
    answerer = scripted(
        ReasoningDelta("资料一写了保证金"),
        TextDelta("旗舰店保证金为 50000 元[1]，"),
        TextDelta("另见[99]。"),
        Usage(100, 20),
        Finished("stop"),
    )
    async with product(tmp_path, answerer=answerer) as services:
        await fill(services)
        events = await ask(services, "旗舰店的保证金是多少？")
        done = events[-1]
        assert isinstance(done, Done)
        assert done.answer == "旗舰店保证金为 50000 元[1]，另见。"
        assert done.citations == (1,)
        assert done.usage == {"prompt_tokens": 100, "completion_tokens": 20}
        assert [event.text for event in events if isinstance(event, Reasoning)] == ["资料一写了保证金"]
        assert "资料一" not in "".join(event.text for event in events if isinstance(event, Token))


async def test_the_prompt_has_numbered_evidence_and_the_question(tmp_path: Path) -> None:
    answerer = scripted(TextDelta("好[1]"), Finished("stop"))
    async with product(tmp_path, answerer=answerer) as services:
        await fill(services)
        await ask(services, "旗舰店的保证金是多少？")
        sent = answerer.model.calls[0].messages  # type: ignore[attr-defined]
        assert sent[0].role == "system"
        assert "[1] (" in sent[0].content
        assert "50000" in sent[0].content
        assert sent[-1].content == "旗舰店的保证金是多少？"


async def test_a_model_that_breaks_off_ends_in_failed_with_its_code(tmp_path: Path) -> None:
    answerer = scripted(TextDelta("旗舰店"), ModelInterrupted("The model's answer was cut off."))
    async with product(tmp_path, answerer=answerer) as services:
        await fill(services)
        events = await ask(services, "旗舰店的保证金是多少？")
        assert isinstance(events[-1], Failed)
        assert events[-1].code == "model_interrupted"


async def test_a_follow_up_is_searched_with_what_it_points_back_to(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await fill(services)
        first = (await ask(services, "旗舰店的保证金是多少？"))[-1]
        assert isinstance(first, Done)
        second = await ask(services, "那专营店呢？", conversation_id=first.conversation_id)
        done = second[-1]
        assert isinstance(done, Done)
        assert "30000" in done.answer


@pytest.mark.parametrize(
    ("question", "code"), [("", "question_empty"), ("  \n", "question_empty"), ("长" * 2001, "question_too_long")]
)
async def test_a_bad_question_is_refused_before_the_first_event(tmp_path: Path, question: str, code: str) -> None:
    async with product(tmp_path) as services:
        with pytest.raises(InvalidInput) as caught:
            await services.chat.prepare(Ask(DEFAULT_TENANT, question))
        assert caught.value.error_code == code


async def test_another_tenants_conversation_does_not_exist(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await fill(services)
        done = (await ask(services, "旗舰店的保证金是多少？"))[-1]
        assert isinstance(done, Done)
        await services.parts.catalog.ensure_tenant("other", "other")
        with pytest.raises(NotFound):
            await services.chat.prepare(Ask("other", "保证金？", conversation_id=done.conversation_id))
        with pytest.raises(NotFound):
            await services.chat.prepare(Ask("other", "保证金？", kbs=("shop",)))


async def test_stop_keeps_what_was_said_and_closes_the_model(tmp_path: Path) -> None:
    answerer = scripted(TextDelta("旗舰店保证金"), 3600.0, TextDelta("永远不会说到这里"))
    async with product(tmp_path, answerer=answerer) as services, asyncio.TaskGroup() as tasks:
        await fill(services)
        running = RunningTurns(services.chat, tasks)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        running.start(turn)
        seen: list[Event] = []
        async for batch in running.read(DEFAULT_TENANT, turn.id):
            seen += [event for _, event in batch]
            if any(isinstance(event, Token) for event in seen):
                running.stop(DEFAULT_TENANT, turn.id)
        done = seen[-1]
        assert isinstance(done, Done)
        assert done.finish == "stopped"
        assert done.answer == "旗舰店保证金"
        assert answerer.model.calls[0].left  # type: ignore[attr-defined]


async def test_a_turn_that_is_stopped_before_its_first_step_ends_too(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=scripted(TextDelta("…"))) as services, asyncio.TaskGroup() as tasks:
        running = RunningTurns(services.chat, tasks)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        running.start(turn)
        running.stop(DEFAULT_TENANT, turn.id)
        async with asyncio.timeout(20):
            seen = [event async for batch in running.read(DEFAULT_TENANT, turn.id) for _, event in batch]
        assert [(event.finish, event.answer) for event in seen if isinstance(event, Done)] == [("stopped", "")]


async def test_a_turn_ends_also_where_nothing_can_be_written_down_and_takes_no_other_with_it(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=scripted(TextDelta("…"))) as services, asyncio.TaskGroup() as tasks:
        running = RunningTurns(services.chat, tasks)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        async with services.parts.database.write() as connection:
            await connection.execute(text("ALTER TABLE turns RENAME TO lost"))
        running.start(turn)
        async with asyncio.timeout(20):
            seen = [event async for batch in running.read(DEFAULT_TENANT, turn.id) for _, event in batch]
        assert [event.code for event in seen if isinstance(event, Failed)] == ["internal"]


async def test_a_reader_can_come_back_after_an_event_number(tmp_path: Path) -> None:
    async with product(tmp_path) as services, asyncio.TaskGroup() as tasks:
        await fill(services)
        running = RunningTurns(services.chat, tasks)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        running.start(turn)
        whole = [item async for batch in running.read(DEFAULT_TENANT, turn.id) for item in batch]
        rest = [item async for batch in running.read(DEFAULT_TENANT, turn.id, after=2) for item in batch]
        assert rest == whole[2:]
        assert isinstance(rest[-1][1], Done)


class BrokenAnswerer(ModelAnswerer):
    """Has a bug."""

    def stream(self, question, found, past, *, instructions=""):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError("a bug")


async def test_a_mistake_of_ours_ends_the_turn_and_not_the_service(tmp_path: Path) -> None:
    answerer = BrokenAnswerer(ScriptedModel([]), prompts.load("answer"), temperature=0, max_tokens=1)
    async with product(tmp_path, answerer=answerer) as services, asyncio.TaskGroup() as tasks:
        await fill(services)
        running = RunningTurns(services.chat, tasks)
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, "旗舰店的保证金是多少？"))
        running.start(turn)
        events = [event async for batch in running.read(DEFAULT_TENANT, turn.id) for _, event in batch]
        assert isinstance(events[-1], Failed)
        assert events[-1].code == "internal"
        assert "a bug" not in events[-1].message
