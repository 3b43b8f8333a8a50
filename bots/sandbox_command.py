"""``copilot dingtalk-sandbox``: the whole product on this machine, with a DingTalk of its own to be tried in."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from app.processes.children import ChildSpec
from app.processes.embedded import Services
from app.processes.environment import settings_environment
from app.processes.ports import check_port, port_is_free
from app.processes.probes import http_answers
from app.processes.runtime import Running, find_running
from app.processes.up import Hook, api_url, copilot_children, run_up
from app.processes.words import preferred_language
from app.settings import Settings
from bots.sandbox_settings import HOST, sandbox_settings
from knowledge.errors import InvalidInput
from knowledge.language import Texts

TEXTS = Texts(Path(__file__).with_name("sandbox_texts.json"))


def run_dingtalk_sandbox(settings: Settings, *, port: int, samples: bool, verbose: bool, chosen_folder: bool) -> int:
    """Beside the copilot that runs on this data folder, else with one of its own; → the exit code.

    ``chosen_folder`` says that the folder was named for this. Raises InvalidInput ``sandbox_beside_real`` where a real
    bot's data is at hand, StartFailure for the port.
    """
    _require_apart(settings, chosen_folder=chosen_folder)
    check_port(HOST, port)
    running = find_running(settings)
    if running is not None:
        return _beside(settings, running, port)
    return _with_everything(settings, port, samples=samples, verbose=verbose)


def _beside(settings: Settings, running: Running, port: int) -> int:
    from bots.sandbox_process import run_sandbox

    typer.echo(_say("beside", url=running.url))
    _announce(port, settings.data)
    mine = sandbox_settings(settings, public_url=running.url)
    asyncio.run(run_sandbox(mine, port=port, redis_url=running.redis_url, chroma_url=running.chroma_url))
    return 0


def _with_everything(settings: Settings, port: int, *, samples: bool, verbose: bool) -> int:
    """As ``copilot up`` does, with the sandbox as one more of its processes."""
    from app.samples import first_run

    free = settings.port if port_is_free(HOST, settings.port) else 0
    local = settings.model_copy(update={"host": HOST, "port": free})
    quiet = {} if verbose else {"log_level": "WARNING"}  # else the address is gone from the screen at once
    mine = sandbox_settings(local.model_copy(update=quiet), public_url="")

    def children(_: Settings, services: Services, api_port: int) -> Sequence[ChildSpec]:
        told = mine.model_copy(update={"public_url": settings.public_url or api_url(HOST, api_port)})
        known = [child for child in copilot_children(told, services, api_port) if child.name != "bot"]
        return (*known, _sandbox_child(told, services, port))

    async def announce(_: Running) -> None:
        _announce(port, settings.data)

    hooks: Sequence[Hook] = (announce,)
    first: Hook = first_run if samples else _nothing
    return run_up(local, migrate=_as_it_is, first_run=first, on_ready=hooks, children=children, verbose=verbose)


def _sandbox_child(settings: Settings, services: Services, port: int) -> ChildSpec:
    """Ready when its bot is connected."""
    data = settings.data.absolute()
    env: Mapping[str, str] = settings_environment(
        settings, data=data, redis_url=services.redis_url, chroma_url=services.chroma_url
    )
    argv = (sys.executable, "-m", "app", "dingtalk-sandbox", "--alone", "--port", str(port))
    return ChildSpec("sandbox", argv, env=env, ready=lambda _: http_answers(f"http://{HOST}:{port}/healthz"))


def _announce(port: int, data: Path) -> None:
    from app.samples import suggestions

    language = preferred_language()
    question = suggestions()[language][0]
    tries = (_say("try.ask", question=question), *(_say(f"try.{name}") for name in ("picture", "person", "trouble")))
    log = data.absolute() / "logs" / "bot.log"
    url = typer.style(f"http://{HOST}:{port}", fg="green", bold=True)
    typer.echo(f"\n{_say('page')}  {url}\n{_say('log')}  {log}\n\n{_say('try')}")
    for line in tries:
        typer.echo(f"  · {line}")


def _require_apart(settings: Settings, *, chosen_folder: bool) -> None:
    if not settings.dingtalk_client_id:
        return
    shared = settings.redis_url or settings.database_url
    if shared or not chosen_folder:
        raise InvalidInput(_say("shared_stores" if shared else "beside_real"), code="sandbox_beside_real")


def _say(key: str, **values: str) -> str:
    return TEXTS.say(key, preferred_language(), **values)


async def _as_it_is() -> None:
    """Each process migrates the database itself, behind its write lock."""


async def _nothing(_: Running) -> None:
    """What is done on a first start without samples."""
