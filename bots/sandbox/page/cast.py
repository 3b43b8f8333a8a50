"""Who is in the sandbox's organisation, and in which groups."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from bots.sandbox.gateway import Gateway
from bots.sandbox.people import Conversation


class Person(BaseModel):
    """``role`` is what the page says of them; only ``admin`` and ``external`` are known to DingTalk."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    role: Literal["viewer", "operator", "admin", "external"]


class Group(BaseModel):
    """``operators``: the one that questions are handed to."""

    model_config = ConfigDict(frozen=True)

    title: str
    members: Sequence[str]
    operators: bool = False


class Cast(BaseModel):
    model_config = ConfigDict(frozen=True)

    people: Sequence[Person]
    groups: Sequence[Group]


@lru_cache(maxsize=1)
def cast() -> Cast:
    return Cast.model_validate_json(Path(__file__).with_name("cast.json").read_text(encoding="utf-8"))


def seat(gateway: Gateway, of: Cast) -> dict[str, Conversation]:
    """Everybody into the gateway, groups first, then each member of staff's own chat; → the groups by title."""
    users = {
        one.id: gateway.add_user(one.id, one.name, admin=one.role == "admin", external=one.role == "external")
        for one in of.people
    }
    groups = {one.title: gateway.add_group(one.title, [users[name] for name in one.members]) for one in of.groups}
    for user in users.values():
        if not user.external:
            gateway.single(user)
    return groups
