"""What people decide about a job in a chat: approve it, reject it, have it made again; each acts once."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from app.identity.users import Role
from app.jobs.models import Job, Review
from app.jobs.service import JobService
from bots import job_faces
from bots.dingtalk import cards
from bots.job_cards import card_id_of
from knowledge.errors import Forbidden
from knowledge.language import Language

Verdict: TypeAlias = Literal["approve", "reject", "regenerate"]
_SIGNED, _NAME = 120, 70  # characters of the ledger's column, and of a name in it
_REVIEWS: Mapping[Verdict, Review] = {"approve": "approved", "reject": "rejected"}

log = logging.getLogger(__name__)


class Reviewer(Protocol):
    """Who decides: :class:`bots.people.Person`. ``label`` is who it was, for the record; ``name`` is shown."""

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    def may(self, role: Role) -> bool: ...


@dataclass(frozen=True, slots=True)
class Reviewed:
    """``values`` are what the card shows now; ``again`` is the job that was begun instead, which wants a card too."""

    job: Job
    values: Mapping[str, str]
    again: Job | None = None


async def review_from_chat(
    jobs: JobService,
    *,
    tenant: str,
    job_id: str,
    verdict: Verdict,
    by: Reviewer,
    reason: str | None = None,
    language: Language = "zh",
) -> Reviewed:
    """Decide, once: the first word counts, and whoever clicks again is shown the same. ``reason`` is one of the card's,
    or in words.

    Raises Forbidden ``review_not_yours``, NotFound ``job_not_found``, Conflict ``job_not_done``; and as
    :meth:`JobService.retry` does for a job that is made again.
    """
    job = await jobs.ledger.get(tenant, job_id)
    if job.requester != by.label and not by.may(Role.OPERATOR):
        raise Forbidden("Only who asked for this, or an operator, may decide about it.", code="review_not_yours")
    if verdict == "regenerate":
        return await _again(jobs, job, language)
    why = cards.rejection(reason, language, textual=job.queue == "text") if reason else None
    done = await jobs.review(tenant, job_id, _REVIEWS[verdict], reason=why, by=signed(by), once=True)
    log.info("job reviewed id=%s review=%s by=%s", job_id, done.review, by.label)
    return Reviewed(done, job_faces.reviewed(done, language))


def signed(by: Reviewer) -> str:
    """Who decided, as the ledger keeps it: a name for people, a label for the record."""
    return f"{by.name[:_NAME]} <{by.label}>"[:_SIGNED]


async def _again(jobs: JobService, job: Job, language: Language) -> Reviewed:
    """One new job a card, however often it is asked for; whoever asked for the first may decide about it too."""
    key = f"{card_id_of(job.id)}:again"
    again = await jobs.retry(job.tenant, job.id, {}, requester=job.requester, idempotency_key=key)
    return Reviewed(job, job_faces.made_again(language), again)
