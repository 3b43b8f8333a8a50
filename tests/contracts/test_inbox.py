"""What every inbox does: the twin, and one on a real Redis, also one that is away for a while."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from bots.dingtalk.inbox import MOST_WAITING, SEEN_SECONDS, Inbox, InboxFull, MemoryInbox, RedisInbox, Waiting
from knowledge.errors import Unavailable
from tests.e2e.redis_server import RedisServer, redis_server

ROBOT = "robot-1"
CONVERSATION = "cid6KeBBLoveMOJXoYKF5x7EeiodoA=="
SECONDS = 30  # a busy machine may take that long for what takes one
SHORT = 0.3  # seconds of a lease that a test waits for to end


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as started:
        yield started


class Inboxes:
    """Those of several processes; the twin is one for all."""

    def __init__(self, server: RedisServer | None) -> None:
        self._server = server
        self._made: list[Inbox] = []

    def of_process(self, *, lease_seconds: float = 60.0) -> Inbox:
        if self._server is None and self._made:
            return self._made[0]
        made: Inbox = (
            RedisInbox(self._server.url, ROBOT, lease_seconds=lease_seconds)
            if self._server
            else MemoryInbox(ROBOT, lease_seconds=lease_seconds)
        )
        self._made.append(made)
        return made

    async def close(self) -> None:
        for inbox in self._made:
            await inbox.close()


@pytest.fixture(params=["memory", "redis"])
async def inboxes(request: pytest.FixtureRequest) -> AsyncIterator[Inboxes]:
    made = Inboxes(request.getfixturevalue("server") if request.param == "redis" else None)
    yield made
    await made.close()


def waiting(message_id: str, payload: bytes = b"", attempt: int = 1) -> Waiting:
    return Waiting(ROBOT, message_id, CONVERSATION, payload, attempt)


async def taken(inbox: Inbox, owner: str, conversation: str = CONVERSATION) -> Waiting:
    """As soon as it can be."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = await inbox.take(conversation, owner)
        if found is not None:
            return found
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def written_to_its_file(server: RedisServer) -> None:
    """Mostly at once; up to two seconds later when the disk is slow."""
    deadline = time.monotonic() + SECONDS
    with redis.Redis.from_url(server.url) as client:
        while client.info("persistence")["aof_buffer_length"]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)


async def test_messages_come_out_whole_and_in_order_and_each_once(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process()
    payloads = {"m1": b"\x00\xff\n", "m2/+==": "你好".encode(), "m3": b""}
    for message_id, payload in payloads.items():
        assert await inbox.accept(message_id, CONVERSATION, payload)
    assert not await inbox.accept("m2/+==", CONVERSATION, b"again")
    for message_id, payload in payloads.items():
        assert await inbox.take(CONVERSATION, "a") == waiting(message_id, payload)
        assert await inbox.done(CONVERSATION, "a", message_id)
    assert await inbox.take(CONVERSATION, "a") is None
    assert await inbox.unattended() == []
    assert not await inbox.accept("m1", CONVERSATION, b"an hour later")
    assert await inbox.unattended() == []


async def test_one_message_that_many_take_in_is_accepted_once(inboxes: Inboxes) -> None:
    several = [inboxes.of_process() for _ in range(4)]
    accepted = await asyncio.gather(*(inbox.accept("m1", CONVERSATION, b"") for inbox in several * 10))
    assert accepted.count(True) == 1
    assert await several[0].take(CONVERSATION, "a") == waiting("m1")
    assert await several[0].done(CONVERSATION, "a", "m1")
    assert await several[1].take(CONVERSATION, "a") is None


async def test_a_conversation_has_one_consumer_among_all_processes(inboxes: Inboxes) -> None:
    several = [inboxes.of_process() for _ in range(4)]
    for number in range(20):
        await several[number % 4].accept(f"m{number:02}", CONVERSATION, b"")
    at_it = 0
    handled: list[str] = []

    async def consume(number: int) -> None:
        nonlocal at_it
        inbox, owner = several[number], f"process-{number}"
        while len(handled) < 20:
            found = await inbox.take(CONVERSATION, owner)
            if found is None:
                await asyncio.sleep(0.01)
                continue
            at_it += 1
            assert at_it == 1
            await asyncio.sleep(0.002)
            handled.append(found.message_id)
            at_it -= 1
            assert await inbox.done(CONVERSATION, owner, found.message_id)
            if number % 2:
                await inbox.give_back(CONVERSATION, owner)

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(consume(number) for number in range(4)))
    assert handled == [f"m{number:02}" for number in range(20)]


async def test_conversations_do_not_wait_for_each_other(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process()
    for conversation in ("c1", "c2", "c3"):
        await inbox.accept(f"in-{conversation}", conversation, b"")
    assert await inbox.unattended() == ["c1", "c2", "c3"]
    assert await inbox.take("c1", "a")
    assert await inbox.busy() == {"c1", "c2", "c3"}
    assert (await inbox.take("c2", "b")).message_id == "in-c2"
    assert await inbox.unattended() == ["c3"]
    assert await inbox.done("c2", "b", "in-c2")
    assert await inbox.busy() == {"c1", "c3"}
    assert await inbox.take("c1", "b") is None


async def test_the_same_message_is_taken_until_it_is_done_and_that_is_one_attempt(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process()
    await inbox.accept("m1", CONVERSATION, b"")
    await inbox.accept("m2", CONVERSATION, b"")
    assert [await inbox.take(CONVERSATION, "a") for _ in range(2)] == [waiting("m1")] * 2
    assert not await inbox.done(CONVERSATION, "b", "m1")
    assert not await inbox.done(CONVERSATION, "a", "m2")
    assert await inbox.done(CONVERSATION, "a", "m1")
    assert await inbox.done(CONVERSATION, "a", "m1")  # the first answer was lost
    assert await inbox.take(CONVERSATION, "b") is None  # a goes on
    assert await inbox.take(CONVERSATION, "a") == waiting("m2")


async def test_a_message_that_its_consumer_died_of_goes_to_another_and_counts(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process(lease_seconds=SHORT)
    await inbox.accept("m1", CONVERSATION, b"")
    for attempt in range(1, 4):
        assert await taken(inbox, f"process-{attempt}") == waiting("m1", attempt=attempt)
    assert not await inbox.done(CONVERSATION, "process-1", "m1")
    assert not await inbox.beat(CONVERSATION, "process-1", "m1")
    deadline = time.monotonic() + SECONDS
    while await inbox.unattended() != [CONVERSATION]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert await taken(inbox, "process-4") == waiting("m1", attempt=4)
    assert await inbox.done(CONVERSATION, "process-4", "m1")
    assert await inbox.unattended() == []


async def test_a_lease_that_beats_is_kept_for_longer_than_it_lasts(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process(lease_seconds=2)
    await inbox.accept("m1", CONVERSATION, b"")
    assert await inbox.take(CONVERSATION, "a")
    began = time.monotonic()
    while time.monotonic() - began < 3:
        assert await inbox.beat(CONVERSATION, "a", "m1")
        assert await inbox.take(CONVERSATION, "b") is None
        assert await inbox.unattended() == []
        await asyncio.sleep(0.05)
    assert await inbox.done(CONVERSATION, "a", "m1")
    assert not await inbox.beat(CONVERSATION, "a", "m1")


async def test_who_slept_through_its_lease_goes_on_if_nobody_came_meanwhile(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process(lease_seconds=0.05)
    await inbox.accept("m1", CONVERSATION, b"")
    await inbox.accept("m2", CONVERSATION, b"")
    for message_id in ("m1", "m2"):
        assert await inbox.take(CONVERSATION, "a") == waiting(message_id)
        await asyncio.sleep(0.2)
        assert await inbox.beat(CONVERSATION, "a", message_id)
        await asyncio.sleep(0.2)
        assert await inbox.done(CONVERSATION, "a", message_id)
    assert not await inbox.beat(CONVERSATION, "a", "m1")
    assert await inbox.unattended() == []


async def test_a_process_that_stops_gives_back_as_if_it_had_not_begun(inboxes: Inboxes) -> None:
    one, other = inboxes.of_process(), inboxes.of_process()
    await one.accept("m1", CONVERSATION, b"")
    assert await one.take(CONVERSATION, "a") == waiting("m1")
    await other.give_back(CONVERSATION, "b")
    assert await other.take(CONVERSATION, "b") is None
    await one.give_back(CONVERSATION, "a")
    await one.give_back(CONVERSATION, "a")
    assert await other.unattended() == [CONVERSATION]
    assert await other.take(CONVERSATION, "b") == waiting("m1")


async def test_a_conversation_that_is_flooded_is_refused_and_the_others_are_not(inboxes: Inboxes) -> None:
    inbox = inboxes.of_process()
    for number in range(MOST_WAITING):
        assert await inbox.accept(f"m{number}", CONVERSATION, b"")
    with pytest.raises(InboxFull) as refused:
        await inbox.accept("one-more", CONVERSATION, b"")
    assert refused.value.error_code == "inbox_full"
    assert not await inbox.accept("m3", CONVERSATION, b"")
    assert await inbox.accept("elsewhere", "another", b"")
    assert await inbox.take(CONVERSATION, "a")
    assert await inbox.done(CONVERSATION, "a", "m0")
    assert await inbox.accept("one-more", CONVERSATION, b"")  # it is delivered again, and there is room


async def test_a_message_wakes_its_own_process_at_once_and_is_found_by_the_others(inboxes: Inboxes) -> None:
    one, other = inboxes.of_process(), inboxes.of_process()
    woken = asyncio.ensure_future(one.woken(SECONDS))
    await one.accept("m1", CONVERSATION, b"")
    await asyncio.wait_for(woken, SECONDS / 3)
    await other.woken(0.05)
    assert await other.unattended() == [CONVERSATION]
    began = time.monotonic()
    await one.woken(0.2)
    assert time.monotonic() - began >= 0.15


async def test_a_message_is_remembered_for_a_day_and_what_is_done_leaves_nothing_else(server: RedisServer) -> None:
    inbox = RedisInbox(server.url, ROBOT)
    for number in range(3):
        await inbox.accept(f"m{number}", CONVERSATION, b"x" * 1000)
    for number in range(3):
        await inbox.take(CONVERSATION, "a")
        await inbox.done(CONVERSATION, "a", f"m{number}")
    with redis.Redis.from_url(server.url) as client:
        names = client.keys("*")
        assert len(names) == 3
        assert all(SEEN_SECONDS - 600 < client.ttl(name) <= SEEN_SECONDS for name in names)
    await inbox.close()


async def test_a_redis_that_is_killed_and_started_again_has_lost_no_message(server: RedisServer) -> None:
    inbox = RedisInbox(server.url, ROBOT)
    for number in range(5):
        await inbox.accept(f"m{number}", CONVERSATION, b"")
    assert await inbox.take(CONVERSATION, "a") == waiting("m0")
    await written_to_its_file(server)
    server.kill()
    with pytest.raises(Unavailable):
        await inbox.accept("m5", CONVERSATION, b"")
    with pytest.raises(Unavailable):
        await inbox.unattended()
    server.start()
    assert not await inbox.accept("m0", CONVERSATION, b"")
    assert await inbox.accept("m5", CONVERSATION, b"")
    assert await inbox.beat(CONVERSATION, "a", "m1")
    for number in range(6):
        assert await inbox.take(CONVERSATION, "a") == waiting(f"m{number}")
        assert await inbox.done(CONVERSATION, "a", f"m{number}")
    assert await inbox.unattended() == []
    await inbox.close()


async def test_who_is_at_a_message_that_redis_forgot_goes_on_and_has_it_to_itself(server: RedisServer) -> None:
    inbox = RedisInbox(server.url, ROBOT)
    await inbox.accept("m1", CONVERSATION, b"")
    assert await inbox.take(CONVERSATION, "a") == waiting("m1")
    server.kill()
    server.forget()
    server.start()
    assert await inbox.busy() == set()
    assert await inbox.beat(CONVERSATION, "a", "m1")
    assert await inbox.accept("m1", CONVERSATION, b"")  # it is delivered again
    assert await inbox.take(CONVERSATION, "b") is None
    assert await inbox.done(CONVERSATION, "a", "m1")
    assert await inbox.busy() == set()
    assert not await inbox.beat(CONVERSATION, "a", "m1")
    await inbox.close()


async def test_robots_have_an_inbox_each(server: RedisServer) -> None:
    one, other = RedisInbox(server.url, "robot-1"), RedisInbox(server.url, "robot-2")
    assert await one.accept("m1", CONVERSATION, b"")
    assert await other.accept("m1", CONVERSATION, b"")
    assert await one.take(CONVERSATION, "a")
    assert (await other.take(CONVERSATION, "b")).robot == "robot-2"
    await one.close()
    await other.close()


async def test_what_was_seen_is_forgotten_after_a_day() -> None:
    clock = [0.0]
    inbox = MemoryInbox(clock=lambda: clock[0])
    assert await inbox.accept("m1", CONVERSATION, b"")
    clock[0] = SEEN_SECONDS - 1
    assert not await inbox.accept("m1", CONVERSATION, b"")
    clock[0] = SEEN_SECONDS + 1
    assert await inbox.accept("m1", CONVERSATION, b"")
