"""What MCP tools are asked with and what they answer: the JSON schemas that agents read."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

MOST_SECONDS = 50  # of waiting in one call; many clients give up after a minute

KnowledgeBases = Annotated[
    list[str] | None, Field(description="Names of the knowledge bases to look in; all of them without it.")
]


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchArguments(Arguments):
    query: str = Field(min_length=1, max_length=2000, description="What to look for, as a question or as words.")
    kb: KnowledgeBases = None
    limit: int = Field(8, ge=1, le=50, description="Most passages to return.")


class AskArguments(Arguments):
    question: str = Field(min_length=1, max_length=2000, description="One question, in any language.")
    kb: KnowledgeBases = None
    conversation_id: str | None = Field(None, description="Of an earlier answer, to ask a follow-up.")


class StatusArguments(Arguments):
    job_id: str = Field(description="As create_copy or make_image returned it.")
    wait_seconds: int = Field(0, ge=0, le=MOST_SECONDS, description="Wait up to so long for the job to end.")


class Place(BaseModel):
    """A piece of a document, by where it is."""

    document: str
    document_id: str
    chunk_id: str
    kb: str
    heading: str | None
    page: int | None
    sheet: str | None
    row: int | None


class Passage(Place):
    """A piece of a document that was found: ``before``, ``text`` and ``after`` are its section as it goes on, as far as
    it fits. ``also_in``: where else the same stands."""

    n: int
    before: str
    text: str
    after: str
    score: float
    also_in: list[Place]


class SearchResult(BaseModel):
    """Passages, the best first."""

    passages: list[Passage]


class AskResult(BaseModel):
    """``[n]`` in the answer is citation n. ``refused``: the documents do not answer."""

    answer: str
    citations: list[Passage]
    refused: bool
    model: str
    conversation_id: str
    turn_id: str


class File(BaseModel):
    """``url`` works without a key for a week."""

    id: str
    name: str
    media_type: str
    size: int
    url: str


class JobError(BaseModel):
    code: str
    message: str


class JobResult(BaseModel):
    """``state`` is waiting (for approval), queued, running, succeeded, failed or cancelled."""

    job_id: str
    kind: str
    state: str
    percent: int
    stage: str | None = None
    result: dict[str, Any] | None = Field(None, description="What a text job wrote; what a picture job did.")
    files: list[File] = []
    error: JobError | None = None
