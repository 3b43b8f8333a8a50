"""People of the channels, and what each may do. A person is known by their account in an organisation.

A role that was given by hand (``copilot users set-role``, the console) stays. Any other follows the organisation at
every message: its own administrators are admins, everybody else has the default role. So who stops being an
administrator there stops being one here, and who becomes one need not ask.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, Select, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.identity.tables import accounts, users
from knowledge.database import Database, now
from knowledge.errors import NotFound

SEEN_AGAIN = timedelta(days=1)
MAX_NAME = 120


class Role(StrEnum):
    """What a person may do; each includes those before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        return list(Role).index(self) >= list(Role).index(other)


@dataclass(frozen=True, slots=True)
class User:
    id: str
    tenant: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Member:
    """A user as they are listed. ``role_by`` says who gave the role, None where it follows the organisation."""

    user: User
    channel: str
    organisation: str
    account: str
    role_by: str | None
    seen_at: datetime


class Users:
    """Whoever wrote to us."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def seen(
        self,
        channel: str,
        organisation: str,
        account: str,
        *,
        tenant: str,
        name: str,
        admin: bool = False,
        default_role: Role = Role.VIEWER,
    ) -> User:
        """The user behind an account, made at their first message. ``admin``: of the organisation, as it says.

        An account whose organisation was given to another tenant starts there anew, with no role given by hand.
        Name and ``seen_at`` are brought up to date once a day.
        """
        key = {"channel": channel, "organisation": organisation, "account": account}
        wanted = {"tenant": tenant, "name": name[:MAX_NAME], "role": Role.ADMIN if admin else Role(default_role)}
        async with self._database.read() as connection:
            row = (await connection.execute(_by_account(key))).first()
        if row is not None:
            return await self._seen_again(row, key, wanted)
        try:
            async with self._database.write() as connection:
                return await _found_or_made(connection, key, wanted)
        except IntegrityError:  # their other first message was quicker
            async with self._database.read() as connection:
                return _user((await connection.execute(_by_account(key))).one())

    async def find(self, channel: str, organisation: str, account: str) -> User | None:
        """Whoever has this account; None before their first message."""
        key = {"channel": channel, "organisation": organisation, "account": account}
        async with self._database.read() as connection:
            row = (await connection.execute(_by_account(key))).first()
        return None if row is None else _user(row)

    async def list(self, tenant: str) -> list[Member]:
        """Everybody, the mightiest first, then by name."""
        query = select(users, accounts).join(accounts, accounts.c.user_id == users.c.id)
        async with self._database.read() as connection:
            found = [_member(row) for row in await connection.execute(query.where(users.c.tenant == tenant))]
        rank = list(Role)
        return sorted(found, key=lambda each: (-rank.index(each.user.role), each.user.name, each.account))

    async def set_role(self, tenant: str, user_id: str, role: Role | None, *, by: str) -> User:
        """Give a role by hand; None lets it follow the organisation again, from their next message on.

        Raises NotFound ``user_not_found``.
        """
        given = {"role_by": None} if role is None else {"role": role, "role_by": by}
        mine = (users.c.id == user_id) & (users.c.tenant == tenant)
        async with self._database.write() as connection:
            changed = await connection.execute(update(users).where(mine).values(**given).returning(users))
            row = changed.first()
        if row is None:
            raise NotFound("There is no such user.", code="user_not_found")
        return _user(row)

    async def _seen_again(self, row: Row[Any], key: Mapping[str, str], wanted: Mapping[str, Any]) -> User:
        moment = now()
        changes = _changes(row, wanted, daily=moment - row.seen_at >= SEEN_AGAIN)
        if not changes and moment - row.seen_at < SEEN_AGAIN:
            return _user(row)
        async with self._database.write() as connection:
            if changes:
                await connection.execute(update(users).where(users.c.id == row.id).values(**changes))
            await connection.execute(update(accounts).filter_by(**key).values(seen_at=moment))
            return _user((await connection.execute(_by_account(key))).one())


def _changes(row: Row[Any], wanted: Mapping[str, Any], *, daily: bool) -> dict[str, Any]:
    """What of a user is not as it should be. Rights are changed at once, the name once a day."""
    if row.tenant != wanted["tenant"]:
        return {**wanted, "role_by": None}
    changes: dict[str, Any] = {}
    if row.role_by is None and row.role != wanted["role"]:
        changes["role"] = wanted["role"]
    if daily and wanted["name"] and row.name != wanted["name"]:
        changes["name"] = wanted["name"]
    return changes


async def _found_or_made(connection: AsyncConnection, key: Mapping[str, str], wanted: Mapping[str, Any]) -> User:
    row = (await connection.execute(_by_account(key))).first()
    if row is not None:
        return _user(row)
    moment, fresh = now(), uuid4().hex
    made = await connection.execute(insert(users).values(id=fresh, created_at=moment, **wanted).returning(users))
    await connection.execute(insert(accounts).values(user_id=fresh, seen_at=moment, **key))
    return _user(made.one())


def _by_account(key: Mapping[str, str]) -> Select[Any]:
    return (
        select(users, accounts.c.seen_at)
        .join(accounts, accounts.c.user_id == users.c.id)
        .where(*(accounts.c[name] == value for name, value in key.items()))
    )


def _user(row: Row[Any]) -> User:
    return User(row.id, row.tenant, row.name, Role(row.role))


def _member(row: Row[Any]) -> Member:
    return Member(_user(row), row.channel, row.organisation, row.account, row.role_by, row.seen_at)
