"""A message to the bot: who wrote, where, and what is to be done about it. Every message has one visible outcome."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from pydantic import ValidationError

from app.channels.replies import Replies, Reply
from app.chat.history import Conversations
from app.chat.service import MAX_ATTACHMENTS, MAX_QUESTION, ChatService
from app.chat.turns import Ask, Turn
from app.identity.users import Role
from app.jobs.artifacts import Artifacts
from app.jobs.ports import NewArtifact
from bots import answer_text
from bots.answering import Answering, Shown
from bots.commands import Commands, Request, Said
from bots.dingtalk.inbox import Waiting
from bots.dispatcher import left_to_the_next_round
from bots.envelope import Again, Written, reply_id, unpacked
from bots.files import OfferedFiles, place_of
from bots.messages import Incoming, Target
from bots.people import CHANNEL, People, Person
from bots.ports import BudgetSpent, ChannelRefused, Messenger, kept_as
from bots.rungs import Rungs, pace
from bots.wording import failure, say
from ingest.sniff import sniff
from knowledge.database import now
from knowledge.errors import CopilotError, InvalidInput, Unavailable
from knowledge.language import Language, language_of

TOPIC = timedelta(hours=2)  # of silence, after which a message begins a new conversation
MOST_TRIES = 3  # of a message that ends the process each time
MAX_PICTURE = 50 << 20
MAX_QUOTE = 600
_SLASHES = ("/", "／")

log = logging.getLogger(__name__)


class Reception:
    """Receives messages, one at a time in a conversation."""

    def __init__(
        self,
        *,
        people: People,
        chat: ChatService,
        conversations: Conversations,
        artifacts: Artifacts,
        replies: Replies,
        messenger: Messenger,
        answering: Answering,
        commands: Commands,
        files: OfferedFiles,
        rungs: Rungs,
    ) -> None:
        self._people = people
        self._chat = chat
        self._conversations = conversations
        self._artifacts = artifacts
        self._replies = replies
        self._messenger = messenger
        self._answering = answering
        self._commands = commands
        self._files = files
        self._rungs = rungs

    async def receive(self, waiting: Waiting) -> None:
        """One message from the inbox to its end. What goes wrong is said to who wrote."""
        try:
            envelope = unpacked(waiting.payload)
        except ValidationError:  # of another version; what is wrong with it would show what was written
            log.error("message unreadable id=%s", waiting.message_id)  # noqa: TRY400
            return
        target = envelope.message.target if isinstance(envelope, Written) else envelope.target
        language = _language(envelope)
        visit = _Visit(reply_id(waiting.robot, waiting.message_id), target, language, waiting.attempt)
        try:
            if isinstance(envelope, Again):
                await self._again(envelope, visit)
            else:
                await self._written(envelope.message, visit)
        except CopilotError as error:
            log.warning("message refused id=%s code=%s", visit.id, error.error_code)
            await self._note(visit, failure(error.error_code, error.message, language, params=error.params))
        except Exception:  # the edge of a message: one that we trip over must not stop the others
            log.exception("message failed id=%s", visit.id)
            await self._note(visit, failure("internal", "", language))

    async def _written(self, message: Incoming, visit: "_Visit") -> None:
        old = await self._replies.find(visit.id)
        if old is not None and old.state != "open":
            await self._replies.give_up_sending(old)
            return  # it was answered, or being answered in a way that cannot be repeated
        if message.quota_spent:
            await self._note(visit, say("quota_spent", visit.language))
            return
        person = await self._people.who(message.sender, message.target)
        visit = replace(visit, person=person)
        if visit.attempt > MOST_TRIES:
            await self._note(visit, failure("internal", "", visit.language))
            return
        await self._tell_waiting(visit)
        request = self._commands.parse(message) or await self._commands.quoted_reply(message, person)
        if message.unreadable:
            await self._note(visit, say(f"unreadable.{message.unreadable}", visit.language, default="unreadable"))
        elif request is not None:
            if request.name == "ingest" and message.files:  # said of a file that was quoted
                await self._file(message, visit, person)
            await self._command(request, message, visit, person)
        elif message.files:
            await self._note(visit, await self._file(message, visit, person))
        else:
            await self._ask(message, visit, person, old)

    async def _command(self, request: Request, message: Incoming, visit: "_Visit", person: Person) -> None:
        said = await self._commands.run(request, Said(message, person, visit.language))
        await self._note(visit, said, kind="new" if request.name == "new" else "note")

    async def _file(self, message: Incoming, visit: "_Visit", person: Person) -> str:
        if not person.may(Role.OPERATOR):
            return say("file.not_you", visit.language, name=message.files[0].name)
        return await self._files.offer(message, person, visit.place, key=visit.id, language=visit.language)

    async def _ask(self, message: Incoming, visit: "_Visit", person: Person, old: Reply | None) -> None:
        question = message.text.strip() or say("picture_only" if message.pictures else "nothing_said", visit.language)
        room = min(MAX_QUOTE, MAX_QUESTION - len(question) - len("\n\n> "))
        if message.quoted and room > 0 and not question.startswith(_SLASHES):  # a command would take it for its words
            question = f"{question}\n\n> {message.quoted.strip()[:room]}"
        ask = await self._asking(person, visit, question, (), message.title)
        topic, pictures = await self._topic(person, visit), await self._pictures(person, message.pictures)
        if old is not None and old.turn_id is not None and await self._repeated(old, visit):
            return
        await self._answer(await self._chat.prepare(replace(ask, conversation_id=topic, attachments=pictures)), visit)

    async def _asking(
        self, person: Person, visit: "_Visit", question: str, attachments: tuple[str, ...], title: str
    ) -> Ask:
        """What is asked in a place, by what may be used there. Raises Forbidden ``group_not_bound`` or
        ``groups_only``."""
        return Ask(
            person.tenant,
            question,
            await self._people.scope(person, visit.target, title=title),
            channel=CHANNEL,
            attachments=attachments,
            requester=person.label,
            may_work=not person.external,
            reply_to=visit.where,
            once=visit.id,
        )

    async def _again(self, again: Again, visit: "_Visit") -> None:
        """Another answer to a question, in a card of its own: for who asked it, by what may be used there today."""
        old = await self._replies.find(visit.id)
        if old is not None and old.state != "open":
            await self._replies.give_up_sending(old)
            return
        person = await self._people.asked(again.target)
        visit = replace(visit, person=person)
        if visit.attempt > MOST_TRIES:
            await self._note(visit, failure("internal", "", visit.language))
            return
        turn = await self._conversations.turn(person.tenant, again.turn_id)
        ask = await self._asking(person, visit, turn.question, turn.attachments, "")
        if old is not None and old.turn_id is not None and await self._repeated(old, visit):
            return
        again_ask = replace(ask, conversation_id=turn.conversation_id, regenerates=turn.id)
        await self._answer(await self._chat.prepare(again_ask), visit)

    async def _answer(self, turn: Turn, visit: "_Visit") -> None:
        async with self._rungs.step(visit.id) as step:
            card_id = visit.id if step.rung in ("stream", "coarse", "final") else None
            rung = step.rung if step.rung != "stored" else "markdown"
            new = Reply(
                visit.id,
                turn.ask.tenant,
                CHANNEL,
                "answer",
                visit.place,
                visit.where,
                rung,
                step.reason,
                turn_id=turn.id,
                card_id=card_id,
            )
            reply = await self._replies.open(new)
            if reply.turn_id != turn.id:  # it was begun before a crash: the same card, a new turn
                await self._replies.set_turn(visit.id, turn.id)
            shown = Shown(replace(reply, turn_id=turn.id), visit.target, visit.language, pace(step, reply.rung))
            await self._answering.answer(turn, await self._answering.open(shown))

    async def _repeated(self, old: Reply, visit: "_Visit") -> bool:
        """After a crash: whether the answer was there already, and only had to be shown."""
        turn = await self._conversations.answered(old.tenant, old.turn_id or "")
        if turn.status not in ("done", "stopped"):
            return False
        shown = Shown(old, visit.target, visit.language, 1.0)
        await self._answering.finish(await self._answering.open(shown), *answer_text.kept(turn))
        return True

    async def _topic(self, person: Person, visit: "_Visit") -> str | None:
        """The conversation that a message belongs to; None begins one."""
        last = await self._replies.latest(visit.place, ("answer", "new"))
        if last is None or last.turn_id is None or now() - last.created_at > TOPIC or last.tenant != person.tenant:
            return None
        return (await self._conversations.turn(person.tenant, last.turn_id)).conversation_id

    async def _pictures(self, person: Person, codes: Sequence[str]) -> tuple[str, ...]:
        """Artifact ids of the pictures of a message. Raises InvalidInput ``unsupported`` or ``too_many_attachments``,
        ChannelRefused."""
        if len(codes) > MAX_ATTACHMENTS:  # before any of them is fetched
            raise InvalidInput(
                f"A message has at most {MAX_ATTACHMENTS} pictures.", code="too_many_attachments", limit=MAX_ATTACHMENTS
            )
        kept = []
        for number, code in enumerate(codes, 1):
            data = await self._messenger.download(code, limit=MAX_PICTURE)
            media_type = sniff(data, "")
            if not media_type.startswith("image/"):
                raise InvalidInput("This is not a picture. Send a JPEG, PNG or WebP file.", code="unsupported")
            name = f"dingtalk-{number}.{media_type.partition('/')[2]}"
            new = NewArtifact(data, media_type, name, {"uploaded": True})
            kept.append((await self._artifacts.upload(person.tenant, new)).id)
        return tuple(kept)

    async def _tell_waiting(self, visit: "_Visit") -> None:
        """What could not be shown before; and of what may not have been shown, how to get it."""
        waiting = await self._replies.waiting(visit.place)
        taken = [kept for kept in waiting if await self._replies.taken(kept.id)]
        for kept in taken:
            if kept.state == "stored":
                try:
                    await self._messenger.say(visit.target, say("stored", visit.language) + "\n\n" + (kept.text or ""))
                    await self._replies.shown(kept.id)
                except (Unavailable, ChannelRefused, BudgetSpent) as error:
                    await self._replies.waits_on(kept.id, kept_as(error))
        unsure = [kept for kept in taken if kept.state == "unsure"]
        try:
            if unsure:
                await self._messenger.say(visit.target, say("unsure", visit.language))
        except (Unavailable, ChannelRefused, BudgetSpent):
            for kept in unsure:
                await self._replies.waits_on(kept.id, "unsure")

    async def _note(self, visit: "_Visit", text: str, *, kind: str = "note") -> None:
        """A short message that answers: at most once, and kept for the next message where it cannot be said. A card
        that was begun for an answer is to be ended."""
        tenant = visit.person.tenant if visit.person else self._people.known(visit.target.organisation)
        if tenant is None:  # nothing is kept of people whose organisation is not set up here
            with left_to_the_next_round("refusal"):
                await self._messenger.say(visit.target, text, mention=True)
            return
        note = Reply(visit.id, tenant, CHANNEL, kind, visit.place, visit.where, "markdown", "note")
        opened = await self._replies.open(note)
        if not await self._replies.sending(visit.id, text):
            return
        on_card = opened.card_id is not None and opened.rung != "markdown"
        state: Literal["done", "stored", "unclosed", "unsure"] = "unclosed" if on_card else "done"
        try:
            await self._messenger.say(visit.target, text, mention=True)
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("note not said id=%s code=%s", visit.id, error.error_code)
            state = kept_as(error)
        await self._replies.close(visit.id, state)


@dataclass(frozen=True, slots=True)
class _Visit:
    """A message on its way through: ``id`` is that of what will be shown for it."""

    id: str
    target: Target
    language: Language
    attempt: int
    person: Person | None = None

    @property
    def place(self) -> str:
        return place_of(self.target, self.person.name if self.person else "")

    @property
    def where(self) -> dict[str, Any]:
        """The target as it is kept, with what :func:`language_in` reads."""
        return {**self.target.json(), "language": self.language}


def _language(envelope: Written | Again) -> Language:
    """Of a picture alone nobody knows: then it is the language of most."""
    if isinstance(envelope, Again):
        return envelope.language
    text = envelope.message.text.strip()
    return language_of(text) if text else "zh"
