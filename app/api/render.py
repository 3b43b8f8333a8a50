"""Values → JSON, as design.md §6 promises it; shared by HTTP, the CLI and the console."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.chat.archive import Conversation, KeptTurn
from app.chat.events import passage_json
from app.chat.prompt_check import OPTIONAL, REQUIRED
from app.chat.prompt_examples import Example
from app.chat.prompt_preview import Tried
from app.chat.prompt_versions import Prompt, PromptVersion
from app.identity.keys import Key
from app.identity.users import Member
from app.jobs.models import Artifact, Job
from app.jobs.service import JobService
from knowledge.chunk_editor import ListedChunk
from knowledge.chunk_edits import Edit
from knowledge.models import Chunk, Document, KnowledgeBase, Place
from knowledge.past import Version
from knowledge.retriever import Retrieval
from knowledge.version_diff import Change, Line

_NOWHERE = Line("", Place())


def kb_json(kb: KnowledgeBase) -> dict[str, Any]:
    return {
        "id": kb.id,
        "name": kb.name,
        "embedding_model": kb.embedding_model,
        "next_embedding_model": kb.next_model,
        "moved_percent": kb.moved_percent if kb.next_model else None,
        "epoch": kb.epoch,
        "documents": kb.documents,
        "chunks": kb.chunks,
        "created_at": kb.created_at.isoformat(),
        "tuning": {**kb.tuning.as_json(), "in_force": kb.weights is kb.tuning.weights} if kb.tuning else None,
    }


def document_json(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.name,
        "status": document.status.value,
        "stage": document.stage,
        "progress": document.progress,
        "parts": {"done": document.parts_done, "of": document.parts} if document.parts else None,
        "reason": document.reason,
        "message": document.message,
        "size": document.size,
        "media_type": document.media_type,
        "version": document.version,
        "chunks": document.chunks,
        "answers": document.live_hash is not None and document.validity == "current",
        "valid_from": _moment(document.window.start),
        "valid_until": _moment(document.window.end),
        "validity": document.validity,
        "created_at": _moment(document.created_at),
        "updated_at": _moment(document.updated_at),
    }


def chunk_json(chunk: Chunk) -> dict[str, Any]:
    place = chunk.place
    return {
        "id": chunk.id,
        "ordinal": chunk.ordinal,
        "text": chunk.text,
        "heading": place.heading,
        "page": place.page,
        "sheet": place.sheet,
        "row": place.row,
    }


def listed_json(listed: ListedChunk) -> dict[str, Any]:
    edited = {"edited_by": listed.edited_by, "edited_at": _moment(listed.edited_at), "read": list(listed.read)}
    return {**chunk_json(listed.chunk), "disabled": listed.disabled, **edited}


def edit_json(edit: Edit) -> dict[str, Any]:
    parts = [{"text": part.text, "disabled": part.disabled} for part in edit.parts]
    return {"chunks": parts, "edited_by": edit.by, "edited_at": edit.at.isoformat()}


def version_json(version: Version, document: Document) -> dict[str, Any]:
    live = version.number == document.version and document.live_hash is not None
    moment = version.published_at.isoformat()
    return {**asdict(version), "published_at": moment, "live": live}


def change_json(change: Change) -> dict[str, Any]:
    place = (change.after or change.before or _NOWHERE).place
    texts = {
        "before": change.before.text if change.before else None,
        "after": change.after.text if change.after else None,
    }
    return {"kind": change.kind, **texts, **asdict(place)}


def search_json(found: Retrieval) -> dict[str, Any]:
    passages = [{**passage_json(passage), "scores": asdict(passage.scores)} for passage in found.passages]
    return {
        "passages": passages,
        "timings_ms": found.timings_ms,
        "notes": list(found.notes),
        "phrasings": list(found.phrasings),
    }


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "channel": conversation.channel,
        "requester": conversation.requester,
        "title": conversation.title,
        "total": conversation.turns,
        "created_at": conversation.created_at.isoformat(),
        "last_turn_at": conversation.last_turn_at.isoformat(),
    }


def turn_json(turn: KeptTurn) -> dict[str, Any]:
    return {**asdict(turn), "created_at": turn.created_at.isoformat()}


def key_json(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "kind": key.kind,
        "hint": key.hint,
        "scope": key.scope.value,
        "origins": list(key.origins),
        "created_at": key.created_at.isoformat(),
        "revoked_at": _moment(key.revoked_at),
    }


def member_json(member: Member) -> dict[str, Any]:
    return {
        "id": member.user.id,
        "name": member.user.name,
        "role": member.user.role.value,
        "role_by": member.role_by,
        "channel": member.channel,
        "organisation": member.organisation,
        "account": member.account,
        "seen_at": member.seen_at.isoformat(),
    }


async def job_json(jobs: JobService, job: Job) -> dict[str, Any]:
    """A job with what it made; files with links that work without a key for a week."""
    return (await jobs_json(jobs, [job]))[0]


async def jobs_json(jobs: JobService, page: Sequence[Job]) -> list[dict[str, Any]]:
    made = await jobs.artifacts.of_jobs([job.id for job in page])
    return [_job_json(job, [artifact_json(jobs, artifact) for artifact in made[job.id]]) for job in page]


def artifact_json(jobs: JobService, artifact: Artifact) -> dict[str, Any]:
    path = f"/v1/artifacts/{artifact.id}"
    return {
        "id": artifact.id,
        "job_id": artifact.job_id,
        "name": artifact.name,
        "media_type": artifact.media_type,
        "size": artifact.size,
        "about": dict(artifact.about),
        "url": path,
        "link": f"{path}?{jobs.artifacts.sign(artifact)}",
        "created_at": _moment(artifact.created_at),
    }


def prompt_json(prompt: Prompt) -> dict[str, Any]:
    return {
        "name": prompt.name,
        "live": prompt_version_json(prompt.live),
        "drafts": prompt.drafts,
        "published": prompt.published,
        "variables": {"required": list(REQUIRED[prompt.name]), "optional": list(OPTIONAL[prompt.name])},
    }


def prompt_version_json(version: PromptVersion) -> dict[str, Any]:
    return {
        "name": version.name,
        "number": version.number,
        "state": "live" if version.live else "draft" if version.draft else "published",
        "text": version.text,
        "digest": version.digest,
        "note": version.note,
        "based_on": version.based_on if version.number else None,
        "changed_by": version.changed_by,
        "changed_at": _moment(version.changed_at),
        "published_by": version.published_by,
        "published_at": _moment(version.published_at),
    }


def example_json(example: Example) -> dict[str, Any]:
    return {
        "turn_id": example.turn_id,
        "question": example.question,
        "answer": example.answer,
        "marked_by": example.marked_by,
        "marked_at": _moment(example.marked_at),
    }


def tried_json(tried: Tried) -> dict[str, Any]:
    error = tried.error
    return {
        "prompt_version": tried.prompt,
        "answer": tried.text,
        "citations": list(tried.citations),
        "passages": [{"n": n, **passage_json(passage)} for n, passage in enumerate(tried.passages, 1)],
        "tool_calls": [{"name": name, "arguments": arguments} for name, arguments in tried.calls],
        "finish": tried.finish,
        "usage": tried.usage,
        "timings_ms": {"first_token": tried.first_token_ms, "total": tried.total_ms},
        "error": {"code": error.error_code, "message": error.message} if error else None,
    }


def _job_json(job: Job, artifacts: list[dict[str, Any]]) -> dict[str, Any]:
    error = {"code": job.error_code, "message": job.error_message, "params": job.error_params or {}}
    return {
        "id": job.id,
        "kind": job.kind,
        "queue": job.queue,
        "state": job.state.value,
        "percent": job.percent,
        "stage": job.stage,
        "priority": job.priority,
        "request": dict(job.request),
        "requester": job.requester,
        "conversation_id": job.conversation_id,
        "retry_of": job.retry_of,
        "estimate": job.estimate,
        "cost": job.cost,
        "result": job.result,
        "artifacts": artifacts,
        "error": error if job.error_code else None,
        "attempts": job.attempts,
        "review": {"state": job.review, "reason": job.review_reason, "by": job.reviewed_by} if job.review else None,
        "created_at": _moment(job.created_at),
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
