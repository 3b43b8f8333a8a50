"""Answers given again by their evidence, generations that are shared, and what is never kept."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done, Event, Failed, Sources, Token
from app.chat.history import PastTurn
from app.chat.running import RunningTurns
from app.chat.turns import Ask
from app.llm.logged import CallsOf
from app.llm.ports import Delta, ModelInterrupted, TextDelta, Usage
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from knowledge.retriever import Retrieval
from tests.app.test_answer_cache import QUESTION, ask, model
from tests.products import FEES, RETURNS, product, take_in

OTHER_WORDS = "请问旗舰店保证金多少"


class Held(ModelAnswerer):
    """Waits after the first token until it may go on."""

    def __init__(self, scripted: ScriptedModel) -> None:
        super().__init__(scripted, prompts.load("answer"), temperature=0, max_tokens=99)
        self.go_on = asyncio.Event()

    def of(self, calls: CallsOf) -> "Held":
        return self

    async def stream(
        self, question: str, found: Retrieval, past: Sequence[PastTurn], *, instructions: str = ""
    ) -> AsyncGenerator[Delta, None]:
        async with aclosing(super().stream(question, found, past, instructions=instructions)) as deltas:
            async for delta in deltas:
                yield delta
                await self.go_on.wait()


def done(events: list[Event]) -> Done:
    assert isinstance(events[-1], Done)
    return events[-1]


async def test_the_same_question_in_other_words_gets_the_answer_with_its_evidence_and_counts(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]"), Usage(100, 20)])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        first, again = await ask(services, QUESTION), await ask(services, OTHER_WORDS)
        use = await services.cache_use.since(DEFAULT_TENANT)
    assert len(scripted.calls) == 1
    assert (done(again).cached, done(again).answer, done(again).citations) == ("evidence", "50000 元[1]", (1,))
    assert done(again).usage == {}
    sources = [[p.text for e in events if isinstance(e, Sources) for p in e.passages] for events in (first, again)]
    assert sources[0] == sources[1]
    assert (use.exact, use.evidence, use.written, use.saved_tokens) == (0, 1, 1, 120)


@pytest.mark.parametrize("other", ["专营店保证金多少", "旗舰店保证金要不要", "旗舰店不收保证金吗"])
async def test_a_question_that_asks_something_else_of_the_same_evidence_is_answered_anew(
    tmp_path: Path, other: str
) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await ask(services, QUESTION)
        assert done(await ask(services, other)).cached is None
    assert len(scripted.calls) == 2


async def test_an_unrelated_edit_throws_nothing_away_and_an_edited_price_does(tmp_path: Path) -> None:
    _, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer, passages=1) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退换货.md", RETURNS)
        await ask(services, QUESTION)
        await take_in(services, "shop", "退换货.md", RETURNS.replace("24 小时", "48 小时"))
        assert done(await ask(services, QUESTION)).cached == "evidence"
        await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000"))
        assert done(await ask(services, QUESTION)).cached is None


async def test_no_cache_makes_a_new_answer_which_is_kept_then(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("旧[1]")], [TextDelta("新[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await ask(services, QUESTION)
        assert done(await ask(services, QUESTION, no_cache=True)).cached is None
        kept = done(await ask(services, QUESTION))
    assert (kept.cached, kept.answer) == ("exact", "新[1]")
    assert len(scripted.calls) == 2


async def test_switched_off_nothing_is_given_and_purged_nothing_is_left(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("50000 元[1]")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await ask(services, QUESTION)
        await services.cache_use.switch(DEFAULT_TENANT, on=False, by="test")
        assert done(await ask(services, QUESTION)).cached is None
        await services.cache_use.switch(DEFAULT_TENANT, on=True, by="test")
        assert done(await ask(services, QUESTION)).cached == "exact"
        assert await services.kept.purge("another") == 0
        assert await services.kept.purge(DEFAULT_TENANT) == 2
        assert done(await ask(services, QUESTION)).cached is None
    assert len(scripted.calls) == 3


async def test_a_follow_up_that_stands_alone_takes_and_one_that_points_back_neither_takes_nor_gives(
    tmp_path: Path,
) -> None:
    _, answerer = model([TextDelta("一[1]")], [TextDelta("二[1]")], [TextDelta("那专营店的保证金")])
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await ask(services, QUESTION)
        other = done(await ask(services, "家居类目的佣金比例是多少？"))
        follow_up = done(await ask(services, OTHER_WORDS, conversation_id=other.conversation_id))
        assert (follow_up.cached, follow_up.answer) == ("evidence", "一[1]")
        pointing = done(await ask(services, "那它呢？", conversation_id=other.conversation_id))
        assert pointing.cached is None
        assert done(await ask(services, "那它呢？", conversation_id=other.conversation_id)).cached is None


async def together(services: Services, running: RunningTurns, count: int) -> list[str]:
    turns = [await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION)) for _ in range(count)]
    for turn in turns:
        running.start(turn)
    return [turn.id for turn in turns]


async def read_to(running: RunningTurns, turn_id: str, *, token: bool = False) -> list[Event]:
    seen: list[Event] = []
    async with asyncio.timeout(20):
        async for batch in running.read(DEFAULT_TENANT, turn_id):
            seen += [event for _, event in batch]
            if token and any(isinstance(event, Token) for event in seen):
                break
    return seen


async def test_identical_questions_in_flight_share_one_generation(tmp_path: Path) -> None:
    scripted = ScriptedModel([TextDelta("五万"), TextDelta("元[1]"), Usage(100, 20)])
    answerer = Held(scripted)
    async with product(tmp_path, answerer=answerer) as services, asyncio.TaskGroup() as tasks:
        await take_in(services, "shop", "费用.md", FEES)
        running = RunningTurns(services.chat, tasks)
        turns = await together(services, running, 3)
        for turn in turns:
            await read_to(running, turn, token=True)
        answerer.go_on.set()
        ends = [done(await read_to(running, turn)) for turn in turns]
        use = await services.cache_use.since(DEFAULT_TENANT)
    assert len(scripted.calls) == 1
    assert [end.answer for end in ends] == ["五万元[1]"] * 3
    assert sorted(bool(end.usage) for end in ends) == [False, False, True]
    assert (use.written, use.shared, use.saved_tokens) == (3, 2, 240)


@pytest.mark.parametrize("stopped", [0, 1])
async def test_one_that_stops_takes_nothing_from_the_other_and_the_last_closes_the_model(
    tmp_path: Path, stopped: int
) -> None:
    scripted, answerer = model([TextDelta("五万"), 3600.0, TextDelta("元")])
    async with product(tmp_path, answerer=answerer) as services, asyncio.TaskGroup() as tasks:
        await take_in(services, "shop", "费用.md", FEES)
        running = RunningTurns(services.chat, tasks)
        turns = await together(services, running, 2)
        for turn in turns:
            await read_to(running, turn, token=True)
        running.stop(DEFAULT_TENANT, turns[stopped])
        assert done(await read_to(running, turns[stopped])).finish == "stopped"
        assert not scripted.calls[0].left
        running.stop(DEFAULT_TENANT, turns[1 - stopped])
        assert done(await read_to(running, turns[1 - stopped])).answer == "五万"
        assert scripted.calls[0].left
    assert len(scripted.calls) == 1


async def test_a_failure_of_a_shared_generation_is_everybodys_and_is_not_kept(tmp_path: Path) -> None:
    scripted = ScriptedModel([TextDelta("五"), ModelInterrupted("cut")], [TextDelta("五万[1]")])
    answerer = Held(scripted)
    async with product(tmp_path, answerer=answerer) as services, asyncio.TaskGroup() as tasks:
        await take_in(services, "shop", "费用.md", FEES)
        running = RunningTurns(services.chat, tasks)
        turns = await together(services, running, 2)
        for turn in turns:
            await read_to(running, turn, token=True)
        answerer.go_on.set()
        ends = [(await read_to(running, turn))[-1] for turn in turns]
        assert [end.code for end in ends if isinstance(end, Failed)] == ["model_interrupted"] * 2
        assert done(await ask(services, QUESTION)).cached is None
    assert len(scripted.calls) == 2
