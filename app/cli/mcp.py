"""``copilot mcp``: the tools for an agent on this machine, over standard input and output."""

import asyncio
from pathlib import Path

import typer

from app.cli.main import Data, run, settings_for
from app.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("mcp")(mcp)


def mcp(data: Data = None) -> None:
    """Serve agents over standard input and output (MCP); over HTTP the running service does so at /mcp."""
    run(_serve(settings_for(data)))


async def _serve(settings: Settings) -> None:
    """The running service's tools if there is one (``COPILOT_URL``, or noted in the data folder), else local ones."""
    from app.api.mcp.stdio import relay, serve
    from app.processes.runtime import find_running

    url = settings.url
    if url is None and (running := find_running(settings)):
        url = running.url
    if url:
        key = settings.api_key.get_secret_value() if settings.api_key else None
        async with relay(url.rstrip("/"), key) as server:
            await serve(server)
        return
    await _serve_here(settings)


async def _serve_here(settings: Settings) -> None:
    """With everything of this process: jobs are worked on between two calls, files are put into the data folder."""
    from app.api.mcp.server import agent_server
    from app.api.mcp.stdio import serve
    from app.api.mcp.tools import AgentTools, Asker
    from app.chat.running import RunningTurns
    from app.cli.chores import Chores
    from app.identity.keys import Principal, Scope
    from app.jobs.models import Artifact
    from app.processes.embedded import embedded_services
    from app.wiring import running_services
    from knowledge.models import DEFAULT_TENANT

    folder = settings.data.absolute() / "results"

    async with (
        embedded_services(settings, redis=False, chroma=True) as started,
        running_services(settings, chroma_url=started.chroma_url) as services,
    ):

        async def put(artifact: Artifact) -> str:
            path = folder / artifact.id / Path(artifact.name).name
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(path.write_bytes, await services.jobs.artifacts.read(artifact))
            return path.as_uri()

        asker = Asker(Principal(DEFAULT_TENANT, Scope.ADMIN), put)
        async with asyncio.TaskGroup() as tasks:
            running = RunningTurns(services.chat, tasks)
            working = tasks.create_task(Chores(services.jobs).run())
            await serve(agent_server(AgentTools(services, running), lambda _: asker))
            working.cancel()
            await running.close()
