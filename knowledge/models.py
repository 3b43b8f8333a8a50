"""The values that knowledge is made of. All are frozen; none knows how it is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from knowledge.chunking import DEFAULT, Chunking
from knowledge.shelves import model_of
from knowledge.validity import ALWAYS, Validity, Window
from knowledge.weights import SHIPPED, Tuning, Weights

DEFAULT_TENANT = "default"

State: TypeAlias = tuple[int, int]


class DocumentStatus(StrEnum):
    """Where a document stands. ``live`` is the only state in which it is found."""

    RECEIVED = "received"
    PROCESSING = "processing"
    LIVE = "live"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A named set of documents of one tenant, indexed with one embedding model; ``shelf`` is where its vectors stand.

    ``epoch`` grows by one with every published change of its chunks, and of when they are valid. ``switched`` is the
    last moment at which a document began or ceased to be valid, in microseconds since 1970; 0 for none.
    ``next_shelf`` is where they go, while they do; ``moved`` of its ``chunks`` have a vector there by now.
    """

    id: str
    tenant: str
    name: str
    shelf: str
    epoch: int
    created_at: datetime
    documents: int = 0
    chunks: int = 0
    switched: int = 0
    next_shelf: str | None = None
    moved: int = 0
    tuning: Tuning | None = None
    chunking: Chunking = DEFAULT

    @property
    def embedding_model(self) -> str:
        return model_of(self.shelf)

    @property
    def next_model(self) -> str | None:
        """The one it moves to; a shelf that is only made anew is no move."""
        there = model_of(self.next_shelf or self.shelf)
        return None if there == self.embedding_model else there

    def shelf_of(self, model: str) -> str:
        """Where a model's vectors are to stand: the one they go to, if they do."""
        return next((shelf for shelf in (self.next_shelf, self.shelf) if shelf and model_of(shelf) == model), model)

    @property
    def weights(self) -> Weights:
        """Learned ones hold on the model that they were learned on: another one has other cosines."""
        return self.tuning.weights if self.tuning and self.tuning.model == self.embedding_model else SHIPPED

    @property
    def state(self) -> State:
        """Equal states find the same: nothing was published between them, and no document's time came."""
        return self.epoch, self.switched

    @property
    def moved_percent(self) -> int:
        """99 at most: it has moved when it stands on the other model."""
        return min(99, 100 * self.moved // max(1, self.chunks))


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the operator sees it.

    ``name`` is the name it was uploaded under, or its path below the ingested folder, with ``/``.
    ``content_hash`` is the SHA-256 of the bytes last received; ``live_hash`` of the bytes that answer now.
    ``progress`` is in percent of the run under way; it has read ``parts_done`` of ``parts`` pages, pictures or members
    where it counts them. ``reason`` is a typed refusal, ``message`` its sentence.
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
    parts_done: int = 0
    parts: int = 0
    reason: str | None = None
    message: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    window: Window = ALWAYS
    validity: Validity = "current"  # by the window, when this was read


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
    Ranks count from 1. ``unranked``: why a reranker that was asked said nothing, as a code.
    """

    dense: float | None = None
    dense_rank: int | None = None
    lexical: float | None = None
    lexical_rank: int | None = None
    rerank: float | None = None
    unranked: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """Another place where the text of a passage stands."""

    chunk_id: str
    document_id: str
    document: str
    kb: str
    place: Place = field(default_factory=Place)


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as retrieved for a question. ``score`` orders what was found, before a reranker; it has no unit.

    ``before`` and ``after`` are what stands around it in its section, as far as it was asked for and fits; they may
    hold further hits. ``also_in``: where else the chunk stands, all but word for word.
    """

    chunk_id: str
    document_id: str
    document: str
    kb: str
    text: str
    score: float
    place: Place = field(default_factory=Place)
    scores: StageScores = field(default_factory=StageScores)
    before: str = ""
    after: str = ""
    also_in: tuple[Copy, ...] = ()

    @property
    def in_full(self) -> str:
        """As the document goes on."""
        return self.before + self.text + self.after
