"""What a reader sees when pages reload, tabs double, and processes, Redis and readers go away: with real processes."""

import asyncio
import random
import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
import redis

from tests.e2e.api_processes import Api, Event, Stage, fake_model, reading, stage, text_of

FEW, MANY = 10, 200  # slow readers
KIB_EACH = 200  # what one more of them may cost: its socket's buffers, and what is on its way there

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("streams")) as made:
        yield made


@pytest.fixture(scope="module")
def pair(shop: Stage) -> Iterator[list[Api]]:
    """Two processes that no test kills."""
    with shop.apis(2) as apis:
        yield apis


def client(api: Api) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=api.url, timeout=60, limits=httpx.Limits(max_connections=None))


async def read(
    http: httpx.AsyncClient, turn_id: str | None = None, *, after: int = 0, until: int | None = None, tokens: int = 0
) -> list[Event]:
    """To its end, to an event's number, or until so many pieces of text have come."""
    seen: list[Event] = []
    async with asyncio.timeout(100), reading(http, turn_id, after=after) as events:
        async for event in events:
            seen.append(event)
            if event.number == until or (tokens and sum(each.name == "token" for each in seen) >= tokens):
                break
    return seen


@asynccontextmanager
async def asked(http: httpx.AsyncClient) -> AsyncGenerator[tuple[str, "asyncio.Task[list[Event]]"]]:
    """A question under way, with some text said → (its turn, all that its first reader gets)."""
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def first() -> list[Event]:
        seen: list[Event] = []
        async with reading(http) as events:
            async for event in events:
                seen.append(event)
                if event.name == "token" and not begun.done():
                    begun.set_result(seen[0].data["turn_id"])
        return seen

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(first())
        yield await begun, task


async def comes_true(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (what happens in another process)
            await asyncio.sleep(0.05)


async def visible(http: httpx.AsyncClient, turn_id: str) -> None:
    """When another process can see it."""
    async with asyncio.timeout(20):
        while True:
            with suppress(AssertionError):
                async with reading(http, turn_id):
                    return
            await asyncio.sleep(0.05)


def ends_of(events: list[Event]) -> list[str]:
    return [event.name for event in events if event.name in ("done", "failed")]


async def test_a_second_tab_gets_every_event_under_the_same_numbers(pair: list[Api]) -> None:
    async with client(pair[0]) as http, client(pair[1]) as elsewhere:
        async with asked(http) as (turn_id, first):
            await visible(elsewhere, turn_id)
            tab, far = await asyncio.gather(read(http, turn_id), read(elsewhere, turn_id))
        mine = first.result()
        assert ends_of(mine) == ["done"]
        assert text_of(tab) == text_of(far) == text_of(mine)
        for other in (tab, far):
            assert other[0].name == "started"
            assert other[-1] == mine[-1]
            numbers = [event.number for event in other]
            assert numbers == sorted(set(numbers))


async def test_a_reload_goes_on_with_exactly_the_rest(pair: list[Api]) -> None:
    async with client(pair[0]) as http, client(pair[1]) as elsewhere, asked(http) as (turn_id, first):
        for page in (http, elsewhere):
            await visible(page, turn_id)
            seen = await read(page, turn_id, tokens=2)
            for tokens in (3, 1, 5):  # one reload after the other
                seen += await read(page, turn_id, after=seen[-1].number, tokens=tokens)
            seen += await read(page, turn_id, after=seen[-1].number)
            numbers = [event.number for event in seen]
            assert numbers == sorted(set(numbers))
            assert ends_of(seen) == ["done"]
            assert text_of(seen) == text_of(await first)


async def test_another_process_stops_it_and_the_models_connection_is_closed_at_once(
    shop: Stage, pair: list[Api]
) -> None:
    async with client(pair[0]) as http, client(pair[1]) as elsewhere, asked(http) as (turn_id, first):
        await visible(elsewhere, turn_id)
        before, began = shop.model_stats()["disconnects"], time.monotonic()
        assert (await elsewhere.post(f"/v1/turns/{turn_id}/stop")).status_code == 202
        await comes_true(lambda: shop.model_stats()["disconnects"] == before + 1, seconds=5)
        assert time.monotonic() - began < 3
        mine, theirs = await first, await read(elsewhere, turn_id)
        assert mine[-1].data["finish"] == theirs[-1].data["finish"] == "stopped"
        assert text_of(mine) == text_of(theirs)


async def test_a_killed_process_leaves_a_turn_that_ends_as_interrupted_and_is_answered_again(shop: Stage) -> None:
    with shop.apis(2) as (victim, other):
        async with client(victim) as http, client(other) as elsewhere:
            with suppress(httpx.HTTPError, ExceptionGroup):
                async with asked(http) as (turn_id, _):
                    await visible(elsewhere, turn_id)
                    seen = await read(elsewhere, turn_id, tokens=2)
                    victim.kill()
            seen += await read(elsewhere, turn_id, after=seen[-1].number)
            assert ends_of(seen) == ["failed"]
            assert seen[-1].data["code"] == "interrupted"
            assert text_of(seen)
            again = await elsewhere.post(f"/v1/turns/{turn_id}/regenerate", params={"stream": "false"})
            assert again.status_code == 200, again.text
            assert again.json()["answer"]
            late = await read(elsewhere, turn_id)  # who comes back later sees the same
            assert [(event.number, event.name) for event in late[-1:]] == [(seen[-1].number, "failed")]


@pytest.mark.parametrize("disk", ["kept", "lost"])
async def test_redis_may_be_killed_in_the_middle_of_an_answer(shop: Stage, pair: list[Api], disk: str) -> None:
    async with client(pair[0]) as http, client(pair[1]) as elsewhere:
        try:
            async with asked(http) as (turn_id, first):
                await visible(elsewhere, turn_id)
                reader = asyncio.ensure_future(read(elsewhere, turn_id))
                await asyncio.sleep(0.5)
                shop.redis.kill()
                began = time.monotonic()
                without = await elsewhere.post(
                    "/v1/chat", json={"question": "那退款要多久？", "stream": False}, timeout=60
                )
                assert without.status_code == 200, without.text
                assert time.monotonic() - began < 40
                if disk == "lost":
                    shop.redis.forget()
                shop.redis.start()
            assert ends_of(first.result()) == ["done"]  # its own process needs no Redis for it
            seen = await reader
            assert len(ends_of(seen)) == 1
            numbers = [event.number for event in seen]
            assert numbers == sorted(set(numbers))
            if ends_of(seen) == ["done"]:
                assert text_of(seen) == text_of(first.result())
        finally:
            if not shop.redis.running:
                shop.redis.start()
        async with asked(http) as (turn_id, first):  # and everything is as before
            await visible(elsewhere, turn_id)
            assert text_of(await read(elsewhere, turn_id)) == text_of(await first)


async def test_readers_of_a_byte_a_second_cost_nobody_time_and_little_memory(shop: Stage) -> None:
    """Each of them is owed 400 kB of text that it does not take, and costs half of that at most.

    The first answers make the process larger by themselves: a client's modules, a frame for nearly each token.
    """
    env = {"COPILOT_MODEL_MAX_TOKENS": "200000", "COPILOT_ANSWER_CACHE": "false"}
    with (
        fake_model("--rate", "20000", "--tokens", "120000") as model,
        shop.apis(1, COPILOT_MODEL_BASE_URL=model, **env) as (api,),
    ):
        for _ in range(3):
            alone, few = await _whole_answer(api, slow=FEW)
        beside, many = await _whole_answer(api, slow=MANY)
        each = (many - few) / (MANY - FEW) / 1024
        print(f"{FEW} and {MANY} slow readers: {alone:.1f} and {beside:.1f} s, {each:.0f} KiB for each one more")
        assert beside < 3 * alone + 5
        assert each < KIB_EACH


async def _whole_answer(api: Api, *, slow: int) -> tuple[float, int]:
    """→ seconds until a reader has all of it, bytes of memory that the process has more then."""
    before, began = api.resident(), time.monotonic()
    async with client(api) as http, asked(http) as (turn_id, first):
        readers = [_slow_reader(api, turn_id) for _ in range(slow)]
        try:
            async with asyncio.TaskGroup() as tasks:
                sipping = tasks.create_task(_sip(readers))
                text = text_of(await first)
                took = time.monotonic() - began
                grown = api.resident() - before
                sipping.cancel()
        finally:
            for each in readers:
                each.close()
    assert len(text.encode()) > 400_000
    return took, grown


async def _sip(readers: list[socket.socket]) -> None:
    """A byte a second for each of them."""
    while True:
        for each in readers:
            assert len(await asyncio.to_thread(each.recv, 1)) == 1
        await asyncio.sleep(1)


def _slow_reader(api: Api, turn_id: str) -> socket.socket:
    """A connection that takes as good as nothing: its buffers are as small as the kernel lets them be."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    host, _, port = api.url.removeprefix("http://").partition(":")
    made.connect((host, int(port)))
    made.settimeout(10)
    made.sendall(f"GET /v1/turns/{turn_id}/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    return made


async def test_a_storm_of_readers_that_vanish_leaves_nothing_behind(shop: Stage, pair: list[Api]) -> None:
    """Pools keep the connections that the first storm needed; the second one, of 100 readers, adds none to them."""
    chance = random.Random(7)  # noqa: S311 (the same storm every time)
    await _storms(shop, pair, chance)
    before = [api.files() for api in pair]
    await _storms(shop, pair, chance)
    await comes_true(lambda: all(api.files() <= was + 20 for api, was in zip(pair, before, strict=True)), seconds=40)
    async with client(pair[0]) as http:
        assert ends_of(await read(http)) == ["done"]


async def _storms(shop: Stage, pair: list[Api], chance: random.Random) -> None:
    """Four at a time, until the last of their turns has ended."""
    async with client(pair[0]) as http, client(pair[1]) as elsewhere, asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(_storm(http, elsewhere, chance))
    await comes_true(lambda: shop.model_stats()["in_flight"] == 0, seconds=30)
    with redis.Redis.from_url(shop.redis.url) as store:
        await comes_true(lambda: store.hlen("copilot:turns:running") == 0, seconds=60)


async def _storm(http: httpx.AsyncClient, elsewhere: httpx.AsyncClient, chance: random.Random) -> None:
    """A turn with 25 readers that come and go; whoever asked goes, too."""
    async with asked(http) as (turn_id, first), asyncio.TaskGroup() as tasks:
        await visible(elsewhere, turn_id)
        for _ in range(25):
            page = chance.choice([http, elsewhere])
            tasks.create_task(_vanishing(page, turn_id, chance.uniform(0, 2), chance.uniform(0, 3)))
        await asyncio.sleep(chance.uniform(0, 1))
        first.cancel()


async def _vanishing(http: httpx.AsyncClient, turn_id: str, after: float, seconds: float) -> None:
    await asyncio.sleep(after)
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await read(http, turn_id)
