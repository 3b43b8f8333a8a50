"""Commands against a running service."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from app.cli.backend import FileReport, Report
from ingest.sniff import ZIP
from ingest.sources import SourceFile
from ingest.unpacked import folder_of
from knowledge.errors import CopilotError, Unavailable

UPLOADS = 4  # at a time
POLL_SECONDS = 0.5
MISSED_ROUNDS = 20
PAGE = 500
ACTIVE = ("received", "processing")


class RemoteBackend:
    """Speaks /v1 with a bearer key, if one is set."""

    def __init__(self, url: str, key: SecretStr | None) -> None:
        self._http = service_client(url, key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def ingest(
        self, kb: str, files: Sequence[SourceFile], report: Report, *, addresses: Sequence[str] = ()
    ) -> None:
        await self._ensure(kb)
        gate = asyncio.Semaphore(UPLOADS)
        waiting: dict[str, str] = {}

        async def one(sent: Coroutine[Any, Any, dict[str, Any] | None]) -> None:
            async with gate:
                document = await sent
            if document is not None:
                waiting[document["id"]] = document["name"]

        async with asyncio.TaskGroup() as tasks:
            for source in files:
                tasks.create_task(one(self._upload(kb, source, report)))
            for address in addresses:
                tasks.create_task(one(self._name(kb, address, report)))
        await self._await_ends(kb, waiting, report)

    async def search(self, kb: str, query: str, limit: int, *, explain: str = "") -> dict[str, Any]:
        asked = {"query": query, "limit": limit, "explain": explain}
        return await self._json("POST", f"/v1/knowledge-bases/{kb}/search", json=asked)

    async def ask(
        self, question: str, kbs: Sequence[str] | None, conversation: str | None
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        body = {"question": question, "kb": list(kbs) if kbs else None, "conversation_id": conversation}
        async with self._http.stream("POST", "/v1/chat", json={**body, "suggestions": False}) as response:
            if response.status_code != 200:
                await response.aread()
                raise problem_of(response)
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
        return await self._unless_unchanged(source.name, document, report)

    async def _name(self, kb: str, address: str, report: Report) -> dict[str, Any] | None:
        """A page, for the service to fetch."""
        try:
            document = await self._json("POST", f"/v1/knowledge-bases/{kb}/documents", json={"url": address})
        except CopilotError as error:
            await report(FileReport(address, "failed", reason=error.error_code, message=error.message))
            return None
        return await self._unless_unchanged(document["name"], document, report)

    async def _unless_unchanged(self, name: str, document: dict[str, Any], report: Report) -> dict[str, Any] | None:
        if document["unchanged"] and document["status"] == "live":
            await report(FileReport(name, "unchanged", chunks=document["chunks"], embedded=0))
            return None
        return document

    async def _await_ends(self, kb: str, waiting: dict[str, str], report: Report) -> None:
        """Report each document as it ends. One request a round asks for all; a missed round is no harm."""
        missed = 0
        while waiting:
            try:
                busy = await self._busy(kb)
                missed = 0
            except Unavailable:
                missed += 1
                if missed > MISSED_ROUNDS:
                    raise
                busy = set(waiting)
            for document_id in [known for known in waiting if known not in busy]:
                document = await self._json("GET", f"/v1/documents/{document_id}")
                if document["status"] not in ACTIVE:
                    await report(_report(waiting.pop(document_id), document, await self._embedded(document)))
                    waiting |= await self._taken_out(kb, document)
            await asyncio.sleep(POLL_SECONDS)

    async def _embedded(self, document: dict[str, Any]) -> int | None:
        """How many of a live document's chunks had to be embedded when it was published."""
        if document["status"] != "live":
            return None
        versions = (await self._json("GET", f"/v1/documents/{document['id']}/versions"))["versions"]
        return next((version["embedded"] for version in versions if version["live"]), None)

    async def _taken_out(self, kb: str, document: dict[str, Any]) -> dict[str, str]:
        """Id → name of what an archive was unpacked to."""
        if document["media_type"] != ZIP or document["status"] != "live":
            return {}
        below = folder_of(document["name"])
        members = await self._listed(kb, {"q": below})
        return {member["id"]: member["name"] for member in members if member["name"].startswith(below)}

    async def _busy(self, kb: str) -> set[str]:
        """The ids of documents that are received or processing."""
        return {document["id"] for document in await self._listed(kb, {"status": list(ACTIVE)})}

    async def _listed(self, kb: str, which: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            params = {**which, "limit": PAGE, "offset": len(found)}
            page = await self._json("GET", f"/v1/knowledge-bases/{kb}/documents", params=params)
            found += page["documents"]
            if len(page["documents"]) < PAGE:
                return found

    async def _json(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        return await requested(self._http, method, path, **request)


def service_client(url: str, key: SecretStr | None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=httpx.Timeout(120, connect=15))


async def requested(http: httpx.AsyncClient, method: str, path: str, **request: Any) -> dict[str, Any]:
    """A call's JSON. Raises CopilotError with the problem's code, Unavailable ``service_unavailable``."""
    try:
        response = await http.request(method, path, **request)
    except httpx.HTTPError as exc:
        raise Unavailable(f"The service at {http.base_url} does not answer.", code="service_unavailable") from exc
    if response.is_error:
        raise problem_of(response)
    found: dict[str, Any] = response.json() if response.content else {}
    return found


def _report(name: str, document: dict[str, Any], embedded: int | None) -> FileReport:
    return FileReport(
        name,
        document["status"],
        chunks=document["chunks"],
        embedded=embedded,
        reason=document["reason"],
        message=document["message"],
    )


def problem_of(response: httpx.Response) -> CopilotError:
    """The error that a service answered with."""
    try:
        body = response.json()
        return CopilotError(body["detail"], code=body["code"])
    except (ValueError, KeyError):
        return Unavailable(f"The service answered {response.status_code}.", code="service_unavailable")
