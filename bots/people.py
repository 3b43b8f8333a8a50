"""Who writes to the bot: a tenant's user with a role, or somebody from outside; and what a place may be told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.channels.groups import Groups
from app.identity.users import Role, Users
from bots.messages import Sender, Target
from knowledge.errors import Forbidden

CHANNEL = "dingtalk"


@dataclass(frozen=True, slots=True)
class Person:
    """``user_id`` is None for people from outside, who may ask where a group was opened to them, and nothing else."""

    tenant: str
    name: str
    role: Role
    user_id: str | None

    @property
    def external(self) -> bool:
        return self.user_id is None

    @property
    def label(self) -> str:
        """Who it was, for the record."""
        return f"{CHANNEL}:{self.user_id or self.name}"

    def may(self, role: Role) -> bool:
        return not self.external and self.role.includes(role)


class People:
    """``corps`` is corp id → tenant; while it is empty every organisation of the app is ``tenant``."""

    def __init__(
        self, users: Users, groups: Groups, *, tenant: str, corps: Mapping[str, str], default_role: Role
    ) -> None:
        self._users = users
        self.groups = groups
        self._tenant = tenant
        self._corps = corps
        self._default_role = default_role

    def tenant_of(self, organisation: str) -> str:
        """Raises Forbidden ``organisation_unknown``."""
        tenant = self.known(organisation)
        if tenant is None:
            raise Forbidden("This organisation is not set up here.", code="organisation_unknown")
        return tenant

    def known(self, organisation: str) -> str | None:
        """Its tenant; None for one that is not set up here."""
        return self._corps.get(organisation) if self._corps else self._tenant

    async def who(self, sender: Sender, target: Target) -> Person:
        """Raises Forbidden ``organisation_unknown``."""
        tenant = self.tenant_of(target.organisation)
        if sender.external or sender.account is None:
            return Person(tenant, sender.name, Role.VIEWER, None)
        user = await self._users.seen(
            CHANNEL,
            target.organisation,
            sender.account,
            tenant=tenant,
            name=sender.name,
            admin=sender.admin,
            default_role=self._default_role,
        )
        return Person(tenant, user.name, user.role, user.id)

    async def asked(self, target: Target) -> Person:
        """Who asked in a place, as they stand today; nobody is made a user by what others do. Raises Forbidden
        ``organisation_unknown``."""
        person = await self.clicked(target.organisation, target.account or "")
        return replace(person, name=target.name) if person.external else person

    async def clicked(self, organisation: str, account: str) -> Person:
        """Who pressed a card's button; who never wrote to us may nothing. Raises Forbidden ``organisation_unknown``."""
        tenant = self.tenant_of(organisation)
        user = await self._users.find(CHANNEL, organisation, account)
        if user is None or user.tenant != tenant:
            return Person(tenant, account, Role.VIEWER, None)
        return Person(tenant, user.name, user.role, user.id)

    async def scope(self, person: Person, target: Target, *, title: str) -> tuple[str, ...] | None:
        """The knowledge bases that may be used in a place; None is all.

        People from outside are answered only in groups that an operator bound. Raises Forbidden ``group_not_bound``,
        or ``groups_only`` in a chat with one of them.
        """
        names: tuple[str, ...] | None = None
        if target.kind == "group":
            known = {"tenant": person.tenant, "organisation": target.organisation}
            await self.groups.seen(CHANNEL, target.conversation, title=title, **known)
            names = (await self.groups.scope(CHANNEL, target.conversation)).knowledge_bases
        if person.external and target.kind == "single":
            raise Forbidden("People from outside are answered in groups only.", code="groups_only")
        if person.external and names is None:
            raise Forbidden("This group is not open to people from outside.", code="group_not_bound")
        return names
