"""Our tools behind the SDK's server; importing this imports the SDK, which takes a second."""

import json
import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from pydantic import BaseModel

from app.api.mcp.shapes import AskResult
from app.api.mcp.tools import AgentTool, AgentTools, Asker
from knowledge.errors import CopilotError

NAME = "merchant-copilot"
INSTRUCTIONS = (
    "Knowledge and work of a merchant. Use ask for an answer with citations, search_knowledge for the passages "
    "themselves. create_copy and make_image start jobs; read what came of them with job_status."
)

log = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]


def agent_server(tools: AgentTools, asker_of: Callable[[Context], Asker]) -> Server[Any]:
    """``asker_of`` says who calls."""

    async def list_tools(_: Context, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_described(tool) for tool in tools.tools.values()])

    async def call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
        try:
            return _told(await tools.call(asker_of(context), params.name, params.arguments or {}))
        except CopilotError as error:
            return refused(error)
        except Exception:  # the edge of a call: an agent is told in our words, the log has the details
            log.exception("mcp tool crashed name=%s", params.name)
            return refused(CopilotError("Something went wrong here; the log has the details. Try again."))

    return Server(
        NAME,
        version=version("merchant-copilot"),
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def refused(error: CopilotError) -> CallToolResult:
    """A tool's error: the sentence with its code for the model, both apart for programs."""
    said = {"error": {"code": error.error_code, "message": error.message}}
    text = TextContent(text=f"{error.message} [{error.error_code}]")
    return CallToolResult(content=[text], structured_content=said, is_error=True)


def _described(tool: AgentTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.parameters),
        output_schema=tool.result.model_json_schema(mode="serialization"),
        annotations=ToolAnnotations(read_only_hint=tool.reads, destructive_hint=False, open_world_hint=False),
    )


def _told(result: BaseModel) -> CallToolResult:
    """Structured, and as text for clients that read only that."""
    data = result.model_dump(mode="json")
    text = _sourced(result) if isinstance(result, AskResult) else json.dumps(data, ensure_ascii=False)
    return CallToolResult(content=[TextContent(text=text)], structured_content=data)


def _sourced(answer: AskResult) -> str:
    """The answer, and under it what its marks mean."""
    lines = [
        f"[{passage.n}] {' > '.join(part for part in (passage.document, passage.heading) if part)}"
        for passage in answer.citations
    ]
    return "\n".join([answer.answer, *([""] if lines else []), *lines])
