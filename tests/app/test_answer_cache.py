"""A cached answer is never stale: it is served only while its evidence is what would be found."""

from pathlib import Path

import pytest

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done, Event, Failed, Sources
from app.chat.turns import Ask
from app.llm.ports import Finished, ModelInterrupted, TextDelta
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, RETURNS, product, take_in

QUESTION = "旗舰店的保证金是多少？"


def model(*scripts: list[object]) -> tuple[ScriptedModel, ModelAnswerer]:
    scripted = ScriptedModel(*scripts)  # type: ignore[arg-type]
    return scripted, ModelAnswerer(scripted, prompts.load("answer"), temperature=0, max_tokens=99)


async def ask(services: Services, question: str, **more: object) -> list[Event]:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question, **more))  # type: ignore[arg-type]
    return [event async for event in services.chat.answer(turn)]


async def test_the_same_question_is_answered_once_and_replayed_with_its_sources(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        first = await ask(services, QUESTION)
        again = await ask(services, " 旗舰店的保证金是多少? ")
    assert len(scripted.calls) == 1
    one, two = first[-1], again[-1]
    assert isinstance(one, Done)
    assert isinstance(two, Done)
    assert (one.cached, two.cached) == (None, "exact")
    assert (two.answer, two.citations) == (one.answer, one.citations)
    assert [event for event in again if isinstance(event, Sources)] == [e for e in first if isinstance(e, Sources)]


@pytest.mark.parametrize("change", ["edit", "add", "delete"])
async def test_any_change_of_the_knowledge_base_throws_the_answer_away(tmp_path: Path, change: str) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        other = await take_in(services, "shop", "退换货.md", RETURNS)
        await ask(services, QUESTION)
        if change == "edit":
            await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000"))
        elif change == "add":
            await take_in(services, "shop", "新.md", "# 新规\n\n旗舰店的保证金自明年起上调。")
        else:
            await services.knowledge.delete_document(DEFAULT_TENANT, other.id)
        done = (await ask(services, QUESTION))[-1]
    assert isinstance(done, Done)
    assert done.cached is None
    assert len(scripted.calls) == 2


@pytest.mark.parametrize("bad", [[TextDelta("五万"), ModelInterrupted("cut")], [TextDelta("五万"), Finished("length")]])
async def test_failed_and_cut_answers_are_not_kept(tmp_path: Path, bad: list[object]) -> None:
    scripted, answerer = model(bad, [TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        assert isinstance((await ask(services, QUESTION))[-1], Done | Failed)
        done = (await ask(services, QUESTION))[-1]
    assert isinstance(done, Done)
    assert done.cached is None
    assert len(scripted.calls) == 2


async def test_refusals_follow_ups_and_regenerations_are_not_served_from_it(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        done = (await ask(services, QUESTION))[-1]
        assert isinstance(done, Done)
        follow_up = (await ask(services, QUESTION, conversation_id=done.conversation_id))[-1]
        again = await services.chat.again(DEFAULT_TENANT, done.turn_id)
        fresh = [event async for event in services.chat.answer(again)][-1]
    assert [event.cached for event in (follow_up, fresh) if isinstance(event, Done)] == [None, None]
    assert len(scripted.calls) == 3


async def test_tenants_and_knowledge_bases_do_not_share_answers(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "mall", "费用.md", FEES)
        for kb in ("shop", "mall"):
            done = (await ask(services, QUESTION, kbs=(kb,)))[-1]
            assert isinstance(done, Done)
            assert done.cached is None
    assert len(scripted.calls) == 2
