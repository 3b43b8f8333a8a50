"""Commands against a running service."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from app.cli.backend import FileReport, Report
from ingest.sources import SourceFile
from knowledge.errors import CopilotError, Unavailable

UPLOADS = 4  # at a time
POLL_SECONDS = 0.5


class RemoteBackend:
    """Speaks /v1 with a bearer key, if one is set."""

    def __init__(self, url: str, key: SecretStr | None) -> None:
        headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=httpx.Timeout(120, connect=5))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ingest(self, kb: str, files: Sequence[SourceFile], report: Report) -> None:
        await self._ensure(kb)
        gate = asyncio.Semaphore(UPLOADS)

        async def one(source: SourceFile) -> None:
            async with gate:
                document = await self._upload(kb, source, report)
            if document is not None:
                await report(await self._await_end(source, document))

        async with asyncio.TaskGroup() as tasks:
            for source in files:
                tasks.create_task(one(source))

    async def search(self, kb: str, query: str, limit: int) -> dict[str, Any]:
        return await self._json("POST", f"/v1/knowledge-bases/{kb}/search", json={"query": query, "limit": limit})

    async def ask(
        self, question: str, kbs: Sequence[str] | None, conversation: str | None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        body = {"question": question, "kb": list(kbs) if kbs else None, "conversation_id": conversation}
        async with self._http.stream("POST", "/v1/chat", json=body) as response:
            if response.status_code != 200:
                await response.aread()
                raise _problem(response)
            name = ""
            async for line in response.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    yield name, json.loads(line.removeprefix("data: "))

    async def _ensure(self, kb: str) -> None:
        known = (await self._json("GET", "/v1/knowledge-bases"))["knowledge_bases"]
        if kb not in {base["name"] for base in known} | {base["id"] for base in known}:
            await self._json("POST", "/v1/knowledge-bases", json={"name": kb})

    async def _upload(self, kb: str, source: SourceFile, report: Report) -> dict[str, Any] | None:
        try:
            with source.path.open("rb") as stream:
                document = await self._json(
                    "POST",
                    f"/v1/knowledge-bases/{kb}/documents",
                    files={"file": (source.path.name, stream)},
                    data={"name": source.name},
                )
        except CopilotError as error:
            await report(FileReport(source.name, "failed", reason=error.error_code, message=error.message))
            return None
        if document["unchanged"] and document["status"] == "live":
            await report(FileReport(source.name, "unchanged", chunks=document["chunks"], embedded=0))
            return None
        return document

    async def _await_end(self, source: SourceFile, document: dict[str, Any]) -> FileReport:
        while document["status"] in ("received", "processing"):
            await asyncio.sleep(POLL_SECONDS)
            document = await self._json("GET", f"/v1/documents/{document['id']}")
        return FileReport(
            source.name,
            document["status"],
            chunks=document["chunks"],
            reason=document["reason"],
            message=document["message"],
        )

    async def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, **request)
        except httpx.HTTPError as exc:
            raise Unavailable(
                f"The service at {self._http.base_url} does not answer.", code="service_unavailable"
            ) from exc
        if response.is_error:
            raise _problem(response)
        found: dict[str, Any] = response.json()
        return found


def _problem(response: httpx.Response) -> CopilotError:
    try:
        body = response.json()
        return CopilotError(body["detail"], code=body["code"])
    except (ValueError, KeyError):
        return Unavailable(f"The service answered {response.status_code}.", code="service_unavailable")
