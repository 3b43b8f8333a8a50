"""Plain text, CSV and JSON."""

import json

import pytest

from ingest.blocks import Faq, Heading, Table, Text
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import blocks, loaded, outline, tables


def test_numbered_chinese_headings_are_found_when_they_are_short() -> None:
    text = (
        "第一章 总则\n\n一、适用范围\n\n本规则适用于全部商家。\n\n"
        "1.2 时效\n\n1.2 万件商品在七天内售出，创下纪录，超过往年同期的水平，值得关注并且需要说明原因。\n"
    )
    assert outline(blocks(text, "规则.txt")) == [
        "# 第一章 总则",
        "## 一、适用范围",
        "本规则适用于全部商家。",
        "### 1.2 时效",
        "1.2 万件商品在七天内售出，创下纪录，超过往年同期的水平，值得关注并且需要说明原因。",
    ]


def test_a_numbered_list_is_not_a_row_of_headings() -> None:
    assert outline(blocks("材料：\n一、身份证\n二、营业执照\n三、授权书\n", "a.txt")) == [
        "材料：\n一、身份证\n二、营业执照\n三、授权书"
    ]


def test_the_first_line_above_numbered_sections_is_the_title() -> None:
    document = loaded("节假日安排\n\n发布：行政部\n\n一、春节\n\n放假七天。\n", "a.txt")
    assert document.title == "节假日安排"
    assert outline(document.blocks) == ["# 节假日安排", "发布：行政部", "## 一、春节", "放假七天。"]


def test_lines_of_a_list_stay_lines_even_if_they_are_about_equally_long() -> None:
    text = (
        "元旦 1月1日至1月3日 办公室放假，商家客服 10:00-18:00 值班\n"
        "春节 2月15日至2月23日 办公室放假，商家客服 10:00-18:00 值班\n"
        "清明节 4月4日至4月6日 办公室放假，商家客服正常\n"
        "端午节 6月19日至6月21日 收尾期，办公室留人值守客服正常\n"
    )
    assert outline(blocks(text, "a.txt")) == [text.strip()]


def test_hard_wrapped_prose_is_joined_and_addresses_are_not() -> None:
    prose = (
        "The parcel is handed to the carrier within two working days and the customer\n"
        "is told the tracking number at once. Where a parcel is lost, the amount is re-\n"
        "funded in full.\n\nWest Lake Road 1\nHangzhou\n"
    )
    joined, address = outline(blocks(prose, "a.txt"))
    assert "\n" not in joined
    assert "the customer is told" in joined
    assert joined.endswith("the amount is refunded in full.")
    assert address == "West Lake Road 1\nHangzhou"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16", "big5"])
def test_csv_in_any_encoding_becomes_a_table_with_source_rows(encoding: str) -> None:
    found = tables("商品,期限\n服飾,7天\n\n家電,15天\n".encode(encoding), "a.csv")
    assert found == [Table(("商品", "期限"), (("服飾", "7天"), ("家電", "15天")), row_numbers=(2, 4))]


@pytest.mark.parametrize(
    "text",
    [
        "货号;名称\nA;耳机\nB;音箱\n",
        "货号\t名称\nA\t耳机\nB\t音箱\n",
        "货号|名称\nA|耳机\nB|音箱\n",
        'sep=;\n货号;"名称"\nA;耳机\nB;音箱\n',
    ],
)
def test_any_delimiter_is_found(text: str) -> None:
    assert [(table.header, table.rows) for table in tables(text, "a.csv")] == [
        (("货号", "名称"), (("A", "耳机"), ("B", "音箱")))
    ]


def test_quotes_line_ends_and_escaped_delimiters_are_respected() -> None:
    quoted = tables('名称,说明\n耳机,"轻, 稳\n第二行 ""降噪"""\n', "a.csv")[0]
    assert quoted.rows == (("耳机", '轻, 稳 第二行 "降噪"'),)
    escaped = tables("name,note\na\\, b,c\n", "a.csv")[0]
    assert escaped.rows == (("a, b", "c"),)


def test_a_long_cell_beyond_the_csv_module_limit_is_read() -> None:
    long = "长" * 200_000
    assert tables(f"名称,说明\n耳机,{long}\n", "a.csv")[0].rows[0][1] == long


@pytest.mark.parametrize(
    "header",
    [
        "问题,答案",
        "question,answer",
        "Q,A",
        "标准问,标准答案",
        "instruction,output",
        "问题（必填）,答案（必填）",
        "prompt,completion",
    ],
)
def test_question_columns_make_questions(header: str) -> None:
    assert blocks(f"{header}\n怎么退货,点击申请\n没有答案,\n", "a.csv") == [Faq("怎么退货", "点击申请", row=2)]


def test_similar_questions_and_further_columns_are_kept() -> None:
    text = '标准问,相似问,答案,分类\n怎么退货,"如何退货\n想退货",点击申请,售后\n'
    assert blocks(text, "a.csv") == [Faq("怎么退货\n如何退货\n想退货", "点击申请\n分类：售后", row=2)]


def test_the_import_template_of_a_knowledge_base_is_understood() -> None:
    text = (
        "分段标题（选填）,分段内容（必填，问题答案）,问题（选填，单元格内一行一个）\n"
        '产品介绍,这是介绍,"是什么？\n有何用？"\n,只有内容,\n'
    )
    assert blocks(text, "a.csv") == [Faq("产品介绍\n是什么？\n有何用？", "这是介绍", row=2), Text("只有内容")]


@pytest.mark.parametrize(
    ("question", "answer"),
    [("question", "answer"), ("问题", "答案"), ("q", "a"), ("instruction", "output"), ("prompt", "completion")],
)
def test_json_and_json_lines_of_questions(question: str, answer: str) -> None:
    records = [{question: "怎么退货", answer: "点击申请"}, {question: "多久到账", answer: "三天"}]
    expected = [Faq("怎么退货", "点击申请"), Faq("多久到账", "三天")]
    assert blocks(json.dumps(records), "a.json") == expected
    assert blocks("\n".join(map(json.dumps, records)), "a.jsonl") == expected
    assert blocks(json.dumps({"data": records}), "a.json")[1:] == expected


def test_json_dialogues_become_pairs() -> None:
    record = {
        "messages": [
            {"role": "system", "content": "x"},
            {"role": "user", "content": "问"},
            {"role": "assistant", "content": "答"},
        ]
    }
    assert blocks(json.dumps([record]), "a.json") == [Faq("问", "答")]


def test_flat_records_are_a_table_and_nested_ones_readable_lines() -> None:
    flat = [{"货号": "A", "价格": 0.1 + 0.2}, {"货号": "B", "颜色": ["红", "蓝"]}]
    assert blocks(json.dumps(flat), "a.json") == [
        Table(("货号", "价格", "颜色"), (("A", "0.3", ""), ("B", "", "红、蓝")), row_numbers=(1, 2))
    ]
    nested = {"name": "店铺", "退货": {"天数": 7, "例外": {"内衣": "不退"}}, "空": None}
    document = loaded(json.dumps(nested), "a.json")
    assert document.title == "店铺"
    assert list(document.blocks) == [
        Text("name: 店铺"),
        Heading(1, "退货"),
        Text("天数: 7"),
        Heading(2, "例外"),
        Text("内衣: 不退"),
    ]


def test_broken_json_is_refused_and_broken_lines_are_noted() -> None:
    with pytest.raises(DocumentRefused) as refusal:
        loaded('{"a": [1, 2', "a.json")
    assert refusal.value.reason == "corrupt"
    lines = loaded('{"q": "一", "a": "1"}\n{"q": "二", "a": "2"}\n{broken\n', "a.jsonl")
    assert len(lines.blocks) == 2
    assert "1 of 3 lines" in lines.notes[0]


def test_json_nested_without_end_is_refused() -> None:
    for depth in (300, 100_000):
        with pytest.raises(DocumentRefused) as refusal:
            loaded("[" * depth + "1" + "]" * depth, "a.json")
        assert refusal.value.reason == "too_large"


def test_one_huge_line_is_read() -> None:
    text = "没有换行的一句话。" * 200_000
    assert blocks(text, "a.txt") == [Text(text)]


def test_questions_and_answers_written_as_prose_are_paired() -> None:
    text = (
        "说明\n\n常见问题\n问：怎么退货？\n答：点击申请。\n保留包装。\n\nQ2: 多久到账？\n\nA2: 三天。\n\n问：没有答的\n"
    )
    assert blocks(text, "a.txt") == [
        Text("说明"),
        Text("常见问题"),
        Faq("怎么退货？", "点击申请。\n保留包装。"),
        Faq("多久到账？", "三天。"),
        Text("没有答的"),
    ]
    assert outline(blocks("问：只有一个\n答：不算\n", "a.txt")) == ["问：只有一个\n答：不算"]
