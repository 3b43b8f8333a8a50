"""A long description in paragraphs, each with its sources."""

from pydantic import Field

from app.copywriting.briefs import NOTHING, Brief, Judge, limit_json, listed
from app.copywriting.channels import Limit, channel
from app.copywriting.drafts import Draft, Variant
from app.copywriting.evidence import Evidence
from app.copywriting.languages import NAMES, Language
from app.copywriting.product import Product, statements
from app.copywriting.replies import Claim, Lenient, check_sources, parse
from app.jobs.ports import JobRequest

_SLACK = 1.5  # a text may be this much longer than asked for before it is flagged
_AROUND = 90
_PARAGRAPH = 60  # characters of the shortest paragraphs, to bound their number


class DescriptionRequest(JobRequest):
    """``length``: about how many characters; the channel's limit holds as well."""

    product: Product
    channel: str | None = None
    length: int = Field(400, ge=50, le=5000)
    language: Language | None = None
    tone: str = Field("", max_length=100)
    notes: str = Field("", max_length=1000)


class _Paragraph(Claim):
    heading: str | None = None


class _Reply(Lenient):
    paragraphs: list[_Paragraph] = Field(min_length=1)


class Description:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "description"
    request = DescriptionRequest
    temperature = 0.6

    def brief(self, request: DescriptionRequest) -> Brief:
        """Raises InvalidInput ``channel_unknown``."""
        sold_on = channel(request.channel) if request.channel else None
        limit = sold_on.limits.get("description") if sold_on else None
        limit = limit or Limit(int(request.length * _SLACK))
        language = request.language or (sold_on.language if sold_on else "zh")
        facts = statements(request.product)
        judge = Judge(Evidence(facts), request.product.goods, request.product, language)
        values = {
            "facts": listed(facts),
            "length": str(min(request.length, limit.max)),
            "language": NAMES[language],
            "tone": request.tone or NOTHING,
            "notes": request.notes or NOTHING,
        }

        def read(reply: str) -> Draft:
            paragraphs = parse(reply, _Reply).paragraphs
            check_sources(paragraphs, {fact.id for fact in facts})
            pieces = tuple(judge.piece(_headed(one)) for one in paragraphs)
            return Draft((Variant(pieces, ("\n\n",) * (len(pieces) - 1), limit),))

        longest = int(request.length * _SLACK) + _AROUND * (request.length // _PARAGRAPH + 1)
        return Brief(values, read, longest, language, facts, limit_json(limit, sold_on))


def _headed(paragraph: _Paragraph) -> Claim:
    """The heading is a line of the text: it is checked like the rest."""
    heading = (paragraph.heading or "").strip()
    return Claim(text=f"{heading}\n{paragraph.text}" if heading else paragraph.text, sources=paragraph.sources)
