"""Titles: several to choose from, each within the limit of its channel."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints

from app.copywriting.briefs import NOTHING, Brief, Judge, limit_in_words, limit_json, listed
from app.copywriting.channels import Channel, Limit, channel, forbidden_flags
from app.copywriting.drafts import Draft, Variant
from app.copywriting.evidence import Evidence
from app.copywriting.flags import Flag, flag
from app.copywriting.folding import fold
from app.copywriting.languages import NAMES, Language
from app.copywriting.product import Product, statements
from app.copywriting.replies import Claim, Lenient, check_sources, parse
from app.jobs.ports import JobRequest

Keyword = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50)]
_DEFAULT = Limit(60, "width")
_AROUND = 80  # characters of JSON around a title


class TitlesRequest(JobRequest):
    """``max_length`` is in characters and overrides the channel's limit. Keywords must appear in every title."""

    product: Product
    channel: str | None = None
    count: int = Field(3, ge=1, le=20)
    max_length: int | None = Field(None, ge=5, le=1000)
    keywords: list[Keyword] = Field([], max_length=10)
    language: Language | None = None
    tone: str = Field("", max_length=100)
    notes: str = Field("", max_length=1000)


class _Reply(Lenient):
    titles: list[Claim] = Field(min_length=1)


class Titles:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "titles"
    request = TitlesRequest
    temperature = 0.7

    def brief(self, request: TitlesRequest) -> Brief:
        """Raises InvalidInput ``channel_unknown``."""
        sold_on = channel(request.channel) if request.channel else None
        limit = _limit(request, sold_on)
        language = request.language or (sold_on.language if sold_on else "zh")
        facts = statements(request.product)
        values = {
            "facts": listed(facts),
            "count": str(request.count),
            "language": NAMES[language],
            "channel": sold_on.name["zh"] if sold_on else NOTHING,
            "limit": limit_in_words(limit),
            "forbidden": " ".join(sold_on.forbidden) if sold_on and sold_on.forbidden else NOTHING,
            "keywords": "、".join(request.keywords) or NOTHING,
            "tone": request.tone or NOTHING,
            "notes": request.notes or NOTHING,
        }
        evidence = Evidence(facts, " ".join(request.keywords))
        judge = Judge(evidence, request.product.goods, request.product, language)

        def read(reply: str) -> Draft:
            claims = parse(reply, _Reply).titles[: request.count]
            check_sources(claims, {fact.id for fact in facts})
            variants = tuple(
                Variant((judge.piece(one, *_own_flags(one.text, request.keywords, sold_on)),), limit=limit)
                for one in claims
            )
            return Draft(variants, _too_few(request.count, len(variants)))

        longest = request.count * (limit.max * 3 // 2 + _AROUND)
        return Brief(values, read, longest, language, facts, limit_json(limit, sold_on))


def _limit(request: TitlesRequest, sold_on: Channel | None) -> Limit:
    if request.max_length is not None:
        return Limit(request.max_length)
    return sold_on.limits["title"] if sold_on else _DEFAULT


def _own_flags(text: str, keywords: Sequence[str], sold_on: Channel | None) -> list[Flag]:
    plain = fold(text).text.lower()
    missing = [flag("keyword_missing", one) for one in keywords if fold(one).text.lower() not in plain]
    return missing + forbidden_flags(text, sold_on.forbidden if sold_on else "")


def _too_few(wanted: int, count: int) -> tuple[Flag, ...]:
    return (flag("too_few", wanted=wanted, count=count),) if count < wanted else ()
