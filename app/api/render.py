"""Values → JSON, as design.md §6 promises it; shared by HTTP, the CLI and the console."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from app.chat.archive import Conversation, KeptTurn
from app.chat.events import passage_json
from app.identity.keys import Key
from app.identity.users import Member
from app.jobs.models import Artifact, Job
from app.jobs.service import JobService
from knowledge.models import Chunk, Document, KnowledgeBase
from knowledge.retriever import Retrieval


def kb_json(kb: KnowledgeBase) -> dict[str, Any]:
    return {
        "id": kb.id,
        "name": kb.name,
        "embedding_model": kb.embedding_model,
        "epoch": kb.epoch,
        "documents": kb.documents,
        "chunks": kb.chunks,
        "created_at": kb.created_at.isoformat(),
    }


def document_json(document: Document) -> dict[str, Any]:
    return {
        "id": document.id,
        "name": document.name,
        "status": document.status.value,
        "stage": document.stage,
        "progress": document.progress,
        "reason": document.reason,
        "message": document.message,
        "size": document.size,
        "media_type": document.media_type,
        "version": document.version,
        "chunks": document.chunks,
        "answers": document.live_hash is not None,
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


def search_json(found: Retrieval) -> dict[str, Any]:
    passages = []
    for passage in found.passages:
        scores = passage.scores
        stages = {
            "dense": scores.dense,
            "dense_rank": scores.dense_rank,
            "lexical": scores.lexical,
            "lexical_rank": scores.lexical_rank,
            "rerank": scores.rerank,
        }
        passages.append({**passage_json(passage), "scores": stages})
    return {"passages": passages, "timings_ms": found.timings_ms}


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
