"""How far a job is, on its card: now and then, while there is room for such frames, until it has ended."""

import asyncio
import logging
import time
from collections.abc import Mapping

from app.jobs.events import JobEvent
from app.jobs.models import JobState
from app.jobs.service import JobService
from app.tools.wording import state_word
from bots.dingtalk import cards
from bots.job_cards import card_id_of
from bots.ports import BudgetSpent, ChannelRefused, Messenger
from knowledge.errors import Unavailable
from knowledge.language import Language

PACE_SECONDS = 3.0  # between two updates of a card
WAITING_SECONDS = 15.0  # between two looks at a job that waits for its approval, which may take days
STEP_PERCENT = 25  # less than this, in the same stage, is not worth a call

log = logging.getLogger(__name__)


class JobWatch:
    """Follows jobs for their cards. A job's end is the courier's to show."""

    def __init__(self, jobs: JobService, messenger: Messenger, *, pace: float = PACE_SECONDS) -> None:
        self._jobs = jobs
        self._messenger = messenger
        self._pace = pace

    async def follow(self, tenant: str, job_id: str, *, language: Language = "zh") -> None:
        """Until the job has ended, or its card takes no more. Raises NotFound ``job_not_found``."""
        course, last = _Course(), "0-0"
        while True:
            state = (await self._jobs.ledger.get(tenant, job_id)).state
            if state.ended:
                return
            if state is JobState.WAITING:
                await asyncio.sleep(WAITING_SECONDS)
                continue
            for number, event in await self._jobs.events.read(tenant, job_id, after=last):
                last = number
                course.take(event)
            if (await self._jobs.ledger.get(tenant, job_id)).state.ended:
                return
            if course.worth_telling and course.since_told >= self._pace:
                course.tell()
                running = {"status": state_word(JobState.RUNNING, language)}
                if not await self._show(job_id, cards.job_progress(language, course.percent, course.stage) | running):
                    return
                state = (await self._jobs.ledger.get(tenant, job_id)).state
                if state.ended:  # meanwhile, and its end may have been shown before this
                    await self._show(job_id, {"stage": "", "status": state_word(state, language)})

    async def _show(self, job_id: str, values: Mapping[str, str]) -> bool:
        """→ whether the card may be updated again. What is not shown now is shown with the next, or not at all."""
        try:
            await self._messenger.update_card(card_id_of(job_id), values)
        except (ChannelRefused, BudgetSpent) as error:
            log.info("no more progress job=%s code=%s", job_id, error.error_code)
            return False
        except Unavailable as error:
            log.info("progress skipped job=%s code=%s", job_id, error.error_code)
        return True


class _Course:
    """The newest of a job, and what of it was told. Times are in seconds."""

    def __init__(self) -> None:
        self.percent = 0
        self.stage = ""
        self._told = (0, "")
        self._told_at = float("-inf")

    @property
    def worth_telling(self) -> bool:
        percent, stage = self._told
        return bool(self.stage) and (self.stage != stage or self.percent >= percent + STEP_PERCENT)

    @property
    def since_told(self) -> float:
        return time.monotonic() - self._told_at

    def take(self, event: JobEvent) -> None:
        if event.name == "progress":
            self.percent, self.stage = int(event.data["percent"]), str(event.data["stage"])

    def tell(self) -> None:
        self._told, self._told_at = (self.percent, self.stage), time.monotonic()
