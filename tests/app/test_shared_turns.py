"""A turn is read, stopped and ended from any process, whichever writes it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.erasing import Eraser
from app.chat.frames import Frame, text_in
from app.chat.shared_turns import SharedTurns
from app.chat.streams import Entry, MemoryStreams, Shelf
from app.chat.turns import Ask, Turn
from app.llm.ports import TextDelta
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.errors import NotFound, Unavailable
from knowledge.models import DEFAULT_TENANT
from tests.products import FEES, product, take_in

QUESTION = "旗舰店的保证金是多少？"
NEVER = 3600.0


def typing(*script: object) -> ModelAnswerer:
    model = ScriptedModel([TextDelta(one) if isinstance(one, str) else one for one in script])  # type: ignore[misc]
    return ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=500)


@asynccontextmanager
async def process(
    services: Services, shelf: Shelf, name: str, streams: MemoryStreams | None = None
) -> AsyncIterator[SharedTurns]:
    """One that ends as by ``kill -9`` when the block does, unless it was closed."""
    streams = streams or MemoryStreams(shelf, process=name)
    async with asyncio.TaskGroup() as tasks:
        turns = SharedTurns(services.chat, services.conversations, streams, tasks)
        await turns.open()
        yield turns
        shelf.alive.discard(name)
        for task in tasks._tasks:
            task.cancel()


async def begun(services: Services, turns: SharedTurns) -> Turn:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION))
    turns.start(turn)
    return turn


async def read(turns: SharedTurns, turn: Turn, *, after: int = 0, until: str = "") -> list[Frame]:
    """To its end, or until something was said."""
    frames: list[Frame] = []
    async with asyncio.timeout(30):
        async for batch in turns.frames(DEFAULT_TENANT, turn.id, after=after):
            frames += batch
            if until and until in text_in(frames):
                break
    return frames


def whole(frames: Sequence[Frame]) -> bytes:
    return b"".join(frame.data for frame in frames)


async def test_another_process_reads_the_same_answer_while_it_is_written(tmp_path: Path) -> None:
    answerer = typing("旗舰店", 0.4, "保证金", 0.4, " 5 万元 [1]。")
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "a") as one, process(services, shelf, "b") as other:
            turn = await begun(services, one)
            await read(one, turn, until="旗舰店")
            await elsewhere(other, turn)
            seen = await read(other, turn)
            assert text_in(seen) == "旗舰店保证金 5 万元 [1]。"
            assert whole(seen) == whole(await read(one, turn)) or text_in(await read(one, turn)) == text_in(seen)
            middle = seen[len(seen) // 2].number
            assert whole(await read(other, turn, after=middle)) == whole([f for f in seen if f.number > middle])
            with pytest.raises(NotFound):
                await other.require("other", turn.id)


async def test_another_process_stops_it_and_the_model_is_left_at_once(tmp_path: Path) -> None:
    answerer = typing("旗舰店", NEVER, "永远不会说到这里")
    async with product(tmp_path, answerer=answerer) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "a") as one, process(services, shelf, "b") as other:
            turn = await begun(services, one)
            await read(one, turn, until="旗舰店")
            await elsewhere(other, turn)
            await other.stop(DEFAULT_TENANT, turn.id)
            seen = await read(other, turn)
            assert b'"finish":"stopped"' in seen[-1].data
            assert answerer.model.calls[0].left  # type: ignore[attr-defined]
            with pytest.raises(NotFound):
                await other.stop(DEFAULT_TENANT, "0" * 32)


async def test_a_turn_whose_process_died_ends_as_interrupted_with_what_was_said(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=typing("旗舰店", NEVER)) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "b") as other:
            async with process(services, shelf, "a") as one:
                turn = await begun(services, one)
                await read(one, turn, until="旗舰店")
                await elsewhere(other, turn)
                await read(other, turn, until="旗舰店")
            seen = await read(other, turn)
            assert b'"code":"interrupted"' in seen[-1].data
            assert whole(seen).count(b"event: failed") == 1
            kept = await services.conversations.answered(DEFAULT_TENANT, turn.id)
            assert (kept.status, kept.error_code, kept.answer) == ("failed", "interrupted", "旗舰店")


async def test_a_process_that_ends_tells_its_readers_and_the_others(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=typing("旗舰店", NEVER)) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "b") as other, process(services, shelf, "a") as one:
            turn = await begun(services, one)
            await read(one, turn, until="旗舰店")
            reading = asyncio.ensure_future(read(one, turn))
            await one.close()
            assert b'"code":"interrupted"' in (await reading)[-1].data
            assert b'"code":"interrupted"' in (await read(other, turn))[-1].data
            assert (await services.conversations.answered(DEFAULT_TENANT, turn.id)).status == "failed"


async def test_what_the_store_has_lost_is_published_again_and_nobody_reads_it_twice(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=typing("旗舰店", 0.5, "保证金", 1.5, " 5 万元 [1]。")) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "a") as one, process(services, shelf, "b") as other:
            turn = await begun(services, one)
            await read(one, turn, until="旗舰店")
            await elsewhere(other, turn)
            first = await read(other, turn, until="旗舰店")
            shelf.frames.clear()
            shelf.owners.clear()
            rest = await read(other, turn, after=first[-1].number)
            assert text_in([*first, *rest]) == "旗舰店保证金 5 万元 [1]。"
            assert b"event: done" in rest[-1].data


async def test_a_reader_of_a_turn_that_is_deleted_gets_an_end(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=typing("旗舰店", NEVER)) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "a") as one, process(services, shelf, "b") as other:
            eraser = Eraser(services.parts.database, MemoryStreams(shelf, process="c"))
            turn = await begun(services, one)
            await read(one, turn, until="旗舰店")
            await elsewhere(other, turn)
            reading = asyncio.ensure_future(read(other, turn))
            here = asyncio.ensure_future(read(one, turn))
            await eraser.conversation(DEFAULT_TENANT, turn.conversation_id)
            assert b'"code":"turn_not_found"' in (await reading)[-1].data
            assert b'"finish":"stopped"' in (await here)[-1].data
            for process_of_it in (one, other):
                with pytest.raises(NotFound):
                    await process_of_it.require(DEFAULT_TENANT, turn.id)


class Away(MemoryStreams):
    """A store that does not answer."""

    async def publish(self, entries: Sequence[Entry]) -> set[str]:
        raise Unavailable("Redis does not answer.", code="streams_unavailable")

    async def exists(self, tenant: str, turn_id: str) -> bool:
        raise Unavailable("Redis does not answer.", code="streams_unavailable")

    async def beat(self) -> None:
        raise Unavailable("Redis does not answer.", code="streams_unavailable")


async def test_without_the_store_a_process_serves_what_it_writes(tmp_path: Path) -> None:
    async with product(tmp_path, answerer=typing("旗舰店", 0.5, "5 万元")) as services:
        await take_in(services, "shop", "费用.md", FEES)
        shelf = Shelf()
        async with process(services, shelf, "a", Away(shelf, process="a")) as one:
            turn = await begun(services, one)
            assert text_in(await read(one, turn)) == "旗舰店5 万元"
            with pytest.raises(NotFound):
                await one.require(DEFAULT_TENANT, "0" * 32)


async def elsewhere(turns: SharedTurns, turn: Turn) -> None:
    """When another process can see it."""
    async with asyncio.timeout(20):
        while True:
            try:
                await turns.require(DEFAULT_TENANT, turn.id)
            except NotFound:
                await asyncio.sleep(0.02)
            else:
                return
