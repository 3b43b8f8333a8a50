"""Clicks on cards. What a click does is written down at once, and once; what takes time happens afterwards."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from app.channels.handoffs import Handoffs
from app.channels.replies import Replies, Reply
from app.chat.history import REASONS, Conversations
from app.identity.users import Role
from app.jobs.models import Job
from app.jobs.service import JobService
from bots.dingtalk import cards
from bots.envelope import Again, packed
from bots.messages import CardAction, Target, language_in
from bots.people import People, Person
from bots.reviews import Verdict, review_from_chat
from knowledge.errors import Conflict, CopilotError
from knowledge.language import Language, language_of

_VERDICTS: Mapping[str, Verdict] = {
    "approve": "approve",
    "reject": "reject",
    "reject_reason": "reject",
    "regenerate": "regenerate",
}


class Actions:
    """Answers clicks with the values that the card shows from then on; none when nothing changed.

    ``enqueue`` puts something into the inbox: (message id, conversation, payload). ``stop`` stops an answer wherever
    it is written. ``on_handoff`` and ``on_job`` are told what is to be brought, and what began.
    """

    def __init__(
        self,
        *,
        people: People,
        replies: Replies,
        conversations: Conversations,
        handoffs: Handoffs,
        jobs: JobService,
        enqueue: Callable[[str, str, bytes], Awaitable[None]],
        stop: Callable[[str], Awaitable[None]],
        on_handoff: Callable[[], None],
        on_job: Callable[[Job, Target, Language], None],
    ) -> None:
        self._people = people
        self._replies = replies
        self._conversations = conversations
        self._handoffs = handoffs
        self._jobs = jobs
        self._enqueue = enqueue
        self._stop = stop
        self._on_handoff = on_handoff
        self._on_job = on_job

    async def click(self, action: CardAction) -> Mapping[str, Any]:
        """Raises CopilotError, which changes nothing."""
        reply = await self._replies.by_card(action.card_id)
        if reply is None:
            return {}
        person = await self._people.clicked(action.organisation, action.account)
        if person.tenant != reply.tenant:
            return {}
        if reply.kind == "job":
            return await self._job(action, reply, person)
        return await self._answer(action, reply, person)

    async def _answer(self, action: CardAction, reply: Reply, person: Person) -> Mapping[str, str]:
        turn_id = reply.turn_id or ""
        turn = await self._conversations.turn(reply.tenant, turn_id)
        language = language_of(turn.question)
        match action.action:
            case "helpful":
                await self._rate(reply, "up", None)
                return cards.answer_rated(language, "up")
            case "not_helpful":
                await self._rate(reply, "down", None)
                return cards.answer_asking(language)
            case "reason":
                reason = action.params.get("reason", "other")
                reason = reason if reason in REASONS else "other"
                await self._rate(reply, "down", reason)
                return cards.answer_rated(language, "down", reason)
        if not _is_asker(reply, action) and not person.may(Role.OPERATOR):
            return {}
        return await self._asker(action, reply, person, language)

    async def _asker(self, action: CardAction, reply: Reply, person: Person, language: Language) -> Mapping[str, str]:
        """What only the asker may, or an operator."""
        turn_id, target = reply.turn_id or "", Target.of(reply.target)
        match action.action:
            case "stop" if reply.state == "open":
                await self._stop(reply.id)
                return {"show_stop": "false"}
            case "regenerate" if await self._has_ended(reply):
                again = Again(turn_id, target, language)
                await self._enqueue(again.id, target.conversation, packed(again))
                return {"show_regenerate": "false"}
            case "ask_person" if await self._has_ended(reply):
                turn = await self._conversations.answered(reply.tenant, turn_id)
                handoff = await self._handoffs.open(
                    reply.tenant, turn, channel=reply.channel, asker=target.name or person.name, target=reply.target
                )
                self._on_handoff()
                group = await self._people.groups.operators(reply.tenant)
                return cards.answer_handed_over(language, handoff.number, announced=group is not None)
        return {}

    async def _has_ended(self, reply: Reply) -> bool:
        """Also in the instant between its last frame and its row."""
        if reply.state != "open":
            return True
        return (await self._conversations.answered(reply.tenant, reply.turn_id or "")).status != "running"

    async def _rate(self, reply: Reply, rating: str, reason: str | None) -> None:
        await self._conversations.rate(reply.tenant, reply.turn_id or "", rating=rating, reason=reason, comment=None)

    async def _job(self, action: CardAction, reply: Reply, person: Person) -> Mapping[str, str]:
        job = await self._jobs.ledger.get(reply.tenant, reply.job_id or "")
        language = _language(job)
        if action.action == "cancel_job":
            return await self._cancel(job, person)
        if action.action == "reject" and "reason" not in action.params:
            may = job.requester == person.label or person.may(Role.OPERATOR)
            return cards.job_asking(language) if may and job.review in (None, "pending") else {}
        verdict = _VERDICTS.get(action.action)
        if verdict is None:
            return {}
        try:
            reviewed = await review_from_chat(
                self._jobs,
                tenant=reply.tenant,
                job_id=job.id,
                verdict=verdict,
                by=person,
                reason=_reason(action, job, language),
                language=language,
            )
        except CopilotError as refused:
            if refused.error_code == "review_not_yours":
                return {}
            raise
        if reviewed.again is not None:
            self._on_job(reviewed.again, Target.of(reply.target), language)
        return reviewed.values

    async def _cancel(self, job: Job, person: Person) -> Mapping[str, str]:
        if job.requester == person.label or person.may(Role.OPERATOR):
            with suppress(Conflict):  # it ended meanwhile: its card says so soon
                await self._jobs.cancel(job.tenant, job.id)
        return {}


def _language(job: Job) -> Language:
    """That of whoever asked for it, as the message was written."""
    return language_in(job.channel.target if job.channel is not None else {})


def _reason(action: CardAction, job: Job, language: Language) -> str | None:
    """Why a job was rejected, in words for people."""
    reason = action.params.get("reason")
    return None if reason is None else cards.rejection(reason, language, textual=job.queue == "text")


def _is_asker(reply: Reply, action: CardAction) -> bool:
    return reply.target.get("account") == action.account and reply.target.get("organisation") == action.organisation
