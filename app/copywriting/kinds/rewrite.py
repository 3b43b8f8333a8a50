"""Rewriting: another tone or length, and nothing that the text, or the product's facts, do not say."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from app.copywriting.briefs import NOTHING, Brief, Judge, listed
from app.copywriting.channels import Limit
from app.copywriting.drafts import Draft, Variant
from app.copywriting.evidence import Evidence
from app.copywriting.languages import NAMES, Language
from app.copywriting.product import Goods, Product, Statement, sentences, statements
from app.copywriting.replies import Claim, Lenient, check_sources, parse
from app.jobs.ports import JobRequest

_FACTOR = {"shorter": 0.7, "same": 1.2, "longer": 2.0}
_LENGTHS = {"shorter": "明显比原文短", "same": "与原文差不多", "longer": "比原文详细，但不加新的事实"}
_AROUND = 80


class RewriteRequest(JobRequest):
    """``length`` against the text's own, or ``max_length`` in characters."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
    tone: str = Field("", max_length=100)
    length: Literal["shorter", "same", "longer"] = "same"
    max_length: int | None = Field(None, ge=10, le=20_000)
    language: Language | None = None
    product: Product | None = None
    goods: Goods = "general"
    notes: str = Field("", max_length=1000)


class _Reply(Lenient):
    paragraphs: list[Claim] = Field(min_length=1)


class Rewrite:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "rewrite"
    request = RewriteRequest
    temperature = 0.5

    def brief(self, request: RewriteRequest) -> Brief:
        """The sentences of the text are facts ``t1``, ``t2``, …; those of a product follow as ``f0``, ``f1``, …"""
        said = tuple(Statement(f"t{number}", "", one) for number, one in enumerate(sentences(request.text), 1))
        facts = (*said, *(statements(request.product) if request.product else ()))
        limit = Limit(request.max_length or int(len(request.text) * _FACTOR[request.length]) + 20)
        goods = request.product.goods if request.product else request.goods
        judge = Judge(Evidence(facts), goods, request.product, request.language or "zh")
        values = {
            "facts": listed(facts),
            "language": NAMES[request.language] if request.language else "与原文相同的语言",
            "tone": request.tone or NOTHING,
            "length": f"不超过 {limit.max} 个字符，{_LENGTHS[request.length]}",
            "notes": request.notes or NOTHING,
        }

        def read(reply: str) -> Draft:
            paragraphs = parse(reply, _Reply).paragraphs
            check_sources(paragraphs, {fact.id for fact in facts})
            pieces = tuple(judge.piece(one) for one in paragraphs)
            return Draft((Variant(pieces, ("\n",) * (len(pieces) - 1), limit),))

        longest = limit.max + limit.max // 4 + _AROUND * (request.text.count("\n") + 3)
        return Brief(values, read, longest, request.language or _script(request.text), facts)


def _script(text: str) -> str:
    return "en" if text.isascii() else "zh"
