"""Product feeds: codes and prices as they were written, each beside the product it belongs to."""

import json

import pytest

from ingest.blocks import Faq, Heading, Table, Text
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, loaded, outline

FEED = """
# 商品目录
products:
  - name: 便携榨汁机
    sku: "00712"
    price: {amount: 299.90, currency: CNY}
    tags: [新品, 厨房]
    variants:
      - {code: 007120, color: 白, price: 299.90}
      - {code: 007121, color: 绿, price: 309.00}
  - name: 保温杯
    sku: 00815
    country: no
    variants:
      - {code: 008150, color: 黑, price: 89}
"""


def test_each_product_is_a_section_with_its_variants() -> None:
    assert blocks(FEED, "feed.yaml") == [
        Heading(1, "products"),
        Heading(2, "便携榨汁机"),
        Text("name: 便携榨汁机\nsku: 00712\nprice: 299.90 CNY\ntags: 新品、厨房"),
        Heading(3, "variants"),
        Table(("code", "color", "price"), (("007120", "白", "299.90"), ("007121", "绿", "309.00")), row_numbers=(1, 2)),
        Heading(2, "保温杯"),
        Text("name: 保温杯\nsku: 00815\ncountry: no"),
        Heading(3, "variants"),
        Heading(4, "008150"),
        Text("code: 008150\ncolor: 黑\nprice: 89"),
    ]


def test_json_says_the_same_and_keeps_prices_as_written() -> None:
    feed = '[{"name": "A", "price": 299.90, "v": [{"sku": "1", "p": 1.0}, {"sku": "2", "p": 2.50}]}, {"name": "B"}]'
    assert blocks(feed, "feed.json") == [
        Heading(1, "A"),
        Text("name: A\nprice: 299.90"),
        Heading(2, "v"),
        Table(("sku", "p"), (("1", "1.0"), ("2", "2.50")), row_numbers=(1, 2)),
        Heading(1, "B"),
        Text("name: B"),
    ]


def test_flat_products_are_a_table_their_prices_with_currency() -> None:
    feed = [
        {"title": "杯子", "offer": {"price": "59.00", "currency": "CNY"}, "size": {"w": 8, "h": 12}},
        {"title": "盘子", "offer": {"price": "39.00", "currency": "CNY"}},
    ]
    (table,) = blocks(json.dumps(feed), "feed.json")
    assert isinstance(table, Table)
    assert table.header == ("title", "offer", "size.w", "size.h")
    assert table.rows == (("杯子", "59.00 CNY", "8", "12"), ("盘子", "39.00 CNY", "", ""))


def test_yaml_questions_anchors_and_several_documents() -> None:
    assert blocks("- question: 包邮吗？\n  answer: 满 99 元包邮\n", "faq.yml") == [Faq("包邮吗？", "满 99 元包邮")]
    anchored = "base: &b {发货地: 杭州, 快递: 顺丰}\nitem:\n  <<: *b\n  快递: 京东\n"
    assert outline(blocks(anchored, "a.yaml"))[-1] == "发货地: 杭州\n快递: 京东"
    assert outline(blocks("a: 1\n---\na: 2\n", "a.yaml")) == ["[a] 2"]


def test_yaml_that_is_none_is_text_all_the_same() -> None:
    for text in ("标题：一段话\n{{ 模板 }}: [", "只是一句话\n"):
        assert outline(blocks(text, "a.yaml"))


@pytest.mark.parametrize(
    ("bomb", "reason"),
    [
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
        ), "too_large"),
        ("a: &a\n  b: *a\n", "corrupt"),
        ("[" * 100_000, "too_large"),
        ("- " * 10_000 + "x", "too_large"),
    ],
)  # fmt: skip
def test_yaml_bombs_are_refused(bomb: str, reason: str) -> None:
    with pytest.raises(DocumentRefused) as caught:
        loaded(bomb, "a.yaml")
    assert caught.value.reason == reason
