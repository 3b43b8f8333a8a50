"""Tools about jobs that exist: how far they are, and stopping them."""

from collections.abc import Mapping
from typing import Any

from app.jobs.models import Channel, Job
from app.jobs.service import JobService, Wanted
from app.llm.ports import ToolSpec
from app.tools.registry import Caller, Did, ToolOutcome
from app.tools.wording import kind_word, say, state_word
from knowledge.errors import NotFound

SHOWN = 5
_JOB_ID = {
    "type": "string",
    "description": "任务编号（可只写前几位）；不写就是这个会话里最近的任务 / job id, or its first characters; "
    "the latest job without it",
}


class JobStatus:
    """How the jobs of this conversation stand."""

    spec = ToolSpec(
        "job_status",
        "查看任务进度和结果 / how jobs stand and what came of them",
        {"type": "object", "properties": {"job_id": _JOB_ID}, "additionalProperties": False},
    )

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        page = await of_conversation(self._jobs, caller)
        if wanted := arguments.get("job_id"):
            page = [find(page, wanted)]
        lines = [_line(job, caller) for job in page[:SHOWN]]
        said = "\n".join(f"- {line}" for line in lines) or say("no_jobs", caller.language)
        return Did({"jobs": [_told(job) for job in page[:SHOWN]]}, said)


class CancelJob:
    """Stops a job of this conversation."""

    spec = ToolSpec(
        "cancel_job",
        "取消一个还没有完成的任务 / cancel a job that has not ended",
        {"type": "object", "properties": {"job_id": _JOB_ID}, "additionalProperties": False},
    )

    def __init__(self, jobs: JobService) -> None:
        self._jobs = jobs

    async def call(self, arguments: Mapping[str, Any], caller: Caller) -> ToolOutcome:
        page = await of_conversation(self._jobs, caller)
        open_ = [job for job in page if not job.state.ended]
        if wanted := arguments.get("job_id"):
            open_ = [find(page, wanted)]
        if not open_:
            return Did({"cancelled": None}, say("nothing_to_cancel", caller.language))
        job = await self._jobs.cancel(caller.tenant, open_[0].id)
        said = say("job_cancelled", caller.language, kind=kind_word(job.kind, caller.language), id=short(job))
        return Did({"cancelled": job.id}, said)


def short(job: Job) -> str:
    """As many characters of a job's id as people need to tell jobs apart."""
    return job.id[:8]


async def of_conversation(jobs: JobService, caller: Caller) -> list[Job]:
    """The jobs of a conversation, newest first."""
    return await jobs.ledger.newest(caller.tenant, conversation_id=caller.conversation_id)


def find(page: list[Job], wanted: str) -> Job:
    """By id or its first characters; only in this conversation. Raises NotFound ``job_not_found``."""
    for job in page:
        if job.id.startswith(wanted.strip().lower()):
            return job
    raise NotFound("There is no such job in this conversation.", code="job_not_found")


async def start(jobs: JobService, kind: str, request: Mapping[str, Any], caller: Caller) -> Did:
    """Ask for a job whose result comes to this conversation."""
    job = await jobs.submit(
        Wanted(
            caller.tenant,
            kind,
            request,
            requester=caller.requester,
            channel=Channel(caller.channel, caller.reply_to),
            conversation_id=caller.conversation_id,
            idempotency_key=caller.next_key(),
        )
    )
    return Did({"job_id": job.id, "state": job.state.value, "kind": kind}, _started(job, caller), (job,))


def _started(job: Job, caller: Caller) -> str:
    """The sentence that says which job runs."""
    key = "job_waits" if job.state == "waiting" else "job_started"
    return say(key, caller.language, kind=kind_word(job.kind, caller.language), id=short(job))


def _line(job: Job, caller: Caller) -> str:
    language = caller.language
    state = state_word(job.state.value, language)
    line = say(
        "job_line", language, kind=kind_word(job.kind, language), id=short(job), state=state, percent=job.percent
    )
    return f"{line} {job.error_message}" if job.error_message else line


def _told(job: Job) -> dict[str, Any]:
    told: dict[str, Any] = {"job_id": job.id, "kind": job.kind, "state": job.state.value, "percent": job.percent}
    if job.error_code:
        told["error"] = {"code": job.error_code, "message": job.error_message}
    return told
