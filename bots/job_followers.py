"""Cards of jobs that begin in a chat, and their progress while they run."""

import asyncio
import logging

from app.channels.replies import Replies
from app.chat import events
from app.jobs.models import Job
from app.jobs.service import JobService
from bots.answering import Shown
from bots.dispatcher import left_to_the_next_round
from bots.job_cards import JobCards
from bots.messages import Target
from bots.ports import Messenger
from bots.watching import JobWatch
from knowledge.language import Language

log = logging.getLogger(__name__)


class JobFollowers:
    """``tasks`` lives as long as the bot does."""

    def __init__(self, jobs: JobService, messenger: Messenger, replies: Replies, tasks: asyncio.TaskGroup) -> None:
        self._jobs = jobs
        self._cards = JobCards(messenger, replies)
        self._watch = JobWatch(jobs, messenger)
        self._tasks = tasks
        self._following: set[asyncio.Task[None]] = set()

    async def of_answer(self, event: events.Job, shown: Shown) -> None:
        """A job that an answer started."""
        with left_to_the_next_round("job card"):  # the courier opens it then; the answer goes on
            job = await self._jobs.ledger.get(shown.reply.tenant, event.id)
            self.begin(job, shown.target, shown.language)

    def begin(self, job: Job, target: Target, language: Language) -> None:
        """Open its card and follow it."""
        task = self._tasks.create_task(self._follow(job, target, language), name=f"job {job.id}")
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    def stop(self) -> None:
        """The process ends; the courier shows the end of every job."""
        for task in list(self._following):
            task.cancel()

    async def _follow(self, job: Job, target: Target, language: Language) -> None:
        with left_to_the_next_round("job card"):
            if await self._cards.open(job, target, language=language):
                await self._watch.follow(job.tenant, job.id, language=language)
