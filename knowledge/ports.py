"""What knowledge needs from the outside, each in our own words. Twins live beside the adapters."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]


class Embedder(Protocol):
    """Text → unit vectors. Thread-safe and blocking: call it through a thread from async code."""

    @property
    def model_id(self) -> str:
        """Names weights and precision; part of the collection name, so never reuse one. [a-z0-9.-] only."""

    @property
    def dimensions(self) -> int: ...

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        """→ (len(texts), dimensions), rows of length 1."""

    def embed_query(self, text: str) -> Vector:
        """→ (dimensions,), length 1."""


class Hit(NamedTuple):
    """A chunk found by one stage; larger ``score`` is better."""

    chunk_id: str
    score: float


class VectorStore(Protocol):
    """One collection per knowledge base and embedding model. Raises :class:`knowledge.errors.Unavailable`."""

    async def upsert(self, collection: str, ids: Sequence[str], vectors: Vector) -> None:
        """Write vectors (len(ids), dimensions); creates the collection; the same id is overwritten."""

    async def query(self, collection: str, vector: Vector, limit: int) -> list[Hit]:
        """The nearest by cosine, best first; a collection that does not exist has none."""

    async def get(self, collection: str, ids: Sequence[str]) -> dict[str, Vector]:
        """The stored vectors of those ids that exist."""

    async def ids(self, collection: str) -> set[str]:
        """Every id in the collection (for checks and repairs, not for the hot path)."""

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Forget these; ids that are not there are no error."""

    async def drop(self, collection: str) -> None:
        """Forget the whole collection; one that is not there is no error."""

    async def close(self) -> None:
        """Close connections; the store may be used again afterwards."""
