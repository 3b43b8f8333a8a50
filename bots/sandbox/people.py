"""Who is there: an organisation's people, its groups, and each person's chat with the robot."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["single", "group"]

CORP = "dingSandboxCorp"


@dataclass(frozen=True, slots=True)
class User:
    """``external`` people come from other organisations: DingTalk tells their nick, and no staff id."""  # [D]

    staff_id: str
    name: str
    admin: bool = False
    external: bool = False

    @property
    def sender_id(self) -> str:
        return "$:LWCP_v1:$" + _coded(self.staff_id)


@dataclass(frozen=True, slots=True)
class Conversation:
    """``id`` is case-sensitive; for a group it is the openConversationId too."""  # [D]

    id: str
    title: str
    kind: Kind
    members: tuple[User, ...]


class People:
    """Ids are made of names, so that a run is like the one before."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self.conversations: dict[str, Conversation] = {}
        self._singles: dict[str, Conversation] = {}

    def add_user(self, user: User) -> User:
        self.users[user.staff_id] = user
        return user

    def add_group(self, title: str, members: tuple[User, ...]) -> Conversation:
        return self._add(Conversation(_conversation_id(f"group {title}"), title, "group", members))

    def single(self, user: User) -> Conversation:
        """The chat of one person with the robot."""
        if user.staff_id not in self._singles:
            found = Conversation(_conversation_id(f"single {user.staff_id}"), user.name, "single", (user,))
            self._singles[user.staff_id] = self._add(found)
        return self._singles[user.staff_id]

    def staff(self, staff_id: str) -> User | None:
        """A person who can be written to: somebody of the organisation."""
        user = self.users.get(staff_id)
        return None if user is None or user.external else user

    def group(self, conversation_id: str) -> Conversation | None:
        found = self.conversations.get(conversation_id)
        return found if found is not None and found.kind == "group" else None

    def _add(self, conversation: Conversation) -> Conversation:
        self.conversations[conversation.id] = conversation
        return conversation


def _conversation_id(name: str) -> str:
    return "cid" + _coded(name) + "="


def _coded(name: str) -> str:
    return base64.b64encode(hashlib.sha256(name.encode()).digest()[:16]).decode()
