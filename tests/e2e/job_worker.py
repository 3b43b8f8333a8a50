"""``python -m tests.e2e.job_worker DATA REDIS_URL``: a worker as ``copilot worker`` runs it, and kinds for tests.

Every start of a job is a line in a file of the data folder, so that a test sees how often a job was begun.
"""

import asyncio
import sys
from pathlib import Path

from app import telemetry
from app.jobs.ports import Outcome, Work
from app.settings import Settings
from app.studio import running_studio
from app.worker import Worker
from knowledge.errors import Unavailable
from tests.app.jobs.kinds import Echo, EchoRequest

QUEUES = ("text", "image")
PRICES = {"currency": "CNY", "image": 0.5}
POSTPONED = 2  # times that a job with ``fail: down`` finds its part away


class Counted(Echo):
    """An echo that is away for its first starts, in whichever process they are."""

    def __init__(self, starts: Path) -> None:
        super().__init__()
        self._starts = starts

    async def run(self, request: EchoRequest, work: Work) -> Outcome:
        begun = self._note(work.job_id)
        if request.fail == "down" and begun <= POSTPONED:
            raise Unavailable("The echo is away.", code="echo_unavailable")
        return await super().run(request, work)

    def _note(self, job_id: str) -> int:
        with (self._starts / job_id).open("a") as file:
            file.write("started\n")
        return len(starts_of(self._starts, job_id))


class CountedPicture(Counted):
    """The same in the queue of pictures."""

    kind = "picture"
    queue = "image"


def kinds(data: Path) -> list[Counted]:
    starts = data / "starts"
    starts.mkdir(parents=True, exist_ok=True)
    return [Counted(starts), CountedPicture(starts)]


def starts_of(starts: Path, job_id: str) -> list[str]:
    file = starts / job_id
    return file.read_text().splitlines() if file.exists() else []


async def main() -> None:
    data, redis_url = Path(sys.argv[1]), sys.argv[2]
    settings = Settings(_env_file=None, data=data, redis_url=redis_url, prices=PRICES)  # type: ignore[call-arg, arg-type]
    telemetry.configure(settings)
    async with running_studio(settings) as jobs:
        jobs.handlers.update({kind.kind: kind for kind in kinds(data)})
        await Worker(jobs, redis_url, QUEUES, sweep=_nothing, data=data).run()


async def _nothing() -> None:
    """What a worker looks after besides its jobs."""


if __name__ == "__main__":
    asyncio.run(main())
