"""MCP over standard input and output: tools of this very process, or those of a running service."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams

from app.api.mcp.endpoint import PATH
from app.api.mcp.server import INSTRUCTIONS, NAME, refused
from knowledge.errors import CopilotError, Unavailable

READ_SECONDS = 300  # an answer may take its time
Context = ServerRequestContext[Any, Any]


async def serve(server: Server[Any]) -> None:
    """Until standard input ends."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


@asynccontextmanager
async def relay(url: str, key: str | None) -> AsyncIterator[Server[Any]]:
    """A server that hands every call on to the service at ``url``.

    Raises CopilotError with the service's code, Unavailable ``service_unavailable``.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = httpx2.Timeout(15, read=READ_SECONDS)
    async with httpx2.AsyncClient(headers=headers, timeout=timeout) as http:
        await _check(http, url)
        async with Client(streamable_http_client(url + PATH, http_client=http)) as client:

            async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
                return await client.list_tools()

            async def call_tool(_: Context, params: CallToolRequestParams) -> CallToolResult:
                try:
                    return await client.call_tool(params.name, params.arguments)
                except (MCPError, httpx2.HTTPError):
                    return refused(_silent(url))

            yield Server(NAME, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool)


async def _check(http: httpx2.AsyncClient, url: str) -> None:
    """Whether there is a service that takes our key, before an agent is told that there is."""
    try:
        answer = await http.get(url + PATH, headers={"Accept": "application/json"})
    except httpx2.HTTPError as exc:
        raise _silent(url) from exc
    if answer.status_code in (401, 403):
        problem = json.loads(answer.content)
        raise CopilotError(problem["detail"], code=problem["code"])


def _silent(url: str) -> Unavailable:
    return Unavailable(f"The service at {url} does not answer.", code="service_unavailable")
