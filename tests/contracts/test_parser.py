"""One contract, both parsers: in this process, and in one of its own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from ingest.blocks import Faq, Heading, Table, Text
from ingest.loaders.source import ArchiveFound
from ingest.parsing import DirectParser, IsolatedParser, Parser
from ingest.shown import CUT
from knowledge.errors import DocumentRefused
from knowledge.validity import Window, written
from tests.ingest.loaders.made import pdf, workbook
from tests.ingest.loaders.test_members import zipped

PAGE = "# 标题\n\n正文 \U0001f600\n\n| 商品 | 价格 |\n|---|---|\n| 耳机 | 299 |\n\n"
FAQ = '[{"question": "包邮吗", "answer": "包邮"}, {"question": "几天到", "answer": "三天"}]'
MAX_BYTES = 1 << 20


@pytest.fixture(scope="module", params=["direct", "isolated"])
def parser(request: pytest.FixtureRequest) -> Generator[Parser]:
    made: Parser = DirectParser() if request.param == "direct" else IsolatedParser(slots=1)
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_every_kind_of_block_comes_as_it_was_found(parser: Parser, file: Path) -> None:
    file.write_text(PAGE, encoding="utf-8")
    found = parser.load(file, name="a.md", max_bytes=MAX_BYTES)
    assert found == DirectParser().load(file, name="a.md", max_bytes=MAX_BYTES)
    assert {type(block) for block in found.blocks} == {Heading, Text, Table}
    file.write_text('["\\ud83d alone"]', encoding="utf-8")
    assert parser.load(file, name="a.json", max_bytes=MAX_BYTES) == DirectParser().load(
        file, name="a.json", max_bytes=MAX_BYTES
    )
    file.write_text(FAQ, encoding="utf-8")
    assert parser.load(file, name="a.json", max_bytes=MAX_BYTES).blocks == (
        Faq("包邮吗", "包邮"),
        Faq("几天到", "三天"),
    )


def test_when_a_document_says_that_it_is_valid_is_kept(parser: Parser, file: Path) -> None:
    file.write_text(f"---\nvalid_until: 2026-11-30\n---\n{PAGE}", encoding="utf-8")
    window = parser.load(file, name="a.md", max_bytes=MAX_BYTES).window
    assert window is not None
    assert window == Window(None, written("2026-11-30", ends=True))


def test_rows_of_sheets_keep_their_places(parser: Parser, file: Path) -> None:
    file.write_bytes(workbook({"价格": [["商品", "价格"], *([f"货{n}", n] for n in range(50))]}))
    found = parser.load(file, name="a.xlsx", max_bytes=MAX_BYTES)
    assert found == DirectParser().load(file, name="a.xlsx", max_bytes=MAX_BYTES)
    (table,) = [block for block in found.blocks if isinstance(block, Table)]
    assert (table.sheet, table.row_numbers[-1]) == ("价格", 51)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "empty"), (b"%PDF-1.7\nx", "corrupt"), (bytes(2 << 20), "too_large")]
)
def test_a_refusal_keeps_its_reason_and_its_sentence(parser: Parser, file: Path, data: bytes, reason: str) -> None:
    file.write_bytes(data)
    with pytest.raises(DocumentRefused) as caught:
        parser.load(file, name="a.pdf", max_bytes=MAX_BYTES)
    with pytest.raises(DocumentRefused) as direct:
        DirectParser().load(file, name="a.pdf", max_bytes=MAX_BYTES)
    assert (caught.value.reason, caught.value.message) == (reason, direct.value.message)


def test_an_archive_is_told_apart_and_unpacked(parser: Parser, file: Path, tmp_path: Path) -> None:
    file.write_bytes(zipped([("a.md", b"x"), ("b.md", b"")]))
    with pytest.raises(ArchiveFound):
        parser.load(file, name="资料.zip", max_bytes=MAX_BYTES)
    reports: list[tuple[int, int]] = []
    found = parser.unpack(
        file,
        name="资料.zip",
        folder=tmp_path,
        max_bytes=MAX_BYTES,
        progress=lambda *report: reports.append(report),
    )
    assert [member.name for member in found.members] == ["资料.zip/a.md"]
    assert [(left.name, left.reason) for left in found.left_out] == [("资料.zip/b.md", "empty")]
    assert (tmp_path / found.members[0].file).read_bytes() == b"x"
    assert (1, 2) in reports


def test_what_progress_raises_ends_the_reading(parser: Parser, file: Path, tmp_path: Path) -> None:
    class Unwanted(Exception):
        pass

    def unwanted(done: int, total: int) -> None:
        raise Unwanted

    file.write_bytes(zipped([("a.md", b"x")]))
    with pytest.raises(Unwanted):
        parser.unpack(file, name="a.zip", folder=tmp_path, max_bytes=MAX_BYTES, progress=unwanted)


def test_what_is_shown_of_a_file_is_the_same_in_both(parser: Parser, file: Path) -> None:
    assert isinstance(parser, DirectParser | IsolatedParser)
    file.write_bytes(pdf([["Rules of return"], ["The fee is 30 yuan."]]))
    shown = parser.pages(file, first=2, count=5, max_bytes=MAX_BYTES)
    assert shown == DirectParser().pages(file, first=2, count=5, max_bytes=MAX_BYTES)
    assert (shown.total, shown.first, [line.text for line in shown.pages[0].lines]) == (2, 2, ["The fee is 30 yuan."])
    (line,) = shown.pages[0].lines
    assert 0 < line.left < line.left + line.width < shown.pages[0].width
    assert 0 < line.top < line.top + line.height < shown.pages[0].height / 2  # it stands in the upper half
    assert parser.page_picture(file, number=2, max_bytes=MAX_BYTES)[8:12] == b"WEBP"
    with pytest.raises(DocumentRefused):
        parser.page_picture(file, number=3, max_bytes=MAX_BYTES)
    file.write_text(PAGE, encoding="utf-8")
    whole = parser.blocks(file, name="a.md", max_bytes=MAX_BYTES, most=1000)
    assert whole.blocks == DirectParser().load(file, name="a.md", max_bytes=MAX_BYTES).blocks
    part = parser.blocks(file, name="a.md", max_bytes=MAX_BYTES, most=3)
    assert (part.blocks, part.notes) == ((whole.blocks[0], Text("正")), (CUT,))
