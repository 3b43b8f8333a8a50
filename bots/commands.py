"""What people can tell the bot besides asking: ``/help``, ``/new``, ``/bind``, ``/operators``, ``/reply`` …

Commands about pictures and jobs (``/图``, ``/任务`` …) are the chat's own, in every channel; see app.tools.commands.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from app.channels.handoffs import Handoffs
from app.channels.replies import Replies, Reply
from app.chat.history import Conversations
from app.identity.users import Role
from bots import answer_text
from bots.files import OfferedFiles, place_of
from bots.messages import Incoming
from bots.people import CHANNEL, People, Person
from bots.wording import say
from knowledge.catalog import Catalog
from knowledge.database import now
from knowledge.errors import Forbidden
from knowledge.language import Language

_COMMAND = re.compile(r"^[/／]\s*(\S+)\s*(.*)$", re.DOTALL)
_NAMES = {
    "help": ("帮助", "help", "?", "？", "h"),
    "new": ("新对话", "新话题", "new", "reset"),
    "person": ("人工", "转人工", "person", "human"),
    "bind": ("绑定", "bind"),
    "unbind": ("解绑", "unbind"),
    "operators": ("运营群", "人工群", "operators"),
    "last": ("上一条", "last"),
    "status": ("状态", "设置", "about"),
    "reply": ("回复", "reply"),
    "ingest": ("入库", "收录", "ingest"),
}
_SPLIT = re.compile(r"[\s,，、;；]+")
_NUMBER = re.compile(r"^[#＃]?\s*(\d{1,9})\s*[:：.。]?\s*(.*)$", re.DOTALL)
LATELY = timedelta(days=1)  # what was not seen before that is not asked for any more
_MARK = re.compile(r"(?:转人工|For a person)\W{0,4}[#＃](\d{1,9})")  # so announcements begin; others may name numbers


@dataclass(frozen=True, slots=True)
class Request:
    """A command: its name, and what follows it."""

    name: str
    rest: str


@dataclass(frozen=True, slots=True)
class Said:
    """Who gave a command, where, in which language."""

    message: Incoming
    person: Person
    language: Language


class Commands:
    """The bot's own commands. Each gives the sentence that answers it."""

    def __init__(
        self,
        people: People,
        catalog: Catalog,
        replies: Replies,
        conversations: Conversations,
        handoffs: Handoffs,
        files: OfferedFiles,
    ) -> None:
        self._people = people
        self._replies = replies
        self._conversations = conversations
        self._catalog = catalog
        self._handoffs = handoffs
        self._files = files
        self._doing: dict[str, Callable[[Request, Said], Awaitable[str]]] = {
            "help": self._help,
            "new": self._new,
            "bind": self._bind,
            "unbind": self._unbind,
            "operators": self._operators,
            "last": self._last,
            "status": self._status,
            "person": self._person,
            "reply": self._reply,
            "ingest": self._ingest,
        }

    def parse(self, message: Incoming) -> Request | None:
        """A message as one of these commands; None for anything else."""
        match = _COMMAND.match(message.text.strip())
        if match is None:
            return None
        name = next((name for name, spellings in _NAMES.items() if match[1].lower() in spellings), None)
        return None if name is None else Request(name, match[2].strip())

    async def quoted_reply(self, message: Incoming, person: Person) -> Request | None:
        """In the operators' group, a reply to a message that carries a question's number is the answer to it."""
        mark = _MARK.search(message.quoted or "")
        if mark is None or message.target.kind != "group" or not message.text.strip():
            return None
        group = await self._people.groups.operators(person.tenant)
        if group is None or group.group_id != message.target.conversation:
            return None
        return Request("reply", f"{mark[1]} {message.text.strip()}")

    async def run(self, request: Request, said: Said) -> str:
        """Raises CopilotError with what is to be said."""
        return await self._doing[request.name](request, said)

    async def _help(self, _: Request, said: Said) -> str:
        key = "help.operator" if said.person.may(Role.OPERATOR) else "help"
        return say(key, said.language)

    async def _new(self, _: Request, said: Said) -> str:
        return say("new_topic", said.language)

    async def _bind(self, request: Request, said: Said) -> str:
        _require(said.person, Role.OPERATOR)
        there = [kb.name for kb in await self._catalog.named(said.person.tenant, None)]
        names = [request.rest] if request.rest in there else [name for name in _SPLIT.split(request.rest) if name]
        if said.message.target.kind != "group":
            return say("bind.groups_only", said.language)
        if not names:
            return say("bind.which", said.language, names="、".join(there) or "–")
        await self._seen(said)
        group = await self._people.groups.bind(
            said.person.tenant, CHANNEL, said.message.target.conversation, names, by=said.person.label
        )
        return say("bind.done", said.language, names="、".join(group.knowledge_bases or ()))

    async def _unbind(self, _: Request, said: Said) -> str:
        _require(said.person, Role.OPERATOR)
        if said.message.target.kind != "group":
            return say("bind.groups_only", said.language)
        await self._seen(said)
        await self._people.groups.unbind(
            said.person.tenant, CHANNEL, said.message.target.conversation, by=said.person.label
        )
        return say("unbind.done", said.language)

    async def _operators(self, _: Request, said: Said) -> str:
        _require(said.person, Role.ADMIN)
        if said.message.target.kind != "group":
            return say("bind.groups_only", said.language)
        await self._seen(said)
        await self._people.groups.set_operators(
            said.person.tenant, CHANNEL, said.message.target.conversation, by=said.person.label
        )
        return say("operators.done", said.language)

    async def _status(self, _: Request, said: Said) -> str:
        target, person = said.message.target, said.person
        names = await self._people.scope(person, target, title=said.message.title)
        if names is None:
            names = tuple(kb.name for kb in await self._catalog.named(person.tenant, None))
        role = say(f"role.{person.role}", said.language)
        return say("status", said.language, role=role, names="、".join(names) or "–")

    async def _last(self, _: Request, said: Said) -> str:
        """What may not have been shown here lately; else the last answer."""
        place = place_of(said.message.target, said.person.name)
        unseen = await self._replies.unseen(place, now() - LATELY)
        texts = [reply.text for reply in unseen if reply.text]
        await self._replies.repeated(unseen)
        last = await self._replies.latest(place, ("answer",))
        if not texts and last is not None and last.tenant == said.person.tenant:
            texts = [last.text or await self._answer(last, said.language)]
        if not any(texts):
            return say("last.nothing", said.language)
        return "\n\n---\n\n".join([say("last", said.language), *texts])

    async def _answer(self, reply: Reply, language: Language) -> str:
        """As it stood on a card."""
        if reply.turn_id is None:
            return ""
        end, sources = answer_text.kept(await self._conversations.answered(reply.tenant, reply.turn_id))
        words = answer_text.whole(end, "", language), answer_text.beside(end, sources, language)
        return "\n\n".join(filter(None, words))

    async def _person(self, _: Request, said: Said) -> str:
        """Hand the last answer in this place to people."""
        target, person = said.message.target, said.person
        last = await self._replies.latest(place_of(target, person.name), ("answer",))
        if last is None or last.turn_id is None or last.tenant != person.tenant:
            return say("handoff.nothing", said.language)
        turn = await self._conversations.answered(person.tenant, last.turn_id)
        handoff = await self._handoffs.open(
            person.tenant, turn, channel=CHANNEL, asker=person.name, target=target.json()
        )
        group = await self._people.groups.operators(person.tenant)
        return say("handoff.opened" if group else "handoff.noted", said.language, number=handoff.number)

    async def _reply(self, request: Request, said: Said) -> str:
        """``/reply 12 text``: only where questions are handed to, or by operators."""
        match = _NUMBER.match(request.rest)
        if match is None or not match[2].strip():
            return say("reply.how", said.language)
        if not (said.person.may(Role.OPERATOR) or await self._among_operators(said)):
            raise Forbidden("Only operators reply to questions.", code="role_missing")
        number = int(match[1])
        await self._handoffs.answer(said.person.tenant, number, match[2].strip(), by=said.person.name)
        return say("reply.done", said.language, number=number)

    async def _ingest(self, request: Request, said: Said) -> str:
        _require(said.person, Role.OPERATOR)
        return await self._files.take(said.person, said.message.target, request.rest, said.language)

    async def _among_operators(self, said: Said) -> bool:
        group = await self._people.groups.operators(said.person.tenant)
        inside = group is not None and group.group_id == said.message.target.conversation
        return inside and not said.person.external

    async def _seen(self, said: Said) -> None:
        target = said.message.target
        known = {"tenant": said.person.tenant, "organisation": target.organisation}
        await self._people.groups.seen(CHANNEL, target.conversation, title=said.message.title, **known)


def _require(person: Person, role: Role) -> None:
    """Raises Forbidden ``role_missing`` or ``admin_missing``."""
    if person.may(role):
        return
    if role is Role.ADMIN:
        raise Forbidden("Only administrators may do this.", code="admin_missing")
    raise Forbidden("Only operators may do this.", code="role_missing")
