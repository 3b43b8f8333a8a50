"""The sample questions hold what their README promises, and the samples hold the answers."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from email import policy
from email.parser import BytesParser
from functools import cache
from pathlib import Path

import docx
import openpyxl
import pptx
import pypdfium2
import pytest

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "knowledge" / "samples"
KINDS = {"lookup", "number", "code", "table", "policy", "multi", "english", "colloquial"}
QUESTIONS = [
    json.loads(line)
    for line in (ROOT / "evals" / "datasets" / "samples_zh.jsonl").read_text(encoding="utf-8").splitlines()
]
# What each unanswerable question turns on.
MISSING_WORDS = [
    "日本",
    "图书",
    "HB-KT-2999",
    "贷款",
    "波兰",
    "3D 模型",
    "最低出价",
    "保函",
    "澳洲",
    "同城",
    "打赏",
    "代拍",
    "P.O. box",
    "affiliates",
    "Arabic",
]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
FILES = sorted(path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file())


def test_sixty_questions_of_which_fifteen_cannot_be_answered() -> None:
    assert len(QUESTIONS) == 60
    assert len(ANSWERABLE) == 45
    assert len({question["id"] for question in QUESTIONS}) == 60
    assert len({question["question"] for question in QUESTIONS}) == 60


def test_every_question_has_the_same_fields_and_a_known_kind() -> None:
    fields = {"id", "question", "documents", "facts", "answerable", "kind"}
    assert all(set(question) == fields for question in QUESTIONS)
    assert {question["kind"] for question in QUESTIONS} == KINDS
    assert sum(question["kind"] == "english" for question in QUESTIONS) == 10


def test_unanswerable_questions_name_neither_document_nor_fact() -> None:
    assert all(
        question["answerable"] == bool(question["documents"]) == bool(question["facts"]) for question in QUESTIONS
    )


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_the_named_documents_hold_every_fact(question: dict[str, list[str]]) -> None:
    texts = [text_of(name) for name in question["documents"]]
    missing = [fact for fact in question["facts"] if not any(squeeze(fact) in text for text in texts)]
    assert not missing
    useless = [
        name
        for name, text in zip(question["documents"], texts, strict=True)
        if not any(squeeze(fact) in text for fact in question["facts"])
    ]
    assert not useless


@pytest.mark.parametrize(
    "question", [question for question in ANSWERABLE if question["kind"] == "code"], ids=lambda question: question["id"]
)
def test_the_facts_asked_for_by_code_stand_together_in_a_row_of_that_code(question: dict[str, list[str]]) -> None:
    code = re.findall(r"H[BQ]-[A-Z]+-\w+", str(question["question"]))[0]
    path = SAMPLES / question["documents"][0]
    rows = [
        set(re.split(r"[,|]", row)) for text in READERS.get(path.suffix, read_text)(path) for row in text.splitlines()
    ]
    assert any({code, *question["facts"]} <= row for row in rows)


@pytest.mark.parametrize("word", MISSING_WORDS)
def test_what_the_unanswerable_questions_ask_for_is_in_no_sample(word: str) -> None:
    assert any(word in question["question"] for question in QUESTIONS if not question["answerable"])
    assert [name for name in FILES if squeeze(word) in text_of(name)] == []


def test_the_samples_come_in_every_format_a_first_run_should_show() -> None:
    formats = Counter(Path(name).suffix for name in FILES)
    assert set(formats) == {".md", ".xlsx", ".csv", ".jsonl", ".docx", ".pdf", ".html", ".pptx", ".eml", ".txt"}
    assert len(FILES) >= 25
    assert all((SAMPLES / name).stat().st_size < 100_000 for name in FILES)


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


@cache
def text_of(name: str) -> str:
    """The plain text of a sample without white space; a spreadsheet cell ends in ``|``."""
    path = SAMPLES / name
    return squeeze("\n".join(READERS.get(path.suffix, read_text)(path)))


def read_text(path: Path) -> Iterator[str]:
    raw = path.read_bytes()
    yield raw.decode("gb18030" if path.suffix == ".txt" else "utf-8-sig")


def read_html(path: Path) -> Iterator[str]:
    yield re.sub(r"<[^>]+>", " ", path.read_text(encoding="utf-8"))


def read_xlsx(path: Path) -> Iterator[str]:
    book = openpyxl.load_workbook(path, data_only=True)
    for sheet in book:
        for row in sheet.iter_rows(values_only=True):
            yield "".join(f"{cell}|" for cell in row if cell is not None)


def read_docx(path: Path) -> Iterator[str]:
    document = docx.Document(str(path))
    yield from (paragraph.text for paragraph in document.paragraphs)
    yield from (cell.text for table in document.tables for row in table.rows for cell in row.cells)


def read_pptx(path: Path) -> Iterator[str]:
    for slide in pptx.Presentation(str(path)).slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
            if shape.has_table:
                yield from (cell.text for row in shape.table.rows for cell in row.cells)
        if slide.has_notes_slide:
            yield slide.notes_slide.notes_text_frame.text


def read_pdf(path: Path) -> Iterator[str]:
    with pypdfium2.PdfDocument(path) as pdf:
        for page in pdf:
            text = page.get_textpage()
            yield text.get_text_range()
            text.close()
            page.close()


def read_eml(path: Path) -> Iterator[str]:
    message = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    body = message.get_body(("plain",))
    yield f"{message['subject']}\n{body.get_content() if body else ''}"


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".html": read_html,
    ".xlsx": read_xlsx,
    ".docx": read_docx,
    ".pptx": read_pptx,
    ".pdf": read_pdf,
    ".eml": read_eml,
}
