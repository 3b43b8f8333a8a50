"""Why something was not found, or was found and still gave no answer."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.chat.evidence import Evidence
from knowledge.why_not import Explanation, Verdict, WhyNot

Told: TypeAlias = Verdict | Literal["evidence", "judge"]


@dataclass(frozen=True, slots=True)
class Answered:
    """``verdict``: as explained, or ``evidence`` (found, but below the ``passages`` that an answer is given) or
    ``judge`` (found, but what was found does not answer the question: ``confidence`` is below one half)."""

    explanation: Explanation
    verdict: Told
    passages: int
    confidence: float | None = None


class WhyNoAnswer:
    """``passages`` is how many an answer is given."""

    def __init__(self, why_not: WhyNot, evidence: Evidence, *, passages: int) -> None:
        self._why_not = why_not
        self._evidence = evidence
        self._passages = passages

    async def explain(self, tenant: str, question: str, kb: str, expected: str, *, limit: int) -> Answered:
        """Raises as :meth:`WhyNot.explain` does."""
        explanation = await self._why_not.explain(tenant, question, kb, expected, limit=limit)
        if explanation.verdict != "found" or explanation.retrieval is None or explanation.rank is None:
            return Answered(explanation, explanation.verdict, self._passages)
        if explanation.rank > self._passages:
            return Answered(explanation, "evidence", self._passages)
        judged = await self._evidence.judge(question, explanation.retrieval)
        return Answered(explanation, "found" if judged.answerable else "judge", self._passages, judged.score)
