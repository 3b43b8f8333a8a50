"""How a parsed document is cut, and that an edit changes only what it touches."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.blocks import Block, Faq, Heading, LoadedDocument, Table, Text
from ingest.chunk import chunk, heading_text, indexed_text
from ingest.loaders.grid import Grid, Row, blocks_of
from knowledge.chunking import DEFAULT
from knowledge.models import Chunk
from knowledge.widths import width


def document(*blocks: Block, title: str | None = None) -> LoadedDocument:
    return LoadedDocument("text/markdown", blocks, title)


def cut(*blocks: Block, **chosen: int) -> list[Chunk]:
    return chunk(document(*blocks), document_id="d1", cut=replace(DEFAULT, **chosen))


def paragraph(number: int, sentences: int = 3) -> Text:
    """About 100 characters that no other paragraph has."""
    return Text(
        "".join(
            f"第{number}段第{i}句说明编号{number * 97 + i}的商品怎样退货以及由谁承担费用。" for i in range(sentences)
        )
    )


def spaceless(text: str) -> str:
    return "".join(text.split())


def test_a_section_is_a_chunk_with_its_heading_path() -> None:
    chunks = cut(
        Heading(1, "售后"),
        Heading(2, "退货"),
        paragraph(1, 6),
        Heading(2, "换货"),
        paragraph(2, 6),
        Heading(1, "物流"),
        paragraph(3, 6),
    )
    assert [found.place.heading for found in chunks] == ["售后 > 退货", "售后 > 换货", "物流"]
    assert [found.ordinal for found in chunks] == [0, 1, 2]


def test_small_sections_of_one_parent_share_a_chunk_and_keep_their_headings() -> None:
    chunks = cut(
        Heading(1, "费用"),
        Heading(2, "佣金"),
        Text("国内店 5%。"),
        Heading(2, "保证金"),
        Text("一万元。"),
        Heading(2, "年费"),
        Text("没有。"),
    )
    assert len(chunks) == 1
    assert chunks[0].place.heading == "费用"
    assert chunks[0].text == "佣金\n国内店 5%。\n\n保证金\n一万元。\n\n年费\n没有。"


def test_small_sections_of_different_parents_stay_apart() -> None:
    chunks = cut(Heading(1, "费用"), Text("国内店 5%。"), Heading(1, "物流"), Text("三天到。"), paragraph(1, 9))
    assert all("国内店" not in found.text or "三天到" not in found.text for found in chunks)


def test_a_sentence_is_never_cut_unless_it_is_longer_than_a_chunk() -> None:
    text = "".join(f"这是第{i}句，它说的是编号为{i}的规则，长度适中。" for i in range(80))
    sentences = [f"{part}。" for part in text.split("。") if part]
    chunks = cut(Text(text), overlap=0)
    assert len(chunks) > 3
    assert all(any(sentence in found.text for found in chunks) for sentence in sentences)


def test_a_sentence_longer_than_a_chunk_is_cut_at_its_commas() -> None:
    chunks = cut(Text("，".join(f"第{i}个条件是满{i}元" for i in range(200)) + "。"), overlap=0)
    assert len(chunks) > 3
    assert all(width(found.text) <= DEFAULT.size for found in chunks)
    assert all(found.text.endswith(("，", "。")) for found in chunks)


def test_neighbouring_chunks_of_a_section_overlap_by_whole_sentences() -> None:
    first, second = cut(paragraph(1, 14))
    last = first.text.split("。")[-2] + "。"
    assert second.text.startswith(last)


def test_no_text_is_lost() -> None:
    blocks: list[Block] = [
        Heading(1, "总则"),
        paragraph(1, 9),
        Heading(2, "细则"),
        paragraph(2, 1),
        Heading(2, "空"),
        paragraph(3, 20),
    ]
    everything = spaceless("".join(found.text for found in cut(*blocks, overlap=0)))
    for block in blocks:
        if isinstance(block, Text):
            assert spaceless(block.text) in everything


def test_a_heading_without_text_is_still_found() -> None:
    assert [found.text for found in cut(Heading(1, "七天无理由退货"))] == ["七天无理由退货"]


def test_an_empty_document_has_no_chunks() -> None:
    assert cut() == []
    assert cut(Text(" \n ")) == []


def test_every_row_of_a_sheet_names_its_columns_and_the_chunk_names_its_first_row() -> None:
    rows = tuple((f"HB-KT-{2000 + i}", f"保温杯{i}", f"{i}.50", "") for i in range(40))
    chunks = cut(Table(("型号", "品名", "价格", "备注"), rows, sheet="价目表", row_numbers=tuple(range(2, 42))))
    lines = [line for found in chunks for line in found.text.split("\n")]
    assert lines[7] == "型号: HB-KT-2007；品名: 保温杯7；价格: 7.50"
    assert len(lines) == 40
    assert 5 < len(chunks) < 40
    assert chunks[0].place.sheet == "价目表"
    for found in chunks:
        number = found.place.row
        assert number is not None
        assert f"HB-KT-{2000 + number - 2}；" in found.text.split("\n", 1)[0]


def test_a_row_wider_than_a_chunk_repeats_its_first_cell() -> None:
    header = ("型号", *(f"属性{i}" for i in range(60)))
    row = ("HB-1", *(f"取值为第{i}种" for i in range(60)))
    chunks = cut(Table(header, (row,), sheet="参数", row_numbers=(2,)))
    assert len(chunks) > 1
    assert all(line.startswith("型号: HB-1；") for found in chunks for line in found.text.split("\n"))
    assert all(found.place.row == 2 for found in chunks)


def test_question_and_answer_stay_together() -> None:
    chunks = cut(
        Faq("多久发货？", "付款后 48 小时。", sheet="问答", row=2),
        Faq("How long?", "Two days.", row=3),
        Text("别的内容。"),
    )
    assert [found.text for found in chunks] == [
        "问：多久发货？\n答：付款后 48 小时。",
        "Q: How long?\nA: Two days.",
        "别的内容。",
    ]
    assert (chunks[0].place.sheet, chunks[0].place.row) == ("问答", 2)


def test_a_long_answer_repeats_its_question() -> None:
    chunks = cut(Faq("怎样退货？", paragraph(1, 30).text))
    assert len(chunks) > 1
    assert all(found.text.startswith("问：怎样退货？\n答：") for found in chunks)


def test_a_code_block_that_fits_is_not_cut() -> None:
    code = "```\n" + "\n".join(f"curl https://shop.example/v1/orders/{i}" for i in range(8)) + "\n```"
    chunks = cut(paragraph(1, 8), Text(code), paragraph(2, 8))
    assert sum(code in found.text for found in chunks) == 1


def test_the_page_is_that_of_the_first_sentence() -> None:
    first, second = cut(Text(paragraph(1, 9).text, page=3), Text(paragraph(2, 9).text, page=4))
    assert (first.place.page, second.place.page) == (3, 4)


def test_equal_chunks_have_different_ids_and_the_same_ones_every_time() -> None:
    blocks = [Heading(1, "甲"), paragraph(1, 5), Heading(1, "乙"), paragraph(2, 5)] * 2
    ids = [found.id for found in cut(*blocks)]
    assert len(set(ids)) == len(ids)
    assert ids == [found.id for found in cut(*blocks)]
    assert ids != [found.id for found in chunk(document(*blocks), document_id="d2")]


def test_ten_thousand_equal_lines_are_cut_in_reasonable_time() -> None:
    chunks = cut(Text("\n".join(["同样的一行内容"] * 10_000)))
    assert len(chunks) > 200
    assert len({found.id for found in chunks}) == len(chunks)


@pytest.mark.parametrize("headings", [True, False], ids=["with headings", "one long text"])
def test_changing_one_paragraph_changes_few_chunks(headings: bool) -> None:
    """Typically one or two, whatever paragraph it is; three is what a run of edits may cost at most on average."""
    blocks: list[Block] = []
    for number in range(60):
        if headings and number % 5 == 0:
            blocks.append(Heading(2, f"第{number}节"))
        blocks.append(paragraph(number, 1 + number % 4))
    before = {found.id for found in cut(*blocks)}
    changed = []
    for at, block in enumerate(blocks):
        if isinstance(block, Text):
            edited = [*blocks[:at], replace(block, text=block.text + "自今年起以公告为准。"), *blocks[at + 1 :]]
            changed.append(len({found.id for found in cut(*edited)} - before))
    assert max(changed) <= 4
    assert sum(count <= 3 for count in changed) >= 0.98 * len(changed)
    assert sum(changed) / len(changed) < 2


def test_removing_a_row_of_a_large_sheet_changes_few_chunks() -> None:
    rows = tuple((f"SKU-{i}", f"商品{i * 31 % 997}", str(i * 7)) for i in range(2000))
    before = {found.id for found in cut(Table(("货号", "品名", "库存"), rows, sheet="库存"))}
    for at in (0, 1, 777, 1500, 1999):
        after = cut(Table(("货号", "品名", "库存"), rows[:at] + rows[at + 1 :], sheet="库存"))
        assert len({found.id for found in after} - before) <= 4


_SENTENCES = st.lists(st.text(alphabet="货款退换运费天元AB12", min_size=1, max_size=40), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), _SENTENCES), max_size=12), st.integers(40, 300))
def test_whatever_the_document_its_chunks_fit_and_lose_nothing(parts: list[tuple[bool, list[str]]], size: int) -> None:
    blocks: list[Block] = []
    for is_heading, sentences in parts:
        if is_heading:
            blocks.append(Heading(1 + len(sentences) % 4, sentences[0]))
        blocks.append(Text("。".join(sentences) + "。"))
    chunks = cut(*blocks, size=size, overlap=0)
    everything = spaceless("".join(found.text for found in chunks))
    assert all(spaceless(block.text) in everything for block in blocks if isinstance(block, Text))
    assert all(width(found.text) <= 1.5 * size for found in chunks)
    assert len({found.id for found in chunks}) == len(chunks)


def test_the_indexed_text_begins_with_title_and_headings() -> None:
    (found,) = cut(Heading(1, "售后"), Heading(2, "退货"), Text("七天内。"))
    assert indexed_text("售后政策", found) == "售后政策 > 售后 > 退货\n七天内。"
    assert indexed_text("售后", found) == "售后 > 退货\n七天内。"
    assert heading_text("规则/退换货.md", "售后政策", found) == "规则/退换货 售后政策 售后 退货"


PRICES = tuple((f"HB-{i}", f"{i}.50") for i in range(60))


@pytest.mark.parametrize("row_by_row", [False, True])
@pytest.mark.parametrize("measure", ["单位：元/件", "（货币单位: 人民币元）", "Unit: USD"])
def test_the_measure_above_a_table_is_in_every_chunk_of_it(measure: str, row_by_row: bool) -> None:
    blocks = (Heading(1, "价目"), Text(f"2026 年起执行。\n{measure}"), Table(("型号", "单价"), PRICES))
    rows = [found for found in cut(*blocks, row_by_row=row_by_row) if "单价" in found.text]
    assert len(rows) > 2
    assert all(found.text.count(measure) == 1 for found in rows)


@pytest.mark.parametrize(
    "line", ["单位：本公司是一家主营跨境物流的企业，成立于二〇一〇年，总部位于深圳。", "联系单位很多", "共 3 件"]
)
def test_a_line_that_is_no_measure_stays_where_it_is(line: str) -> None:
    chunks = cut(Text(line), Table(("型号", "单价"), PRICES))
    assert sum(line in found.text for found in chunks) == 1


def test_a_measure_in_a_columns_name_is_in_every_row() -> None:
    chunks = cut(Table(("型号", "单价（元/件）"), PRICES))
    lines = [line for found in chunks for line in found.text.split("\n")]
    assert all("单价（元/件）: " in line for line in lines)


def test_a_measure_above_the_header_of_a_sheet_is_no_heading() -> None:
    grid = Grid(
        [
            Row(i, cells)
            for i, cells in enumerate([["价目表", ""], ["单位：元/件", ""], ["型号", "单价"], *map(list, PRICES)], 1)
        ],
        sheet="一",
        title_level=1,
    )
    chunks = cut(*blocks_of(grid))
    assert {found.place.heading for found in chunks} == {"价目表"}
    assert all("单位：元/件" in found.text for found in chunks)


def test_the_heading_path_is_embedded_with_a_chunk_and_not_in_its_text() -> None:
    (found,) = cut(Heading(1, "售后"), Heading(2, "退货"), paragraph(1))
    assert "售后" not in found.text
    assert indexed_text(None, found) == f"售后 > 退货\n{found.text}"


def test_each_row_is_a_chunk_where_that_was_chosen() -> None:
    chunks = cut(
        Text("说明在前。"),
        Table(("型号", "单价"), PRICES, sheet="一", row_numbers=tuple(range(2, 62))),
        row_by_row=True,
    )
    assert [found.text for found in chunks[1:]] == [f"型号: {code}；单价: {price}" for code, price in PRICES]
    assert [found.place.row for found in chunks[1:]] == list(range(2, 62))


def test_small_sections_stay_apart_where_that_was_chosen() -> None:
    blocks = (Heading(1, "费用"), Heading(2, "佣金"), Text("国内店 5%。"), Heading(2, "年费"), Text("没有。"))
    assert [found.text for found in cut(*blocks, join_small=False)] == ["国内店 5%。", "没有。"]
    assert len(cut(*blocks)) == 1
