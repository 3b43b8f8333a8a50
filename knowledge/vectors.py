"""Vectors in Chroma: one collection per knowledge base and embedding model, and no metadata filters.

A filter costs 118 ms at 100 k vectors where the plain query costs 5; what is valid is decided afterwards, in SQL.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Generator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx
import numpy as np
import orjson

from knowledge.errors import Unavailable
from knowledge.kept_connections import KeptConnections
from knowledge.models import KnowledgeBase
from knowledge.ports import Hit, Vector

if TYPE_CHECKING:
    from chromadb.api import AsyncClientAPI
    from chromadb.api.models.AsyncCollection import AsyncCollection
    from chromadb.config import Settings

T = TypeVar("T")

QUERY_SECONDS = 30.0
BATCH = 1000  # below the server's own limit of about 5,400 rows a call


def collection_name(kb: KnowledgeBase, shelf: str | None = None) -> str:
    """``tenant.kb.shelf``, within Chroma's alphabet [a-zA-Z0-9._-] and 512 characters; by default of the shelf that
    the knowledge base's vectors stand on."""
    return f"{kb.tenant}.{kb.id}.{shelf or kb.shelf}"


class ChromaVectors:
    """:class:`knowledge.ports.VectorStore` over a Chroma server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: AsyncClientAPI | None = None
        self._collections: dict[str, AsyncCollection] = {}
        self._kept: dict[asyncio.AbstractEventLoop, KeptConnections] = {}

    async def upsert(self, collection: str, ids: Sequence[str], vectors: Vector) -> None:
        with _chroma_errors():
            target = await self._collection(collection, create=True)
            assert target is not None  # noqa: S101 (it was just made)
            for start in range(0, len(ids), BATCH):
                part = slice(start, start + BATCH)
                rows = np.ascontiguousarray(vectors[part], dtype=np.float32)
                await self._post(target, "upsert", {"ids": list(ids[part]), "embeddings": rows})

    async def query(self, collection: str, vector: Vector, limit: int) -> list[Hit]:
        with _chroma_errors():
            target = await self._collection(collection)
            if target is None:
                return []
            found = await self._unless_dropped(collection, self._nearest(target, vector, limit))
        if found is None:
            return []
        # cosine distance is 1 − cosine
        return [Hit(id_, 1.0 - distance) for id_, distance in zip(found["ids"][0], found["distances"][0], strict=True)]

    async def get(self, collection: str, ids: Sequence[str]) -> dict[str, Vector]:
        with _chroma_errors():
            target = await self._collection(collection)
            if target is None or not ids:
                return {}
            found = await self._unless_dropped(collection, target.get(ids=list(ids), include=["embeddings"]))
        if found is None:
            return {}
        rows = np.asarray(found["embeddings"], dtype=np.float32)
        return dict(zip(found["ids"], rows, strict=True))

    async def ids(self, collection: str) -> set[str]:
        with _chroma_errors():
            target = await self._collection(collection)
            found = None if target is None else await self._unless_dropped(collection, target.get(include=[]))
        return set() if found is None else set(found["ids"])

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        with _chroma_errors():
            target = await self._collection(collection)
            if target is None:
                return
            for start in range(0, len(ids), BATCH):
                await self._unless_dropped(collection, target.delete(ids=list(ids[start : start + BATCH])))

    async def drop(self, collection: str) -> None:
        from chromadb.errors import NotFoundError

        with _chroma_errors():
            self._collections.pop(collection, None)
            try:
                await (await self._connected()).delete_collection(collection)
            except NotFoundError:
                return

    async def _nearest(self, target: "AsyncCollection", vector: Vector, limit: int) -> dict[str, Any]:
        asked = {"query_embeddings": vector[np.newaxis], "n_results": limit, "include": ["distances"]}
        return await self._post(target, "query", asked)

    async def _post(self, target: "AsyncCollection", what: str, asked: dict[str, Any]) -> dict[str, Any]:
        """What the client's calls of this name do: over its httpx a question takes 5 ms of processor time, not 1.

        https://docs.trychroma.com/reference/openapi: ``POST …/collections/{id}/query`` and ``…/upsert``.
        """
        from chromadb.errors import InternalError, NotFoundError

        path = f"/api/v2/tenants/{target.tenant}/databases/{target.database}/collections/{target.id}/{what}"
        body = orjson.dumps(asked, option=orjson.OPT_SERIALIZE_NUMPY)
        status, said = await self._connections().post(path, body)
        if status == HTTPStatus.NOT_FOUND:
            raise NotFoundError(said.decode(errors="replace"))
        if status >= HTTPStatus.BAD_REQUEST:
            raise InternalError(f"{status} {said[:500].decode(errors='replace')}")
        found: dict[str, Any] = orjson.loads(said)
        return found

    def _connections(self) -> KeptConnections:
        """Of this event loop, with the headers and the trust that the client's other calls have."""
        loop = asyncio.get_running_loop()
        if loop not in self._kept:
            self._kept = {other: kept for other, kept in self._kept.items() if not other.is_closed()}
            settings = _settings()
            headers = {**(settings.chroma_server_headers or {}), "Content-Type": "application/json"}
            trusted = _trusted(settings) if self._url.startswith("https:") else None
            self._kept[loop] = KeptConnections(self._url, headers, trusted=trusted, seconds=QUERY_SECONDS)
        return self._kept[loop]

    async def close(self) -> None:
        if (kept := self._kept.pop(asyncio.get_running_loop(), None)) is not None:
            kept.close()
        if self._client is not None:
            # The library has no public way to close its async connections (its stop() starts a loop of its own).
            await self._client._server.__aexit__(None, None, None)  # type: ignore[attr-defined]  # noqa: SLF001
            self._client = None
            self._collections.clear()

    async def _collection(self, name: str, *, create: bool = False) -> "AsyncCollection | None":
        from chromadb.errors import NotFoundError

        if name not in self._collections:
            client = await self._connected()
            try:
                self._collections[name] = (
                    await client.get_or_create_collection(
                        name, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
                    )
                    if create
                    else await client.get_collection(name, embedding_function=None)
                )
            except NotFoundError:
                return None
        return self._collections[name]

    async def _unless_dropped(self, name: str, call: Awaitable[T]) -> T | None:
        """None when another process has dropped the collection meanwhile."""
        from chromadb.errors import NotFoundError

        try:
            return await call
        except NotFoundError:
            self._collections.pop(name, None)
            return None

    async def _connected(self) -> "AsyncClientAPI":
        if self._client is None:
            import chromadb

            url = urlsplit(self._url)
            self._client = await chromadb.AsyncHttpClient(
                host=url.hostname or "127.0.0.1",
                port=url.port or (443 if url.scheme == "https" else 80),
                ssl=url.scheme == "https",
                settings=_settings(),
            )
        return self._client


class MemoryVectors:
    """The twin: brute force over numpy rows."""

    def __init__(self) -> None:
        self._collections: dict[str, dict[str, Vector]] = {}

    async def upsert(self, collection: str, ids: Sequence[str], vectors: Vector) -> None:
        rows = self._collections.setdefault(collection, {})
        rows.update(zip(ids, np.asarray(vectors, dtype=np.float32), strict=True))

    async def query(self, collection: str, vector: Vector, limit: int) -> list[Hit]:
        rows = self._collections.get(collection, {})
        if not rows:
            return []
        ids = sorted(rows)  # equals in an order of their own, whatever was written first
        scores = np.stack([rows[id_] for id_ in ids]) @ vector
        best = np.argsort(-scores, kind="stable")[:limit]
        return [Hit(ids[index], float(scores[index])) for index in best]

    async def get(self, collection: str, ids: Sequence[str]) -> dict[str, Vector]:
        rows = self._collections.get(collection, {})
        return {id_: rows[id_] for id_ in ids if id_ in rows}

    async def ids(self, collection: str) -> set[str]:
        return set(self._collections.get(collection, {}))

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        for id_ in ids:
            self._collections.get(collection, {}).pop(id_, None)

    async def drop(self, collection: str) -> None:
        self._collections.pop(collection, None)

    async def close(self) -> None:
        """Nothing to close."""


def _settings() -> "Settings":
    """Those of Chroma's client; it reads CHROMA_* itself."""
    from chromadb.config import Settings

    return Settings(anonymized_telemetry=False)


def _trusted(settings: "Settings") -> ssl.SSLContext:
    """As httpx takes it: a file or folder of certificates, all that the system trusts, or False for anybody's."""
    verify = settings.chroma_server_ssl_verify
    trusted = ssl.create_default_context()
    if isinstance(verify, str):
        folder = Path(verify).is_dir()
        return ssl.create_default_context(cafile=None if folder else verify, capath=verify if folder else None)
    if verify is False:
        trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
    return trusted


@contextmanager
def _chroma_errors() -> Generator[None]:
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, httpx.HTTPError, OSError, ValueError) as exc:
        # The client raises ValueError when it cannot connect at all.
        raise Unavailable(
            "The vector store does not answer. If it was just started, wait a moment; else check COPILOT_CHROMA_URL.",
            code="vectors_unavailable",
        ) from exc
