"""What of a conversation a question is read with: as much as fits, after a summary of what does not."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.condense import condense
from app.chat.events import Done
from app.chat.history import PastTurn
from app.chat.turns import Ask
from app.llm.ports import Delta, Finished, Message, ModelUnavailable, TextDelta, ToolSpec
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, product, take_in

ANSWER = "旗舰店保证金为 50000 元，专营店保证金为 30000 元 [1]。" * 3
QUESTION = "第 {} 次问：旗舰店的保证金是多少？"


class Talker:
    """Says the same to everybody; sums up as it is told to, or fails at it."""

    name = "talker"

    def __init__(self, sum_up: Callable[[], str | None] = lambda: "用户问过保证金。") -> None:
        self.sum_up = sum_up
        self.asked: list[list[Message]] = []
        self.summed: list[list[Message]] = []

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        temperature: float,
        max_tokens: int | None,
        tools: Sequence[ToolSpec] = (),
    ) -> AsyncGenerator[Delta, None]:
        if "续写成一份摘要" in messages[0].content:
            self.summed.append(list(messages))
            if (text := self.sum_up()) is None:
                raise ModelUnavailable("It is away.")
            yield TextDelta(text)
        else:
            self.asked.append(list(messages))
            yield TextDelta(ANSWER)
        yield Finished("stop")

    async def aclose(self) -> None:
        """Nothing to close."""


def answering(model: Talker) -> ModelAnswerer:
    return ModelAnswerer(model, prompts.load("answer", think=False), temperature=0, max_tokens=500)


async def talk(services: Services, turns: int, conversation: str | None = None, *, start: int = 1) -> str:
    """→ the conversation, after so many turns more; each one waits for the summary that it may have begun."""
    for number in range(start, start + turns):
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION.format(number), None, conversation))
        (*_, done) = [event async for event in services.chat.answer(turn)]
        assert isinstance(done, Done)
        conversation = done.conversation_id
        await summed_up()
    assert conversation is not None
    return conversation


async def summed_up() -> None:
    if under_way := [task for task in asyncio.all_tasks() if task.get_name().startswith("summary ")]:
        await asyncio.wait(under_way, timeout=20)


def earlier(messages: Sequence[Message]) -> list[str]:
    """The questions of the turns that a prompt has, without those of its examples and the last."""
    return [each.content for each in messages if each.role == "user" and each.content.startswith("第 ")][:-1]


async def test_what_a_question_is_read_with_is_the_newest_that_fits(tmp_path: Path) -> None:
    model = Talker()
    async with product(
        tmp_path, answerer=answering(model), history_tokens=300, history_summary=False, answer_cache=False
    ) as services:
        await take_in(services, "shop", "费用.md", FEES)
        conversation = await talk(services, 6)
        sent = earlier(model.asked[-1])
        assert sent == [QUESTION.format(number) for number in range(6 - len(sent), 6)]
        assert 1 <= len(sent) < 5
        assert model.summed == []
        assert len(await services.conversations.past(DEFAULT_TENANT, conversation)) == 6


async def test_the_newest_turn_is_always_there(tmp_path: Path) -> None:
    model = Talker()
    async with product(tmp_path, answerer=answering(model), history_tokens=0, answer_cache=False) as services:
        await take_in(services, "shop", "费用.md", FEES)
        await talk(services, 3)
        assert earlier(model.asked[-1]) == [QUESTION.format(2)]


async def test_what_no_longer_fits_is_summed_up_once_and_then_added_to(tmp_path: Path) -> None:
    said = iter(["摘要一。", "摘要二。", "摘要三。", "摘要四。", "摘要五。", "摘要六。"])
    model = Talker(lambda: next(said))
    async with product(tmp_path, answerer=answering(model), history_tokens=400, answer_cache=False) as services:
        await take_in(services, "shop", "费用.md", FEES)
        conversation = await talk(services, 12)
        calls = len(model.summed)
        assert 2 <= calls < 8  # one for several turns
        first, second = model.summed[0], model.summed[1]
        assert "（还没有）" in first[0].content
        assert QUESTION.format(1) in first[-1].content
        assert "摘要一。" in second[0].content
        assert QUESTION.format(1) not in second[-1].content
        past = await services.conversations.past(DEFAULT_TENANT, conversation)
        assert past[0].summary
        assert past[0].answer == f"摘要{'一二三四五六'[calls - 1]}。"
        covered = 12 - len(past) + 1
        assert [turn.question for turn in past[1:]] == [QUESTION.format(n) for n in range(covered + 1, 13)]
        last = model.asked[-1]
        assert any(each.role == "assistant" and each.content.startswith("摘要") for each in last)


async def test_a_summary_that_fails_costs_nothing_but_itself(tmp_path: Path) -> None:
    model = Talker(lambda: None)
    async with product(tmp_path, answerer=answering(model), history_tokens=300, answer_cache=False) as services:
        await take_in(services, "shop", "费用.md", FEES)
        conversation = await talk(services, 5)
        assert model.summed
        assert len(earlier(model.asked[-1])) >= 1
        model.sum_up = lambda: "终于。"
        await talk(services, 1, conversation, start=6)
        past = await services.conversations.past(DEFAULT_TENANT, conversation)
        assert (past[0].summary, past[0].answer) == (True, "终于。")


async def test_an_answer_does_not_wait_for_a_summary_and_a_closing_service_ends_it(tmp_path: Path) -> None:
    gate = asyncio.Event()

    class Slow(Talker):
        async def stream(self, messages: Sequence[Message], **more: object) -> AsyncGenerator[Delta, None]:  # type: ignore[override]
            if "续写成一份摘要" in messages[0].content:
                await gate.wait()
            async for delta in super().stream(messages, **more):  # type: ignore[arg-type]
                yield delta

    model = Slow()
    async with product(tmp_path, answerer=answering(model), history_tokens=300, answer_cache=False) as services:
        await take_in(services, "shop", "费用.md", FEES)
        conversation = None
        for number in range(1, 7):
            turn = await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION.format(number), None, conversation))
            (*_, done) = [event async for event in services.chat.answer(turn)]
            conversation = turn.conversation_id
            assert isinstance(done, Done)
        waiting = [task for task in asyncio.all_tasks() if task.get_name().startswith("summary ")]
        assert len(waiting) == 1
    assert waiting[0].cancelled()


async def test_a_summary_that_another_process_has_made_meanwhile_stays(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=answering(Talker()), answer_cache=False) as services:
        await take_in(services, "shop", "费用.md", FEES)
        conversation = await talk(services, 2)
        talks = services.conversations
        first = (await talks.past(DEFAULT_TENANT, conversation))[0]
        assert await talks.keep_summary(conversation, "先到。", to=first.id, instead_of="")
        assert not await talks.keep_summary(conversation, "后到。", to=first.id, instead_of="")
        past = await talks.past(DEFAULT_TENANT, conversation)
        assert [(turn.summary, turn.answer[:3]) for turn in past] == [(True, "先到。"), (False, ANSWER[:3])]


async def test_a_follow_up_to_nothing_but_a_summary_is_searched_as_it_is() -> None:
    past = [PastTurn("先概括一下", "用户开的是旗舰店。", summary=True)]
    assert await condense("那保证金呢？", past, model=None, template=prompts.load("condense")) == "那保证金呢？"
