"""Where chunks stand in their original, looked for in the words of both."""

from ingest.blocks import LoadedDocument, Table, Text
from ingest.chunk import chunk
from ingest.shown import ShownLine
from ingest.whereabouts import Read, of_lines, of_spots, spots
from tests.ingest.loaders.made import loaded


def reads(document: LoadedDocument) -> list[Read]:
    chunks = chunk(document, document_id="d")
    return [Read(each.text, (each.ordinal,), each.place.page) for each in chunks]


def test_every_sentence_and_row_of_a_document_is_in_a_chunk_that_says_it() -> None:
    rules = "\n\n".join(f"第 {n} 条的规定是编号 {n} 的说明。超过的部分另行计算，详见附表 {n}。" for n in range(60))
    rows = "\n".join(f"| A-{n:03} | 台灯 | {90 + n} |" for n in range(60))
    document = loaded(f"# 规则\n\n{rules}\n\n## 价目\n\n| 款号 | 品名 | 价格 |\n|---|---|---|\n{rows}\n", "a.md")
    chunks = reads(document)
    found = spots(document.blocks)
    for spot, inside in zip(found, of_spots(found, chunks), strict=True):
        assert inside, spot
        if spot.kind in ("text", "row"):
            assert all(cell in chunks[number].text for cell in spot.cells for number in inside)


def test_rows_that_say_the_same_stand_each_in_its_own_chunk() -> None:
    table = Table(("品名", "备注"), tuple((f"第{n // 40}类台灯", "现货，48 小时内发货") for n in range(400)))
    document = LoadedDocument("text/csv", (table,))
    chunks = reads(document)
    where = of_spots(spots(document.blocks), chunks)
    for number, inside in zip(range(400), where[1:], strict=True):
        assert inside
        assert f"第{number // 40}类台灯" in chunks[inside[0]].text
    assert {inside[0] for inside in where[1:]} == set(range(len(chunks)))


def test_the_texts_of_a_blocks_spots_are_its_text() -> None:
    text = "第一句。第二句！  \n  缩进的一行，没有句号\n\nThe end. Really?"
    assert "".join(cell for spot in spots([Text(text)]) for cell in spot.cells) == text


def line(text: str) -> ShownLine:
    return ShownLine(text, 0, 0, 10, 10)


def test_lines_of_a_page_are_in_its_own_chunks_only_and_cells_in_one_row() -> None:
    chunks = [
        Read("退回运费由买家承担，\n赠品一并退回。", (0,), 1),
        Read("代码: US-W1；所在地: 美国加州\n代码: DE-1；所在地: 德国", (1,), 1),
        Read("退回运费由买家承担，", (2,), 3),
    ]
    page = [line("退回运费由买家 承担，赠品"), line("US-W1 美国加州"), line("US-W1 德国"), line("第 1 页")]
    assert of_lines(page, 1, chunks) == [(0,), (1,), (), ()]
    assert of_lines([line("退回运费由买家承担，")], 3, chunks) == [(2,)]
