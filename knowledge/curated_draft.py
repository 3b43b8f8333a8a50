"""A curated answer as somebody writes it, and what it has to be."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from knowledge.errors import InvalidInput

MAX_QUESTION = 2000  # characters, as many as a question in the chat may have
MAX_ANSWER = 10_000
MAX_VARIANTS = 100
_YEARS = range(1971, 9000)  # whatever the zone, such a moment can be written in any other


@dataclass(frozen=True, slots=True)
class CuratedDraft:
    """``knowledge_bases`` None is all of them; a side of the window that is None is open. Moments have a zone."""

    question: str
    answer: str
    variants: tuple[str, ...] = ()
    knowledge_bases: tuple[str, ...] | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def checked(self) -> "CuratedDraft":
        """Trimmed, each wording once. Raises InvalidInput ``curated_empty``, ``curated_too_long``,
        ``curated_too_many_variants``, ``curated_no_base`` or ``curated_window``.
        """
        question, answer = self.question.strip(), self.answer.strip()
        variants = dict.fromkeys(filter(None, (variant.strip() for variant in self.variants)))
        variants.pop(question, None)
        if not question or not answer:
            raise InvalidInput("A curated answer needs a question and an answer.", code="curated_empty")
        if len(answer) > MAX_ANSWER or max(map(len, (question, *variants))) > MAX_QUESTION:
            raise InvalidInput(
                f"A question has at most {MAX_QUESTION} characters, an answer {MAX_ANSWER}.",
                code="curated_too_long",
                question=MAX_QUESTION,
                answer=MAX_ANSWER,
            )
        if len(variants) > MAX_VARIANTS:
            most = f"A question has at most {MAX_VARIANTS} other wordings."
            raise InvalidInput(most, code="curated_too_many_variants", limit=MAX_VARIANTS)
        if self.knowledge_bases is not None and not self.knowledge_bases:
            raise InvalidInput("Choose all knowledge bases, or some.", code="curated_no_base")
        self._check_window()
        return replace(self, question=question, answer=answer, variants=tuple(variants))

    def row(self) -> dict[str, Any]:
        """As columns."""
        names = self.knowledge_bases
        lists = {"variants": list(self.variants), "knowledge_bases": None if names is None else list(names)}
        return {**asdict(self), **lists}

    def _check_window(self) -> None:
        moments = [moment for moment in (self.valid_from, self.valid_until) if moment is not None]
        known = all(moment.tzinfo is not None and moment.year in _YEARS for moment in moments)
        if not known or moments != sorted(moments) or len(set(moments)) != len(moments):
            raise InvalidInput("The time that an answer is valid ends after it begins.", code="curated_window")
