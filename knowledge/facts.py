"""What a passage states of something in figures: 旗舰店的保证金是 50000 元 → (旗舰店保证金, 50000 元), by rules.

A fact is a sentence up to the end of the clause of its amount, or a row's cell with the row's words and the column's
name. What it is about are the words of that text without the amount and without those that say nothing, in any order;
every other number stays among them. A text that says too little by itself (时效为 3 天; "it takes 3 days") is about
what its headings name.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from knowledge import sentences
from knowledge.models import Chunk
from knowledge.quantities import Amount, amounts, may_state, plain_number

Scope: TypeAlias = dict[str, list[str]]

MOST = 48  # of one chunk
MOST_IN_CELL = 3
LONGEST = 160  # characters of a sentence up to its amount
SAYS_ENOUGH = 6  # weight of the words; below, the headings belong to it

_QUESTION = re.compile(r"^(?:问：|Q: )(.*)\n(?:答：|A: )", re.S)
_CLAUSE_END = re.compile(r"[，,；;。！？!?：:、]|\.(?=\s|$)")
_LIST_MARK = re.compile(r"^\s*(?:[-*•·]|\(?\d{1,2}[.、)）]|[一二三四五六七八九十]{1,3}、)\s*")
# They point at what was named before: a product, a service, a page.
_POINTS = re.compile(r"^(?:它|其|该|此|本|这|那|产品|商品|it|they|this|these|that|the (?:product|device|item))", re.I)
_NAMELESS = {
    "标准",
    "要求",
    "内容",
    "数值",
    "取值",
    "值",
    "规格",
    "参数",
    "说明",
    "规定",
    "value",
    "standard",
    "requirement",
}
_NUMBERING = {"序号", "编号", "no", "no.", "#", "id", "行号", "排名"}
_REMARK = re.compile(r"备注|注意|说明|链接|描述|remark|note|comment|description|link|url", re.I)
_PRICED = re.compile(r"价|费|金额|押金|保证金|price|fee|cost|amount", re.I)
_PERCENT = re.compile(r"%|％|比例|费率|税率|percent|rate", re.I)
_OF_THE_DOCUMENT = re.compile(
    r"(?:生效|发布|更新|修订|实施|失效|制定|印发|编制)(?:日期|时间)?|版本|文件编号|第\s*[页章节条]"
    r"|updated|published|effective|last modified|version|copyright",
    re.I,
)
# Each group is one word: what is allowed is the same however it is said.
_SAME = (
    (
        re.compile(
            r"不得?(?:超过|高于|多于|大于)|最[多长高大]|至多|以内|之内|no more than|not? exceed(?:ing)?|at most|up to|≤"
        ),
        " ≤ ",
    ),
    (re.compile(r"不得?(?:少于|低于|小于)|最[少短低小]|至少|以上|at least|no less than|≥"), " ≥ "),
    (re.compile(r"超过|高于|多于|大于|over|more than|exceed(?:s|ing)?"), " > "),
    (re.compile(r"少于|低于|小于|less than|under|below"), " < "),
    (re.compile(r"不(?:能|可以?|得|会|予)?|无(?:需|须)?|没有|未|\bnot\b|\bno\b|n't\b|cannot"), " ¬ "),
)
_SAYS_NOTHING = re.compile(
    r"可以|[的地得了为是在于至有须需要应可能会将内请均都并即则也就其个约共计]|缴纳|交纳|支付|收取|进行|发起|标准|金额"
)
_QUIET = "the a an is are was be will of for to in on at and or it its we you your our that within must can may per"
_SAY_NOTHING = frozenset(_QUIET.split())
_DIRECTED = re.compile(r"从.{1,15}?[到至往]|[国港洲站][到至往发]|[一-鿿]\s?[-–—→]\s?[一-鿿]|\bfrom\b.*\bto\b", re.I)
_WORD = re.compile(r"[a-z]{1,8}-?\d[\w-]*|[一-鿿]|[a-z]+|\d+(?:\.\d+)?|[¬≤≥<>%]")

_REGION = re.compile(
    r"国内|海外|境外|跨境|国际|中国|大陆|香港|澳门|台湾|港澳台|美国|加拿大|英国|德国|法国|欧洲|欧盟|日本|韩国|东南亚|马来西亚|新加坡|"
    r"泰国|越南|澳大利亚|\b(?:domestic|overseas|international|china|us|usa|uk|eu|europe|germany|france|japan|canada)\b"
)
_TIER = re.compile(
    r"旗舰店|专营店|专卖店|普通店|个人店|vip\d*|金牌|银牌|铜牌|钻石|黄金|白银|企业版|专业版|基础版|免费版|试用|标准版|高级版|\b(?:basic|pro|premium|enterprise|starter|free|trial)\b"
)
_PERIOD = re.compile(
    r"20\d\d|(?:第?[一二三四1-4]季度|q[1-4]\b)|\d{1,2}\s?月|双11|双十一|618|双12|双十二"
    r"|大促|旺季|淡季|春节|国庆|black friday"
)
_CODE = re.compile(r"\b[a-z]{1,5}-?\d[\w-]*\b")
_SCOPES = {"region": _REGION, "tier": _TIER, "period": _PERIOD, "code": _CODE}


@dataclass(frozen=True, slots=True)
class Fact:
    """``words`` is what it is of, and ``subject`` the same for people; ``directed`` words have an order (A 到 B).

    ``start`` and ``end`` are where the amount stands in the chunk's text. ``scope`` is what the fact itself, and
    ``above`` what its document's name and headings, restrict it to: kind → words. ``beside`` are the other figures of
    its row.
    """

    measure: str
    value: str
    words: tuple[str, ...]
    directed: bool
    subject: str
    start: int
    end: int
    scope: Scope
    above: Scope
    beside: tuple[str, ...] = ()


def facts(chunk: Chunk, *, document: str) -> list[Fact]:
    """Those of one chunk; ``document`` is the name of its document."""
    above = scope_of(f"{document} > {chunk.place.heading}")
    question = _QUESTION.match(chunk.text)
    found: list[Fact] = []
    at = question.end() if question else 0
    for line in chunk.text[at:].split("\n"):
        if may_state(line):
            row = sentences.is_row(line)
            some = _of_row(line, at) if row else _of_text(line, at, asked=question[1] if question else "")
            found += [_fact(stated, above, chunk.place.heading or document) for stated in some]
        at += len(line) + 1
    return [fact for fact in found if fact.words][:MOST]


@dataclass(frozen=True, slots=True)
class _Stated:
    """An amount with the words before and after it that say of what it is."""

    before: str
    after: str
    amount: Amount
    start: int  # of the amount in the chunk
    beside: tuple[str, ...] = ()


def _of_text(line: str, at: int, *, asked: str) -> Iterator[_Stated]:
    cursor = 0
    for sentence in sentences.split(line):
        start = line.find(sentence, cursor)
        cursor = start + len(sentence)
        lead = _LIST_MARK.match(sentence)
        first = lead.end() if lead else 0
        for amount in amounts(sentence):
            if amount.start < first or amount.end > LONGEST:
                continue
            end = next((m.start() for m in _CLAUSE_END.finditer(sentence, amount.end)), len(sentence))
            before, after = sentence[first : amount.start], sentence[amount.end : end]
            if weight(_words(before + after)) < SAYS_ENOUGH:  # the clause's sense comes after it
                after = sentence[amount.end : LONGEST]
            short = weight(_words(before + after)) < SAYS_ENOUGH
            yield _Stated(f"{asked} {before}" if short else before, after, amount, at + start + amount.start)


def _of_row(line: str, at: int) -> Iterator[_Stated]:
    """Each figure of a row, under the row's words: its first cell and those that hold no figure."""
    cells = list(_cells(line))
    named = [cell.text for n, cell in enumerate(cells) if cell.name and (not n or not cell.figures) and not cell.aside]
    row = " ".join(text for text in named if text.lower() not in ("", "-", "—", "/", "无", "是", "否"))
    for cell in cells[1:] if row else ():
        column = "" if cell.name.lower() in _NAMELESS else cell.name
        beside = tuple(figure.value for other in cells[1:] if other is not cell for figure in other.figures)
        for figure in cell.figures[:MOST_IN_CELL]:
            before = f"{row} {column} {cell.text[: figure.start]}"
            yield _Stated(before, cell.text[figure.end :], figure, at + cell.start + figure.start, beside)


@dataclass(frozen=True, slots=True)
class _Cell:
    """``start`` is where its text stands in the line."""

    name: str
    text: str
    start: int
    figures: list[Amount]

    @property
    def aside(self) -> bool:
        """It says nothing of what the row is of."""
        return _REMARK.search(self.name) is not None or self.name.lower() in _NUMBERING


def _cells(line: str) -> Iterator[_Cell]:
    cursor = 0
    for part in line.split("；"):
        name, mark, text = part.partition(": ") if ": " in part else part.partition("：")
        yield _Cell(name.strip(), text, cursor + len(name) + len(mark), _figures(name.strip(), text))
        cursor += len(part) + 1


def _figures(name: str, value: str) -> list[Amount]:
    """The amounts of a cell; a bare number is one of what its column says."""
    number = plain_number(value)
    if number is None or name.lower() in _NUMBERING:
        return amounts(value)
    measure = "percent" if _PERCENT.search(name) else "cny" if _PRICED.search(name) else "number"
    start = len(value) - len(value.lstrip())
    return [Amount(measure, number, start, start + len(value.strip()))]


def _fact(stated: _Stated, above: Scope, headings: str) -> Fact:
    words = _words(f"{stated.before} # {stated.after}")
    points = _POINTS.match(stated.before.strip())
    subject = " ".join(f"{stated.before.strip()} … {stated.after.strip()}".split()).strip("… ：:，,|。.为是")
    if _OF_THE_DOCUMENT.search(stated.before + stated.after) or not words:
        words = ()
    elif points or weight(words) < SAYS_ENOUGH:
        heading = _words(headings)
        words = (*words, "@", *heading) if heading else ()
        subject = f"{headings.rpartition(' > ')[2]}：{subject}"
    directed = _DIRECTED.search(stated.before + stated.after) is not None
    end = stated.start + stated.amount.end - stated.amount.start
    return Fact(
        stated.amount.measure,
        stated.amount.value,
        tuple(words if directed else sorted(words)),
        directed,
        subject[:200],
        stated.start,
        end,
        scope_of(f"{stated.before} {stated.after}"),
        above,
        stated.beside,
    )


def scope_of(text: str) -> Scope:
    """Regions, tiers, times and codes that a text names."""
    folded = _folded(text)
    return {kind: sorted(set(found)) for kind, pattern in _SCOPES.items() if (found := pattern.findall(folded))}


def weight(words: Iterable[str]) -> int:
    """How much they say: a Chinese character or a number is one, a Latin word two, a code four."""
    return sum(map(_weight, words))


@lru_cache(maxsize=50_000)
def _weight(word: str) -> int:
    if not word[0].isalnum():
        return 0
    if not (word.isascii() and word[0].isalpha()):
        return 1
    return 2 if word.isalpha() else 4


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


@lru_cache(maxsize=1000)  # the facts of a chunk share their headings
def _words(text: str) -> tuple[str, ...]:
    folded = _folded(text)
    for pattern, mark in _SAME:
        folded = pattern.sub(mark, folded)
    return tuple(word for word in _WORD.findall(_SAYS_NOTHING.sub(" ", folded)) if word not in _SAY_NOTHING)
