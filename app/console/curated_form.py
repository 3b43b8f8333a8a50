"""A curated answer as its form shows it, from wherever it comes, and what was filled in → a draft."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from app.channels.calls import CHINA
from app.chat import citations
from app.chat.curation import GAPS
from app.chat.gaps import GapCluster
from app.chat.history import AnsweredTurn
from knowledge.curated import CuratedAnswer
from knowledge.curated_draft import MAX_VARIANTS, CuratedDraft
from knowledge.errors import InvalidInput


class CuratedForm(BaseModel):
    """What the inputs hold: ``variants`` one a line, moments as the browser writes them, in China's time.

    ``scope`` is all or some: the knowledge bases named. ``turn`` is the answer that it corrects, ``gap`` the questions
    that it is written for; ``live`` publishes it.
    """

    question: str = ""
    answer: str = ""
    variants: str = ""
    scope: str = "all"
    kb: list[str] = []
    valid_from: str = ""
    valid_until: str = ""
    turn: str = ""
    gap: list[str] = []
    live: str = ""

    def draft(self) -> CuratedDraft:
        """Raises InvalidInput ``curated_window`` for what is no moment."""
        return CuratedDraft(
            self.question,
            self.answer.replace("\r\n", "\n"),
            tuple(self.variants.splitlines()),
            tuple(self.kb) if self.scope == "some" else None,
            _moment(self.valid_from),
            _moment(self.valid_until),
        )

    def source(self) -> dict[str, Any]:
        """Where it comes from."""
        return {**({"turn": self.turn} if self.turn else {}), **({GAPS: self.gap} if self.gap else {})}


def of_answer(answer: CuratedAnswer) -> CuratedForm:
    return CuratedForm(
        question=answer.question,
        answer=answer.answer,
        variants="\n".join(answer.variants),
        valid_from=typed(answer.valid_from),
        valid_until=typed(answer.valid_until),
        **_scope(answer.knowledge_bases),
    )


def of_gap(cluster: GapCluster) -> CuratedForm:
    """Every wording of it: whoever writes the answer takes out what it does not answer."""
    _, *others = cluster.wordings
    return CuratedForm(
        question=cluster.question,
        variants="\n".join(" ".join(other.split()) for other in others[:MAX_VARIANTS]),
        gap=[gap.turn_id for gap in cluster.gaps],
        **_scope(cluster.knowledge_bases),
    )


def of_turn(turn: AnsweredTurn) -> CuratedForm:
    """The answer without its citations: in a curated one they would point nowhere."""
    return CuratedForm(
        question=turn.question,
        answer="" if turn.refused else citations.check(turn.answer, 0)[0],
        turn=turn.id,
        gap=[turn.id] if turn.refused else [],
        **_scope(turn.knowledge_bases),
    )


def cited(turn: AnsweredTurn) -> Sequence[Mapping[str, Any]]:
    """The passages that an answer rested on."""
    return [turn.evidence[n - 1] for n in turn.citations if 1 <= n <= len(turn.evidence)]


def _scope(names: Sequence[str] | None) -> dict[str, Any]:
    return {"scope": "all"} if names is None else {"scope": "some", "kb": list(names)}


def typed(moment: datetime | None) -> str:
    """As the browser's input holds it, in China's time."""
    return "" if moment is None else moment.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M")


def moment_of(written: str) -> datetime | None:
    """What the browser's input says; None for nothing. Raises ValueError."""
    return datetime.fromisoformat(written.strip()).replace(tzinfo=CHINA) if written.strip() else None


def _moment(written: str) -> datetime | None:
    try:
        return moment_of(written)
    except ValueError as exc:
        raise InvalidInput("The time that an answer is valid ends after it begins.", code="curated_window") from exc
