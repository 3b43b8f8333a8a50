"""A document's page: the original beside its chunks, and what people do to them."""

import io
from pathlib import Path

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.identity.keys import Scope
from app.wiring import Services
from ingest.pipeline import indexed
from knowledge.chunk_edits import Laid
from knowledge.models import DEFAULT_TENANT, Chunk, Document
from tests.app.console.visits import HOSTILE, one, refused, see, served, words
from tests.app.test_chunk_edits import SECTIONS, text_of
from tests.ingest.loaders.made import pdf, picture_pdf, workbook
from tests.products import take_in

PAGES = [
    ["# 退货规则", *(f"第 {n} 条：签收后 {n} 天内可以无理由退货，赠品一并退回。" for n in range(1, 8))],
    ["# 费用", *(f"第 {n} 档：退回运费由买家承担，每单 {n} 元，偏远地区另计。" for n in range(11, 18))],
]


async def pane(http: httpx.AsyncClient, document: Document, number: int = 1) -> HTMLParser:
    return await see(http, f"/console/documents/{document.id}/original?page={number}")


async def ids_of(http: httpx.AsyncClient, document: Document, query: str = "") -> list[str]:
    page = await see(http, f"/console/documents/{document.id}{query}")
    return [chunk.attributes["id"] or "" for chunk in page.css(".chunk")]


def texts_of(pane: HTMLParser, chunk: str) -> str:
    return "".join(node.text() for node in pane.css(f"[data-chunks~='{chunk}']"))


# the original


async def test_what_was_read_is_shown_with_the_chunk_of_every_sentence_and_nothing_of_it_is_code(
    tmp_path: Path,
) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of(备注=f"`{HOSTILE}` 之外没有别的。"))
        shown = await pane(http, document)
        first, second, *_ = await ids_of(http, document)
        assert texts_of(shown, first).startswith("规则退货期限国内站订单")
        assert "退款时效仓库质检" in texts_of(shown, second)
        assert "onerror" in shown.text()
        assert shown.css("script, img, iframe, [onerror], [style]") == []


async def test_a_pdf_is_pages_as_pictures_with_its_lines_marked(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.pdf", pdf(PAGES))
        shown = await pane(http, document)
        first, second = await ids_of(http, document)
        assert [len(sheet.css(f"rect[data-chunks='{first}']")) for sheet in shown.css(".sheet")] == [8, 0]
        assert [len(sheet.css(f"rect[data-chunks='{second}']")) for sheet in shown.css(".sheet")] == [0, 8]
        for image in shown.css(".sheet img"):
            drawn = await http.get(image.attributes["src"] or "")
            assert drawn.headers["content-type"] == "image/webp"
            assert drawn.content[8:12] == b"WEBP"
        for number in ("0", "9", "x"):
            assert (await http.get(f"/console/documents/{document.id}/pages/{number}")).status_code in (404, 422)


async def test_a_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    from PIL import Image

    async with served(tmp_path) as (http, services):
        file = io.BytesIO()
        Image.new("RGB", (2400, 1200), "navy").save(file, "PNG")
        received = await take_in(services, "shop", "价目.png", file.getvalue())  # refused: nothing reads it here
        await services.parts.versions.reopen(received)
        claim = await services.parts.versions.claim(received.id, "test")
        assert claim is not None
        chunk = indexed(Chunk("c" * 24, received.id, 0, "台灯 99 元"), name="价目.png", title=None)
        await services.parts.versions.publish(claim, Laid([chunk]), {}, title=None, media_type="image/png", embedded=0)
        shown = await pane(http, received)
        drawn = await http.get(one(shown, ".sheet img").attributes["src"] or "")
        assert Image.open(io.BytesIO(drawn.content)).size == (1200, 600)
        assert one(shown, ".sheet svg").attributes["viewBox"] == "0 0 2400 1200"


async def test_a_sheet_shows_the_rows_of_the_chunks_beside_it_under_their_header(tmp_path: Path) -> None:
    rows = [
        ["款号", "品名", "说明"],
        *([f"T-{n:04}", f"台灯{n}", "现货，四十八小时内发货，节假日顺延。" * 4] for n in range(400)),
    ]
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "价目.xlsx", workbook({"价格": rows}))
        second = await pane(http, document, 2)
        chunks = await ids_of(http, document, "?page=2")
        assert [cell.text() for cell in second.css("tr:first-child th")][1:] == rows[0]
        named = {row.attributes["data-chunks"] for row in second.css("tr[data-chunks]")}
        assert named == set(chunks)
        page = await see(http, f"/console/documents/{document.id}?page=2")
        for chunk in page.css(".chunk"):
            shown = second.css_first(f"tr[data-chunks='{chunk.attributes['id']}'] td")
            assert shown is not None
            assert shown.text() in chunk.text()
        assert len(second.css("tr")) < 200


async def test_the_file_is_given_as_it_came_to_be_kept_and_not_opened(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        page = f"<html><body><p>规则</p>{HOSTILE}</body></html>"
        document = await take_in(services, "shop", "资料/规则.html", page)
        file = await http.get(f"/console/documents/{document.id}/file")
        assert file.content == page.encode()
        assert file.headers["content-type"] == "application/octet-stream"
        assert file.headers["content-disposition"].startswith("attachment;")
        assert file.headers["x-content-type-options"] == "nosniff"


async def test_a_document_without_an_original_to_show_says_why(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        failed = await services.knowledge.catalog.document(DEFAULT_TENANT, await refused(services, "a.pdf", "corrupt"))
        assert "处理失败" in words(await pane(http, failed), ".nothing")
        assert "处理失败" in words(await see(http, f"/console/documents/{failed.id}"), "#chunks .nothing")
        base = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        waiting, _ = await services.parts.versions.receive(base, "b.md", content_hash="1" * 64, size=9)
        assert "处理完成后" in words(await see(http, f"/console/documents/{waiting}/original"), ".nothing")
        gone = await take_in(services, "shop", "规则.md", text_of())
        await http.delete(f"/v1/documents/{gone.id}")
        assert (await see(http, f"/console/documents/{gone.id}")).css("#panes") == []
        assert (await http.get(f"/console/documents/{gone.id}/file")).status_code == 404
        lost = await take_in(services, "shop", "扫描.pdf", pdf(PAGES))
        services.files.path(DEFAULT_TENANT, lost.content_hash).write_bytes(b"%PDF-1.7 torn")
        assert "原文显示不出来" in words(await pane(http, lost), ".note")


async def test_a_scan_whose_lines_nobody_knows_is_shown_by_its_page(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "规则.pdf", pdf(PAGES))
        services.files.path(DEFAULT_TENANT, document.content_hash).write_bytes(picture_pdf())
        shown = await pane(http, document)
        assert [sheet.attributes["data-page"] for sheet in shown.css(".sheet")] == ["1"]
        assert shown.css("rect") == []
        page = await see(http, f"/console/documents/{document.id}")
        assert [chunk.attributes["data-page"] for chunk in page.css(".chunk")] == ["1", "2"]


async def test_originals_of_other_tenants_are_not_there(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        document = await take_in(services, "shop", "规则.pdf", pdf(PAGES))
        await services.parts.catalog.ensure_tenant("other", "Other")
        _, theirs = await services.keys.issue("other", "k", scope=Scope.ADMIN)
        http.headers["Authorization"] = f"Bearer {theirs}"
        for path in ("original", "pages/1", "file"):
            assert (await http.get(f"/console/documents/{document.id}/{path}")).status_code == 404


# what people do


async def sent(http: httpx.AsyncClient, path: str, **form: str) -> HTMLParser:
    answer = await http.post(f"/console/{path}", data=form, follow_redirects=True)
    assert answer.status_code == 200, answer.text[:500]
    return HTMLParser(answer.text)


async def taken(http: httpx.AsyncClient, services: Services) -> tuple[Document, list[str]]:
    document = await take_in(services, "shop", "规则.md", text_of())
    return document, await ids_of(http, document)


async def test_a_corrected_chunk_says_who_changed_it_and_what_it_was_and_is_a_version(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document, (first, *_) = await taken(http, services)
        page = await sent(http, f"chunks/{first}/text", text="签收后 15 天内\r\n可以退货。")
        chunk = one(page, ".chunk.target")
        assert one(chunk, ".chunk-text").text() == "签收后 15 天内\n可以退货。"
        assert "改过 本机" in words(chunk, ".chunk-edit")
        assert one(chunk, ".was").text().startswith(SECTIONS["退货期限"][:20])
        assert "修改片段" in words(page, "#versions")
        shown = await pane(http, document)
        assert "7 个自然日" in texts_of(shown, chunk.attributes["id"] or "")  # the original is what it was made from


async def test_chunks_are_split_merged_disabled_enabled_and_reverted_on_the_page(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document, before = await taken(http, services)
        halves = SECTIONS["退货期限"].partition("。")
        page = await sent(http, f"chunks/{before[0]}/split", text=f"{halves[0]}。", rest=halves[2])
        assert [node.text() for node in page.css(".chunk-text")][:2] == [f"{halves[0]}。", halves[2]]
        one_id, two_id, *_ = (chunk.attributes["id"] or "" for chunk in page.css(".chunk"))
        shown = await pane(http, document)
        assert "退回运费" not in texts_of(shown, one_id)
        assert texts_of(shown, two_id).startswith("退回运费")
        page = await sent(http, f"chunks/{one_id}/merge", following=two_id)
        merged = one(page, ".chunk")
        assert one(merged, ".chunk-text").text() == f"{halves[0]}。\n{halves[2]}"
        page = await sent(http, f"chunks/{merged.attributes['id']}/disable")
        off = one(page, ".chunk.off.target")
        assert "已停用" in words(off, ".chunk-edit")
        assert {form.attributes["data-act"] for form in off.css("form")} == {"enable", "revert"}
        page = await sent(http, f"chunks/{off.attributes['id']}/enable")
        assert page.css(".chunk.off") == []
        await sent(http, f"chunks/{one(page, '.chunk').attributes['id']}/revert")
        assert await ids_of(http, document) == before


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_who_was_too_late_reads_so_in_their_language(tmp_path: Path, language: str) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", language)
        _, (first, *_) = await taken(http, services)
        await sent(http, f"chunks/{first}/text", text="第一个人的话。")
        late = await http.post(f"/console/chunks/{first}/text", data={"text": "第二个人的话。"})
        assert late.status_code == 409
        sentence = one(HTMLParser(late.text), "[data-sentence]").text()
        assert ("请刷新页面" if language == "zh" else "changed or removed meanwhile") in sentence


async def test_edits_that_were_lost_are_listed_until_they_were_seen(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document, (*_, last) = await taken(http, services)
        await sent(http, f"chunks/{last}/text", text="保证金一律 10000 元。")
        await services.pipeline.run(document.id, owner="test")
        await take_in(services, "shop", "规则.md", text_of(保证金=SECTIONS["保证金"].replace("50000", "80000")))
        page = await see(http, f"/console/documents/{document.id}")
        assert "1 处修改已不适用" in words(page, "#lost-edits")
        assert "保证金一律 10000 元。" in words(page, "#lost-edits .was")
        assert (await sent(http, f"documents/{document.id}/lost-edits")).css("#lost-edits") == []


async def test_readers_and_documents_under_way_have_nothing_to_press(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        document = await take_in(services, "shop", "规则.md", text_of())
        keys = {
            scope: (await services.keys.issue(DEFAULT_TENANT, scope, scope=scope))[1]
            for scope in (Scope.READ, Scope.WRITE)
        }
        http.headers["Authorization"] = f"Bearer {keys[Scope.READ]}"
        page = await see(http, f"/console/documents/{document.id}")
        assert len(page.css(".chunk")) == 3
        assert page.css(".chunk form, [data-edit-chunk], #chunk-dialog") == []
        chunk = one(page, ".chunk").attributes["id"]
        assert (await http.post(f"/console/chunks/{chunk}/disable")).status_code == 403
        http.headers["Authorization"] = f"Bearer {keys[Scope.WRITE]}"
        assert (await see(http, f"/console/documents/{document.id}")).css(".chunk form") != []
        files = {"file": ("规则.md", text_of(保证金="另一种。" * 60).encode())}
        await http.post("/v1/knowledge-bases/shop/documents", files=files)
        assert (await see(http, f"/console/documents/{document.id}")).css(".chunk form") == []
        assert (await http.post(f"/console/chunks/{chunk}/disable")).status_code == 409


async def test_chunks_that_are_disabled_are_counted_and_linked_on_their_page(tmp_path: Path) -> None:
    long = "# 手册\n\n" + "\n\n".join(f"## 第{n}条\n\n" + f"第{n}条的规定是编号{n}的说明。" * 20 for n in range(1, 61))
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", long)
        (target, *_) = await ids_of(http, document, "?page=2")
        page = await sent(http, f"chunks/{target}/disable")
        assert words(page, ".chunk.target .chunk-number") == "#51"
        assert words(page, "#chunks .count") == str(document.chunks)
        again = await see(http, f"/console/documents/{document.id}?chunk={target}")
        assert one(again, ".chunk.target.off").attributes["id"] == target
        assert len((await see(http, f"/console/documents/{document.id}")).css(".chunk")) == 50
