"""A bot under everything that can go wrong at once, for minutes: nothing lost, nothing doubled, memory flat.

    copilot bench dingtalk --minutes 10 --seed 1        or        python -m evals.bench.dingtalk_soak

Two whole bots as processes of their own (real Redis, SQLite and retrieval), before a DingTalk in this process. One is
killed every two minutes or so; the memory of the other is watched. People ask, give commands, click and send pictures
while calls fail, connections end and tokens are revoked. Then all is well again, and what became of each message is
counted. Beside it stands what a bot would call that sends a frame for each piece of the same answers.
"""

import asyncio
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from os import environ  # noqa: TID251 (a child inherits what we were given; nothing is read from it)
from pathlib import Path
from subprocess import DEVNULL
from typing import Annotated, Any

import orjson
import psutil
import typer
from rich.console import Console
from sqlalchemy import select

from app.channels.replies import Replies, Reply
from app.jobs.tables import deliveries, jobs
from app.processes.embedded import embedded_services
from app.processes.environment import FEW_ARENAS
from app.processes.runtime import is_marked_ready
from app.settings import Settings
from bots.dingtalk.cards import ANSWER, JOB
from bots.sandbox.gateway import Gateway, running_gateway
from bots.sandbox.people import Conversation, User
from evals.bench.bot_processes import Part, take_in_document, write_part
from evals.bench.soak_crowd import Crowd
from evals.bench.soak_report import SoakReport, minutely, percentiles, slope
from evals.bench.soak_trouble import Trouble
from evals.bench.soak_verdict import Verdict, calls_made, judged, throttled, waits
from knowledge.database import Database
from knowledge.models import DEFAULT_TENANT

ANSWER_TEXT = (
    "国内站订单签收后 7 个自然日内可以无理由退货，退回运费由买家承担 [1]。仓库收到退件并质检通过后，"
    "3 个工作日内原路退款 [1]。请保留好吊牌和包装，寄回时写上订单号，我们收到后会第一时间处理。"
)
PIECES = 40
PIECE_S = 0.05
PLAIN_CALLS = 2  # of a bot that sends every piece: its card, and the last frame
GROUPS, USERS = 4, 8
USER_PAUSE_S = 8.0
TROUBLE_PAUSE_S = 3.0
KILL_EVERY_S = 120.0
SAMPLE_S = 5.0
QUIET_S = 150.0  # the longest wait for what is under way, when all is well again
START_S = 120.0
MUCH = 10_000_000


@dataclass(eq=False)
class _Bots:
    """The processes, all that were ``started``. ``memory`` is that of the bot that lives on."""

    gateway: Gateway
    part: Part
    file: Path
    mortal: asyncio.subprocess.Process | None = None
    killed: int = 0
    memory: list[tuple[float, int]] = field(default_factory=list)
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def kill_one(self) -> None:
        """And start another."""
        if self.mortal is not None:
            self.mortal.kill()
            await self.mortal.wait()
            self.killed += 1
        self.mortal = await self.start("bot")

    async def start(self, which: str) -> asyncio.subprocess.Process:
        with self.file.with_suffix(".log").open("ab") as log:
            argv = (sys.executable, "-m", "evals.bench.bot_processes", which, str(self.file))
            env = {**environ, **FEW_ARENAS}
            process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=log, stderr=log, env=env)
        self.started.append(process)  # before it is ready: whoever waits for that may be cancelled
        async with asyncio.timeout(START_S):
            while not is_marked_ready(self.part.data, process.pid):
                if process.returncode is not None:
                    raise AssertionError(self.file.with_suffix(".log").read_text()[-3000:])
                await asyncio.sleep(0.1)
        return process

    async def watch(self, process: asyncio.subprocess.Process) -> None:
        """Until cancelled."""
        loop, seen = asyncio.get_running_loop(), psutil.Process(process.pid)
        while True:
            self.memory.append((loop.time(), seen.memory_info().rss))
            await asyncio.sleep(SAMPLE_S)


async def run(minutes: float = 10.0, seed: int = 1, *, kill_every_s: float = KILL_EVERY_S) -> SoakReport:
    """Everything in a folder that is thrown away."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="copilot-soak-") as folder:
        async with _stage(Path(folder), seed) as bots:
            places = _people(bots.gateway)
            crowd = Crowd(bots.gateway, chance, places, USER_PAUSE_S)
            trouble = Trouble(bots.gateway, chance, TROUBLE_PAUSE_S, bots.kill_one, kill_every_s)
            await asyncio.gather(crowd.talk(minutes * 60), trouble.make(minutes * 60))
            bots.gateway.clear_faults()
            verdict, replies = await _quiet(bots, crowd)
            return await _report(bots, crowd, trouble, verdict, replies, minutes=minutes, seed=seed)


@asynccontextmanager
async def _stage(folder: Path, seed: int) -> AsyncGenerator[_Bots]:
    """A gateway, a Redis, a worker and two bots that are ready."""
    data = folder / "data"
    plain = Settings(_env_file=None, data=data, redis_url=None)
    async with (
        embedded_services(plain, redis=True, chroma=False) as stores,
        running_gateway(monthly_calls=MUCH, monthly_messages=MUCH, seed=seed) as gateway,
    ):
        part = Part(_settings(gateway, data), stores.redis_url or "", ANSWER_TEXT, PIECES, PIECE_S, call_s=5.0)
        await take_in_document(part)
        write_part(part, folder / "part.json")
        bots = _Bots(gateway, part, folder / "part.json")
        try:
            await bots.start("worker")
            lasting = await bots.start("bot")
            await bots.kill_one()
            await gateway.connected(2, START_S)
            watching = asyncio.ensure_future(bots.watch(lasting))
            try:
                yield bots
            finally:
                watching.cancel()
        finally:
            for process in bots.started:
                if process.returncode is None:
                    process.send_signal(signal.SIGTERM)
                    await process.wait()


def _settings(gateway: Gateway, data: Path) -> dict[str, Any]:
    gateway.register_template("answer.schema", ANSWER.variables, ANSWER.streaming_key)
    gateway.register_template("job.schema", JOB.variables, None)
    return {
        "data": str(data),
        "dingtalk_client_id": gateway.client_id,
        "dingtalk_client_secret": gateway.tokens.client_secret,
        "dingtalk_openapi_url": gateway.url,
        "dingtalk_oapi_url": gateway.url,
        "dingtalk_answer_template": "answer.schema",
        "dingtalk_job_template": "job.schema",
        "dingtalk_monthly_calls": MUCH,
        "dingtalk_monthly_messages": MUCH,
    }


def _people(gateway: Gateway) -> list[tuple[Conversation, User]]:
    """Everybody talks in a group, and half of them with the bot alone."""
    users = [gateway.add_user(f"u{number}", f"同事{number}") for number in range(USERS)]
    groups = [gateway.add_group(f"群{number}", users) for number in range(GROUPS)]
    talking = [(groups[number % GROUPS], user) for number, user in enumerate(users)]
    return [*talking, *((gateway.single(user), user) for user in users[: USERS // 2])]


async def _quiet(bots: _Bots, crowd: Crowd) -> tuple[Verdict, Mapping[str, Reply]]:
    """All is well: wait for what is under way; then everybody says a word more, to be told what was kept for them, and
    asks for what may not have arrived."""
    for place, user in crowd.places:
        await crowd.say("command", place, user)
    loop = asyncio.get_running_loop()
    until = loop.time() + QUIET_S
    while True:
        for place, user in crowd.places:
            if crowd.was_told(place, user):
                await crowd.say("last", place, user)
        replies, begun, waiting = await _written(bots.part.data)
        verdict = judged(bots.gateway, crowd.said, replies, begun)
        if not waiting and not verdict.lost and not bots.gateway.check(outcomes=False):
            await asyncio.sleep(2)  # for what should not come any more
        elif loop.time() < until:
            await asyncio.sleep(0.5)
            continue
        replies, begun, _ = await _written(bots.part.data)
        return judged(bots.gateway, crowd.said, replies, begun), replies


async def _written(data: Path) -> tuple[dict[str, Reply], Counter[str], int]:
    """Rows of cards, jobs begun for each message, and how much is not at its end, by the database."""
    database = Database(Settings(_env_file=None, data=data).database)
    try:
        rows = await Replies(database).recent(DEFAULT_TENANT, MUCH)
        async with database.read() as connection:
            begun = list(await connection.execute(select(jobs.c.channel)))
            waiting = list(await connection.execute(select(deliveries.c.job_id).filter_by(state="waiting")))
    finally:
        await database.close()
    half_way = sum(row.state not in ("done", "stored", "unsure") for row in rows)
    cards = {row.card_id: row for row in rows if row.card_id}
    return (
        cards,
        Counter(str(row.channel["target"].get("message_id")) for row in begun if row.channel),
        half_way + len(waiting),
    )


async def _report(
    bots: _Bots,
    crowd: Crowd,
    trouble: Trouble,
    verdict: Verdict,
    replies: Mapping[str, Reply],
    *,
    minutes: float,
    seed: int,
) -> SoakReport:
    gateway = bots.gateway
    pushes = [one.push for one in crowd.said]
    acks = [delivery.acks[0].ms for push in pushes for delivery in push.deliveries if delivery.acks]
    took, calls = waits(gateway, crowd.said, replies), calls_made(gateway)
    answers = len(crowd.said) - len(verdict.lost) + sum(one.again for one in crowd.said)
    questions = sum(one.kind == "question" for one in crowd.said)
    return SoakReport(
        minutes=minutes,
        seed=seed,
        messages=len(crowd.said),
        clicks=crowd.clicks,
        answered=len(crowd.said) - len(verdict.lost),
        lost=verdict.lost,
        doubled=verdict.doubled,
        repeated=verdict.repeated,
        broken=tuple(gateway.check(outcomes=False)),
        restarts=bots.killed,
        troubles=trouble.made,
        throttled_percent=100 * throttled(gateway) / max(1, calls),
        ack_ms=percentiles(acks),
        first_text_s=percentiles(took.first_text),
        end_s=percentiles(took.end),
        calls_per_answer=calls / max(1, answers),
        plain_calls=(questions * (PIECES + PLAIN_CALLS) + (answers - questions)) / max(1, answers),
        rss_mb=minutely(bots.memory),
        rss_mb_per_hour=slope(bots.memory),
    )


def main(
    minutes: Annotated[float, typer.Option(help="How long things go wrong.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of what happens when.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """The DingTalk bot for minutes with random faults: lost, doubled, delays, calls and memory."""
    report = asyncio.run(run(minutes, seed))
    if as_json:
        print(orjson.dumps(report.json()).decode())
    else:
        Console().print(report.table())
    raise typer.Exit(0 if report.good else 1)


if __name__ == "__main__":
    typer.run(main)
