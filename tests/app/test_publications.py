"""Undoing what was published in a knowledge base: as it was published, and with answers, kept answers and radar."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from knowledge.tables import document_versions
from tests.app.jobs_api.calls import served, two_tenants, work
from tests.products import FEES, RETURNS, take_in

DEARER = FEES.replace("50000", "60000")
DEAREST = FEES.replace("50000", "70000")
SLOWER = RETURNS.replace("3 个工作日", "9 个工作日")
AGAINST = "# 费用\n\n旗舰店保证金为 80000 元。\n"


async def apart(services: Services) -> None:
    """What was published so far was published an hour earlier."""
    at = document_versions.c.published_at
    async with services.parts.database.write() as connection:
        rows = (await connection.execute(select(document_versions))).all()
        for row in rows:
            mine = (document_versions.c.document_id == row.document_id) & (document_versions.c.number == row.number)
            earlier = update(document_versions).where(mine).values({at: row.published_at - timedelta(hours=1)})
            await connection.execute(earlier)


async def undo(http: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await http.post("/v1/knowledge-bases/shop/undo", json=body)
    assert answer.status_code == 200, answer.text
    return {name: answer.json()[name] for name in ("restored", "withdrawn", "left")}


async def answer(http: httpx.AsyncClient, question: str = "旗舰店的保证金是多少？") -> dict[str, Any]:
    told = await http.post("/v1/chat", json={"question": question, "kb": ["shop"], "stream": False})
    return dict(told.json())


async def test_undoing_takes_back_all_that_was_published_together_and_again_what_was_before(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        await apart(services)
        await take_in(services, "shop", "费用.md", DEARER)
        await take_in(services, "shop", "退货.md", SLOWER)
        new = await take_in(services, "shop", "新规.md", "# 新规\n\n旗舰店可以延期 15 天。\n")
        listed = (await http.get("/v1/knowledge-bases/shop/publications")).json()["publications"]
        assert [(each["total"], each["undoable"], each["restored"]) for each in listed] == [
            (3, 3, False),
            (2, 0, False),
        ]
        assert {each["name"]: each["back_to"] for each in listed[0]["documents"]} == {
            "费用.md": 1,
            "退货.md": 1,
            "新规.md": 0,
        }
        assert "60000" in (await answer(http))["answer"]

        assert await undo(http) == {"restored": 2, "withdrawn": 1, "left": 0}
        assert "50000" in (await answer(http))["answer"]
        assert "9 个工作日" not in (await answer(http, "质检通过后几个工作日退款？"))["answer"]
        gone = (await http.get(f"/v1/documents/{new.id}")).json()
        assert (gone["status"], gone["reason"], gone["answers"]) == ("failed", "withdrawn", False)
        await work(services, "ingest")
        assert await undo(http) == {"restored": 0, "withdrawn": 2, "left": 0}
        assert (await answer(http))["refused"]
        nothing = await http.post("/v1/knowledge-bases/shop/undo")
        assert (nothing.status_code, nothing.json()["code"]) == (409, "no_publication_to_undo")


async def test_a_kept_answer_is_not_given_after_its_publication_was_undone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await apart(services)
        await take_in(services, "shop", "费用.md", DEARER)
        await answer(http)
        assert (await answer(http))["cached"] is not None
        await undo(http)
        fresh = await answer(http)
        assert "50000" in fresh["answer"]
        assert "60000" not in fresh["answer"]


async def test_what_was_withdrawn_contradicts_nothing_and_comes_back_when_it_is_processed_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await apart(services)
        wrong = await take_in(services, "shop", "旧费用.md", AGAINST)
        assert (await http.get("/v1/conflicts")).json()["total"] == 1
        await undo(http)
        assert (await http.get("/v1/conflicts")).json()["total"] == 0
        assert (await services.pipeline.sweep()) == 1
        assert (await http.post(f"/v1/documents/{wrong.id}/versions/1/restore")).status_code == 202
        assert (await http.get("/v1/conflicts")).json()["total"] == 1
        await work(services, "ingest")
        assert (await http.get(f"/v1/documents/{wrong.id}")).json()["status"] == "live"


async def test_what_was_published_again_since_is_left_and_an_undoing_can_be_undone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        await apart(services)
        await apart(services)
        await take_in(services, "shop", "费用.md", DEARER)
        await take_in(services, "shop", "退货.md", SLOWER)
        await apart(services)
        await take_in(services, "shop", "费用.md", DEAREST)
        _, middle, _ = (await http.get("/v1/knowledge-bases/shop/publications")).json()["publications"]
        assert (middle["total"], middle["undoable"]) == (2, 1)
        span = {"since": middle["since"], "until": middle["until"]}
        assert await undo(http, **span) == {"restored": 1, "withdrawn": 0, "left": 1}
        assert "70000" in (await answer(http))["answer"]

        back = (await http.get("/v1/knowledge-bases/shop/publications")).json()["publications"][0]
        assert back["restored"]
        assert await undo(http, since=back["since"], until=back["until"]) == {"restored": 1, "withdrawn": 0, "left": 0}
        assert "9 个工作日" in (await answer(http, "质检通过后几个工作日退款？"))["answer"]


async def test_everything_since_a_moment_is_undone_to_how_it_was_then(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await apart(services)
        for fees in (DEARER, DEAREST):
            await take_in(services, "shop", "费用.md", fees)
        first = (await http.get("/v1/knowledge-bases/shop/publications")).json()["publications"][0]
        assert await undo(http, since=first["since"]) == {"restored": 1, "withdrawn": 0, "left": 0}
        assert "50000" in (await answer(http))["answer"]


@pytest.mark.parametrize(("method", "path"), [("GET", "publications"), ("POST", "undo")])
async def test_publications_are_the_tenants_and_undoing_takes_a_key_that_may_write(
    tmp_path: Path, method: str, path: str
) -> None:
    async with two_tenants(tmp_path) as (call, services):
        await take_in(services, "shop", "费用.md", FEES)
        where = f"/v1/knowledge-bases/shop/{path}"
        assert (await call("other", method, where)).json()["code"] == "knowledge_base_not_found"
        assert (await call("read", method, where)).status_code == (200 if method == "GET" else 403)
        assert (await services.knowledge.search(DEFAULT_TENANT, "保证金", kbs=["shop"], limit=1)).passages
