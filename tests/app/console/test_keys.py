"""Keys in the console: shown once, revoked, embedded, refused."""

from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import one, see, served, words


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
