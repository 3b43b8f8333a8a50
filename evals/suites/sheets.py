"""Is a row of a long price list found by its code, and a cell of a table with merged cells and two header rows?

The sheets are made here, the same every time: codes that differ by one character, prices that don't repeat.
"""

import io
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from openpyxl import Workbook

from evals.corpora import Corpus, CorpusDocument, Question
from knowledge.models import Passage
from knowledge.retriever import Retrieval

Search = Callable[[str, int], Awaitable[Retrieval]]
ROWS = 10_000
ASKED = 50
LIST, FEES = "价目表.xlsx", "收费标准.xlsx"
_GOODS = ("保温杯", "折叠伞", "双肩包", "蓝牙耳机", "台灯", "砧板", "行李箱", "瑜伽垫", "电饭煲", "雨衣")
_COLOURS = ("曜石黑", "月光白", "雾霾蓝", "珊瑚红", "松石绿")
_ASKING = (
    "{code} 的供货价是多少？",
    "{code}多少钱",
    "帮我查一下 {code} 的价格",
    "what is the price of {code}?",
    "{bare} 供货价",
)
_STATIONS, _TYPES = ("国内站", "北美站", "欧洲站"), ("旗舰店", "专卖店")


@dataclass(frozen=True, slots=True)
class SheetsReport:
    """``first``: share of questions by code whose first passage has code and price of the row; ``cells`` of those about
    the table with merged cells whose first passage has the value beside what it is of."""

    rows: int
    asked: int
    first: float
    cells_asked: int
    cells: float
    missed: tuple[str, ...]

    def lines(self) -> list[str]:
        return [
            f"price list of {self.rows:,} rows (n={self.asked})",
            f"  by code: row and price in the first passage   {self.first:.3f}",
            f"  merged cells and two header rows (n={self.cells_asked})   {self.cells:.3f}",
            *(f"  missed: {question}" for question in self.missed),
        ]


def corpus(rows: int = ROWS) -> Corpus:
    """A question's ``facts`` are what the first passage must say."""
    chosen = random.Random(6)
    codes = chosen.sample([f"HB-{kind}-{number:04d}" for kind in ("KT", "KY", "LT") for number in range(10_000)], rows)
    prices = chosen.sample(range(10_000, 10_000 + 9 * rows), rows)
    entries = [
        (code, f"{chosen.choice(_GOODS)} {chosen.choice(_COLOURS)}", f"{price / 100:.2f}", chosen.randrange(1, 40) * 5)
        for code, price in zip(codes, prices, strict=True)
    ]
    questions = [
        _question(LIST, _ASKING[number % len(_ASKING)].format(code=code, bare=code.replace("-", "")), code, price)
        for number, (code, _, price, _) in enumerate(chosen.sample(entries, min(ASKED, rows)))
    ]
    sheet = _workbook([["商品编码", "品名", "供货价（元）", "起订量"], *entries])
    fees, cells = _fees()
    documents = (CorpusDocument(LIST, sheet), CorpusDocument(FEES, fees))
    return Corpus("sheets", documents, (*questions, *cells))


async def evaluate(of: Corpus, search: Search, *, rows: int = ROWS) -> SheetsReport:
    """Every question; a row and a cell count where the first passage says all of it on one line."""
    said = {question.id: await _says(question, search) for question in of.questions}
    by_code = [question for question in of.questions if LIST in question.documents]
    cells = [question for question in of.questions if FEES in question.documents]
    return SheetsReport(
        rows=rows,
        asked=len(by_code),
        first=_share([said[question.id] for question in by_code]),
        cells_asked=len(cells),
        cells=_share([said[question.id] for question in cells]),
        missed=tuple(question.text for question in of.questions if not said[question.id]),
    )


async def _says(question: Question, search: Search) -> bool:
    found = (await search(question.text, 5)).passages
    return bool(found) and any(all(fact in line for fact in question.facts) for line in _rows(found[0]))


def _rows(passage: Passage) -> Sequence[str]:
    return [re.sub(r"\s+", "", line) for line in passage.text.splitlines()]


def _fees() -> tuple[bytes, list[Question]]:
    """Two header rows (site over kind of shop), the first column merged over two rows each."""
    book = Workbook()
    sheet = book.active
    sheet.append(["项目", "明细", *[station for station in _STATIONS for _ in _TYPES]])
    sheet.append([None, None, *[kind for _ in _STATIONS for kind in _TYPES]])
    for first in range(3, 3 + 2 * len(_STATIONS), 2):
        sheet.merge_cells(start_row=1, end_row=1, start_column=first, end_column=first + 1)
    sheet.merge_cells("A1:A2")
    sheet.merge_cells("B1:B2")
    questions, value = [], 1100
    for item in ("年费", "保证金"):
        top = sheet.max_row + 1
        for detail in ("首年", "续签"):
            values = []
            for station in _STATIONS:
                for kind in _TYPES:
                    value += 137
                    values.append(value)
                    asked = f"{station}{kind}的{item}{detail}是多少？"
                    questions.append(
                        Question(asked, asked, frozenset((FEES,)), facts=(item, detail, station, kind, str(value)))
                    )
            sheet.append([item if detail == "首年" else None, detail, *values])
        sheet.merge_cells(start_row=top, end_row=top + 1, start_column=1, end_column=1)
    return _saved(book), questions


def _question(document: str, text: str, *facts: str) -> Question:
    return Question(text, text, frozenset((document,)), facts=facts)


def _workbook(rows: Sequence[Sequence[object]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("价格")
    for row in rows:
        sheet.append(row)
    return _saved(book)


def _saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0
