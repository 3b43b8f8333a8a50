"""Who did something, by name."""

from collections.abc import Mapping

from app.console.pages import Visit


async def names_of(visit: Visit) -> Mapping[str, str]:
    """By how it was written down: a key's label, or a user's id."""
    keys = {f"key:{key.id}": key.name for key in await visit.services.keys.list(visit.tenant)}
    return keys | {member.user.id: member.user.name for member in await visit.services.users.list(visit.tenant)}


def label_of(visit: Visit) -> str:
    """How what this visitor does is written down."""
    return visit.who.label if visit.who else ""
