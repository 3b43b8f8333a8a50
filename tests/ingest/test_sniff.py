"""Kinds of files, told from their bytes."""

import io
import zipfile

import pytest

from ingest import sniff


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"%PDF-1.7\n", sniff.PDF),
        (b"junk before\n%PDF-1.4\n", sniff.PDF),
        (b"{\\rtf1\\ansi hello}", sniff.RTF),
        (b"\x89PNG\r\n\x1a\n....", "image/png"),
        (b"\xff\xd8\xff\xe0....", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (zipped(word__document_xml="<x/>"), sniff.DOCX),
        (zipped(xl__workbook_xml="<x/>"), sniff.XLSX),
        (zipped(ppt__presentation_xml="<x/>"), sniff.PPTX),
        (zipped(mimetype=sniff.ODT), sniff.ODT),
        (zipped(readme="x"), sniff.ZIP),
        (zipped(word__document_xml="<x/>" * 50)[:-40], sniff.DOCX),
        (b"PK\x03\x04 nothing sensible", sniff.DAMAGED),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), sniff.DAMAGED),
        (bytes(range(256)) * 4, sniff.UNKNOWN),
    ],
)
@pytest.mark.parametrize("name", ["file.txt", "file.docx", "file"])
def test_the_name_does_not_matter_for_containers(data: bytes, expected: str, name: str) -> None:
    assert sniff.sniff(data, name) == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("a,b\n1,2\n", "x.csv", sniff.CSV),
        ("a,b\n1,2\n", "x.md", sniff.MARKDOWN),
        ("a,b\n1,2\n", "x.txt", sniff.PLAIN),
        ("sku\tprice\nA1\t3\nA2\t4\n", "report.txt", sniff.TSV),
        ("sku,price\nA1,3\nA2,4\n", "export.xls", sniff.CSV),
        ("# 标题\n\n正文\n\n## 小节\n", "说明", sniff.MARKDOWN),
        ("# 标题\n\n正文\n\n## 小节\n", "说明.txt", sniff.MARKDOWN),
        ("# 注释\nprint(1)\n# 再注释\n", "x.py", sniff.PLAIN),
        ("<html><body>x</body></html>", "report.xls", sniff.HTML),
        ("<!-- saved --><!DOCTYPE html><p>x", "x.txt", sniff.HTML),
        ("<div>x</div>", "x.md", sniff.MARKDOWN),
        ('{"question": "a"}\n{"question": "b"}\n', "x.txt", sniff.JSONL),
        ('[{"a": 1}]', "x", sniff.JSON),
        ('{"a": 1}', "x.jsonl", sniff.JSONL),
        ('{"a": 1}\n{"a": 2}\n', "x.json", sniff.JSONL),
        ("[注] 这不是 JSON", "x.txt", sniff.PLAIN),
        ('{"a": tru', "x.json", sniff.JSON),
        ("Subject: x\nMIME-Version: 1.0\n\nhi", "x.txt", sniff.EML),
        ("From: x\r\nMessage-ID: <1>\r\n\r\nhi", "", sniff.EML),
        ("MIME-Version:", "x.eml", sniff.EML),
        ("注意: 这是一段话\n\n正文", "x.txt", sniff.PLAIN),
        ('<?xml version="1.0"?><a><b/></a>', "x.xml", sniff.XML),
    ],
)
def test_kinds_of_text_are_told_by_content_first_and_name_second(text: str, name: str, expected: str) -> None:
    assert sniff.sniff(text.encode(), name) == expected


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16"])
def test_kinds_are_seen_through_encodings(encoding: str) -> None:
    assert sniff.sniff("货号\t价格\nA1\t3\nA2\t4\n".encode(encoding), "报表.txt") == sniff.TSV
