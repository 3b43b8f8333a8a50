"""The words of an answer: as a growing card shows them, and at its end.

An end's ``finish`` may be ``interrupted`` here: it was stopped because the process ended.
"""

from collections.abc import Mapping, Sequence

from app.chat.events import Done, Failed, passage_of
from app.chat.history import AnsweredTurn
from bots.dingtalk import cards
from bots.dingtalk.markdown import dialect, repaired, split_points
from bots.wording import failure, say
from knowledge.language import Language
from knowledge.models import Passage

CARD_POINTS = 2500  # longer cards are blank on some clients, though the API accepts them


def growing(written: str) -> str:
    """What a card shows of an answer that is being written."""
    return next(iter(split_points(dialect(repaired(written)), CARD_POINTS)), "")


def whole(end: Done | Failed, written: str, language: Language) -> str:
    """An answer at its end, without what a card shows beside it. ``written`` is all there is of one that failed."""
    if isinstance(end, Failed):
        return "\n\n".join(filter(None, (dialect(written), failure(end.code, end.message, language))))
    parts = [dialect(end.answer), say("interrupted", language) if end.finish == "interrupted" else ""]
    return "\n\n".join(filter(None, parts)) or say("stopped", language)


def kept(turn: AnsweredTurn) -> tuple[Done, list[Passage]]:
    """The end of an answer that was given before, and its sources."""
    done = Done(
        turn.id,
        turn.conversation_id,
        turn.answer,
        turn.citations,
        refused=turn.refused,
        curated=turn.curated is not None,
        finish="interrupted" if turn.status == "stopped" else turn.finish or "stop",
    )
    return done, [passage_of(each) for each in turn.evidence]


def beside(end: Done | Failed, sources: Sequence[Passage], language: Language) -> str:
    """What a card shows beside the answer, for where there is no such place: sources, and what else is to be said."""
    parts = [cards.sources_markdown(_cited(end, sources), language), _notice(end, language)]
    if isinstance(end, Done) and end.finish == "stopped" and end.answer:
        parts.append(say("stopped", language))
    return "\n\n".join(filter(None, parts))


def closing(end: Done | Failed, sources: Sequence[Passage], language: Language) -> Mapping[str, str]:
    """The values of a card beside its text."""
    state: cards.AnswerState = "done"
    if isinstance(end, Failed) or end.finish == "interrupted":
        state = "failed"
    elif end.finish == "stopped":
        state = "stopped"
    elif end.refused:
        state = "refused"
    return cards.answer_closing(language, state, _cited(end, sources), notice=_notice(end, language))


def _cited(end: Done | Failed, sources: Sequence[Passage]) -> list[tuple[int, Passage]]:
    numbers = end.citations if isinstance(end, Done) else ()
    return [(number, sources[number - 1]) for number in numbers if number <= len(sources)]


def _notice(end: Done | Failed, language: Language) -> str:
    if isinstance(end, Failed) or end.refused:
        return ""
    if end.finish in ("length", "content_filter"):
        return say("notice.truncated" if end.finish == "length" else "notice.withheld", language)
    if end.curated:
        return say("notice.curated", language)
    return say(f"notice.{end.notice}", language) if end.notice else ""
