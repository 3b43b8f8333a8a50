"""A studio whose results go to a chat: quick kinds of job, a courier and the twins it brings them to."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import select, update

from app.channels.replies import Replies
from app.jobs.deliveries import Deliveries, Delivery
from app.jobs.models import Channel, Job
from app.jobs.ports import JobFailed, JobRequest, NewArtifact, Outcome, Quantities, Work
from app.jobs.runner import JobRunner
from app.jobs.service import JobService, Wanted
from app.jobs.tables import deliveries as table
from bots.delivery import Courier
from bots.memory import MemoryMessenger, MemoryRobots
from bots.messages import Target
from bots.pictures import PictureDesk
from bots.ports import Template
from knowledge.database import Database, now
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs.studio import small_studio

GROUP = Target("group", "cidGroup", "corp", account="u1", name="张三", webhook="http://127.0.0.1/w")


class DrawRequest(JobRequest):
    pictures: int = 1
    fail: bool = False
    steps: tuple[int, ...] = ()


class Draw:
    """Pictures at once."""

    kind = "white_background"
    queue: Literal["image"] = "image"
    request = DrawRequest

    def estimate(self, request: DrawRequest) -> Quantities:
        return Quantities(images=request.pictures)

    async def run(self, request: DrawRequest, work: Work) -> Outcome:
        if request.fail:
            raise JobFailed("The product is blurred.", code="image_blurred", found="12", limit="25")
        files = tuple(NewArtifact(b"png %d" % n, "image/png", f"{n}.png") for n in range(request.pictures))
        return Outcome({"engine": "test", "notes": [{"code": "image_too_dark", "message": "Dark."}]}, files)


class WriteRequest(JobRequest):
    pass


class Write:
    """Two titles, one of them doubtful."""

    kind = "titles"
    queue: Literal["text"] = "text"
    request = WriteRequest

    def estimate(self, request: WriteRequest) -> Quantities:
        return Quantities()

    async def run(self, request: WriteRequest, work: Work) -> Outcome:
        flag = {
            "start": 0,
            "end": 2,
            "message": {"zh": "“最好”是绝对化用语", "en": "“best” is a superlative"},
            "suggestion": {"zh": "换成具体参数", "en": "Give a figure"},
        }
        variants = [{"text": "最好的保温杯", "flags": [flag]}, {"text": "316 不锈钢保温杯 450ml", "flags": []}]
        file = NewArtifact("最好的保温杯".encode(), "text/markdown; charset=utf-8", "titles.md")
        return Outcome({"variants": variants, "flags": []}, (file,))


@dataclass(frozen=True, slots=True)
class Chat:
    """Everything that a delivery touches."""

    jobs: JobService
    deliveries: Deliveries
    replies: Replies
    messenger: MemoryMessenger
    robots: MemoryRobots
    courier: Courier
    database: Database

    async def made(self, kind: str = "white_background", channel: Channel | None = None, **request: Any) -> Job:
        """A job that has ended, and waits to be brought."""
        job = await self.asked(kind, channel, **request)
        await JobRunner(self.jobs, "w").drain(job.queue)
        return await self.jobs.ledger.get(job.tenant, job.id)

    async def asked(self, kind: str = "white_background", channel: Channel | None = None, **request: Any) -> Job:
        where = channel or Channel("dingtalk", GROUP.json())
        return await self.jobs.submit(Wanted(DEFAULT_TENANT, kind, request, requester="dingtalk:u1", channel=where))

    async def taken(self) -> Delivery:
        """What is due, in the hands of a process."""
        delivery = await self.deliveries.take(self.courier.channels, "bot-1")
        assert delivery is not None
        return delivery

    async def bring(self) -> int:
        """All that is due, until nothing is; → how many times somebody set out."""
        count = 0
        while (delivery := await self.deliveries.take(self.courier.channels, "bot-1")) is not None:
            await self.courier.deliver(delivery)
            count += 1
        return count

    async def row(self, job: Job) -> Any:
        async with self.database.read() as connection:
            return (await connection.execute(select(table).where(table.c.job_id == job.id))).one()

    async def wait_over(self) -> None:
        """As if the time before the next try had passed."""
        async with self.database.write() as connection:
            await connection.execute(update(table).values(not_before=now() - timedelta(seconds=1)))

    async def process_gone(self) -> None:
        """As if whoever has a delivery had been killed longer ago than the lease lasts."""
        async with self.database.write() as connection:
            await connection.execute(update(table).values(lease_until=now() - timedelta(seconds=1)))


@asynccontextmanager
async def chat(
    data: Path,
    *,
    templates: Collection[Template] = ("answer", "job"),
    images: Literal["media", "link"] = "media",
    public_url: str | None = None,
) -> AsyncIterator[Chat]:
    async with small_studio(data, [Draw(), Write()]) as jobs:
        database = jobs.ledger._database
        deliveries, replies = Deliveries(database), Replies(database)
        messenger, robots = MemoryMessenger(templates), MemoryRobots(["warehouse"])
        desk = PictureDesk(jobs.artifacts, images=images, public_url=public_url)
        courier = Courier(jobs, deliveries, replies, desk, messenger=messenger, robots=robots)
        yield Chat(jobs, deliveries, replies, messenger, robots, courier, database)
