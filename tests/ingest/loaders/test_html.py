"""HTML pages, and what hides under other names in HTML."""

from ingest.blocks import Heading, Table, Text
from tests.ingest.loaders.made import blocks, loaded, outline, tables


def test_furniture_scripts_and_hidden_parts_are_left_out() -> None:
    page = """<html><head><title>退货规则 | 帮助中心</title><style>p{}</style></head><body>
    <nav>首页 帮助</nav><script>var x = "脚本";</script><div hidden>隐藏</div><p style="display:none">隐藏</p>
    <div aria-hidden="true">隐藏</div><h1>退货<b>规则</b></h1><p>七天<br>无理由 <span>退货</span>。</p>
    <footer>版权所有</footer></body></html>"""
    document = loaded(page, "a.html")
    assert document.title == "退货规则 | 帮助中心"
    assert outline(document.blocks) == ["# 退货规则", "七天\n无理由 退货。"]


def test_the_main_part_is_taken_where_the_page_names_one() -> None:
    page = f"<body><div>推荐商品</div><main><h2>说明</h2><p>{'正文。' * 100}</p></main><div>广告</div></body>"
    assert outline(blocks(page, "a.html")) == ["## 说明", "正文。" * 100]


def test_a_page_that_is_all_furniture_is_read_all_the_same() -> None:
    assert outline(blocks("<body><nav><p>只有导航</p></nav></body>", "a.html")) == ["只有导航"]


def test_lists_keep_their_numbers_and_depth() -> None:
    page = "<ol><li>登录<li>提交<ul><li>附件</li><li>说明</li></ul></li></ol>"
    assert blocks(page, "a.html") == [Text("1. 登录\n2. 提交\n  - 附件\n  - 说明")]


def test_spanning_cells_are_filled_in_headers_and_downwards() -> None:
    page = """<table><caption>价格</caption>
    <tr><th rowspan=2>商品</th><th colspan=2>价格</th></tr><tr><th>国内</th><th>海外</th></tr>
    <tr><td rowspan=2>耳机</td><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>"""
    assert blocks(page, "a.html") == [
        Text("价格"),
        Table(
            ("商品", "价格 国内", "价格 海外"),
            (("耳机", "1", "2"), ("耳机", "3", "4")),
            row_numbers=(3, 4),
        ),
    ]


def test_tables_that_only_place_things_are_running_text() -> None:
    page = "<table><tr><td><h2>标题</h2><p>正文</p></td><td><table><tr><td>里面</td></tr></table></td></tr></table>"
    assert outline(blocks(page, "a.html")) == ["## 标题", "正文", "里面"]


def test_a_sheet_exported_as_html_under_an_excel_name_is_a_table() -> None:
    page = "<html><meta charset=gb2312><table><tr><td>货号<td>库存<tr><td>A-1<td>20</table></html>"
    assert tables(page.encode("gb18030"), "库存.xls")[0].rows == (("A-1", "20"),)


def test_preformatted_code_keeps_its_lines() -> None:
    assert blocks("<pre><code>if x:\n    y()</code></pre>", "a.html") == [Text("```\nif x:\n    y()\n```")]


def test_headings_inside_links_and_pictures_are_counted() -> None:
    document = loaded('<h2><a href="#">链接标题</a></h2><p>文<img src=a.png alt="图"></p>', "a.html")
    assert list(document.blocks) == [Heading(2, "链接标题"), Text("文")]
    assert document.notes == ("1 picture was not read; text in pictures is not found.",)


def test_pages_nested_without_end_are_read() -> None:
    assert outline(blocks("<div>" * 30_000 + "深" + "</div>" * 30_000, "a.html")) == ["深"]
    assert loaded("<table><tr><td>" * 2000 + "深", "a.html").blocks
    assert loaded("<ul><li>项" * 2000, "a.html").blocks
