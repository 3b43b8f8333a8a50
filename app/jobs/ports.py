"""What a kind of job is, and what it is given while it runs.

A handler is pure work: it gets a checked request and returns what it made. The ledger, files, money, events and
deliveries are the runner's business, so that every effect happens once however often a job is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from knowledge.errors import CopilotError

Queue: TypeAlias = Literal["text", "image", "ingest"]


class JobRequest(BaseModel):
    """What a job is asked to do; each kind has its own fields. Artifacts are named by id."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Request_contra = TypeVar("Request_contra", bound=JobRequest, contravariant=True)


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a job uses, estimated (an upper bound) or counted. ``seconds`` is wall time of the work itself."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    images: int = 0
    gpu_seconds: float = 0.0
    seconds: float = 0.0
    model: str | None = None


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """A file that a job made. ``about`` is kept beside it and shown: size in pixels, engine, template, …"""

    data: bytes
    media_type: str
    name: str
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Following:
    """A further job of the same kind that a job found to be needed; one that waits for ``subject`` is enough."""

    request: Mapping[str, Any]
    subject: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job came to. ``result`` is JSON for people and programs; it names the engine or model."""

    result: Mapping[str, Any]
    artifacts: tuple[NewArtifact, ...] = ()
    used: Quantities = Quantities()
    following: tuple[Following, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture of how it looks so far, or the text so far."""

    image: bytes | None = None
    media_type: str = "image/jpeg"
    text: str | None = None


class Work(Protocol):
    """A job under way, as its handler sees it."""

    @property
    def job_id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    def report(self, percent: int, stage: str, preview: Preview | None = None) -> None:
        """Say how far it is: 0–100 and a word of the catalog. Never blocks; may be called from any thread.

        Call it at every step: raises :class:`JobCancelled` when nobody wants the job any more.
        """

    async def read(self, artifact_id: str) -> bytes:
        """The bytes of an artifact of the same tenant. Raises NotFound ``artifact_not_found``."""


class Handler(Protocol[Request_contra]):
    """One kind of job."""

    @property
    def kind(self) -> str:
        """Its stable name, as in ``POST /v1/jobs``."""

    @property
    def queue(self) -> Queue: ...

    @property
    def request(self) -> type[JobRequest]:
        """The pydantic model of its fields."""

    def estimate(self, request: Request_contra) -> Quantities:
        """Before it runs. Raises CopilotError when it cannot run at all (no model, no such template, …)."""

    async def run(self, request: Request_contra, work: Work) -> Outcome:
        """Do it; blocking work goes to a thread. Raises :class:`JobFailed` (final), Unavailable (tried again later),
        :class:`JobCancelled` (out of ``work.report``)."""


class JobFailed(CopilotError):
    """The job cannot be done; trying again is useless. A typed reason with what to do about it."""

    code: ClassVar[str] = "job_failed"


class JobCancelled(Exception):
    """Nobody wants this job any more. Raised by :meth:`Work.report`; let it pass through."""
