"""The five tools that agents are given: the same services, scopes and refusals as the HTTP API has."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from app.api.bodies import check_text
from app.api.data_urls import is_data_url, keep_picture
from app.api.mcp.shapes import (
    AskArguments,
    AskResult,
    File,
    JobError,
    JobResult,
    Passage,
    SearchArguments,
    SearchResult,
    StatusArguments,
)
from app.chat.events import Done, Failed, Sources, passage_json, payload_of
from app.chat.running import RunningTurns
from app.chat.turns import Ask
from app.chat.whole import read_to_end
from app.identity.keys import Principal, Scope
from app.jobs.models import Artifact, Job
from app.llm.ports import ToolCall
from app.tools.registry import Asks, Caller, Refuses
from app.wiring import Services
from knowledge.errors import CopilotError, InvalidInput, NotFound

CHANNEL = "mcp"
Place = Callable[[Artifact], Awaitable[str]]
"""Where whoever asks can have a file."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who calls a tool."""

    who: Principal
    place: Place


Work = Callable[[Asker, Mapping[str, Any]], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class AgentTool:
    """``call`` raises CopilotError. ``reads`` tells agents that nothing is changed by it."""

    name: str
    title: str
    description: str
    scope: Scope
    parameters: Mapping[str, Any]
    result: type[BaseModel]
    call: Work
    reads: bool = False


class AgentTools:
    """Those of an installation."""

    def __init__(self, services: Services, running: RunningTurns) -> None:
        self._services = services
        self._running = running
        self.tools = {tool.name: tool for tool in self._all()}

    async def call(self, asker: Asker, name: str, arguments: Mapping[str, Any]) -> BaseModel:
        """Raises NotFound ``tool_unknown``, Forbidden ``scope_missing``, and what the tool raises."""
        if name not in self.tools:
            raise NotFound(f"There is no tool “{name}”. There are: {', '.join(self.tools)}.", code="tool_unknown")
        tool = self.tools[name]
        asker.who.require(tool.scope)
        check_text(arguments)
        try:
            return await tool.call(asker, arguments)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput(f"{where}: {first['msg']}.", code="tool_arguments_invalid") from None

    def _all(self) -> list[AgentTool]:
        made = self._services.tools.tools
        tools = [
            AgentTool(
                "search_knowledge",
                "Search the merchant's documents",
                "Find passages in the merchant's documents (policies, prices, product data, guides) by meaning and by "
                "words. Returns the passages with their document, heading and page; writes no answer.",
                Scope.READ,
                SearchArguments.model_json_schema(),
                SearchResult,
                self._search,
                reads=True,
            ),
            AgentTool(
                "ask",
                "Ask the merchant's documents",
                "Answer a question from the merchant's documents, with citations. Says so (refused) when they do not "
                "answer it; never answers from general knowledge.",
                Scope.CHAT,
                AskArguments.model_json_schema(),
                AskResult,
                self._ask,
                reads=True,
            ),
            AgentTool(
                "job_status",
                "Look at a job",
                "How a job of create_copy or make_image stands, and when it has succeeded what it made: the text, or "
                "links to the files. Set wait_seconds instead of asking again and again.",
                Scope.CHAT,
                StatusArguments.model_json_schema(),
                JobResult,
                self._status,
                reads=True,
            ),
        ]
        if "create_copy" in made:
            tools.append(
                AgentTool(
                    "create_copy",
                    "Write product copy",
                    "Start a job that writes product copy: titles, selling points, description, attributes, a "
                    "translation or a rewrite. Facts are used as given and never invented. Returns the job at once; "
                    "its text comes with job_status.",
                    Scope.WRITE,
                    made["create_copy"].spec.parameters,
                    JobResult,
                    self._create_copy,
                )
            )
        if "make_image" in made:
            tools.append(
                AgentTool(
                    "make_image",
                    "Make a product picture",
                    "Start a job that makes a picture from a product photo: white or transparent background, a scene, "
                    "a crop for a sales channel, an enlargement; or from words. Returns the job at once; the files "
                    "come with job_status.",
                    Scope.WRITE,
                    _with_picture(made["make_image"].spec.parameters),
                    JobResult,
                    self._make_image,
                )
            )
        return tools

    async def _search(self, asker: Asker, arguments: Mapping[str, Any]) -> SearchResult:
        asked = SearchArguments.model_validate(arguments)
        search = self._services.knowledge.search
        found = await search(asker.who.tenant, asked.query, kbs=asked.kb, limit=asked.limit, sections=True)
        passages = [Passage(n=n, **passage_json(passage)) for n, passage in enumerate(found.passages, 1)]
        return SearchResult(passages=passages)

    async def _ask(self, asker: Asker, arguments: Mapping[str, Any]) -> AskResult:
        asked = AskArguments.model_validate(arguments)
        kbs = None if asked.kb is None else tuple(asked.kb)
        ask = Ask(asker.who.tenant, asked.question, kbs, asked.conversation_id, CHANNEL, requester=asker.who.label)
        turn = await self._services.chat.prepare(ask)
        passages: list[dict[str, Any]] = []
        async with aclosing(read_to_end(self._running, turn)) as events:
            async for event in events:
                if isinstance(event, Sources):
                    passages = payload_of(event)["passages"]
        if isinstance(event, Failed):
            raise CopilotError(event.message, code=event.code)
        assert isinstance(event, Done)  # noqa: S101 (a stream ends in Done or Failed)
        return AskResult(
            answer=event.answer,
            citations=[Passage(**passages[number - 1]) for number in event.citations],
            refused=event.refused,
            model=event.model,
            conversation_id=event.conversation_id,
            turn_id=event.turn_id,
        )

    async def _status(self, asker: Asker, arguments: Mapping[str, Any]) -> JobResult:
        asked = StatusArguments.model_validate(arguments)
        jobs, tenant = self._services.jobs, asker.who.tenant
        job = await jobs.ledger.get(tenant, asked.job_id)
        if asked.wait_seconds and not job.state.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(asked.wait_seconds), aclosing(jobs.follow(tenant, job.id, after=None)) as on:
                    async for _ in on:
                        pass
        return await self._job(asker, await jobs.ledger.get(tenant, job.id))

    async def _create_copy(self, asker: Asker, arguments: Mapping[str, Any]) -> JobResult:
        return await self._start(asker, "create_copy", arguments)

    async def _make_image(self, asker: Asker, arguments: Mapping[str, Any]) -> JobResult:
        image = arguments.get("image")
        if isinstance(image, str) and is_data_url(image):
            kept = await keep_picture(self._services.jobs.artifacts, asker.who, image, param="image")
            arguments = {**arguments, "image": kept}
        return await self._start(asker, "make_image", arguments)

    async def _start(self, asker: Asker, name: str, arguments: Mapping[str, Any]) -> JobResult:
        """By the chat's own tool. Raises InvalidInput ``arguments_missing``, and the code of what it refuses with."""
        who = asker.who
        caller = Caller(who.tenant, who.label, None, CHANNEL, "en")
        call = ToolCall(CHANNEL, name, json.dumps(dict(arguments), ensure_ascii=False))
        outcome = await self._services.tools.call(call, caller)
        if isinstance(outcome, Refuses):
            raise CopilotError(outcome.message, code=outcome.code)
        if isinstance(outcome, Asks):
            raise InvalidInput(outcome.said, code="arguments_missing", missing=", ".join(outcome.missing))
        return await self._job(asker, outcome.jobs[0])

    async def _job(self, asker: Asker, job: Job) -> JobResult:
        made = (await self._services.jobs.artifacts.of_jobs([job.id]))[job.id]
        files = [
            File(id=each.id, name=each.name, media_type=each.media_type, size=each.size, url=await asker.place(each))
            for each in made
        ]
        return JobResult(
            job_id=job.id,
            kind=job.kind,
            state=job.state.value,
            percent=job.percent,
            stage=job.stage,
            result=None if job.result is None else dict(job.result),
            files=files,
            error=JobError(code=job.error_code, message=job.error_message or "") if job.error_code else None,
        )


def _with_picture(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """An agent has no messages with pictures in them: it sends the picture, or names one that is kept."""
    image = {"type": "string", "description": "The photo, as a data URL (data:image/png;base64,…), or the id of one."}
    return {**parameters, "properties": {**parameters["properties"], "image": image}}
