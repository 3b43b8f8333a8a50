"""Who may see and do what in the console, and what hostile names, texts and sites cannot do."""

from pathlib import Path
from unittest.mock import AsyncMock, Mock
from urllib.parse import quote

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser
from sqlalchemy.exc import OperationalError

from app.identity.access import COOKIE
from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import HOSTILE, one, refused, see, served, words
from tests.products import FEES, take_in

# hostile content


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


# a database that is away


@pytest.mark.parametrize("keys_required", [False, True])
async def test_a_database_that_is_away_is_told_on_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, keys_required: bool
) -> None:
    async with served(tmp_path, require_keys=keys_required) as (http, services):
        _, token = await services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.ADMIN)
        http.cookies.set(COOKIE, token)
        away = OperationalError("SELECT", {}, Exception("database is locked"))
        for coroutine in ("rows", "apply"):
            monkeypatch.setattr(services.parts.database, coroutine, AsyncMock(side_effect=away))
        for scope in ("read", "write"):
            monkeypatch.setattr(services.parts.database, scope, Mock(side_effect=away))
        page = await see(http, "/console", status=503)
        assert "数据库暂时没有响应" in words(page)


# access


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
