"""API keys (secret, ``sk_…``) and publishable keys (for the widget, ``pk_…``, bound to origins)."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, insert, select, update

from app.identity.tables import api_keys
from knowledge.database import Database, now
from knowledge.errors import Forbidden, InvalidInput, NotFound

_ORIGIN = re.compile(r"https?://(\*\.)?[a-z0-9.-]+(:\d+)?")


class Scope(StrEnum):
    """What a caller may do; each includes those before it. ``chat`` is all that a publishable key has."""

    CHAT = "chat"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


RANK = list(Scope)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: a tenant with a scope. ``key_id`` is None on a machine that needs no key."""

    tenant: str
    scope: Scope
    key_id: str | None = None

    @property
    def label(self) -> str:
        """Who it was, for the record."""
        return f"key:{self.key_id}" if self.key_id else "local"

    def may(self, scope: Scope) -> bool:
        return RANK.index(self.scope) >= RANK.index(scope)

    def require(self, scope: Scope) -> None:
        """Raises Forbidden ``scope_missing``."""
        if not self.may(scope):
            raise Forbidden(f"This key may not do that; it needs the scope “{scope}”.", code="scope_missing")


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is listed: ``hint`` shows its ends (a publishable key in full)."""

    id: str
    tenant: str
    name: str
    kind: str
    hint: str
    scope: Scope
    origins: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class Keys:
    """Issue, list, revoke and recognise keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, tenant: str, name: str, *, scope: Scope) -> tuple[Key, str]:
        """A secret key → (what is kept, the key itself, which is shown this once)."""
        if scope is Scope.CHAT:
            raise InvalidInput("A secret key has the scope read, write or admin.", code="scope_invalid")
        token = f"sk_{secrets.token_urlsafe(32)}"
        key = await self._insert(tenant, name, "secret", token, f"{token[:6]}…{token[-4:]}", scope, ())
        return key, token

    async def publish(self, tenant: str, name: str, *, origins: Sequence[str]) -> tuple[Key, str]:
        """A publishable key for pages of these origins (``https://shop.example``, ``https://*.shop.example``).

        Raises InvalidInput ``origins_missing`` or ``origin_invalid``.
        """
        cleaned = tuple(origin.strip().lower().rstrip("/") for origin in origins if origin.strip())
        if not cleaned:
            raise InvalidInput("Name at least one origin, such as https://shop.example.", code="origins_missing")
        for origin in cleaned:
            if not _ORIGIN.fullmatch(origin):
                raise InvalidInput(f"“{origin}” is not an origin such as https://shop.example.", code="origin_invalid")
        token = f"pk_{secrets.token_urlsafe(24)}"
        return await self._insert(tenant, name, "publishable", token, token, Scope.CHAT, cleaned), token

    async def list(self, tenant: str) -> list[Key]:
        query = select(api_keys).where(api_keys.c.tenant == tenant).order_by(api_keys.c.created_at)
        async with self._database.read() as connection:
            return [_key(row) for row in await connection.execute(query)]

    async def revoke(self, tenant: str, key_id: str) -> None:
        """Raises NotFound ``key_not_found``."""
        mine = (api_keys.c.tenant == tenant) & (api_keys.c.id == key_id) & api_keys.c.revoked_at.is_(None)
        async with self._database.write() as connection:
            done = await connection.execute(update(api_keys).where(mine).values(revoked_at=now()))
        if done.rowcount != 1:
            raise NotFound("There is no such key.", code="key_not_found")

    async def recognise(self, token: str, *, origin: str | None) -> Principal:
        """Raises Forbidden ``key_invalid`` or ``origin_not_allowed``."""
        query = select(api_keys).where(api_keys.c.hash == _hash(token), api_keys.c.revoked_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise Forbidden("This key is not valid, or was revoked.", code="key_invalid")
        key = _key(row)
        if key.kind == "publishable" and not any(_matches(pattern, origin) for pattern in key.origins):
            raise Forbidden("This key may not be used from this page.", code="origin_not_allowed")
        return Principal(key.tenant, key.scope, key.id)

    async def _insert(
        self, tenant: str, name: str, kind: str, token: str, hint: str, scope: Scope, origins: Sequence[str]
    ) -> Key:
        if not name.strip():
            raise InvalidInput("Give the key a name, so that you know it later.", code="name_invalid")
        row = {
            "id": uuid4().hex,
            "tenant": tenant,
            "name": name.strip(),
            "kind": kind,
            "hash": _hash(token),
            "hint": hint,
            "scopes": [scope.value],
            "origins": list(origins),
            "created_at": now(),
        }
        async with self._database.write() as connection:
            stored = (await connection.execute(insert(api_keys).values(**row).returning(api_keys))).one()
        return _key(stored)


def _hash(token: str) -> str:
    # 256 random bits need no slow hash; nobody can guess them.
    return hashlib.sha256(token.encode()).hexdigest()


def _matches(pattern: str, origin: str | None) -> bool:
    if origin is None:
        return False
    origin = origin.lower()
    if "*." not in pattern:
        return origin == pattern
    scheme, _, rest = pattern.partition("*.")
    return origin.startswith(scheme) and origin.removeprefix(scheme).endswith(f".{rest}")


def _key(row: Row[Any]) -> Key:
    return Key(
        id=row.id,
        tenant=row.tenant,
        name=row.name,
        kind=row.kind,
        hint=row.hint,
        scope=Scope(row.scopes[0]),
        origins=tuple(row.origins),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
