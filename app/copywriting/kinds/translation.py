"""Translation, line by line: the glossary holds, placeholders and codes stay, every figure comes along."""

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from app.copywriting.briefs import NOTHING, Brief, Judge, listed
from app.copywriting.drafts import Draft, Piece, Variant
from app.copywriting.evidence import Evidence, lost
from app.copywriting.flags import Flag, flag
from app.copywriting.languages import DECIMAL_COMMAS, NAMES, Language
from app.copywriting.placeholders import glossary_flags, kept_parts, placeholder_flags
from app.copywriting.product import Goods, Statement
from app.copywriting.replies import Lenient, ReplyInvalid, Text, parse
from app.jobs.ports import JobRequest

Term = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_GROWTH = 3  # Chinese to a European language: three times the characters and more for short lines
_AROUND = 60


class TranslationRequest(JobRequest):
    """``glossary`` maps terms of the text to how they must be translated; ``keep`` are words to leave as they are."""

    text: Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"\S")]
    to: Language
    glossary: dict[Term, Term] = Field({}, max_length=200)
    keep: list[Term] = Field([], max_length=100)
    goods: Goods = "general"
    tone: str = Field("", max_length=100)


class _Segment(Lenient):
    id: str
    text: Text


class _Reply(Lenient):
    segments: list[_Segment] = Field(min_length=1)


class Translation:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "translation"
    request = TranslationRequest
    temperature = 0.2

    def brief(self, request: TranslationRequest) -> Brief:
        """The text's own lines are the facts: ``t1`` is the source of the translation of line ``t1``."""
        lines, gaps = _lines(request.text)
        segments = tuple(Statement(f"t{number}", "", line) for number, line in enumerate(lines, 1))
        kept = list(kept_parts(request.text, request.keep))
        values = {
            "text": listed(segments),
            "language": NAMES[request.to],
            "glossary": "\n".join(f"{term} → {wanted}" for term, wanted in request.glossary.items()) or NOTHING,
            "keep": "  ".join(kept) or NOTHING,
            "tone": request.tone or NOTHING,
        }

        def read(reply: str) -> Draft:
            told = {one.id.strip("[] ").lower(): one.text for one in parse(reply, _Reply).segments}
            _check(told, segments)
            pieces = tuple(_piece(request, one, told[one.id]) for one in segments)
            return Draft((Variant(pieces, gaps),))

        longest = len(request.text) * _GROWTH + _AROUND * len(segments)
        # What the source says a translation must say: a word banned in advertising is left to a person.
        return Brief(values, read, longest, request.to, segments, unrepaired=frozenset({"banned_word"}))


def _lines(text: str) -> tuple[list[str], tuple[str, ...]]:
    """The lines that say something, and the breaks between them."""
    pieces = re.split(r"(\s*\n\s*)", text.strip())
    return pieces[::2], tuple(pieces[1::2])


def _check(told: dict[str, str], segments: tuple[Statement, ...]) -> None:
    wanted = [one.id for one in segments]
    missing = [name for name in wanted if name not in told]
    unknown = [name for name in told if name not in wanted]
    problems = [f"缺少段落 {', '.join(missing)} 的译文。"] if missing else []
    problems += [f"没有段落 {', '.join(unknown)}。"] if unknown else []
    if problems:
        raise ReplyInvalid(*problems)


def _piece(request: TranslationRequest, segment: Statement, text: str) -> Piece:
    commas = request.to in DECIMAL_COMMAS
    also = " ".join(request.glossary.values())
    judge = Judge(Evidence([segment], also, commas=commas), request.goods, None, request.to)
    flags: list[Flag] = judge.flags(text, None)
    flags += placeholder_flags(segment.value, text, request.keep)
    flags += glossary_flags(segment.value, text, request.glossary)
    missing = lost(segment.value, text, commas=commas)
    flags += [flag("number_lost", segment.value[one.start : one.end]) for one in missing]
    return Piece(text, (segment.id,), tuple(flags))
