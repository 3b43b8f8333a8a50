"""The values that knowledge is made of. All are frozen; none knows how it is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

DEFAULT_TENANT = "default"


class DocumentStatus(StrEnum):
    """Where a document stands. ``live`` is the only state in which it is found."""

    RECEIVED = "received"
    PROCESSING = "processing"
    LIVE = "live"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A named set of documents of one tenant, indexed with one embedding model.

    ``epoch`` grows by one with every published change of its chunks.
    """

    id: str
    tenant: str
    name: str
    embedding_model: str
    epoch: int
    created_at: datetime
    documents: int = 0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the operator sees it.

    ``name`` is the name it was uploaded under, or its path below the ingested folder, with ``/``.
    ``content_hash`` is the SHA-256 of the bytes last received; ``live_hash`` of the bytes that answer now.
    ``progress`` is in percent of the run under way; ``reason`` is a typed refusal, ``message`` its sentence.
    """

    id: str
    tenant: str
    kb_id: str
    name: str
    status: DocumentStatus
    content_hash: str
    size: int
    live_hash: str | None = None
    version: int = 0
    media_type: str | None = None
    chunks: int = 0
    stage: str | None = None
    progress: int = 0
    reason: str | None = None
    message: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the source a text stands, as far as the format knows.

    ``heading`` is the path of headings joined by `` > ``; ``page`` counts from 1 (slides too);
    ``sheet`` and ``row`` name a worksheet and its first row, counted from 1 as the spreadsheet shows it.
    """

    heading: str = ""
    page: int | None = None
    sheet: str | None = None
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is embedded and found as one.

    ``id`` is made from the document, the text and its heading (and the count of equal ones before it), so an
    unchanged piece keeps its id from version to version and is not embedded again.
    """

    id: str
    document_id: str
    ordinal: int
    text: str
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class StageScores:
    """What each stage of retrieval said of a chunk; ``None`` where a stage did not find it.

    ``dense`` is a cosine in [-1, 1]; ``lexical`` a BM25 score; ``rerank`` the reranker's own scale.
    Ranks count from 1.
    """

    dense: float | None = None
    dense_rank: int | None = None
    lexical: float | None = None
    lexical_rank: int | None = None
    rerank: float | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as retrieved for a question. ``score`` orders the passages of one answer; it has no unit."""

    chunk_id: str
    document_id: str
    document: str
    kb: str
    text: str
    score: float
    place: Place = field(default_factory=Place)
    scores: StageScores = field(default_factory=StageScores)
