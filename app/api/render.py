"""Values → JSON, as design.md §6 promises it; shared by HTTP, the CLI and the console."""

from datetime import datetime
from typing import Any

from app.chat.events import passage_json
from app.identity.keys import Key
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


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
