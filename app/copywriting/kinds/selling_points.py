"""Selling points: short lines, the strongest first."""

from pydantic import Field

from app.copywriting.briefs import NOTHING, Brief, Judge, limit_in_words, limit_json, listed
from app.copywriting.channels import Limit, channel
from app.copywriting.drafts import Draft, Variant
from app.copywriting.evidence import Evidence
from app.copywriting.flags import flag
from app.copywriting.languages import NAMES, Language
from app.copywriting.product import Product, statements
from app.copywriting.replies import Claim, Lenient, check_sources, parse
from app.jobs.ports import JobRequest

_DEFAULT = Limit(200)
_AROUND = 80


class SellingPointsRequest(JobRequest):
    """``max_length`` of each point, in characters."""

    product: Product
    channel: str | None = None
    count: int = Field(5, ge=1, le=10)
    max_length: int | None = Field(None, ge=5, le=1000)
    language: Language | None = None
    tone: str = Field("", max_length=100)
    notes: str = Field("", max_length=1000)


class _Reply(Lenient):
    points: list[Claim] = Field(min_length=1)


class SellingPoints:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "selling_points"
    request = SellingPointsRequest
    temperature = 0.6

    def brief(self, request: SellingPointsRequest) -> Brief:
        """Raises InvalidInput ``channel_unknown``."""
        sold_on = channel(request.channel) if request.channel else None
        limit = Limit(request.max_length) if request.max_length else _DEFAULT
        if request.max_length is None and sold_on:
            limit = sold_on.limits.get("point", _DEFAULT)
        language = request.language or (sold_on.language if sold_on else "zh")
        facts = statements(request.product)
        judge = Judge(Evidence(facts), request.product.goods, request.product, language)
        values = {
            "facts": listed(facts),
            "count": str(request.count),
            "language": NAMES[language],
            "limit": limit_in_words(limit),
            "tone": request.tone or NOTHING,
            "notes": request.notes or NOTHING,
        }

        def read(reply: str) -> Draft:
            claims = parse(reply, _Reply).points[: request.count]
            check_sources(claims, {fact.id for fact in facts})
            few = len(claims) < request.count
            flags = (flag("too_few", wanted=request.count, count=len(claims)),) if few else ()
            return Draft(tuple(Variant((judge.piece(one),), limit=limit) for one in claims), flags)

        longest = request.count * (limit.max + _AROUND)
        return Brief(values, read, longest, language, facts, limit_json(limit, sold_on))
