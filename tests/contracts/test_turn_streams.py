"""What every store of turns does: the twin, and a real Redis; and what processes do with it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.chat.events import Done, Failed, Started, Token
from app.chat.frames import Frame, framed, text_in, without
from app.chat.redis_streams import RedisStreams
from app.chat.streams import Entry, MemoryStreams, Shelf, TurnStreams
from knowledge.errors import Unavailable
from tests.e2e.redis_server import RedisServer, redis_server

TENANT, TURN = "default", "t1"
FIRST = framed([(1, Started(TURN, "c1")), (2, Token("旗舰店")), (3, Token("保证金"))])
SECOND = framed([(4, Token(" 5 万元"))])
LAST = framed([(5, Done(TURN, "c1", "旗舰店保证金 5 万元"))])
BROKEN = framed([(5, Failed(TURN, "c1", "interrupted", "…"))])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


class Processes:
    """One store, seen from several processes."""

    def __init__(self, server: RedisServer | None) -> None:
        self._server, self._shelf = server, Shelf()
        self._made: list[TurnStreams] = []

    def one(self, name: str) -> TurnStreams:
        if self._server is None:
            self._made.append(MemoryStreams(self._shelf, process=name))
        else:
            self._made.append(RedisStreams(self._server.url, process=name, lease_seconds=1.0))
        return self._made[-1]

    async def close(self) -> None:
        for streams in self._made:
            await streams.close()


@pytest.fixture(params=["memory", "redis"])
async def processes(request: pytest.FixtureRequest) -> AsyncIterator[Processes]:
    made = Processes(request.getfixturevalue("server") if request.param == "redis" else None)
    yield made
    await made.close()


def entry(frame: Frame | None) -> Entry:
    return Entry(TENANT, TURN, frame)


async def test_frames_are_read_from_another_process_from_any_number_on(processes: Processes) -> None:
    writer, reader = processes.one("a"), processes.one("b")
    assert await reader.read(TENANT, TURN, after=0) is None
    assert not await reader.exists(TENANT, TURN)
    await writer.publish([entry(None)])
    assert await reader.exists(TENANT, TURN)
    assert not await reader.exists("other", TURN)
    await writer.publish([entry(FIRST), entry(SECOND)])
    assert await reader.read(TENANT, TURN, after=0) == [FIRST, SECOND]
    assert await reader.read(TENANT, TURN, after=3) == [SECOND]
    waiting = asyncio.ensure_future(reader.read(TENANT, TURN, after=4))
    await writer.publish([entry(LAST)])
    assert await waiting == [LAST]


async def test_a_frame_that_is_published_twice_is_there_once(processes: Processes) -> None:
    """As after an answer of the store that was lost."""
    writer = processes.one("a")
    await writer.publish([entry(None), entry(FIRST), entry(SECOND)])
    await writer.publish([entry(None), entry(FIRST), entry(SECOND)])
    assert await writer.read(TENANT, TURN, after=0) == [FIRST, SECOND]


async def test_an_abandoned_turn_is_ended_once_and_its_writer_comes_too_late(processes: Processes) -> None:
    writer, one, other = (processes.one(name) for name in "abc")
    for process in (writer, one, other):
        await process.beat()
    await writer.publish([entry(None), entry(FIRST), entry(SECOND)])
    assert await one.abandoned() == []
    await writer.leave()
    assert await one.abandoned() == [(TENANT, TURN)]
    ended = await asyncio.gather(one.end(TENANT, TURN, BROKEN), other.end(TENANT, TURN, BROKEN))
    assert sorted(ended) == [False, True]
    await writer.publish([entry(LAST)])
    assert await one.read(TENANT, TURN, after=4) == [BROKEN]
    assert await one.abandoned() == []


async def test_a_turn_that_has_ended_is_not_abandoned(processes: Processes) -> None:
    writer, other = processes.one("a"), processes.one("b")
    await writer.beat()
    await writer.publish([entry(None), entry(FIRST), entry(LAST)])
    await writer.leave()
    assert await other.abandoned() == []
    assert not await other.end(TENANT, TURN, framed([(6, Failed(TURN, "c1", "interrupted", "…"))]))
    assert await other.read(TENANT, TURN, after=3) == [LAST]


async def test_a_writer_is_told_what_the_store_has_lost(processes: Processes) -> None:
    """As after a restart of a store that had not written everything down."""
    writer = processes.one("a")
    assert await writer.publish([entry(None), entry(FIRST)]) == set()
    lost = [Entry(TENANT, TURN, SECOND, after=99), Entry(TENANT, TURN, None, after=99)]
    assert await writer.publish(lost) == {TURN}
    assert await writer.read(TENANT, TURN, after=0) == [FIRST]
    assert await writer.publish([Entry(TENANT, TURN, SECOND, after=FIRST.number)]) == set()
    assert await writer.read(TENANT, TURN, after=3) == [SECOND]


async def test_a_forgotten_turn_is_nowhere_and_every_process_hears_of_it(processes: Processes) -> None:
    writer, other = processes.one("a"), processes.one("b")
    words = other.words()
    hearing = asyncio.ensure_future(anext(words))
    await writer.publish([entry(None), entry(FIRST)])
    async with asyncio.timeout(20):
        while not hearing.done():  # until it listens
            await writer.forget([(TENANT, TURN)])
            await asyncio.wait([hearing], timeout=0.05)
    assert hearing.result() == ("forget", TURN)
    assert await other.read(TENANT, TURN, after=0) is None
    assert await other.abandoned() == []
    await words.aclose()


async def test_words_reach_other_processes(processes: Processes) -> None:
    one, other = processes.one("a"), processes.one("b")
    words = other.words()
    hearing = asyncio.ensure_future(anext(words))
    async with asyncio.timeout(20):
        while not hearing.done():  # until it listens
            await one.say("stop", TURN)
            await asyncio.wait([hearing], timeout=0.05)
    assert hearing.result() == ("stop", TURN)
    await words.aclose()


async def test_a_redis_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        streams = RedisStreams(server.url)
        await streams.publish([entry(None)])
    for call in (streams.publish([entry(FIRST)]), streams.read(TENANT, TURN, after=0), streams.beat()):
        with pytest.raises(Unavailable) as away:
            await call
        assert away.value.error_code == "streams_unavailable"
    await streams.close()


def test_of_a_frame_a_reader_gets_what_it_has_not(  # it lost the connection in the middle of one
) -> None:
    assert without(FIRST, 1).data == framed([(2, Token("旗舰店")), (3, Token("保证金"))]).data
    assert without(SECOND, 3) == SECOND


def test_what_was_said_can_be_read_from_frames() -> None:
    assert text_in([FIRST, SECOND, LAST]) == "旗舰店保证金 5 万元"
