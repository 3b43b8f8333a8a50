"""A job on its card, at each of its moments."""

from collections.abc import Mapping, Sequence
from typing import Literal

from app.jobs.models import Job, JobState
from app.tools.wording import kind_word, state_word
from bots import results
from bots.dingtalk import cards
from knowledge.language import Language

_ENDS: Mapping[JobState, Literal["succeeded", "failed", "cancelled"]] = {
    JobState.SUCCEEDED: "succeeded",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def begun(job: Job, language: Language) -> dict[str, str]:
    """Just asked for; every value that the card has."""
    title, status = kind_word(job.kind, language), state_word(job.state, language)
    return cards.job_opening(language, title=title, status=status, waiting=job.state is JobState.WAITING)


def ended(job: Job, pictures: Sequence[str], language: Language, *, page: str | None) -> dict[str, str]:
    """What changes with the end. ``pictures`` are media ids or links, ``page`` is the job's in the console."""
    return cards.job_ended(
        language,
        _ENDS[job.state],
        title=kind_word(job.kind, language),
        status=state_word(job.state, language),
        text=results.body(job, language),
        pictures=pictures,
        page=page,
    )


def reviewed(job: Job, language: Language) -> dict[str, str]:
    """Judged: by whom, and why."""
    by = (job.reviewed_by or "").partition(" <")[0]
    key = "review.rejected_because" if job.review == "rejected" and job.review_reason else f"review.{job.review}"
    return cards.job_reviewed(results.say(key, language, by=by, reason=job.review_reason or ""))


def made_again(language: Language) -> dict[str, str]:
    """Another job was begun instead."""
    return cards.job_redone(results.say("review.regenerated", language))
