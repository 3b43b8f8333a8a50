"""PDF: text, structure, protection, damage."""

import io

import pytest

from ingest.blocks import Heading, Table, Text
from ingest.loaders import load_bytes
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, loaded, outline, pdf, picture_pdf, tables

LONG_LINES = [
    "自签收之日起七天内，商品完好的，可以申请无理由退货；运费由买家承担",
    "，质量问题由卖家承担。退款原路退回。",
]


def test_wrapped_chinese_lines_are_joined_and_pages_are_kept() -> None:
    data = pdf([["# 退货政策", *LONG_LINES, "", "第二段。"], ["# 换货政策", "换货期限十五天。"]])
    document = loaded(data, "政策.pdf")
    assert document.title == "退货政策"
    assert list(document.blocks) == [
        Heading(1, "退货政策", page=1),
        Text("".join(LONG_LINES), page=1),
        Text("第二段。", page=1),
        Heading(1, "换货政策", page=2),
        Text("换货期限十五天。", page=2),
    ]


def test_running_heads_and_page_numbers_are_removed() -> None:
    pages = [[f"第{number}部分的内容在此处说明。"] for number in "一二三四"]
    text = "\n".join(outline(blocks(pdf(pages, heads=["平台规则 内部资料", "第 {page} 页"]), "a.pdf")))
    assert "内部资料" not in text
    assert "页" not in text
    assert "第三部分的内容在此处说明。" in text


def test_words_divided_at_the_line_end_are_whole_again() -> None:
    lines = [
        "The carrier picks the parcel up within two working days after the order was con-",
        "firmed by the seller.",
    ]
    assert outline(blocks(pdf([lines]), "a.pdf")) == [
        "The carrier picks the parcel up within two working days after the order was confirmed by the seller."
    ]


def test_items_of_a_list_are_one_block_and_a_figure_at_a_line_start_is_no_item() -> None:
    lines = [
        "1. 创建入库单",
        "2. 预约送货",
        "",
        "旺季附加费：十月至次年一月的出库订单每单加收附加费，美国仓为人民币",
        "0.60 元。",
    ]
    assert outline(blocks(pdf([lines]), "a.pdf")) == [
        "1. 创建入库单\n2. 预约送货",
        "旺季附加费：十月至次年一月的出库订单每单加收附加费，美国仓为人民币 0.60 元。",
    ]


def test_ruled_tables_become_tables_where_they_stand() -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate, TableStyle
    from reportlab.platypus import Table as Grid

    buffer = io.BytesIO()
    grid = Grid([["SKU", "Price", "Stock"], ["A-1", "299.00", "20"], ["B-2", "39.50", "7"]])
    grid.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, "black")]))
    body = getSampleStyleSheet()["Normal"]
    story = [Paragraph("Prices before the table.", body), grid, Paragraph("Remarks after the table.", body)]
    SimpleDocTemplate(buffer, pagesize=A4).build(story)
    assert blocks(buffer.getvalue(), "a.pdf") == [
        Text("Prices before the table.", page=1),
        Table(("SKU", "Price", "Stock"), (("A-1", "299.00", "20"), ("B-2", "39.50", "7")), page=1, row_numbers=(2, 3)),
        Text("Remarks after the table.", page=1),
    ]


def test_a_pdf_under_another_name_is_still_a_pdf() -> None:
    document = loaded(pdf([["内容在这里。"]]), "readme.txt")
    assert document.media_type == "application/pdf"
    assert outline(document.blocks) == ["内容在这里。"]


def test_only_a_password_to_open_is_a_reason_to_refuse() -> None:
    assert outline(blocks(pdf([["可以打开。"]], password=""), "a.pdf")) == ["可以打开。"]
    with pytest.raises(DocumentRefused) as refusal:
        loaded(pdf([["打不开。"]], password="secret"), "a.pdf")
    assert refusal.value.reason == "encrypted"


def test_scans_ask_for_ocr_and_blank_pages_are_empty() -> None:
    with pytest.raises(DocumentRefused) as refusal:
        loaded(picture_pdf(), "a.pdf")
    assert refusal.value.reason == "needs_ocr"
    with pytest.raises(DocumentRefused) as refusal:
        loaded(pdf([[], [" "]]), "a.pdf")
    assert refusal.value.reason == "empty"


def test_scanned_pages_between_pages_of_text_are_noted() -> None:
    import pypdfium2

    joined = pypdfium2.PdfDocument.new()
    for part in (pdf([["第一页的文字。"]]), picture_pdf(), pdf([["第三页的文字。"]])):
        source = pypdfium2.PdfDocument(part)
        joined.import_pages(source)
        source.close()
    buffer = io.BytesIO()
    joined.save(buffer)
    joined.close()
    document = loaded(buffer.getvalue(), "a.pdf")
    assert [block.page for block in document.blocks if isinstance(block, Text)] == [1, 3]
    assert document.notes == ("1 of 3 pages have no text layer and were not read: 2.",)


def test_a_pdf_without_its_directory_is_repaired_and_one_without_pages_is_corrupt() -> None:
    data = pdf([["还能读出来。"]])
    assert outline(blocks(data[: data.rindex(b"xref")], "a.pdf")) == ["还能读出来。"]
    with pytest.raises(DocumentRefused) as refusal:
        loaded(data[:200], "a.pdf")
    assert refusal.value.reason == "corrupt"


def test_tables_and_text_do_not_repeat_each_other() -> None:
    data = pdf([["价格说明如下。", "A-1 299.00"]])
    assert not tables(data, "a.pdf")
    assert "".join(outline(blocks(data, "a.pdf"))).count("299.00") == 1


def test_every_page_is_reported() -> None:
    reports: list[tuple[int, int]] = []
    load_bytes(pdf([["一"], ["二"]]), name="a.pdf", progress=lambda *report: reports.append(report))
    assert reports[:2] == [(0, 0), (1, 0)]
