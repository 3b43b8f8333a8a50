"""Attribute completion: values for a given JSON schema out of the facts, "unknown" instead of invention."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from app.copywriting.briefs import Brief, Judge, listed
from app.copywriting.drafts import Draft, Piece, Variant
from app.copywriting.evidence import Evidence
from app.copywriting.flags import Flag, flag
from app.copywriting.folding import fold
from app.copywriting.languages import NAMES, Language
from app.copywriting.product import Product, Statement, statements
from app.copywriting.replies import Lenient, ReplyInvalid, Sources, parse
from app.copywriting.schemas import check_schema, value_problem
from app.jobs.ports import JobRequest

UNKNOWN = "unknown"
_VALUE = 120  # characters of an attribute's answer, with the JSON around it
_HAN, _LATIN = re.compile(r"[㐀-鿿]"), re.compile(r"[A-Za-z]{2,}")


class AttributesRequest(JobRequest):
    """``attributes``: a JSON schema of type object. Its ``properties`` are the attributes to fill in."""

    product: Product
    attributes: dict[str, Any]
    language: Language = "zh"

    @field_validator("attributes")
    @classmethod
    def _is_a_schema(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_schema(value)
        return value


class _Answer(Lenient):
    value: Any
    sources: Sources = Field([])


class _Reply(Lenient):
    attributes: dict[str, _Answer] = Field(min_length=1)


class Attributes:
    """:class:`app.copywriting.briefs.Kind`"""

    name = "attributes"
    request = AttributesRequest
    temperature = 0.0

    def brief(self, request: AttributesRequest) -> Brief:
        """Every attribute of the schema ends up in the result, unknown if need be."""
        facts = statements(request.product)
        wanted: Mapping[str, Any] = request.attributes["properties"]
        judge = Judge(Evidence(facts), request.product.goods, request.product, request.language)
        values = {
            "facts": listed(facts),
            "attributes": json.dumps(wanted, ensure_ascii=False, indent=1),
            "language": NAMES[request.language],
        }

        def read(reply: str) -> Draft:
            answers = parse(reply, _Reply).attributes
            _check(answers, wanted, {fact.id for fact in facts})
            pieces = {name: _piece(judge, facts, name, schema, answers.get(name)) for name, schema in wanted.items()}
            completed = {name: piece.more["value"] for name, piece in pieces.items()}
            return Draft(tuple(Variant((piece,)) for piece in pieces.values()), more={"attributes": completed})

        longest = sum(_VALUE + len(name) + _text_of(schema) for name, schema in wanted.items())
        return Brief(values, read, longest, request.language, facts)


def _check(answers: Mapping[str, _Answer], wanted: Mapping[str, Any], known: set[str]) -> None:
    problems = [f"“{name}”不是要填的属性。" for name in answers if name not in wanted]
    for name, answer in answers.items():
        if name not in wanted or answer.value == UNKNOWN or answer.value is None:
            continue
        if unknown := [source for source in answer.sources if source not in known]:
            problems.append(f"“{name}”的 sources 里有不存在的编号：{', '.join(unknown)}。")
        elif not answer.sources:
            problems.append(f"“{name}”没有写 sources；没有依据就填 {UNKNOWN}。")
        if problem := value_problem(answer.value, wanted[name]):
            problems.append(f"“{name}”的值不合要求：{problem}。没有依据就填 {UNKNOWN}。")
    if problems:
        raise ReplyInvalid(*problems)


def _piece(
    judge: Judge, facts: tuple[Statement, ...], name: str, schema: Mapping[str, Any], answer: _Answer | None
) -> Piece:
    if answer is None or answer.value is None or answer.value == UNKNOWN:
        return Piece(UNKNOWN, (), more={"name": name, "value": UNKNOWN})
    text = _shown(answer.value, schema, name)
    flags = judge.flags(text, answer.sources)
    if not flags:
        flags = _unfounded(answer.value, schema, facts)
    return Piece(text, tuple(answer.sources), tuple(flags), {"name": name, "value": answer.value})


def _shown(value: Any, schema: Mapping[str, Any], name: str) -> str:
    """A number with the unit of its attribute (``容量(ml)``, or ``unit`` in its schema), so that it can be checked."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int | float):
        return f"{value}{schema.get('unit') or Statement('', name, '').unit_hint}"
    if isinstance(value, list):
        return "、".join(_shown(one, {}, "") for one in value)
    return str(value)


def _unfounded(value: Any, schema: Mapping[str, Any], facts: tuple[Statement, ...]) -> list[Flag]:
    """Free words that the facts don't contain; a choice from a list, or another script than the facts', can't tell."""
    said = fold(" ".join(fact.line for fact in facts)).text.lower()
    words = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    free = [one for one in words if isinstance(one, str)] if not _has_choices(schema) else []
    return [flag("not_in_facts", one, 0, len(one)) for one in free if _tellable(one, said) and not _said(one, said)]


def _has_choices(schema: Mapping[str, Any]) -> bool:
    items = schema.get("items")
    return "enum" in schema or "const" in schema or (isinstance(items, Mapping) and "enum" in items)


def _tellable(word: str, said: str) -> bool:
    script = _HAN if _HAN.search(word) else _LATIN
    return bool(script.search(word) and script.search(said))


def _said(word: str, said: str) -> bool:
    parts = [part for part in re.split(r"[\s,，、;；/()（）]+", fold(word).text.lower()) if part]
    return all(part in said for part in parts)


def _text_of(schema: Mapping[str, Any]) -> int:
    return int(schema.get("maxLength", 60)) if isinstance(schema.get("maxLength", 60), int) else 60
