"""``copilot cache``: what the answer cache was good for, its switch, and emptying it."""

import json
from typing import Annotated, Any

import typer

from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.errors import Unavailable

PATH = "/v1/answer-cache"

commands = typer.Typer(help="Kept answers of a running service: show, on, off, purge.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="cache")


@commands.command("show")
def show(
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=366)] = 30,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Answers by where they came from, and the tokens that were saved."""
    use = run(_call(settings_for(data), "GET", params={"days": days}))
    if as_json:
        typer.echo(json.dumps(use))
        return
    state = "on" if use["on"] else "off"
    typer.echo(f"{state} · {use['exact']} same question · {use['evidence']} same evidence · {use['written']} written")
    typer.echo(f"{use['share']:.1%} from the cache · {use['saved_tokens']} tokens saved")


@commands.command("on")
def switch_on(data: Data = None) -> None:
    """Keep answers."""
    run(_call(settings_for(data), "PUT", json={"on": True}))
    typer.echo("On.")


@commands.command("off")
def switch_off(data: Data = None) -> None:
    """Keep none, and give none that is kept."""
    run(_call(settings_for(data), "PUT", json={"on": False}))
    typer.echo("Off.")


@commands.command("purge")
def purge(data: Data = None, as_json: Json = False) -> None:
    """Forget every kept answer."""
    done = run(_call(settings_for(data), "DELETE"))
    typer.echo(json.dumps(done) if as_json else f"{done['purged']} entries forgotten.")


async def _call(settings: Settings, method: str, **request: Any) -> dict[str, Any]:
    """Raises Unavailable ``service_unavailable``."""
    from app.cli.remote import requested, service_client
    from app.processes.runtime import find_running

    running = None if settings.url else find_running(settings)
    url = running.url if running else settings.url
    if url is None:
        raise Unavailable("No service is running here. Start it, or set COPILOT_URL.", code="service_unavailable")
    async with service_client(url, settings.api_key) as http:
        return await requested(http, method, PATH, **request)
