"""E-mail: EML and MSG."""

import struct
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from ingest.blocks import Heading, Text
from ingest.loaders.msg import unpack_rtf
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, loaded, ole, outline, workbook


def letter(body: str = "您好，\n退货请见附件。\n", **headers: str) -> EmailMessage:
    message = EmailMessage()
    defaults = {"Subject": "关于退货", "From": "客服 <kf@example.com>", "To": "a@example.com"}
    for name, value in {**defaults, "Date": "Wed, 01 May 2024 08:30:00 +0800", **headers}.items():
        message[name] = value
    message.set_content(body)
    return message


def test_subject_envelope_and_body() -> None:
    document = loaded(letter().as_bytes(), "a.eml")
    assert document.title == "关于退货"
    assert list(document.blocks) == [
        Heading(1, "关于退货"),
        Text("Date: 2024-05-01 08:30\nFrom: 客服 <kf@example.com>\nTo: a@example.com"),
        Text("您好，\n退货请见附件。"),
    ]


def test_the_html_is_taken_where_the_plain_part_is_a_stand_in() -> None:
    message = letter("请用网页查看。")
    message.add_alternative(
        "<p>" + "完整的正文内容。" * 10 + "</p><table><tr><td>品类<td>期限<tr><td>服装<td>7天</table>", "html"
    )
    assert outline(blocks(message.as_bytes(), "a.eml"))[2:] == ["完整的正文内容。" * 10, "[品类 | 期限] 1"]


def test_attachments_are_read_one_level_deep_under_their_names() -> None:
    inner = letter("内层正文")
    inner.add_attachment(b"deep", maintype="application", subtype="octet-stream", filename="deep.bin")
    message = letter()
    sheet = workbook({"Sheet1": [["货号", "价格"], ["A", 1]]})
    message.add_attachment(sheet, maintype="application", subtype="octet-stream", filename="价格.xlsx")
    message.add_attachment(b"\x00\x01\x02" * 99, maintype="application", subtype="octet-stream", filename="程序.exe")
    message.add_attachment(inner)
    document = loaded(message.as_bytes(), "a.eml")
    lines = outline(document.blocks)
    assert lines[3:5] == ["# 价格.xlsx", "[货号 | 价格] 1"]
    assert "内层正文" in lines
    assert any("程序.exe" in note and "unsupported" in note for note in document.notes)
    assert any("deep.bin" in note and "inside another attachment" in note for note in document.notes)


def test_headers_and_bodies_in_unlabelled_encodings_are_read() -> None:
    raw = "From: 客服\nMIME-Version: 1.0\nSubject: 退货说明\n\n七天无理由退货。\n".encode("gbk")
    assert outline(blocks(raw, "a.eml")) == ["# 退货说明", "From: 客服", "七天无理由退货。"]
    wrong = (
        b"Subject: =?gb2312?B?zcu79Q==?= =?x-unknown?Q?abc?=\nMIME-Version: 1.0\nFrom: a\n"
        b"Content-Type: text/plain; charset=nonsense\nContent-Transfer-Encoding: base64\n\nzcu79dX+st8=\n"
    )
    assert outline(blocks(wrong, "a.eml"))[::2] == ["# 退货abc", "退货政策"]


def test_flowed_text_is_unfolded() -> None:
    raw = (
        b"From: a\nMIME-Version: 1.0\nContent-Type: text/plain; format=flowed; delsp=yes\n\nlong li \nne ends.\nnext\n"
    )
    assert outline(blocks(raw, "a.eml"))[-1] == "long line ends.\nnext"


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/encrypted; protocol="application/pgp-encrypted"; boundary=x',
        "application/pkcs7-mime; smime-type=enveloped-data",
        "application/x-pkcs7-mime; name=smime.p7m",
    ],
)
def test_encrypted_messages_are_refused(content_type: str) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        loaded(f"From: a\nSubject: b\nMIME-Version: 1.0\nContent-Type: {content_type}\n\n--x\n\nabc\n--x--\n", "a.eml")
    assert refusal.value.reason == "encrypted"
    with pytest.raises(DocumentRefused) as refusal:
        loaded(letter("-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n").as_bytes(), "a.eml")
    assert refusal.value.reason == "encrypted"


@pytest.mark.parametrize("text", ["Subject: only", "MIME-Version:", "From: a\nSubject: b\n\n\n", "\n\n"])
def test_messages_without_a_body_are_empty(text: str) -> None:
    with pytest.raises(DocumentRefused) as refusal:
        loaded(text, "a.eml")
    assert refusal.value.reason == "empty"


def outlook(**properties: str) -> dict[str, bytes]:
    """Streams of a message whose properties (by tag) are these texts; sent on 2024-05-01 08:30 UTC."""
    streams = {f"__substg1.0_{tag}001F": text.encode("utf-16-le") for tag, text in properties.items()}
    ticks = (
        (datetime(2024, 5, 1, 8, 30, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    )
    return {"__properties_version1.0": bytes(32) + struct.pack("<IIQ", 0x00390040, 6, ticks), **streams}


def test_an_outlook_message_with_an_attachment() -> None:
    streams = outlook(
        **{"001A": "IPM.Note", "0037": "关于退货", "0C1A": "客服", "0E04": "店主", "1000": "七天无理由。"}
    )
    streams["__attach_version1.0_#00000000/__substg1.0_3707001F"] = "说明.txt".encode("utf-16-le")
    streams["__attach_version1.0_#00000000/__substg1.0_37010102"] = "附件内容。".encode("gbk").ljust(4096)
    assert outline(blocks(ole(streams), "a.msg")) == [
        "# 关于退货",
        "Date: 2024-05-01 08:30\nFrom: 客服\nTo: 店主",
        "七天无理由。",
        "# 说明.txt",
        "附件内容。",
    ]


def test_encrypted_outlook_messages_are_refused() -> None:
    for streams in (
        outlook(**{"001A": "IPM.Note.SMIME", "1000": "x"}),
        outlook(
            **{
                "001A": "IPM.Note",
                "007D": "From: a\r\nContent-Type: multipart/encrypted;\r\n boundary=x\r\n",
                "1000": "x",
            }
        ),
        outlook(**{"001A": "IPM.Note", "1000": "-----BEGIN PGP MESSAGE-----\n"}),
    ):
        with pytest.raises(DocumentRefused) as refusal:
            loaded(ole(streams), "a.msg")
        assert refusal.value.reason == "encrypted"


def test_a_signed_outlook_message_is_read() -> None:
    streams = outlook(**{"001A": "IPM.Note.SMIME.MultipartSigned", "1000": "签名的正文"})
    assert outline(blocks(ole(streams), "a.msg"))[-1] == "签名的正文"


def test_compressed_rtf_is_unpacked() -> None:
    # the worked examples of [MS-OXRTFCP], 3.2.1 and 3.2.2
    simple = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpack_rtf(simple) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")
    assert unpack_rtf(crossing) == b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}"
