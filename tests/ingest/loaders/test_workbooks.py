"""Workbooks: XLSX, XLS and ODS."""

import datetime
import io
import zipfile

import pytest

from ingest.blocks import Faq, Heading, Table, Text
from ingest.loaders.numbers import shown
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, fixture, loaded, member, outline, rezipped, saved, tables, workbook


def test_a_plain_sheet_is_a_table_with_the_rows_as_excel_numbers_them() -> None:
    data = workbook({"Sheet1": [["商品", "价格"], ["耳机", 299], ["音箱", 0.1 + 0.2]]})
    assert blocks(data, "a.xlsx") == [
        Table(("商品", "价格"), (("耳机", "299"), ("音箱", "0.3")), sheet="Sheet1", row_numbers=(2, 3))
    ]


def test_titles_two_line_headers_and_merged_cells_are_understood() -> None:
    rows = [
        ["2024 年价格表"],
        ["商品", "价格", None, "备注"],
        [None, "国内", "海外", None],
        ["耳机", 299, 45, "热销"],
        [None, 199, 35, None],
        ["音箱", 399, 65, None],
        ["注：价格含税，不含运费。"],
    ]
    data = workbook({"价格": rows}, {"价格": ["A1:D1", "A2:A3", "B2:C2", "D2:D3", "A4:A5", "A7:D7"]})
    assert blocks(data, "a.xlsx") == [
        Heading(1, "价格"),
        Heading(2, "2024 年价格表"),
        Table(
            ("商品", "价格 国内", "价格 海外", "备注"),
            (("耳机", "299", "45", "热销"), ("耳机", "199", "35", ""), ("音箱", "399", "65", "")),
            sheet="价格",
            row_numbers=(4, 5, 6),
        ),
        Text("注：价格含税，不含运费。"),
    ]


def test_tables_below_and_beside_each_other_are_told_apart() -> None:
    rows = [
        ["品类", "期限", None, "仓库", "城市"],
        ["服装", "7天", None, "一号", "杭州"],
        ["家电", "15天", None, "二号", "广州"],
        [],
        ["快递", "电话"],
        ["顺丰", "95338"],
        ["中通", "95311"],
    ]
    found = tables(workbook({"Sheet1": rows}), "a.xlsx")
    assert [(table.header, table.row_numbers) for table in found] == [
        (("品类", "期限"), (2, 3)),
        (("仓库", "城市"), (2, 3)),
        (("快递", "电话"), (6, 7)),
    ]


def test_rows_after_an_empty_one_stay_under_their_header() -> None:
    rows = [["货号", "库存"], ["A", 1], [], ["B", 2], [], ["C", 3]]
    found = tables(workbook({"Sheet1": rows}), "a.xlsx")
    assert [(table.rows, table.row_numbers) for table in found] == [((("A", "1"), ("B", "2"), ("C", "3")), (2, 4, 6))]


def test_forms_prose_and_headerless_figures() -> None:
    form = [["店铺名称：", "小店"], ["联系电话：", "400-1"], ["保证金：", 500]]
    assert blocks(workbook({"Sheet1": form}), "a.xlsx") == [Text("店铺名称：小店\n联系电话：400-1\n保证金：500")]
    prose = [["退货政策"], ["七天无理由。"], ["运费自理。"]]
    assert blocks(workbook({"Sheet1": prose}), "a.xlsx") == [Text("退货政策\n七天无理由。\n运费自理。")]
    figures = tables(workbook({"Sheet1": [[1, 2], [3, 4]]}), "a.xlsx")[0]
    assert (figures.header, figures.rows) == (("", ""), (("1", "2"), ("3", "4")))


def test_months_and_years_can_be_names_of_columns_and_dates_in_rows_are_not() -> None:
    months = [["品类", "2024-01", "2024-02"], ["服装", 10, 20], ["家电", 30, 40]]
    assert tables(workbook({"Sheet1": months}), "a.xlsx")[0].header == ("品类", "2024-01", "2024-02")
    orders = [
        ["张三", "2024-01-05", "2024-01-09"],
        ["李四", "2024-02-05", "2024-02-09"],
        ["王五", "2024-03-05", "2024-03-09"],
    ]
    assert len(tables(workbook({"Sheet1": orders}), "a.xlsx")[0].rows) == 3


def test_question_sheets_become_questions() -> None:
    data = workbook({"常见问题": [["问题", "答案"], ["怎么退货？", "点击申请"], ["多久到账？", "三天"]]})
    assert blocks(data, "a.xlsx")[1:] == [
        Faq("怎么退货？", "点击申请", sheet="常见问题", row=2),
        Faq("多久到账？", "三天", sheet="常见问题", row=3),
    ]


def test_hidden_sheets_are_left_out_with_a_note() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["公开", "内容"])
    book.active.append(["甲", "乙"])
    secret = book.create_sheet("成本")
    secret.append(["成本", "9"])
    secret.sheet_state = "hidden"
    document = loaded(saved(book), "a.xlsx")
    assert document.notes == ("Hidden sheets were left out: 成本.",)
    assert "成本" not in "".join(outline(document.blocks))


def test_formulas_dates_and_formats_show_what_a_person_sees() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["日期", "时刻", "折扣", "价格", "货号", "是否含税", "合计"])
    values = [datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 1, 8, 30), 0.155, 1299.5, 7, True, "=D2*2"]  # noqa: DTZ001
    sheet.append(values)
    for column, code in (("C", "0.0%"), ("D", '"¥"#,##0.00'), ("E", "00000")):
        sheet[f"{column}2"].number_format = code
    data = saved(book)
    # a formula as Excel saves it: with the value it last had
    xml = member(data, "xl/worksheets/sheet1.xml").replace(b"<f>D2*2</f><v />", b"<f>D2*2</f><v>2599</v>")
    xml = xml.replace(b"<f>D2*2</f><v></v>", b"<f>D2*2</f><v>2599</v>")
    data = rezipped(data, {"xl/worksheets/sheet1.xml": xml})
    assert tables(data, "a.xlsx")[0].rows == (
        ("2024-05-01", "2024-05-01 08:30", "15.5%", "¥1299.50", "00007", "TRUE", "2599"),
    )


@pytest.mark.parametrize(
    ("value", "code", "expected"),
    [
        (0.30000000000000004, "General", "0.3"),
        (6901234567892, "General", "6901234567892"),
        (1e-05, "General", "0.00001"),
        (-5.2, "0.0_);(0.0)", "-5.2"),
        (3, '0"元/件"', "3元/件"),
        (12.5, "[$¥-804]#,##0.00;[Red]-[$¥-804]#,##0.00", "¥12.50"),
        (1.25, "0.##", "1.25"),
        (1234567, '#,##0,"千"', "1235千"),
        (0.5, "h:mm", "12:00"),
        (1.5, "[h]:mm", "36:00"),
        (45000, 'yyyy"年"m"月"d"日"', "2023-03-15"),
        (45000, "[$-804]aaaa;@", "2023-03-15"),
        (-1, "yyyy-mm-dd", "-1"),
    ],
)
def test_numbers_are_shown_without_noise(value: float, code: str, expected: str) -> None:
    assert shown(value, code) == expected


def test_a_workbook_with_a_broken_style_sheet_is_read() -> None:
    data = workbook({"Sheet1": [["商品", "价格"], ["耳机", 299]]})
    styles = member(data, "xl/styles.xml").replace(b"<fill>", b"<fill><unknownFill/>", 1)
    assert tables(rezipped(data, {"xl/styles.xml": styles}), "a.xlsx")[0].rows == (("耳机", "299"),)
    assert tables(rezipped(data, {"xl/styles.xml": b"<styleSheet><broken"}), "a.xlsx")[0].rows == (("耳机", "299"),)


def test_ten_thousand_rows_stay_one_table_with_every_code() -> None:
    rows = [["货号", "价格"], *([f"SKU-{number:05d}", number] for number in range(10_000))]
    table = tables(workbook({"Sheet1": rows}), "a.xlsx")[0]
    assert len(table.rows) == 10_000
    assert table.rows[8_765] == ("SKU-08765", "8765")
    assert table.row_numbers[8_765] == 8_767


def test_formatting_down_to_the_last_row_costs_nothing() -> None:
    data = workbook({"Sheet1": [["商品", "价格"], ["耳机", 299]]})
    empty = b"".join(b'<row r="%d"><c r="A%d" s="1"/><c r="B%d" s="1"/></row>' % (n, n, n) for n in range(3, 200_000))
    last = b'<row r="1048576"><c r="A1048576" s="1"/></row>'
    xml = member(data, "xl/worksheets/sheet1.xml").replace(b"</sheetData>", empty + last + b"</sheetData>")
    assert tables(rezipped(data, {"xl/worksheets/sheet1.xml": xml}), "a.xlsx")[0].rows == (("耳机", "299"),)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    data = workbook({"Sheet1": [["商品"], ["耳机"]]})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(200 << 20))
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "a") as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    with pytest.raises(DocumentRefused) as refusal:
        loaded(buffer.getvalue(), "a.xlsx")
    assert refusal.value.reason == "too_large"


@pytest.mark.parametrize("name", ["prices.xls", "prices.ods"])
def test_other_sheets_read_the_same(name: str) -> None:
    document = loaded(fixture(name), name)
    assert list(document.blocks) == [
        Heading(1, "价格表"),
        Heading(2, "2024 年价格表"),
        Table(
            ("商品", "价格 国内", "价格 海外", "上架日期"),
            (("耳机", "¥299.50", "45.9", "2024-05-01"), ("音箱", "¥0.30", "12", "2024-06-18")),
            sheet="价格表",
            row_numbers=(4, 5),
        ),
    ]
    assert document.notes == ("Hidden sheets were left out: 内部成本.",)
