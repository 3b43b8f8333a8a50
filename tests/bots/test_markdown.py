"""Markdown for DingTalk: translated, repaired while it grows, cut into parts."""

import json
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.dingtalk.markdown import dialect, repaired, shortened, split_bytes, split_points

ANSWER = """## 退货规则

**质量问题**：商家承担运费[1]；其它原因由*买家*承担[2]。
| 类型 | 谁付运费 | 时限 |
|---|---|---|
| 质量问题 | 商家 | 7 天 |
| 不想要 | 买家 | 15 天 |
步骤如下：
1. 打开**订单**，点 `申请退货`
2. 填写原因
   - 上传[照片说明](https://shop.example/help?a=1&b=2)
   - 等待审核

![流程](@lADPDeC2uQ)

```python
def refund(order):

    return order.total * 0.8
```

> 以平台公告为准，详见 https://shop.example/rules 。
"""

# What hurts: marks, fences, bars, Chinese, flags, families, accents.
_MARKS = "``` ~~~ ` | ** * # [ ]( ) ![ <b> <br> 。 ， . 中文 word [1] = - \\ ： !"
_LONG = "https://a.example/x 👨‍👩‍👧 🇨🇳 e\u0301 👍🏽 \u200d"
_PIECES = [*_MARKS.split(), *_LONG.split()]
_PIECES += ["- ", "1. ", "> ", "|---|---|\n", "| a | b |\n", "\n", "\n\n", "\r\n", " ", "\t", "\x85"]
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a loaded machine
nasty = st.lists(st.sampled_from(_PIECES) | st.text(max_size=3), max_size=60).map("".join)


def _json_bytes(text: str) -> int:
    return len(json.dumps(text))


def _utf8(text: str) -> int:
    return len(text.encode())


def _letters(text: str) -> str:
    return re.sub(r"\s", "", text)


def _fences_balanced(part: str) -> bool:
    opened: str | None = None
    for line in part.split("\n"):
        marks = re.match(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})", line)
        if opened is None and marks:
            opened = marks[1]
        elif opened and len(line.strip()) >= len(opened) and not line.strip().strip(opened[0]):
            opened = None
    return opened is None


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("## 标题 ##", "## 标题"),
        ("标题\n===\n正文", "# 标题\n正文"),
        ("见下\n- 一\n- 二", "见下\n\n- 一\n- 二"),
        ("* 一\n+ 二", "- 一\n- 二"),
        ("- [ ] 待办\n- [x] 完成", "- ☐ 待办\n- ☑ 完成"),
        ("第一行\n第二行", "第一行  \n第二行"),
        ("上\n\n---\n\n\n下", "上\n\n下"),
        ("一<br>二", "一  \n二"),
        ("<p>价格 <strong>99</strong>&nbsp;元</p><!-- 内部 -->", "价格 **99** 元"),
        ("重量 <5kg 且 >3kg，填 <姓名>", "重量 <5kg 且 >3kg，填 <姓名>"),
        ("`<b>` 是标签", "`<b>` 是标签"),
        ("```html\n<b>x</b>\n---\n```", "```html\n<b>x</b>\n---\n```"),
        ("佣金 8%[1][2]。", "佣金 8%[1][2]。"),
        ('[规则](https://a.example/x "说明")', "[规则](https://a.example/x)"),
        ("<https://a.example>", "[https://a.example](https://a.example)"),
        ("![图](@lADx) ![外](https://a.example/1.png)", "![图](@lADx) ![外](https://a.example/1.png)"),
        ("![本地](images/1.png)", "本地"),
        ("**注意：**请保留包装", "**注意：** 请保留包装"),
        ("叫**“甲”**的款", "叫 **“甲”** 的款"),
        ("表\n| a | b |\n|---|---|\n| 1 | 2 |\n后", "表\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n后"),
        ("a\r\n\r\nb", "a\n\nb"),
    ],
)
def test_what_is_written_is_translated_into_what_dingtalk_shows(written: str, shown: str) -> None:
    assert dialect(written) == shown


def test_tables_become_lists_where_they_are_not_shown() -> None:
    table = "| 类型 | 谁付 | 时限 |\n|:--|:-:|--:|\n| **质量** | 商家 | 7 天 |\n| 不想要 | 买家 | |"
    assert dialect(table, tables=False) == "- **质量**：谁付：商家；时限：7 天\n- **不想要**：谁付：买家"
    assert dialect("| Size | Price |\n|--|--|\n| S | 9 |", tables=False) == "- **S**: 9"
    assert dialect("前\n\n| a | b |\n|---|---|\n\n后", tables=False) == "前\n\na · b\n\n后"


def test_translating_twice_changes_nothing() -> None:
    once = dialect(ANSWER)
    assert dialect(once) == once


@patient
@given(nasty)
def test_translating_never_fails_and_leaves_no_tag(text: str) -> None:
    shown = dialect(re.sub("[`~]", "", text))
    assert not re.search(r"<b>|<br>", shown)
    dialect(text, tables=False)


@pytest.mark.parametrize(
    ("partial", "shown"),
    [
        ("```python\nprint(1)", "```python\nprint(1)\n```"),
        ("前\n\n```pyth", "前"),
        ("前\n\n``", "前"),
        ("```\na\n``", "```\na\n```"),
        ("````\n```\n内", "````\n```\n内\n````"),
        ("价格 **9", "价格 **9**"),
        ("价格 **9*", "价格 **9**"),
        ("价格 **", "价格"),
        ("价格 **9 ", "价格 **9**"),
        ("用 `cop", "用 `cop`"),
        ("用 `", "用"),
        ("见[规则](https://a.exam", "见"),
        ("见[规则", "见"),
        ("见[规则]", "见"),
        ("见[规则](https://a.example)", "见[规则](https://a.example)"),
        ("图![流程](@lAD", "图"),
        ("佣金 8%[1", "佣金 8%"),
        ("佣金 8%[1]", "佣金 8%[1]"),
        ("见 https://a.exam", "见"),
        ("段\n- ", "段"),
        ("段\n\n1.", "段"),
        ("段\n##", "段"),
        ("段\n---", "段"),
        ("段\n- 一", "段\n\n- 一"),
        ("段\n# 题", "段\n\n# 题"),
        ("| a | b", ""),
        ("说明\n| a | b |\n|---|", "说明"),
        ("说明\n| a | b |\n|---|--", "说明\n\n| a | b |\n|---|--"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n| 3", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("| a | b |\n|---|---|\n| 1 |", "| a | b |\n|---|---|"),
        ("2*3 和 *斜", "2*3 和 *斜*"),
        ("好<b", "好"),
        ("3 < 5", "3 < 5"),
        ("", ""),
    ],
)
def test_a_half_written_answer_is_made_showable(partial: str, shown: str) -> None:
    assert repaired(partial) == shown


def test_a_growing_answer_never_takes_back_what_it_showed() -> None:
    frames = [dialect(repaired(ANSWER[:end])) for end in range(len(ANSWER) + 1)]
    closing = "*`~ \n"
    for before, after in pairwise(frames):
        assert after.startswith(before.rstrip(closing)), (before[-40:], after[-40:])
    assert dialect(ANSWER).startswith(frames[-1].rstrip(closing))


@patient
@given(nasty)
def test_repairing_adds_little_and_never_leaves_code_open(text: str) -> None:
    shown = repaired(text)
    breaks = text.count("\n")
    marks = max((len(run) for run in re.findall(r"`+|~+", text)), default=0)
    assert len(shown) <= len(text) + breaks + 2 * marks + 2 + 2 * len(re.findall(r"\*+|~~", text))
    assert _fences_balanced(shown)


def test_a_text_within_the_limit_is_one_part() -> None:
    assert split_points(ANSWER, 2500) == [ANSWER.rstrip()]
    assert split_points("", 100) == []
    assert split_points("\n \n", 100) == []


def test_parts_end_at_paragraphs_then_lines_then_sentences() -> None:
    paragraphs = "\n\n".join(f"第{n}段。" + "话" * 30 for n in range(6))
    assert all(part.startswith("第") and part.endswith("话") for part in split_points(paragraphs, 80))
    sentences = "".join(f"这是第{n}句话，不长也不短。" for n in range(30))
    assert all(part.endswith("。") for part in split_points(sentences, 50))
    english = "This is a sentence of some words. " * 20
    assert all(part.endswith(".") for part in split_points(english, 90))


def test_a_heading_goes_with_what_it_heads() -> None:
    text = "甲" * 60 + "\n\n## 小标题\n\n" + "乙" * 60
    assert split_points(text, 80) == ["甲" * 60, "## 小标题\n\n" + "乙" * 60]


def test_code_that_goes_on_is_closed_and_opened_again_with_its_language() -> None:
    code = "\n".join(f"line_{n} = {n}" for n in range(40))
    parts = split_points(f"看：\n\n```python\n{code}\n```\n\n完。", 120)
    assert len(parts) > 3
    assert all(part.startswith("```python\n") for part in parts[1:])
    assert all(_fences_balanced(part) for part in parts)
    assert re.findall(r"line_(\d+) =", "\n".join(parts)) == [str(n) for n in range(40)]


def test_a_table_that_goes_on_repeats_its_header() -> None:
    head = "| 编号 | 名称 |\n|---|---|\n"
    parts = split_points(head + "".join(f"| {n} | 商品{n} |\n" for n in range(60)), 200)
    assert len(parts) > 3
    assert all(part.startswith(head) and part.endswith("|") for part in parts)
    assert re.findall(r"商品(\d+)", "\n".join(parts)) == [str(n) for n in range(60)]


def test_links_citations_and_emoji_are_not_cut() -> None:
    text = "说明文字[规则页](https://shop.example/help)👨‍👩‍👧🇨🇳[12]" * 30
    for part in split_points(text, 97):
        assert part.count("](https://shop.example/help)") == part.count("[规则页]")
        assert not part.startswith(("\u200d", "👧", "12]", "]"))
        assert len(re.findall("[\U0001f1e6-\U0001f1ff]", part)) % 2 == 0


@pytest.mark.parametrize("size", [len, _utf8, _json_bytes])
@patient
@given(text=nasty, limit=st.integers(min_value=24, max_value=200))
def test_parts_are_within_the_limit_balanced_and_lose_nothing(
    size: Callable[[str], int], text: str, limit: int
) -> None:
    parts = split_bytes(text, limit, size=size)
    assert all(size(part) <= limit for part in parts)
    assert all(_fences_balanced(part) for part in parts)
    assert all(part.strip() for part in parts)
    rest = iter("".join(parts))
    assert all(letter in rest for letter in _letters(text))  # all of it, in order; only marks and headers were added


@patient
@given(st.text(st.sampled_from("中文，。 \nab👍🏽"), max_size=400), st.integers(min_value=10, max_value=60))
def test_plain_text_comes_through_exactly(text: str, limit: int) -> None:
    assert _letters("".join(split_points(text, limit))) == _letters(text)


def test_a_megabyte_is_cut_in_moderate_time() -> None:
    parts = split_points(ANSWER * 800, 2500)
    assert len(parts) > 100
    assert max(map(len, parts)) <= 2500


def test_a_limit_below_one_character_is_an_error() -> None:
    with pytest.raises(ValueError, match="limit"):
        split_bytes("中", 2, size=_utf8)


def test_a_long_answer_is_shortened_with_a_link_to_all_of_it() -> None:
    link = "https://copilot.example/a/1"
    short = shortened("句子。" * 1000, 500, link, "zh")
    assert len(short) <= 500
    assert short.endswith(f"。\n\n全文：{link}")
    assert shortened("短", 500, link, "zh") == "短"
    assert len(shortened("word " * 1000, 500, None, "en")) <= 500
    assert len(shortened("句子。" * 1000, 20, link, "zh")) <= 20
