"""DOCX, PPTX, ODT, RTF and the formats of 1997."""

import io
import struct

import docx
import pptx
import pytest
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import OxmlElement, parse_xml
from docx.oxml.ns import nsdecls, qn
from pptx.util import Inches

from ingest.blocks import Heading, Table, Text
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, fixture, loaded, member, ole, outline, rezipped, saved, tables

POLICY = [
    Heading(1, "退货政策"),
    Heading(2, "一、适用范围"),
    Text("自签收之日起 7 天内可申请无理由退货，商品应保持完好。"),
    Table(("品类", "期限", "运费"), (("服装", "7天", "买家承担"), ("家电", "15天", "卖家承担")), row_numbers=(2, 3)),
    Heading(2, "二、退款时效"),
    Text("退款在 3 个工作日内原路退回。"),
]


def test_headings_by_style_lists_and_tables_come_in_document_order() -> None:
    document = docx.Document()
    document.add_heading("退货政策", 0)
    document.add_heading("适用范围", 1)
    document.add_paragraph("正文一。")
    document.add_paragraph("第一项", style="List Bullet")
    document.add_paragraph("第二项", style="List Bullet")
    document.add_paragraph("登录", style="List Number")
    document.add_paragraph("提交", style="List Number")
    table = document.add_table(rows=2, cols=2)
    for at, text in enumerate(["品类", "期限", "服装", "7天"]):
        table.cell(at // 2, at % 2).text = text
    document.add_heading("例外", 2)
    document.add_paragraph("正文二。")
    result = loaded(saved(document), "退货.docx")
    assert result.title == "退货政策"
    assert outline(result.blocks) == [
        "# 退货政策",
        "# 适用范围",
        "正文一。",
        "- 第一项\n- 第二项\n1. 登录\n2. 提交",
        "[品类 | 期限] 1",
        "## 例外",
        "正文二。",
    ]


def test_chinese_style_names_and_outline_levels_are_headings() -> None:
    document = docx.Document()
    document.styles.add_style("标题 2", WD_STYLE_TYPE.PARAGRAPH)
    own = document.styles.add_style("章标题", WD_STYLE_TYPE.PARAGRAPH)
    own.element.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="0"/>'))
    derived = document.styles.add_style("我的章标题", WD_STYLE_TYPE.PARAGRAPH)
    derived.base_style = own
    document.add_paragraph("总则", style="我的章标题")
    document.add_paragraph("范围", style="标题 2")
    direct = document.add_paragraph("直接设置")
    direct._p.get_or_add_pPr().append(parse_xml(f'<w:outlineLvl {nsdecls("w")} w:val="2"/>'))
    document.add_paragraph("正文")
    assert outline(blocks(saved(document), "a.docx")) == ["# 总则", "## 范围", "### 直接设置", "正文"]


def test_without_any_heading_style_bold_and_numbered_lines_head_sections() -> None:
    document = docx.Document()
    document.add_paragraph().add_run("退货须知").bold = True
    document.add_paragraph("一、范围")
    document.add_paragraph("本规则适用于全部商家。")
    document.add_paragraph().add_run("请务必保留包装。").bold = True
    assert outline(blocks(saved(document), "a.docx")) == [
        "## 退货须知",
        "## 一、范围",
        "本规则适用于全部商家。",
        "请务必保留包装。",
    ]


def test_merged_and_nested_cells_of_a_table() -> None:
    document = docx.Document()
    table = document.add_table(rows=4, cols=3)
    texts = {(0, 0): "商品", (0, 1): "价格", (1, 1): "国内", (1, 2): "海外", (2, 0): "耳机"}
    texts |= {(2, 1): "1", (2, 2): "2", (3, 1): "3", (3, 2): "4"}
    for (row, column), text in texts.items():
        table.cell(row, column).text = text
    table.cell(0, 0).merge(table.cell(1, 0))
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(2, 0).merge(table.cell(3, 0))
    inner = table.cell(3, 2).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "内", "表"
    found = tables(saved(document), "a.docx")[0]
    assert found.header == ("商品", "价格 国内", "价格 海外")
    assert found.rows == (("耳机", "1", "2"), ("耳机", "3", "4 内 | 表"))


def test_insertions_controls_text_boxes_and_formulas_are_read_and_deletions_are_not() -> None:
    document = docx.Document()
    w = nsdecls("w")
    m = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    changed = (
        f"<w:p {w}><w:r><w:t>原文</w:t></w:r><w:ins><w:r><w:t>插入</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>删除</w:delText></w:r></w:del><w:r><w:rPr><w:vanish/></w:rPr><w:t>隐藏</w:t></w:r></w:p>"
    )
    control = f"<w:sdt {w}><w:sdtContent><w:p><w:r><w:t>控件里</w:t></w:r></w:p></w:sdtContent></w:sdt>"
    box = (
        f"<w:p {w}><w:r><w:pict><v:shape xmlns:v='urn:schemas-microsoft-com:vml'><v:textbox><w:txbxContent><w:p><w:r>"
        "<w:t>文本框</w:t></w:r></w:p></w:txbxContent></v:textbox></v:shape></w:pict></w:r></w:p>"
    )
    formula = f"<w:p {w} {m}><m:oMath><m:r><m:t>a=b</m:t></m:r></m:oMath></w:p>"
    for xml in (changed, control, box, formula):
        document.element.body.insert(len(document.element.body) - 1, parse_xml(xml))
    assert outline(blocks(saved(document), "a.docx")) == ["原文插入", "控件里", "文本框", "a=b"]


def test_numbered_clauses_keep_the_numbers_word_shows() -> None:
    document = docx.Document()
    numbering = document.part.numbering_part.element
    numbering.insert(
        0,
        parse_xml(
            f'<w:abstractNum {nsdecls("w")} w:abstractNumId="77"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
            '<w:numFmt w:val="chineseCounting"/><w:lvlText w:val="第%1条"/></w:lvl>'
            '<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:lvlText w:val="%1.%2"/></w:lvl>'
            "</w:abstractNum>"
        ),
    )
    numbering.append(parse_xml(f'<w:num {nsdecls("w")} w:numId="77"><w:abstractNumId w:val="77"/></w:num>'))
    for level, text in ((0, "总则"), (0, "期限"), (1, "七天"), (0, "附则")):
        properties = document.add_paragraph(text)._p.get_or_add_pPr()
        properties.append(
            parse_xml(f'<w:numPr {nsdecls("w")}><w:ilvl w:val="{level}"/><w:numId w:val="77"/></w:numPr>')
        )
    assert outline(blocks(saved(document), "a.docx")) == ["第一条 总则\n第二条 期限\n  二.1 七天\n第三条 附则"]


def test_headers_and_footers_count_only_where_the_body_is_empty() -> None:
    document = docx.Document()
    document.sections[0].header.paragraphs[0].text = "页眉文字"
    assert outline(blocks(saved(document), "a.docx")) == ["页眉文字"]
    document.add_paragraph("正文")
    assert outline(blocks(saved(document), "a.docx")) == ["正文"]


def test_contents_pages_are_left_out_and_footnotes_follow_the_text() -> None:
    document = docx.Document()
    document.styles.add_style("toc 1", WD_STYLE_TYPE.PARAGRAPH)
    document.add_paragraph("总则\t1", style="toc 1")
    document.add_paragraph("正文")
    data = saved(document)
    relations = member(data, "word/_rels/document.xml.rels").replace(
        b"</Relationships>",
        b'<Relationship Id="rId99" Type="http://x/footnotes" Target="footnotes.xml"/></Relationships>',
    )
    notes = (
        f'<w:footnotes {nsdecls("w")}><w:footnote w:type="separator" w:id="-1"><w:p/></w:footnote>'
        '<w:footnote w:id="1"><w:p><w:r><w:t>脚注</w:t></w:r></w:p></w:footnote></w:footnotes>'
    ).encode()
    data = rezipped(data, {"word/_rels/document.xml.rels": relations, "word/footnotes.xml": notes})
    assert outline(blocks(data, "a.docx")) == ["正文", "脚注"]


def test_a_docx_whose_xml_is_cut_off_is_read_as_far_as_it_goes() -> None:
    document = docx.Document()
    for number in range(50):
        document.add_paragraph(f"第 {number} 段文字。")
    data = saved(document)
    xml = member(data, "word/document.xml")
    result = loaded(rezipped(data, {"word/document.xml": xml[: len(xml) // 2]}), "a.docx")
    assert result.blocks[0] == Text("第 0 段文字。")
    assert result.notes == ("The file is damaged; parts of it may be missing.",)


def test_slides_are_pages_with_titles_texts_tables_and_notes() -> None:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "双十一招商"
    frame = slide.placeholders[1].text_frame
    frame.text = "报名"
    nested = frame.add_paragraph()
    nested.text, nested.level = "十月一日开始", 1
    slide.notes_slide.notes_text_frame.text = "提醒备货"
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for at, text in enumerate(["档位", "扣点", "A", "3%"]):
        table.cell(at // 2, at % 2).text = text
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "组合里的文字"
    result = loaded(saved(deck), "招商.pptx")
    assert result.title == "双十一招商"
    assert list(result.blocks) == [
        Heading(1, "双十一招商", page=1),
        Text("报名\n  十月一日开始", page=1),
        Text("提醒备货", page=1),
        Heading(1, "Slide 2", page=2),
        Table(("档位", "扣点"), (("A", "3%"),), page=2, row_numbers=(2,)),
        Text("组合里的文字", page=2),
    ]


def test_hidden_slides_and_malformed_shapes_are_noted() -> None:
    deck = pptx.Presentation()
    for text in ("公开", "隐藏"):
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        slide.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = text
    slide._element.set("show", "0")
    data = saved(deck)
    path = "ppt/slides/slide1.xml"
    xml = member(data, path).replace(b"</p:spTree>", b"<p:sp><p:txBody><a:p><a:r/></a:p></p:txBody></p:sp></p:spTree>")
    document = loaded(rezipped(data, {path: xml}), "a.pptx")
    assert outline(document.blocks) == ["# 公开"]
    assert document.notes == ("Slide 2 is hidden and was left out.",)


@pytest.mark.parametrize("name", ["policy.doc", "policy.rtf", "policy.odt"])
def test_the_same_document_in_older_formats_reads_the_same(name: str) -> None:
    document = loaded(fixture(name), name)
    assert document.title == "退货政策"
    assert list(document.blocks) == POLICY


def test_slides_of_1997_keep_their_order_and_titles() -> None:
    assert blocks(fixture("promotion.ppt"), "promotion.ppt") == [
        Heading(1, "双十一招商", page=1),
        Text("报名时间\n10月1日至10月20日", page=1),
        Heading(1, "物流要求：48小时发货", page=2),
    ]


def test_rtf_of_chinese_word_mixes_code_pages_unicode_and_hidden_groups() -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg936\uc2{\fonttbl{\f0\fcharset134 SimSun;}{\f1\fcharset0 Arial;}}{\info{\title x}}"
        rb"{\*\generator y}\f0 \'cd\'cb\'bb\'f5\u25919\'d5\'fe\u31574\'b2\'df\f1  caf\'e9{\v hidden}\tab 7\'b0\par "
        rb"\trowd\intbl A\cell B\cell\row\intbl 1\cell 2\cell\row\pard \{end\}\par}"
    )
    assert outline(blocks(rtf, "a.rtf")) == ["退货政策 café 7°", "[A | B] 1", "{end}"]


def test_an_old_document_with_a_password_is_refused() -> None:
    header = struct.pack("<HH6xH", 0xA5EC, 0xC1, 0x0100).ljust(1024, b"\0")
    for data in (
        ole({"WordDocument": header, "0Table": b"x"}),
        ole({"PowerPoint Document": struct.pack("<HHI", 0x0F, 0x2F14, 0), "EncryptedSummary": b"x"}),
        ole({"EncryptedPackage": b"x", "EncryptionInfo": b"x"}),
    ):
        with pytest.raises(DocumentRefused) as refusal:
            loaded(data, "a.doc")
        assert refusal.value.reason == "encrypted"


def test_an_old_document_whose_piece_table_is_nonsense_is_corrupt() -> None:
    header = struct.pack("<HH6xH", 0xA5EC, 0xC1, 0).ljust(1024, b"\xff")
    with pytest.raises(DocumentRefused) as refusal:
        loaded(ole({"WordDocument": header, "0Table": b"\x02\xff\xff\xff\x7f"}), "a.doc")
    assert refusal.value.reason == "corrupt"


def test_an_open_document_with_a_password_is_refused() -> None:
    data = rezipped(fixture("policy.odt"), {"META-INF/manifest.xml": b"<m:manifest><m:encryption-data/></m:manifest>"})
    with pytest.raises(DocumentRefused) as refusal:
        loaded(data, "a.odt")
    assert refusal.value.reason == "encrypted"


def test_pictures_in_a_document_without_text_ask_for_ocr() -> None:
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (20, 20), "navy").save(picture, "PNG")
    document = docx.Document()
    document.add_picture(picture)
    with pytest.raises(DocumentRefused) as refusal:
        loaded(saved(document), "a.docx")
    assert refusal.value.reason == "needs_ocr"
    document.add_paragraph("图注")
    assert loaded(saved(document), "a.docx").notes[0].startswith("1 picture was not read")


def test_repeated_header_rows_marked_by_word_are_the_header() -> None:
    document = docx.Document()
    table = document.add_table(rows=3, cols=2)
    for at, text in enumerate(["2023", "2024", "增长", "持平", "甲", "乙"]):
        table.cell(at // 2, at % 2).text = text
    properties = table.rows[0]._tr.get_or_add_trPr()
    flag = OxmlElement("w:tblHeader")
    flag.set(qn("w:val"), "true")
    properties.append(flag)
    assert tables(saved(document), "a.docx")[0].header == ("2023", "2024")


def test_the_title_row_of_a_table_does_not_head_the_text_below_it() -> None:
    document = docx.Document()
    document.add_heading("规则", 1)
    table = document.add_table(rows=3, cols=2)
    for (row, column), text in {(0, 0): "运费表", (1, 0): "地区", (1, 1): "运费", (2, 0): "江浙", (2, 1): "6"}.items():
        table.cell(row, column).text = text
    table.cell(0, 0).merge(table.cell(0, 1))
    document.add_paragraph("表后正文。")
    assert outline(blocks(saved(document), "a.docx")) == ["# 规则", "运费表", "[地区 | 运费] 1", "表后正文。"]
