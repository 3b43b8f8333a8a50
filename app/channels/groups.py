"""Group chats as operators set them up: what answers there may use, and which group questions are handed to.

A binding narrows: a group that is bound to knowledge bases is answered from those and no others, whoever asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.channels.tables import channel_groups
from knowledge.catalog import Catalog
from knowledge.database import Database, now
from knowledge.errors import InvalidInput, NotFound

MAX_TITLE = 200

Purpose: TypeAlias = Literal["answers", "operators"]


@dataclass(frozen=True, slots=True)
class Group:
    """``knowledge_bases`` None is all of the tenant's."""

    channel: str
    group_id: str
    tenant: str
    organisation: str
    title: str
    knowledge_bases: tuple[str, ...] | None
    purpose: Purpose
    changed_by: str | None
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Binding:
    """What a group's answers may use, by name; None is everything.

    Never empty: where all that a group was bound to is gone it still names it, so that asking there is refused
    (``knowledge_base_not_found``) and not widened.
    """

    knowledge_bases: tuple[str, ...] | None = None


class Groups:
    """``catalog`` knows which knowledge bases there are."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def seen(self, channel: str, group_id: str, *, tenant: str, organisation: str, title: str) -> Group:
        """A group that somebody wrote in, with its title of today. One that went to another tenant starts anew."""
        known = await self._find(channel, group_id)
        if known is None:
            return await self._add(channel, group_id, tenant=tenant, organisation=organisation, title=title)
        if known.tenant != tenant:
            anew = {"tenant": tenant, "knowledge_bases": None, "purpose": "answers", "changed_by": None}
            return await self._change(known, organisation=organisation, title=title[:MAX_TITLE], **anew)
        if title and known.title != title[:MAX_TITLE]:
            return await self._change(known, title=title[:MAX_TITLE])
        return known

    async def scope(self, channel: str, group_id: str) -> Binding:
        """What may be used in this group; everything in one that nobody bound."""
        group = await self._find(channel, group_id)
        if group is None or group.knowledge_bases is None:
            return Binding()
        there = {kb.name for kb in await self._catalog.named(group.tenant, None)}
        return Binding(tuple(name for name in group.knowledge_bases if name in there) or group.knowledge_bases)

    async def bind(self, tenant: str, channel: str, group_id: str, names: Sequence[str], *, by: str) -> Group:
        """Raises NotFound ``knowledge_base_not_found`` or ``group_not_found``, InvalidInput ``binding_empty``."""
        if not names:
            raise InvalidInput("Name at least one knowledge base.", code="binding_empty")
        bases = await self._catalog.named(tenant, names)
        group = await self.get(tenant, channel, group_id)
        return await self._change(group, knowledge_bases=[kb.name for kb in bases], changed_by=by)

    async def unbind(self, tenant: str, channel: str, group_id: str, *, by: str) -> Group:
        """All knowledge bases again. Raises NotFound ``group_not_found``."""
        return await self._change(await self.get(tenant, channel, group_id), knowledge_bases=None, changed_by=by)

    async def set_operators(self, tenant: str, channel: str, group_id: str, *, by: str) -> Group:
        """Hand questions to this group from now on, and to no other. Raises NotFound ``group_not_found``."""
        await self.get(tenant, channel, group_id)
        await self._hand_to({"tenant": tenant, "channel": channel, "group_id": group_id}, tenant, by=by)
        return await self.get(tenant, channel, group_id)

    async def clear_operators(self, tenant: str, *, by: str) -> None:
        """Hand questions to no group."""
        await self._hand_to(None, tenant, by=by)

    async def operators(self, tenant: str) -> Group | None:
        """The group that questions are handed to; the last one named."""
        found = [group for group in await self.list(tenant) if group.purpose == "operators"]
        return max(found, key=lambda group: group.changed_at, default=None)

    async def list(self, tenant: str) -> list[Group]:
        """By title."""
        query = select(channel_groups).where(channel_groups.c.tenant == tenant)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(channel_groups.c.title, channel_groups.c.group_id))
            return [_group(row) for row in rows]

    async def get(self, tenant: str, channel: str, group_id: str) -> Group:
        """Raises NotFound ``group_not_found``."""
        group = await self._find(channel, group_id)
        if group is None or group.tenant != tenant:
            raise NotFound("There is no such group. It is known after its first message.", code="group_not_found")
        return group

    async def _find(self, channel: str, group_id: str) -> Group | None:
        query = select(channel_groups).filter_by(channel=channel, group_id=group_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _group(row)

    async def _add(self, channel: str, group_id: str, *, tenant: str, organisation: str, title: str) -> Group:
        key = {"channel": channel, "group_id": group_id}
        row = {**key, "tenant": tenant, "organisation": organisation, "title": title[:MAX_TITLE], "purpose": "answers"}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(channel_groups).values(**row, changed_at=now()))
        except IntegrityError:  # another message of the group was quicker
            pass
        return await self.get(tenant, channel, group_id)

    async def _hand_to(self, key: Mapping[str, str] | None, tenant: str, *, by: str) -> None:
        changed = {"changed_by": by, "changed_at": now()}
        before = update(channel_groups).filter_by(tenant=tenant, purpose="operators")
        async with self._database.write() as connection:
            await connection.execute(before.values(purpose="answers", **changed))
            if key is not None:
                new = update(channel_groups).filter_by(**key)
                await connection.execute(new.values(purpose="operators", **changed))

    async def _change(self, group: Group, **values: Any) -> Group:
        key = {"channel": group.channel, "group_id": group.group_id}
        changed = update(channel_groups).filter_by(**key).values(**values, changed_at=now()).returning(channel_groups)
        async with self._database.write() as connection:
            return _group((await connection.execute(changed)).one())


def _group(row: Row[Any]) -> Group:
    names = None if row.knowledge_bases is None else tuple(row.knowledge_bases)
    plain = {name: getattr(row, name) for name in Group.__dataclass_fields__ if name != "knowledge_bases"}
    return Group(**plain, knowledge_bases=names)
