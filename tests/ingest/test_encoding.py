"""Reading bytes nobody labelled."""

import random

import pytest

from ingest.encoding import decode, is_text

SHORT = [
    "退货政策",
    "你好",
    "价格",
    "商品",
    "运费",
    "一加手机",
    "顺丰",
    "拉链",
    "铅笔",
    "①产品",
    "蓝牙耳机ABC-100,299.00元",
]
LONG = "自签收之日起七天内，商品完好的，可以申请无理由退货；运费由买家承担。"


@pytest.mark.parametrize("text", [*SHORT, LONG])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_simplified_chinese_is_read_in_every_usual_encoding(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("退貨政策", "big5"),
        ("運費", "big5"),
        ("襯衫尺碼", "big5"),
        ("名前,年齢,住所\n佐藤太郎,30,東京\n", "cp932"),
        ("カード決済", "cp932"),
        ("가격은 만원이다", "cp949"),
        ("Müller, Größe", "latin-1"),
        ("# Ä ö ü\n- ß\n", "latin-1"),
        ("Crème brûlée – “sehr” gut, 5 €", "cp1252"),
        ("Привет, как дела сегодня", "cp1251"),
        ("SKU-1,价格", "utf-16-le"),
        ("SKU-1,价格", "utf-16-be"),
        ("plain words", "utf-16-le"),
        (LONG, "utf-16-le"),
        (LONG, "utf-16-be"),
        ("plain words in four bytes", "utf-32-le"),
        ("日本語テキスト", "iso2022_jp"),
        ("联通", "gbk"),
    ],
)
def test_other_encodings_are_told_apart(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text


def test_short_latin_text_is_not_taken_for_utf_16() -> None:
    text = "Äpfel, Öl, Übergrößen..."
    assert len(text.encode("latin-1")) % 2 == 0
    assert decode(text.encode("latin-1")).text == text


def test_a_declared_encoding_decides_where_it_fits() -> None:
    assert decode("naïve".encode("cp1252"), declared="iso-8859-1").text == "naïve"
    assert decode("退货".encode("gbk"), declared="gb2312").text == "退货"
    assert decode("退货政策说明".encode("gbk"), declared="no-such-charset").text == "退货政策说明"


def test_a_broken_byte_in_a_long_utf8_text_spoils_one_character_only() -> None:
    data = (LONG * 30).encode()
    text = decode(data[:1500] + b"\xff" + data[1500:]).text
    assert text.count("\ufffd") == 1
    assert text.replace("\ufffd", "") == LONG * 30


def test_random_bytes_and_zeros_are_not_text() -> None:
    for seed in range(20):
        assert not is_text(random.Random(seed).randbytes(600))  # noqa: S311 - any bytes do
    assert not is_text(bytes(600))
    assert is_text(LONG.encode("gbk"))
    assert is_text("a,b".encode("utf-16-le"))
