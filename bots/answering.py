"""An answer as people see it: it grows in a card where there is room for that, and it always ends.

The turn runs in a task of its own; here its events become frames of a card, one at a time, the newest text only. The
end is tried again until it is shown; else it goes out as a message; else it is kept and shown with the next message.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from app.channels.replies import Replies, Reply
from app.chat.events import Done, Event, Failed, Job, Sources, Token
from app.chat.running import RunningTurns
from app.chat.turns import Turn
from bots import answer_text
from bots.answer_text import CARD_POINTS
from bots.dingtalk import cards
from bots.dingtalk.markdown import shortened, split_points
from bots.dingtalk.ports import Skipped
from bots.messages import Target
from bots.ports import BudgetSpent, Card, ChannelRefused, Messenger, kept_as
from bots.wording import say
from knowledge.errors import CopilotError, Unavailable
from knowledge.language import Language
from knowledge.models import Passage

FIRST_FRAME = timedelta(seconds=0.3)
GIVE_UP_FRAMES = 5  # failures in a row after which a card does not grow any more

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Draft:
    """What is known of an answer so far."""

    text: list[str] = field(default_factory=list)
    sources: tuple[Passage, ...] = ()
    calls: int = 0
    end: Done | Failed | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def written(self) -> str:
        return "".join(self.text)

    def take(self, event: Event) -> None:
        match event:
            case Sources(passages):
                self.sources = passages
            case Token(text):
                self.text.append(text)
            case Done() | Failed():
                self.end = event
                self.ended.set()
        self.changed.set()


@dataclass(frozen=True, slots=True)
class Shown:
    """The place of an answer. ``seconds`` is between two frames, None for no frames before the last."""

    reply: Reply
    target: Target
    language: Language
    seconds: float | None

    @property
    def grows(self) -> bool:
        return self.seconds is not None

    @property
    def card_id(self) -> str | None:
        return self.reply.card_id if self.reply.rung != "markdown" else None


class Answering:
    """Shows turns. ``link`` makes the address of an answer's page, None where nobody could reach it."""

    def __init__(
        self,
        messenger: Messenger,
        turns: RunningTurns,
        replies: Replies,
        *,
        link: Callable[[str], str | None],
        on_job: Callable[[Job, Shown], Coroutine[Any, Any, None]],
    ) -> None:
        self._messenger = messenger
        self._turns = turns
        self._replies = replies
        self._link = link
        self._on_job = on_job
        self._running: dict[str, Turn] = {}
        self.interrupted = False

    async def open(self, shown: Shown) -> Shown:
        """Show the card, empty as it is; → where the answer is shown, which is Markdown if there can be no card."""
        if shown.card_id is None:
            return shown
        values = cards.answer_opening(shown.language, whole=not shown.grows)
        card = Card(shown.card_id, "answer", values, preview=say("status.retrieving", shown.language))
        try:
            await self._messenger.open_card(shown.target, card)
        except CopilotError as error:
            log.warning("no card id=%s code=%s", shown.card_id, error.error_code)
            if error.error_code == "delivery_unknown":  # it may be there: then it must be ended too
                return shown
            reason = "month_spent" if isinstance(error, BudgetSpent) else "card_refused"
            await self._replies.fall(shown.reply.id, "markdown", reason)
            return replace(shown, reply=replace(shown.reply, rung="markdown", reason=reason))
        return shown

    async def answer(self, turn: Turn, shown: Shown) -> None:
        """Run a turn and show it to its end."""
        self._running[shown.reply.id] = turn
        try:
            self._turns.start(turn)
            if self.interrupted:
                self._turns.stop(turn.ask.tenant, turn.id)
            draft = await self._follow(turn, shown)
        finally:
            del self._running[shown.reply.id]
        assert draft.end is not None  # noqa: S101 (a stream ends in done or failed)
        end = draft.end
        if self.interrupted and isinstance(end, Done) and end.finish == "stopped":
            end = replace(end, finish="interrupted")
        await self.finish(shown, end, draft.sources, written=draft.written, calls=draft.calls)

    def stop(self, reply_id: str) -> bool:
        """Stop writing an answer of this process; → whether it was one."""
        turn = self._running.get(reply_id)
        if turn is not None:
            self._turns.stop(turn.ask.tenant, turn.id)
        return turn is not None

    def writes(self, reply_id: str) -> bool:
        """Whether an answer is being written here."""
        return reply_id in self._running

    def interrupt(self) -> None:
        """End every answer with what there is, because the process ends."""
        self.interrupted = True
        for turn in self._running.values():
            self._turns.stop(turn.ask.tenant, turn.id)

    async def finish(
        self, shown: Shown, end: Done | Failed, sources: Sequence[Passage], *, written: str = "", calls: int = 0
    ) -> None:
        """Show the end of an answer: in its card, else as a message, else with the next message.

        ``written`` is what there is of one that failed; ``calls`` were made for it so far.
        """
        text = answer_text.whole(end, written, shown.language)
        below = answer_text.beside(end, sources, shown.language)
        reply, with_all = shown.reply, "\n\n".join(filter(None, (text, below)))
        if shown.card_id is not None and await self._close_card(shown, end, sources, text if shown.grows else with_all):
            await self._replies.close(reply.id, calls=calls + (3 if shown.grows else 2))
            return
        if not await self._replies.sending(reply.id, with_all):
            return
        state: Literal["done", "stored", "unclosed", "unsure"] = "unclosed" if shown.card_id is not None else "done"
        try:
            await self._messenger.say(shown.target, with_all, title=say("title.answer", shown.language), mention=True)
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("answer kept for the next message id=%s code=%s", reply.id, error.error_code)
            state = kept_as(error)
        await self._replies.close(reply.id, state, calls=calls + 1)

    async def _follow(self, turn: Turn, shown: Shown) -> Draft:
        draft = Draft()
        async with asyncio.TaskGroup() as tasks:
            if shown.card_id is not None and shown.seconds is not None:
                tasks.create_task(self._grow(shown.card_id, draft, shown.seconds))
            async with aclosing(self._turns.read(turn.ask.tenant, turn.id)) as batches:
                async for batch in batches:
                    for _, event in batch:
                        draft.take(event)
                        if isinstance(event, Job):
                            tasks.create_task(self._on_job(event, shown))
        return draft

    async def _grow(self, card_id: str, draft: Draft, seconds: float) -> None:
        """One frame at a time, the newest text, until the answer has ended or the card takes no more."""
        sent, failures = "", 0
        await draft.changed.wait()
        await _unless(draft.ended, FIRST_FRAME)  # what is written in one go costs one frame
        while draft.end is None and failures < GIVE_UP_FRAMES:
            await draft.changed.wait()
            draft.changed.clear()
            text = answer_text.growing(draft.written)
            if draft.end is not None or not text or text == sent:
                continue
            try:
                draft.calls += 1
                await self._messenger.frame(card_id, text)
                sent, failures = text, 0
            except Skipped:
                draft.calls -= 1
            except (Unavailable, ChannelRefused, BudgetSpent) as error:
                failures += 1
                log.info("frame lost card=%s code=%s", card_id, error.error_code)
            await _unless(draft.ended, timedelta(seconds=seconds))
            if text != sent:
                draft.changed.set()

    async def _close_card(self, shown: Shown, end: Done | Failed, sources: Sequence[Passage], text: str) -> bool:
        """→ whether the card shows the end."""
        card_id = shown.card_id or ""
        link = self._link(end.turn_id)
        body, *rest = [shortened(text, CARD_POINTS, link, shown.language)] if link else split_points(text, CARD_POINTS)
        try:  # the messenger tries again by itself
            await self._messenger.frame(
                card_id, body, final=True, failed=isinstance(end, Failed), guid=end_guid(card_id)
            )
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("card not closed card=%s code=%s", card_id, error.error_code)
            return False
        if shown.grows:  # else its buttons are there from the beginning, which saves a call
            values = answer_text.closing(end, sources, shown.language)
            await self._unless_lost(self._messenger.update_card(card_id, values, final=True))
        for part in rest:
            await self._unless_lost(self._messenger.say(shown.target, part))
        return True

    async def _unless_lost(self, call: Awaitable[object]) -> None:
        """What the answer can do without."""
        try:
            await call
        except (Unavailable, ChannelRefused, BudgetSpent) as error:
            log.warning("answer without a part of it code=%s", error.error_code)


def end_guid(card_id: str) -> str:
    """Of the frame that ends a card: whatever it says and whoever sends it, only the first has an effect."""
    return str(uuid5(NAMESPACE_URL, f"{card_id}/end"))


async def _unless(event: asyncio.Event, wait: timedelta) -> None:
    """Wait so long, or until something happened."""
    try:
        async with asyncio.timeout(wait.total_seconds()):
            await event.wait()
    except TimeoutError:
        pass
