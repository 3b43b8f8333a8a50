"""Scans and pictures as documents, and pictures inside documents."""

import io
from email.message import EmailMessage

import pytest
from PIL import Image

from ingest.blocks import Heading, LoadedDocument, Table, Text
from ingest.loaders import load_bytes
from ingest.ocr.choice import recognizer_named
from ingest.ocr.memory import ScriptedRecognizer
from ingest.ocr.ports import Alive, Picture, SeenLine, SeenPage, Unreadable, nobody
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import FIXTURES, outline, pdf, picture_pdf, saved
from tests.ingest.loaders.made import loaded as loaded_without

REAL = recognizer_named("auto")
PRICES = FIXTURES / "prices_zh.png"


def line(text: str, left: float, row: float, *, height: float = 20) -> SeenLine:
    """A line of letters half as wide as high, in rows of 25 pixels."""
    wide = sum(2 if char > "\u2e80" else 1 for char in text) * height * 0.36 + 0.4 * height
    return SeenLine(text, left, 25 * row, left + wide, 25 * row + height)


def picture(colour: str = "navy", size: tuple[int, int] = (400, 300), kind: str = "PNG") -> bytes:
    image = Image.effect_noise(size, 60).convert("RGB")
    image.paste(colour, (0, 0, 40, 40))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def read(data: bytes, name: str, *scripts: list[SeenLine]) -> LoadedDocument:
    return load_bytes(data, name=name, recognizer=ScriptedRecognizer(*scripts))


def joined(*parts: bytes) -> bytes:
    import pypdfium2

    document = pypdfium2.PdfDocument.new()
    for part in parts:
        source = pypdfium2.PdfDocument(part)
        document.import_pages(source)
        source.close()
    return saved(document)


@pytest.mark.skipif(REAL is None, reason="needs the extra ocr")
def test_a_photographed_price_list_is_a_heading_a_table_and_text() -> None:
    document = load_bytes(PRICES.read_bytes(), name="价目.png", recognizer=REAL)
    rows = (("HB-2048", "保温杯", "129.00元", "320"), ("HB-3051", "不锈钢水壶", "89.90元", "57"))
    assert document.title == "夏季价目表"
    assert document.notes == ("Read by text recognition.",)
    assert list(document.blocks) == [
        Heading(1, "夏季价目表"),
        Table(
            ("型号", "品名", "单价", "库存"), (*rows, ("TX-110", "折叠伞", "45.00元", "1,208")), row_numbers=(2, 3, 4)
        ),
        Text("以上价格自六月一日起执行，满两百元包邮；\n质量问题七天内可退换。"),
    ]


@pytest.mark.skipif(REAL is None, reason="needs the extra ocr")
def test_a_scanned_page_keeps_its_number() -> None:
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawImage(ImageReader(str(PRICES)), 50, 400, 500, 370)
    canvas.save()
    document = load_bytes(joined(pdf([["第一页的文字。"]]), buffer.getvalue()), name="a.pdf", recognizer=REAL)
    table = next(block for block in document.blocks if isinstance(block, Table))
    assert table.page == 2
    assert table.rows[0] == ("HB-2048", "保温杯", "129.00元", "320")
    assert document.notes == ("1 of 2 pages were read by text recognition: 2.",)


def test_only_pages_without_text_are_read_and_each_is_reported() -> None:
    twin = ScriptedRecognizer([line("第二页是扫描的。", 100, 4)], [line("第四页也是。", 100, 4)])
    reports: list[tuple[int, int]] = []
    document = load_bytes(
        joined(pdf([["第一页的文字。"]]), picture_pdf(), pdf([["第三页的文字。"]]), picture_pdf()),
        name="a.pdf",
        recognizer=twin,
        progress=lambda done, total: reports.append((done, total)),
    )
    assert [(block.page, block.text) for block in document.blocks if isinstance(block, Text)] == [
        (1, "第一页的文字。"),
        (2, "第二页是扫描的。"),
        (3, "第三页的文字。"),
        (4, "第四页也是。"),
    ]
    assert len(twin.sizes) == 2
    assert document.notes == ("2 of 4 pages were read by text recognition: 2, 4.",)
    assert [report for report in reports if report[1]] == [(0, 2), (1, 2), (1, 2), (2, 2)]


def test_a_page_that_cannot_be_read_costs_itself() -> None:
    class Fails:
        calls = 0

        def read(self, picture: Picture, *, alive: Alive = nobody) -> SeenPage:
            self.calls += 1
            if self.calls == 1:
                raise Unreadable
            return SeenPage(1000, 1000, (line("die zweite Seite", 100, 4),))

    document = load_bytes(joined(picture_pdf(), picture_pdf()), name="a.pdf", recognizer=Fails())
    assert outline(document.blocks) == ["die zweite Seite"]
    assert document.notes == (
        "1 of 2 pages were read by text recognition: 2.",
        "1 of 2 pages could not be read: 1.",
    )


def test_without_a_recogniser_a_scan_says_how_to_get_one() -> None:
    for data, name in ((picture_pdf(), "a.pdf"), (picture(), "a.png")):
        with pytest.raises(DocumentRefused, match=r"pip install 'merchant-copilot\[ocr\]'") as refusal:
            loaded_without(data, name)
        assert refusal.value.reason == "needs_ocr"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
def test_pictures_of_all_usual_kinds_are_read(kind: str) -> None:
    document = read(picture(kind=kind), "a.bin", [line("满两百元包邮", 10, 2)])
    assert document.media_type == f"image/{kind.lower()}"
    assert list(document.blocks) == [Text("满两百元包邮")]


def test_pages_of_a_tiff_are_numbered() -> None:
    images = [Image.open(io.BytesIO(picture(colour))) for colour in ("navy", "red")]
    buffer = io.BytesIO()
    images[0].save(buffer, "TIFF", save_all=True, append_images=images[1:])
    document = read(buffer.getvalue(), "a.tif", [line("Erste Seite.", 10, 2)], [line("Zweite Seite.", 10, 2)])
    assert list(document.blocks) == [Text("Erste Seite.", page=1), Text("Zweite Seite.", page=2)]


def test_a_damaged_picture_is_corrupt() -> None:
    with pytest.raises(DocumentRefused) as refusal:
        read(b"\x89PNG\r\n\x1a\n" + bytes(50), "a.png")
    assert refusal.value.reason == "corrupt"


def test_a_picture_without_text_is_empty_and_says_why() -> None:
    with pytest.raises(DocumentRefused, match="Text recognition found none") as refusal:
        read(picture(), "a.png")
    assert refusal.value.reason == "empty"


def test_columns_of_text_are_read_one_after_the_other_and_tables_by_rows() -> None:
    left = [f"the left column says {word} things here" for word in ("first", "other", "third")]
    right = [f"the right column has {word} words there" for word in ("fourth", "fifth", "sixth")]
    prose = [line(text, x, row) for x, texts in ((10, left), (500, right)) for row, text in enumerate(texts)]
    text = " ".join(outline(read(picture(), "a.png", prose).blocks))
    assert text.index("third") < text.index("fourth")
    cells = [
        line(text, 10 + 200 * column, row)
        for row, texts in enumerate((("Name", "Price", "Stock"), ("Mug", "12.90", "3"), ("Kettle", "29.00", "14")))
        for column, text in enumerate(texts)
    ]
    assert list(read(picture(), "a.png", cells).blocks) == [
        Table(("Name", "Price", "Stock"), (("Mug", "12.90", "3"), ("Kettle", "29.00", "14")), row_numbers=(2, 3))
    ]


def test_names_with_a_colon_before_values_stay_lines() -> None:
    form = [
        line(text, 10 + 300 * column, row)
        for row, pair in enumerate((("型号：", "HB-2048"), ("价格：", "129.00元")))
        for column, text in enumerate(pair)
    ]
    assert list(read(picture(), "a.png", form).blocks) == [Text("型号： HB-2048\n价格： 129.00元")]


def test_a_picture_in_word_is_read_where_it_stands_once_and_icons_never() -> None:
    import docx

    document = docx.Document()
    document.add_heading("活动", 1)
    document.add_paragraph("海报如下。")
    poster = picture()
    for data in (poster, poster, picture("red", (20, 20))):
        document.add_picture(io.BytesIO(data))
    document.add_paragraph("海报之后。")
    found = read(saved(document), "a.docx", [line("满两百元包邮", 10, 1, height=60)], [line("图标文字", 10, 1)])
    assert outline(found.blocks) == ["# 活动", "海报如下。", "满两百元包邮", "海报之后。"]
    assert found.notes == ("The text of 1 picture was read by text recognition.",)


def test_a_picture_in_a_table_of_word_comes_after_it() -> None:
    import docx

    document = docx.Document()
    table = document.add_table(2, 2)
    for cell, text in zip(
        (cell for row in table.rows for cell in row.cells), ("品名", "价格", "杯", "12"), strict=True
    ):
        cell.text = text
    table.cell(1, 1).paragraphs[0].add_run().add_picture(io.BytesIO(picture()))
    found = read(saved(document), "a.docx", [line("满两百元包邮", 10, 1)])
    assert outline(found.blocks) == ["[品名 | 价格] 1", "满两百元包邮"]


def test_a_picture_on_a_slide_is_on_its_page() -> None:
    import pptx

    slides = pptx.Presentation()
    for _ in range(2):
        slide = slides.slides.add_slide(slides.slide_layouts[5])
        slide.shapes.title.text = "海报"
    slide.shapes.add_picture(io.BytesIO(picture()), 0, 0)
    found = read(saved(slides), "a.pptx", [line("满两百元包邮", 10, 1)])
    assert found.blocks[-1] == Text("满两百元包邮", page=2)


def test_a_picture_on_a_sheet_follows_its_rows() -> None:
    import openpyxl
    from openpyxl.drawing.image import Image as SheetImage

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "价目"
    for row in (("品名", "价格"), ("杯", 12)):
        sheet.append(row)
    sheet.add_image(SheetImage(io.BytesIO(picture())), "D4")
    book.create_sheet("备注").append(["没有图片。"])
    found = read(saved(book), "a.xlsx", [line("满两百元包邮", 10, 1)])
    assert outline(found.blocks) == ["# 价目", "[品名 | 价格] 1", "满两百元包邮", "# 备注", "没有图片。"]


def test_a_picture_attached_to_a_mail_is_a_section_and_one_without_text_is_silent() -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "活动", "a@example.com", "b@example.com"
    mail.set_content("海报见附件。")
    for name in ("poster.png", "logo.png"):
        mail.add_attachment(picture(), maintype="image", subtype="png", filename=name)
    found = read(mail.as_bytes(), "a.eml", [line("满两百元包邮", 10, 1)], [])
    assert outline(found.blocks)[-2:] == ["# poster.png", "满两百元包邮"]
    assert found.notes == ("poster.png: Read by text recognition.",)
    assert loaded_without(mail.as_bytes(), "a.eml").notes == (
        "2 pictures were not read; text in pictures is not found.",
    )
