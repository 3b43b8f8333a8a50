"""Markdown, as it is met and not as it is specified."""

from ingest.blocks import Heading, Table, Text
from tests.ingest.loaders.made import blocks, loaded, outline

PAGE = """---
title: 使用 [!DNL Live Search] 建立索引
description: 这一段只给搜索引擎看。
exl-id: 1542a33f
---

# 建立索引 {#indexing}

在&#x200B;_管理员_&#x200B;侧边栏中，转到 **[!UICONTROL [!DNL Payment Services]]** > **[!UICONTROL Stores]**。
第二行接在后面。

>[!NOTE]
>
>索引需要 [15 分钟](https://example.com/a_(b)){target="_blank"}。

## 步骤 ##

1. 打开 `catalog_index` 页面。
1. 单击 ![图标](icon.png) **保存**。
   - 子项
1. 等待&nbsp;完成。

| 字段 | 描述 |
| --- | :---: |
| Title | 标题<br/>可含 \\| 竖线 |
| `price` | 价格 |

```json
{"a": "**不动**"}
```
"""


def test_front_matter_gives_the_title_and_is_not_text() -> None:
    document = loaded(PAGE, "indexing.md")
    assert document.title == "使用 Live Search 建立索引"
    assert not any("搜索引擎" in line or "exl-id" in line for line in outline(document.blocks))


def test_headings_paragraphs_lists_tables_and_code_become_blocks() -> None:
    first = PAGE.split("\n").index(r"| Title | 标题<br/>可含 \| 竖线 |") + 1
    assert blocks(PAGE, "indexing.md") == [
        Heading(1, "建立索引"),
        Text("在管理员侧边栏中，转到 Payment Services > Stores。第二行接在后面。"),
        Text("索引需要 15 分钟。"),
        Heading(2, "步骤"),
        Text("1. 打开 catalog_index 页面。\n2. 单击 图标 保存。\n   - 子项\n3. 等待 完成。"),
        Table(("字段", "描述"), (("Title", "标题 可含 | 竖线"), ("price", "价格")), row_numbers=(first, first + 1)),
        Text('```json\n{"a": "**不动**"}\n```'),
    ]


def test_setext_headings_rules_and_references() -> None:
    text = "标题\n====\n\n小标题\n---\n\n正文见 [文档][ref]。\n\n***\n\n[ref]: https://example.com\n"
    assert outline(blocks(text, "a.md")) == ["# 标题", "## 小标题", "正文见 文档。"]


def test_html_inside_is_read_as_html() -> None:
    text = (
        "前言\n\n<table>\n<tr><th>品类</th><th>期限</th></tr>\n<tr><td>**服装**</td><td>7 天</td></tr>\n</table>\n\n"
        "<!-- 不要\n这一段 -->\n\n一行<br>两行 <kbd>Ctrl</kbd> 与 <占位符>\n"
    )
    assert outline(blocks(text, "a.md")) == ["前言", "[品类 | 期限] 1", "一行\n两行 Ctrl 与 <占位符>"]
    table = blocks(text, "a.md")[1]
    assert isinstance(table, Table)
    assert table.rows == (("服装", "7 天"),)


def test_identifiers_keep_their_underscores_and_stars() -> None:
    line = "用 data_source_id 和 `a*b*c`，2*3*4 等于 24，\\*不是强调\\*。"
    assert outline(blocks(line, "a.md")) == ["用 data_source_id 和 a*b*c，2*3*4 等于 24，*不是强调*。"]


def test_tight_chinese_headings_and_admonitions() -> None:
    text = "##没有空格的标题\n\n:::tip 小贴士\n内容\n:::\n\n+++ 展开\n\n里面\n"
    assert outline(blocks(text, "a.md")) == ["## 没有空格的标题", "小贴士", "内容", "展开", "里面"]


def test_a_document_without_a_title_is_named_by_its_only_first_level_heading() -> None:
    assert loaded("# 退货\n\n正文\n", "a.md").title == "退货"
    assert loaded("正文\n\n# 甲\n\n# 乙\n", "a.md").title is None


def test_hostile_markup_takes_linear_time() -> None:
    for text in ("`" * 5001 + "a ``b " * 5000, "[a](" * 20000, "*a_" * 50000, "<b " * 20000, "> " * 20000 + "x"):
        assert loaded("词 " + text, "a.md").blocks
