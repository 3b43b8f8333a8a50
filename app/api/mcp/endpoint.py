"""MCP over streamable HTTP at ``/mcp``: every request by itself, with the keys of the HTTP API.

There are no sessions, so any process answers any request. The SDK is imported when the first agent comes: it takes a
second, and most processes have no use for it.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.api.mcp.tools import AgentTools, Asker
from app.chat.running import RunningTurns
from app.errors import refusal, status_of
from app.identity.access import identify
from app.jobs.models import Artifact
from app.wiring import Services
from knowledge.errors import CopilotError

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PATH = "/mcp"


class McpEndpoint:
    """Owned by the application; ``tasks`` lives as long as it does."""

    def __init__(self, services: Services, running: RunningTurns, tasks: asyncio.TaskGroup) -> None:
        self._services = services
        self._running = running
        self._tasks = tasks
        self._manager: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._closing = asyncio.Event()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        request = Request(scope, receive)
        settings = self._services.settings
        try:
            who = await identify(request, self._services.keys, keys_required=settings.keys_required)
        except CopilotError as error:
            answer = refusal(request.url.path, status_of(error), error.error_code, error.message)
            await answer(scope, receive, send)
            return
        base = (settings.public_url or str(request.base_url)).rstrip("/")

        async def link(artifact: Artifact) -> str:
            return f"{base}/v1/artifacts/{artifact.id}?{self._services.jobs.artifacts.sign(artifact)}"

        request.state.asker = Asker(who, link)
        await (await self._started()).handle_request(scope, receive, send)

    def close(self) -> None:
        """Let go of what was started."""
        self._closing.set()

    async def _started(self) -> "StreamableHTTPSessionManager":
        if self._manager is None:
            self._manager = asyncio.get_running_loop().create_future()
            self._tasks.create_task(self._serve(self._manager), name="mcp")
        return await asyncio.shield(self._manager)

    async def _serve(self, started: "asyncio.Future[StreamableHTTPSessionManager]") -> None:
        manager = await asyncio.to_thread(self._built)
        async with manager.run():
            started.set_result(manager)
            await self._closing.wait()

    def _built(self) -> "StreamableHTTPSessionManager":
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        from app.api.mcp.server import agent_server

        def asker_of(context: Any) -> Asker:
            asker: Asker = context.request.state.asker
            return asker

        server = agent_server(AgentTools(self._services, self._running), asker_of)
        limit = self._services.settings.max_upload_mb << 20
        return StreamableHTTPSessionManager(server, stateless=True, max_request_body_size=limit)


class McpRoute:
    """The application's route to its endpoint, which begins and ends with it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint: McpEndpoint = scope["app"].state.mcp
        await endpoint.handle(scope, receive, send)
