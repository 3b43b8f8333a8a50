"""People of a channel: found again by their account, with the role they were given or their organisation gives them."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import typer
from sqlalchemy import select, update
from typer.testing import CliRunner

from app.cli import users as commands
from app.identity.tables import accounts
from app.identity.tables import users as table
from app.identity.users import Role, User, Users
from knowledge.catalog import Catalog
from knowledge.database import Database, now
from knowledge.errors import NotFound
from knowledge.models import DEFAULT_TENANT
from tests.products import database_of


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(database_of(tmp_path))
    for tenant in (DEFAULT_TENANT, "other"):
        await Catalog(database).ensure_tenant(tenant, tenant)
    yield database
    await database.close()


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database)


async def seen(users: Users, account: str = "u1", **over: object) -> User:
    given = {"tenant": DEFAULT_TENANT, "name": "张三", "admin": False, "default_role": Role.VIEWER, **over}
    return await users.seen("dingtalk", "corp", account, **given)  # type: ignore[arg-type]


async def a_day_ago(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(update(accounts).values(seen_at=now() - timedelta(days=1)))


async def test_an_account_is_one_user_whenever_it_writes(users: Users) -> None:
    first = await seen(users)
    assert first == await seen(users) == await users.find("dingtalk", "corp", "u1")
    assert (first.name, first.role) == ("张三", Role.VIEWER)
    assert await users.find("dingtalk", "corp", "u2") is None
    assert await users.find("dingtalk", "another corp", "u1") is None


async def test_first_messages_at_the_same_moment_make_one_user(users: Users, database: Database) -> None:
    found = await asyncio.gather(*(seen(users) for _ in range(8)))
    assert len({user.id for user in found}) == 1
    async with database.read() as connection:
        assert len((await connection.execute(select(table))).all()) == 1


async def test_an_administrator_of_the_organisation_is_admin_for_as_long_as_they_are_one(users: Users) -> None:
    assert (await seen(users, admin=True)).role is Role.ADMIN
    assert (await seen(users)).role is Role.VIEWER
    assert (await seen(users, default_role=Role.OPERATOR)).role is Role.OPERATOR
    assert (await seen(users, admin=True)).role is Role.ADMIN


async def test_a_role_given_by_hand_stays_until_it_is_taken_back(users: Users) -> None:
    user = await seen(users, admin=True)
    given = await users.set_role(DEFAULT_TENANT, user.id, Role.OPERATOR, by="key:1")
    assert given.role is Role.OPERATOR
    assert (await seen(users, admin=True)).role is Role.OPERATOR
    (member,) = await users.list(DEFAULT_TENANT)
    assert (member.role_by, member.account) == ("key:1", "u1")
    await users.set_role(DEFAULT_TENANT, user.id, None, by="key:1")
    assert (await seen(users, admin=True)).role is Role.ADMIN


async def test_a_new_name_is_learnt_once_a_day(users: Users, database: Database) -> None:
    await seen(users)
    assert (await seen(users, name="张三丰")).name == "张三"
    await a_day_ago(database)
    assert (await seen(users, name="张三丰")).name == "张三丰"
    await a_day_ago(database)
    assert (await seen(users, name="")).name == "张三丰"
    (member,) = await users.list(DEFAULT_TENANT)
    assert now() - member.seen_at < timedelta(minutes=5)


async def test_an_organisation_that_goes_to_another_tenant_takes_no_given_role_along(users: Users) -> None:
    user = await seen(users)
    await users.set_role(DEFAULT_TENANT, user.id, Role.ADMIN, by="cli")
    moved = await seen(users, tenant="other")
    assert (moved.id, moved.tenant, moved.role) == (user.id, "other", Role.VIEWER)
    assert await users.list(DEFAULT_TENANT) == []


async def test_a_user_of_another_tenant_is_not_there(users: Users) -> None:
    user = await seen(users)
    with pytest.raises(NotFound) as caught:
        await users.set_role("other", user.id, Role.ADMIN, by="cli")
    assert caught.value.error_code == "user_not_found"
    assert (await seen(users)).role is Role.VIEWER


def test_each_role_includes_those_before_it() -> None:
    assert Role.ADMIN.includes(Role.OPERATOR)
    assert Role.OPERATOR.includes(Role.OPERATOR)
    assert not Role.VIEWER.includes(Role.OPERATOR)


def test_the_command_line_lists_people_and_gives_roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COPILOT_DATABASE_URL", database_of(tmp_path))

    def copilot(*arguments: str) -> str:
        app = typer.Typer()
        commands.register(app)
        done = CliRunner().invoke(app, ["users", *arguments, "--data", str(tmp_path)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    async def write() -> None:
        database = Database(database_of(tmp_path))
        await seen(Users(database))
        await database.close()

    assert json.loads(copilot("list", "--json")) == {"users": []}
    asyncio.run(write())
    assert "张三" in copilot("list")
    given = json.loads(copilot("set-role", "u1", "operator", "--json"))
    assert (given["name"], given["role"], given["role_by"]) == ("张三", "operator", "cli")
    copilot("set-role", given["id"], "none")
    assert json.loads(copilot("list", "--json"))["users"][0]["role_by"] is None
    with pytest.raises(NotFound):
        copilot("set-role", "nobody", "admin")
