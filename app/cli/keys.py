"""``copilot keys``: create, list and revoke API keys and publishable keys."""

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.models import DEFAULT_TENANT

if TYPE_CHECKING:
    from app.identity.keys import Keys


class SecretScope(StrEnum):
    """What a secret key may do; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


commands = typer.Typer(help="API keys (secret) and publishable keys (for the widget).", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="keys")


@commands.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[SecretScope, typer.Option(help="What it may do.")] = SecretScope.READ,
    origin: Annotated[
        list[str] | None, typer.Option(help="Make a publishable key for pages of this origin; may be repeated.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once."""

    from app.api.render import key_json
    from app.identity.keys import Scope

    async def work(keys: "Keys") -> dict[str, Any]:
        if origin:
            key, token = await keys.publish(DEFAULT_TENANT, name, origins=origin)
        else:
            key, token = await keys.issue(DEFAULT_TENANT, name, scope=Scope(scope.value))
        return {**key_json(key), "key": token}

    made = run(_with_keys(settings_for(data), work))
    typer.echo(json.dumps(made, ensure_ascii=False) if as_json else made["key"])
    if not as_json:
        typer.secho("Keep it: a secret key is not shown again.", err=True, dim=True)


@commands.command("list")
def list_keys(data: Data = None, as_json: Json = False) -> None:
    """All keys."""

    from app.api.render import key_json

    async def work(keys: "Keys") -> list[dict[str, Any]]:
        return [key_json(key) for key in await keys.list(DEFAULT_TENANT)]

    found = run(_with_keys(settings_for(data), work))
    if as_json:
        typer.echo(json.dumps({"keys": found}, ensure_ascii=False))
        return
    table = Table("id", "name", "kind", "scope", "key", "origins", "revoked")
    for key in found:
        table.add_row(
            key["id"],
            key["name"],
            key["kind"],
            key["scope"],
            key["hint"],
            " ".join(key["origins"]),
            "yes" if key["revoked_at"] else "",
        )
    Console().print(table if found else "No keys yet.")


@commands.command("revoke")
def revoke(key_id: str, data: Data = None) -> None:
    """Have a key stop working."""
    run(_with_keys(settings_for(data), lambda keys: keys.revoke(DEFAULT_TENANT, key_id)))
    typer.echo("Revoked.")


async def _with_keys(settings: Settings, work: Any) -> Any:
    from app.database import migrate
    from app.identity.keys import Keys
    from knowledge.catalog import Catalog
    from knowledge.database import Database

    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        await migrate(database)
        await Catalog(database).ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        return await work(Keys(database))
    finally:
        await database.close()
