"""The console's pages from the outside: what they show, to whom, in which language, and what they refuse."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from string import Formatter
from urllib.parse import quote

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser
from selectolax.lexbor import LexborNode as Node

from app import console
from app.console.highlight import pieces
from app.console.texts import catalog
from app.identity.access import COOKIE
from app.identity.keys import Scope
from app.jobs.queue import MemoryQueue
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.products import FEES, RETURNS, settings_for, take_in

FOLDER = Path(console.__file__).parent
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
NAVIGATION = ["/console", "/console/studio", "/console/keys", "/", "/docs"]
REASONS = ("encrypted", "empty", "needs_ocr", "unsupported", "too_large", "corrupt")


@asynccontextmanager
async def served(data: Path, **overrides: object) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(embedder=HashingEmbedder(), vectors=MemoryVectors(), queue=MemoryQueue())
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


async def see(http: httpx.AsyncClient, path: str, *, status: int = 200) -> HTMLParser:
    answer = await http.get(path)
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"].startswith("text/html")
    return HTMLParser(answer.text)


def one(page: HTMLParser | Node, selector: str) -> Node:
    found = page.css_first(selector)
    assert found is not None, f"{selector} is not on the page"
    return found


def words(page: HTMLParser | Node, selector: str = "main") -> str:
    return " ".join(one(page, selector).text(separator=" ").split())


async def refused(services: Services, name: str, reason: str) -> str:
    """A document that a run ended with this reason."""
    base = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
    versions = services.parts.versions
    document_id, _ = await versions.receive(base, name, content_hash="0" * 64, size=1)
    claim = await versions.claim(document_id, "test")
    assert claim is not None
    await versions.fail(claim, reason, "The loader's own words.")
    return document_id


# --- knowledge bases ---


async def test_a_newcomer_is_told_the_first_step_and_how_answers_are_made(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        page = await see(http, "/console")
        assert "先建一个知识库" in words(page)
        assert "未配置大模型" in words(page)
        assert "COPILOT_MODEL_BASE_URL" in words(page)
        assert "本机免密钥" in words(page)
        assert [link.attributes["href"] for link in page.css(".nav a")] == NAVIGATION


async def test_a_knowledge_base_is_created_shown_and_deleted_by_typing_its_name(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await http.post("/console/kb", data={"name": "店铺 规则"})
        assert made.status_code == 303
        assert "还没有文档" in words(await see(http, made.headers["location"]))
        await take_in(services, "店铺 规则", "费用.md", FEES)
        await take_in(services, "店铺 规则", "坏.pdf", b"%PDF-1.7 torn")
        card = words(await see(http, "/console"), ".base")
        assert "2 份文档" in card
        assert "1 份失败" in card
        assert HashingEmbedder().model_id in card

        path = f"/console/kb/{quote('店铺 规则')}/delete"
        wrong = await http.post(path, data={"confirm": "店铺"})
        assert wrong.status_code == 422
        assert "没有删除任何内容" in wrong.text
        assert len(await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT)) == 1
        gone = await http.post(path, data={"confirm": " 店铺 规则 "})
        assert gone.status_code == 303
        assert "知识库已删除" in words(await see(http, gone.headers["location"]))
        assert await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT) == []


@pytest.mark.parametrize(
    ("name", "sentence"), [("shop", "已经有叫“shop”的知识库了"), ("/", "名称不能为空"), (" ", "名称不能为空")]
)
async def test_a_name_that_cannot_be_used_is_explained_where_it_was_typed(
    tmp_path: Path, name: str, sentence: str
) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        answer = await http.post("/console/kb", data={"name": name})
        assert answer.status_code == 422
        page = HTMLParser(answer.text)
        assert sentence in words(page, "#create .problem")
        assert one(page, "#create input[name=name]").attributes["value"] == name
        assert "data-open-now" in one(page, "#create").attributes


async def test_a_knowledge_base_of_another_embedding_model_says_that_it_cannot_be_searched(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.catalog.create_knowledge_base(DEFAULT_TENANT, "old", embedding_model="other-1")
        assert "另一个嵌入模型" in words(await see(http, "/console"), ".base .note")
        assert "另一个嵌入模型" in words(await see(http, "/console/kb/old/search?q=x"), ".note.bad")


# --- documents ---


async def test_the_list_shows_each_document_with_its_type_size_status_and_chunks(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        live = await take_in(services, "shop", "规则/费用.md", FEES)
        row = one(await see(http, "/console/kb/shop"), f"tr[data-document='{live.id}']")
        assert row.attributes["data-status"] == "live"
        cells = " ".join(row.text(separator=" ").split())
        assert all(part in cells for part in ("规则/", "费用.md", "Markdown", "已生效", str(live.chunks)))
        assert one(row, "th a").attributes["href"] == f"/console/documents/{live.id}"


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_a_failure_is_a_sentence_in_the_readers_language_beside_its_code(
    tmp_path: Path, reason: str, language: str
) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", language)
        document_id = await refused(services, "a.bin", reason)
        for path in ("/console/kb/shop", f"/console/documents/{document_id}"):
            shown = words(await see(http, path), ".reason")
            assert catalog()[f"reason.{reason}"][language] in shown  # type: ignore[index]
            assert shown.endswith(reason)
        assert "The loader's own words." in words(await see(http, f"/console/documents/{document_id}"), ".notes")


async def test_a_failed_new_version_says_that_the_old_one_still_answers(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.pdf", FEES)
        failed = await take_in(services, "shop", "费用.pdf", b"%PDF-1.7 torn")
        page = await see(http, "/console/kb/shop")
        assert "旧版本（第 1 版）仍在使用" in words(page, f"tr[data-document='{failed.id}']")
        assert "佣金" in words(await see(http, f"/console/documents/{failed.id}"), ".chunks")


async def test_the_list_is_filtered_by_status_and_name_and_paged_by_fifty(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        base = await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        for number in range(52):
            await services.parts.versions.receive(base, f"notice-{number:02}.txt", content_hash=f"{number:064}", size=9)
        await take_in(services, "shop", "费用.md", FEES)
        await refused(services, "torn.pdf", "corrupt")
        first = await see(http, "/console/kb/shop")
        counts = [" ".join(link.text(separator=" ").split()) for link in first.css(".segments a")]
        assert counts == ["全部 54", "处理中 52", "已生效 1", "失败 1"]
        assert len(first.css("tbody tr")) == 50
        assert "第 1–50 条，共 54 条" in words(first, ".pager")
        second = await see(http, one(first, ".pager a[rel=next]").attributes["href"] or "")
        assert len(second.css("tbody tr")) == 4
        beyond = await see(http, "/console/kb/shop?page=99")
        assert len(beyond.css("tbody tr")) == 4
        assert words(await see(http, "/console/kb/shop?status=failed"), "tbody th") == "torn.pdf"
        named = await see(http, "/console/kb/shop?q=notice-0&status=active")
        assert len(named.css("tbody tr")) == 10
        assert "没有符合条件的文档" in words(await see(http, "/console/kb/shop?q=nothing"))


async def test_only_a_list_with_work_under_way_asks_to_be_refreshed(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        assert "data-active" not in one(await see(http, "/console/kb/shop"), "#documents").attributes
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        document_id, _ = await services.parts.versions.receive(base, "b.md", content_hash="1" * 64, size=9)
        claim = await services.parts.versions.claim(document_id, "test")
        assert claim is not None
        await services.parts.versions.progress(claim, "embedding", 45)
        page = await see(http, "/console/kb/shop")
        assert "data-active" in one(page, "#documents").attributes
        assert one(page, f"tr[data-document='{document_id}'] progress").attributes["value"] == "45"
        assert "向量化 45%" in words(page, f"tr[data-document='{document_id}']")
        assert "data-active" in one(await see(http, f"/console/documents/{document_id}"), "#document").attributes


async def test_a_failed_document_is_tried_again_and_a_deleted_one_is_gone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        failed = await take_in(services, "shop", "torn.pdf", b"%PDF-1.7 torn")
        listed = "/console/kb/shop?status=failed&q=&page=1"
        retried = await http.post(f"/console/documents/{failed.id}/reingest", data={"next": listed})
        assert (retried.status_code, retried.headers["location"]) == (303, listed)
        assert "等待处理" in words(await see(http, "/console/kb/shop"), "tbody tr")
        deleted = await http.post(f"/console/documents/{failed.id}/delete", data={"next": listed})
        assert deleted.status_code == 303
        assert "还没有文档" in words(await see(http, "/console/kb/shop"))
        assert "已经删除" in words(await see(http, f"/console/documents/{failed.id}"))
        assert "没有这份文档" in words(await see(http, "/console/documents/none", status=404))


# --- one document ---


def long_document(sections: int) -> str:
    return "# 手册\n\n" + "\n\n".join(
        f"## 第{n}条\n\n" + f"第{n}条的规定是编号{n}的说明。" * 20 for n in range(1, sections + 1)
    )


async def test_a_document_shows_its_chunks_in_reading_order_with_their_place(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", long_document(60))
        page = await see(http, f"/console/documents/{document.id}")
        assert [node.text() for node in page.css(".chunk-number")] == [f"#{n}" for n in range(1, 51)]
        assert "手册 > 第1条" in words(page, ".chunk-heading")
        assert re.search(r"约 \d+ 字", words(page, ".chunk"))
        facts = words(page, ".facts")
        assert all(part in facts for part in ("Markdown", "第 1 版", str(document.chunks)))


async def test_a_link_to_a_chunk_opens_the_page_it_is_on(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "手册.md", long_document(60))
        _, last = await services.knowledge.chunks(DEFAULT_TENANT, document.id, limit=1, offset=55)
        page = await see(http, f"/console/documents/{document.id}?chunk={last[0].id}")
        assert one(page, ".chunk.target").attributes["id"] == last[0].id
        assert words(page, ".chunk-number") == "#51"
        gone = await see(http, f"/console/documents/{document.id}?chunk=feedbeef")
        assert "已不在当前版本里" in words(gone)
        assert words(gone, ".chunk-number") == "#1"


# --- hit test ---


async def test_the_hit_test_shows_scores_matches_timings_and_the_verdict(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        page = await see(http, f"/console/kb/shop/search?q={quote('旗舰店的保证金是多少？')}&limit=5")
        hit = one(page, ".hit")
        assert "费用.md" in words(hit, ".hit-name")
        assert {mark.text() for mark in hit.css(".chunk-text mark")} == {"旗舰店保证金", "保证金"}
        assert len(hit.css(".score")) == 3
        assert "第 1 名" in words(hit, ".scores")
        assert float(one(hit, ".meter.lexical .level").attributes["width"] or 0) == 100
        link = one(hit, ".hit-name a").attributes["href"] or ""
        target = one(await see(http, link.partition("#")[0]), ".chunk.target").attributes["id"]
        assert link.endswith(f"#{target}")
        assert all(part in words(page, ".timings") for part in ("向量化", "语义检索", "关键词检索", "合计", "ms"))
        assert one(page, ".verdict").attributes["data-answerable"] == "true"
        assert "会回答" in words(page, ".verdict")


async def test_the_hit_test_gives_the_verdict_the_chat_gives(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        for question in ("旗舰店的保证金是多少？", "无人机可以寄到火星吗？"):
            asked = await http.post("/v1/chat", json={"question": question, "stream": False, "kb": ["shop"]})
            page = await see(http, f"/console/kb/shop/search?q={quote(question)}")
            shown = one(page, ".verdict").attributes["data-answerable"]
            assert shown == str(not asked.json()["refused"]).lower(), question
        assert "如实说" in words(page, ".verdict")
        page = await see(http, f"/console/kb/shop/search?q={quote('HB-KT-9999 旗舰店的保证金是多少？')}")
        assert "资料里没有这个编号：hb-kt-9999" in words(page, ".verdict")


async def test_the_hit_test_of_an_empty_knowledge_base_finds_nothing_and_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        assert (await see(http, "/console/kb/shop/search")).css_first("#results") is None
        assert "没有找到任何片段" in words(await see(http, "/console/kb/shop/search?q=what"))


@pytest.mark.parametrize(
    ("text", "question", "matched"),
    [
        ("旗舰店保证金为 50000 元", "保证金是多少", ["保证金"]),
        ("Refunds, seller's fees", "refund fee", ["Refunds", "fees"]),
        ("首重 1,299.00 元", "1299 元", ["1,299.00", "元"]),
        ("型号 HB-KT-2048。", "hbkt2048 有货吗", ["HB-KT-2048"]),
        ("ＡＢＣ 全角", "abc", ["ＡＢＣ"]),
        ("没有相同的词", "完全无关", []),
        ("", "什么", []),
    ],
)
def test_matches_are_laid_back_onto_the_original_text(text: str, question: str, matched: list[str]) -> None:
    found = pieces(text, question)
    assert "".join(piece.text for piece in found) == text
    assert [piece.text for piece in found if piece.matched] == matched


# --- hostile content ---


async def test_names_and_texts_of_documents_never_become_markup(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        name = HOSTILE.replace("/", "⁄") + '" autofocus onfocus="alert(3)'
        text = f"# {HOSTILE}\n\n{HOSTILE} 保证金 {{{{ 7 * 7 }}}} </script></textarea>" + "保证金。" * 20
        document = await take_in(services, "shop", name, text)
        await refused(services, f"{name}.pdf", HOSTILE)
        for path in (
            "/console/kb/shop",
            f"/console/kb/shop?q={quote(HOSTILE)}",
            f"/console/documents/{document.id}",
            f"/console/kb/shop/search?q={quote('保证金' + HOSTILE)}",
        ):
            page = await see(http, path)
            assert page.css("main img, main script, main [onfocus], main [onerror]") == []
            assert [script.attributes.get("src") for script in page.css("script:not([type='application/json'])")] != []
            assert all(script.attributes.get("src") for script in page.css("script:not([type='application/json'])"))
            assert "49" not in words(page, "main").split()
        assert name in one(await see(http, f"/console/documents/{document.id}"), "h1").text()


async def test_every_page_forbids_inline_scripts_styles_and_framing(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        for path in ("/console", "/console/kb/shop", "/console/keys", "/console/login", "/console/none"):
            answer = await http.get(path)
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            page = HTMLParser(answer.text)
            assert page.css("[style], style, [onclick], [onsubmit], [onchange]") == []


# --- access ---


async def test_without_a_key_every_page_leads_to_the_sign_in_and_back(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        _, token = await services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.ADMIN)
        away = await http.get("/console/keys?x=1")
        assert away.status_code == 303
        assert away.headers["location"] == "/console/login?next=%2Fconsole%2Fkeys%3Fx%3D1"
        form = await see(http, away.headers["location"])
        assert one(form, "main input[name=next]").attributes["value"] == "/console/keys?x=1"
        signed = await http.post("/console/login", data={"key": f" {token} ", "next": "/console/keys?x=1"})
        assert (signed.status_code, signed.headers["location"]) == (303, "/console/keys?x=1")
        cookie = signed.headers["set-cookie"].lower()
        assert all(part in cookie for part in (f"{COOKIE}=sk_", "httponly", "samesite=strict", "path=/"))
        assert "secure" not in cookie
        assert "当前登录" in words(await see(http, "/console/keys"))
        left = await http.post("/console/logout")
        assert left.headers["location"] == "/console/login"
        assert (await http.get("/console")).status_code == 303


async def test_over_https_the_cookie_stays_there(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        _, token = await services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.READ)
        signed = await http.post("https://127.0.0.1:8000/console/login", data={"key": token})
        assert "secure" in signed.headers["set-cookie"].lower()


async def test_a_wrong_a_revoked_and_a_publishable_key_do_not_sign_in(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        key, token = await services.keys.issue(DEFAULT_TENANT, "old", scope=Scope.ADMIN)
        await services.keys.revoke(DEFAULT_TENANT, key.id)
        _, public = await services.keys.publish(DEFAULT_TENANT, "site", origins=["http://127.0.0.1:8000"])
        for wrong, sentence in (
            ("sk_no", "密钥不正确"),
            (token, "密钥不正确"),
            ("", "请输入密钥"),
            (public, "公开密钥不能登录"),
        ):
            answer = await http.post("/console/login", data={"key": wrong}, headers={"Origin": "http://127.0.0.1:8000"})
            assert answer.status_code == 401
            assert sentence in words(HTMLParser(answer.text), ".problem")
            assert "set-cookie" not in answer.headers


async def test_a_reader_sees_no_buttons_that_change_things_and_may_not_use_their_addresses(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        document = await take_in(services, "shop", "费用.md", FEES)
        _, token = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        http.cookies.set(COOKIE, token)
        for path in ("/console", "/console/kb/shop", f"/console/documents/{document.id}"):
            page = await see(http, path)
            assert page.css("main form[method=post], #upload, dialog form") == []
            assert page.css(".nav a[href='/console/keys']") == []
        for path in ("/console/kb", "/console/kb/shop/delete", f"/console/documents/{document.id}/delete"):
            answer = await http.post(path, data={"name": "x", "confirm": "shop"})
            assert answer.status_code == 403
            assert "没有权限" in words(HTMLParser(answer.text))
        assert "没有权限" in words(await see(http, "/console/keys", status=403))
        assert len(await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT)) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
async def test_another_sites_form_changes_nothing(tmp_path: Path, headers: dict[str, str]) -> None:
    async with served(tmp_path) as (http, services):
        document = await take_in(services, "shop", "费用.md", FEES)
        _, token = await services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.ADMIN)
        http.cookies.set(COOKIE, token)
        forged = {
            "/console/kb": {"name": "forged"},
            "/console/kb/shop/delete": {"confirm": "shop"},
            f"/console/documents/{document.id}/delete": {},
            "/console/keys": {"name": "forged", "scope": "admin"},
        }
        for path, data in forged.items():
            answer = await http.post(path, data=data, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"].startswith("text/html")
        assert [kb.name for kb in await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT)] == ["shop"]
        assert (await services.knowledge.catalog.document(DEFAULT_TENANT, document.id)).status.value == "live"
        assert len(await services.keys.list(DEFAULT_TENANT)) == 1
        for path, data in (
            ("/console/login", {"key": token}),
            ("/console/logout", {}),
            ("/console/language", {"to": "en"}),
        ):
            assert "set-cookie" not in (await http.post(path, data=data, headers=headers)).headers


async def test_a_link_from_another_site_arrives_through_a_page_that_asks_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        answer = await http.get("/console/keys?x=1", headers=foreign)
        assert answer.status_code == 200
        assert one(HTMLParser(answer.text), "meta[http-equiv]").attributes["content"] == "0; url=/console/keys?x=1"
        assert "新建私密密钥" not in answer.text


async def test_a_revoked_key_in_the_cookie_does_not_lock_its_owner_out_of_their_own_machine(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        http.cookies.set(COOKIE, "sk_revoked", domain="127.0.0.1", path="/")
        away = await http.get("/console")
        back = await http.get(away.headers["location"])
        assert (back.status_code, back.headers["location"]) == (303, "/console")
        assert (await http.get("/console")).status_code == 200


@pytest.mark.parametrize(
    "next_",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/v1/keys", "javascript:alert(1)", "/console\n"],
)
async def test_the_way_back_never_leaves_the_console(tmp_path: Path, next_: str) -> None:
    async with served(tmp_path) as (http, services):
        _, token = await services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.READ)
        signed = await http.post("/console/login", data={"key": token, "next": next_})
        assert signed.headers["location"] == "/console"


async def test_an_expired_session_sends_a_live_list_to_the_sign_in(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, _):
        answer = await http.get("/console/kb/shop", headers={"HX-Request": "true"})
        assert answer.headers["hx-redirect"] == "/console/login?next=%2Fconsole%2Fkb%2Fshop"


# --- keys ---


async def test_a_secret_key_is_shown_once_and_works_until_it_is_revoked(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        answer = await http.post("/console/keys", data={"kind": "secret", "name": "订单系统", "scope": "write"})
        token = words(HTMLParser(answer.text), "#new-key")
        assert (await services.keys.recognise(token, origin=None)).scope is Scope.WRITE
        listed = await http.get("/console/keys")
        assert token not in listed.text
        row = one(HTMLParser(listed.text), "tr[data-key]")
        assert "订单系统" in words(row, "th")
        revoked = await http.post(f"/console/keys/{row.attributes['data-key']}/revoke")
        assert revoked.headers["location"] == "/console/keys"
        assert "已吊销" in words(await see(http, "/console/keys"), "tr[data-key]")
        again = await http.post(f"/console/keys/{row.attributes['data-key']}/revoke")
        assert (again.status_code, "已经吊销" in again.text) == (404, True)


async def test_a_publishable_key_comes_with_the_line_to_embed(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        answer = await http.post(
            "/console/keys",
            data={"kind": "publishable", "name": "官网", "origins": "https://shop.example\r\nhttps://*.shop.example, "},
        )
        token = words(HTMLParser(answer.text), "#new-key")
        line = f'<script src="http://127.0.0.1:8000/widget.js" data-key="{token}" async></script>'
        assert words(HTMLParser(answer.text), "#new-snippet") == line
        assert await services.keys.recognise(token, origin="https://a.shop.example")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"kind": "publishable", "name": "x", "origins": ""}, "请至少填一个网站"),
        ({"kind": "publishable", "name": "x", "origins": "shop.example"}, "有一行不是网站地址"),
        ({"kind": "secret", "name": " ", "scope": "read"}, "名称不能为空"),
    ],
)
async def test_a_key_that_cannot_be_made_is_explained_in_its_form(
    tmp_path: Path, data: dict[str, str], sentence: str
) -> None:
    async with served(tmp_path) as (http, services):
        answer = await http.post("/console/keys", data=data)
        assert answer.status_code == 422
        assert sentence in words(HTMLParser(answer.text), "details[open] .problem")
        assert await services.keys.list(DEFAULT_TENANT) == []


# --- language, texts, files ---


async def test_the_language_is_the_browsers_until_one_is_chosen(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        for accepted, shown in (
            ("en-US,en;q=0.9", "en"),
            ("zh-TW,zh;q=0.9,en;q=0.8", "zh-CN"),
            ("fr;q=0.9, en;q=0.5", "en"),
            ("de", "zh-CN"),
            ("en;q=broken, zh;q=0", "zh-CN"),
        ):
            answer = await http.get("/console", headers={"Accept-Language": accepted})
            assert one(HTMLParser(answer.text), "html").attributes["lang"] == shown, accepted
        chosen = await http.post("/console/language", data={"to": "en", "next": "/console/keys"})
        assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/keys")
        assert one(await see(http, "/console/keys"), "html").attributes["lang"] == "en"


async def test_english_pages_have_no_chinese_left(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", "en")
        document = await take_in(
            services, "shop", "fees.md", "# Fees\n\nThe deposit is 300 dollars for flagship shops."
        )
        for reason in REASONS:
            await refused(services, f"{reason}.pdf", reason)
        await services.keys.issue(DEFAULT_TENANT, "order system", scope=Scope.READ)
        for path in (
            "/console", "/console/kb/shop", "/console/kb/shop?q=none", "/console/kb/shop/search?q=deposit",
            "/console/kb/shop/search?q=martian", f"/console/documents/{document.id}", "/console/keys", "/console/login",
        ):  # fmt: skip
            page = await see(http, path)
            for switch in page.css("form[data-language], script"):
                switch.decompose()
            assert re.findall(r"[\u3000-\u9fff]", page.html or "") == [], path
        assert "There is no such page" in words(await see(http, "/console/none", status=404))


def test_both_languages_say_the_same_things_with_the_same_values() -> None:
    for key, entry in catalog().items():
        assert set(entry) == {"zh", "en"}, key
        english = entry["en"] if isinstance(entry["en"], list) else [entry["en"]]
        chinese = entry["zh"]
        assert isinstance(chinese, str)
        assert chinese.strip(), key
        assert all(text.strip() for text in english), key
        for text in english:
            extra = _fields(text) - _fields(chinese)
            assert not extra, key
        assert _fields(english[-1]) == _fields(chinese), key


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_text_is_used_and_every_used_text_exists() -> None:
    sources = [
        file for file in FOLDER.rglob("*") if file.suffix in (".html", ".js", ".py") and "vendor" not in file.parts
    ]
    everything = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    called = set(re.findall(r"""(?:\bt|say)\((?:language, )?["']([a-z_0-9.]+)["'][,)]""", everything))
    assert called - set(catalog()) == set()
    named = called | set(re.findall(r"""["']([a-z_0-9]+(?:\.[a-z_0-9]+)+)["']""", everything))
    by_value = r"(reason|error|status|stage|problem|login|js\.theme)\.\w+|keys\.(scope|kind)_\w+|search\.\w+_title"
    by_value += r"|documents\.(all|active|live|failed)|search\.(embed|dense_time|lexical_time|total)"
    by_value += r"|(kind|kind_text|field|hint|option|about|value|note|state|queue)\..+|studio\.in_\w+"
    by_value += r"|review\.(all|pending|approved|rejected)|jobs\.(all|waiting|active|succeeded|failed)"
    assert {key for key in catalog() if key not in named and not re.fullmatch(by_value, key)} == set()


def test_every_reason_and_every_code_a_page_can_meet_has_a_sentence() -> None:
    assert {f"reason.{reason}" for reason in REASONS} <= set(catalog())
    root = FOLDER.parent.parent
    sources = [root / "app/identity", root / "app/console", root / "app/services.py", root / "knowledge"]
    files = [file for source in sources for file in ([source] if source.is_file() else source.rglob("*.py"))]
    codes = {code for file in files for code in re.findall(r'code="([a-z_]+)"', file.read_text(encoding="utf-8"))}
    elsewhere = {"setting_missing", "embedding_model_missing"}  # raised at start-up, before there is a page
    missing = {code for code in codes - elsewhere if f"error.{code}" not in catalog()}
    assert missing == set()


async def test_the_consoles_files_are_served_and_nothing_beside_them(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, _):
        for name, media_type in (
            ("console.css", "text/css"),
            ("upload.js", "text/javascript"),
            ("icon.svg", "image/svg"),
        ):
            answer = await http.get(f"/console/static/{name}")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(media_type)
        for name in ("../texts.json", "..%2ftexts.json", "%2e%2e/guard.py", "vendor", "none.js"):
            assert (await http.get(f"/console/static/{name}")).status_code in (303, 404)


def test_the_vendored_htmx_is_the_published_one() -> None:
    vendor = FOLDER / "static" / "vendor"
    (line,) = [
        line for line in (vendor / "VERSIONS.txt").read_text(encoding="utf-8").splitlines() if "htmx.min.js " in line
    ]
    assert line.split()[-1] == hashlib.sha256((vendor / "htmx.min.js").read_bytes()).hexdigest()
    assert (vendor / "LICENSE-htmx.txt").read_text(encoding="utf-8").startswith("Zero-Clause BSD")
