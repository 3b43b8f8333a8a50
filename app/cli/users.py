"""``copilot users``: who wrote to the bot, and what each may do."""

import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from app.cli.main import Data, Json, run, settings_for
from app.settings import Settings
from knowledge.errors import InvalidInput, NotFound
from knowledge.models import DEFAULT_TENANT

if TYPE_CHECKING:
    from app.identity.users import Member, Users

T = TypeVar("T")


class GivenRole(StrEnum):
    """A role, or none: it follows the organisation then, whose administrators are admins."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    NONE = "none"


Tenant = Annotated[str, typer.Option(help="Tenant.")]

commands = typer.Typer(help="People of the chats and their roles.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="users")


@commands.command("list")
def list_users(tenant: Tenant = DEFAULT_TENANT, data: Data = None, as_json: Json = False) -> None:
    """Everybody who wrote to the bot."""
    from app.api.render import member_json

    found = run(_with_users(settings_for(data), lambda users: users.list(tenant)))
    if as_json:
        typer.echo(json.dumps({"users": [member_json(member) for member in found]}, ensure_ascii=False))
        return
    table = Table("id", "name", "role", "given by", "channel", "account", "last seen")
    for each in found:
        seen = f"{each.seen_at:%Y-%m-%d}"
        table.add_row(each.user.id, each.user.name, each.user.role, each.role_by, each.channel, each.account, seen)
    Console().print(table if found else "Nobody wrote to the bot yet.")


@commands.command("set-role")
def set_role(
    user: Annotated[str, typer.Argument(help="Id, or account in the channel (DingTalk: staff id).")],
    role: Annotated[GivenRole, typer.Argument(help="What they may do; none: as the organisation says.")],
    tenant: Tenant = DEFAULT_TENANT,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Give somebody a role by hand; it stays."""
    from app.api.render import member_json
    from app.identity.users import Role

    async def work(users: "Users") -> "Member":
        chosen = await _chosen(users, tenant, user)
        await users.set_role(tenant, chosen.user.id, None if role is GivenRole.NONE else Role(role), by="cli")
        return await _chosen(users, tenant, chosen.user.id)

    member = run(_with_users(settings_for(data), work))
    typer.echo(json.dumps(member_json(member), ensure_ascii=False) if as_json else f"{member.user.name}: {role}")


async def _chosen(users: "Users", tenant: str, wanted: str) -> "Member":
    """By id or account. Raises NotFound ``user_not_found``, InvalidInput ``user_ambiguous``."""
    found = [each for each in await users.list(tenant) if wanted in (each.user.id, each.account)]
    if not found:
        raise NotFound("There is no such user. People are known after their first message.", code="user_not_found")
    if len({each.user.id for each in found}) > 1:
        raise InvalidInput("Several people have this account; name the id.", code="user_ambiguous")
    return found[0]


async def _with_users(settings: Settings, work: "Callable[[Users], Awaitable[T]]") -> T:
    from app.database import migrate
    from app.identity.users import Users
    from knowledge.catalog import Catalog
    from knowledge.database import Database

    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    try:
        await migrate(database)
        await Catalog(database).ensure_tenant(DEFAULT_TENANT, DEFAULT_TENANT)
        return await work(Users(database))
    finally:
        await database.close()
