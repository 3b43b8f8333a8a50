"""HTTP from the outside: uploads, streams, errors, and who may do what."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.chat import prompts
from app.chat.answerers import Answerer, ModelAnswerer
from app.identity.keys import Scope
from app.jobs.queue import MemoryQueue
from app.llm.ports import ModelUnavailable
from app.llm.scripted import ScriptedModel
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.products import FEES, RETURNS, settings_for, take_in


@asynccontextmanager
async def served(
    data: Path, *, answerer: Answerer | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    app = create_app(
        settings_for(data, **overrides),
        twins=Twins(embedder=HashingEmbedder(), vectors=MemoryVectors(), queue=MemoryQueue(), answerer=answerer),
    )
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


def events_of(body: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_upload_to_cited_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        assert (await http.post("/v1/knowledge-bases", json={"name": "shop"})).status_code == 201
        sent = await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", FEES.encode())})
        assert sent.status_code == 202
        assert sent.json()["status"] == "received"
        assert sent.json()["job_id"]
        await services.pipeline.run(sent.json()["id"], owner="test")
        document = (await http.get(f"/v1/documents/{sent.json()['id']}")).json()
        assert document["status"] == "live"
        chunks = (await http.get(f"/v1/documents/{document['id']}/chunks")).json()
        assert chunks["total"] == len(chunks["chunks"]) == document["chunks"]
        found = (await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金", "limit": 3})).json()
        assert found["passages"][0]["document"] == "费用.md"
        assert found["passages"][0]["scores"]["lexical"] > 0

        answer = await http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？", "kb": ["shop"]})
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = events_of(answer.text)
        names = [name for name, _ in events]
        assert names[0] == "started"
        assert names[-1] == "done"
        assert "50000" in events[-1][1]["answer"]
        assert events[-1][1]["citations"][0] == 1 or events[-1][1]["citations"]
        assert dict(events)["sources"]["passages"][0]["n"] == 1

        whole = (await http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？", "stream": False})).json()
        assert "50000" in whole["answer"]
        assert whole["passages"][0]["document"] == "费用.md"


async def test_a_question_that_was_refused_is_recorded_as_a_gap_and_an_answered_one_is_not(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        for question in ("旗舰店的保证金是多少？", "月球上的重力加速度是多少？"):
            await http.post("/v1/chat", json={"question": question, "kb": ["shop"], "stream": False})
        gaps = (await http.get("/v1/gaps")).json()["gaps"]
        assert [(gap["question"], gap["knowledge_bases"]) for gap in gaps] == [("月球上的重力加速度是多少？", ["shop"])]


async def test_a_turn_can_be_rated_read_again_and_regenerated(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        done = (await http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？", "stream": False})).json()
        turn = done["turn_id"]
        rated = await http.post(f"/v1/turns/{turn}/feedback", json={"rating": "down", "reason": "outdated"})
        assert rated.status_code == 204
        assert (await http.post(f"/v1/turns/{turn}/feedback", json={"rating": "sideways"})).json()["code"] == (
            "rating_invalid"
        )
        again = events_of((await http.get(f"/v1/turns/{turn}/events", headers={"Last-Event-ID": "1"})).text)
        assert again[-1][1]["turn_id"] == turn
        fresh = events_of((await http.post(f"/v1/turns/{turn}/regenerate")).text)[-1][1]
        assert fresh["turn_id"] != turn
        assert fresh["conversation_id"] == done["conversation_id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/chat", {"question": " "}, 422, "question_empty"),
        ("POST", "/v1/chat", {}, 422, "invalid_input"),
        ("POST", "/v1/chat", {"question": "?", "kb": ["no"]}, 404, "knowledge_base_not_found"),
        ("POST", "/v1/knowledge-bases", {"name": "/"}, 422, "name_invalid"),
        ("POST", "/v1/knowledge-bases", {"name": "shop"}, 409, "knowledge_base_exists"),
        ("GET", "/v1/documents/none", None, 404, "document_not_found"),
        ("POST", "/v1/turns/none/stop", None, 404, "turn_not_found"),
        ("GET", "/v1/turns/none/events", None, 404, "turn_not_found"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("POST", "/v1/keys", {"name": "w", "origins": ["shop.example"]}, 422, "origin_invalid"),
    ],
)
async def test_errors_are_problems_with_a_code(
    tmp_path: Path, method: str, path: str, body: Any, status: int, code: str
) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        answer = await http.request(method, path, json=body)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == code
        assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/chat", r'{"question": "\ud800"}'),
        ("POST", "/v1/chat", r'{"question": "a\u0000b"}'),
        ("POST", "/v1/chat", r'{"question": "?", "conversation_id": "\ud800"}'),
        ("POST", "/v1/jobs", r'{"kind": "\ud800"}'),
        ("POST", "/v1/estimates", r'{"kind": "titles", "request": {"\ud800": [NaN]}}'),
        ("POST", "/v1/knowledge-bases", r'{"name": "\udfff"}'),
        ("POST", "/v1/keys", r'{"name": "a\u0000"}'),
        ("GET", "/v1/jobs/%00", None),
        ("GET", "/v1/jobs?conversation_id=%00", None),
        ("GET", "/v1/jobs?offset=99999999999999999999", None),
        ("GET", "/v1/knowledge-bases/shop/documents?offset=99999999999999999999", None),
        ("PUT", "/v1/limits", '{"concurrency": 99999999999999999999}'),
        ("PUT", "/v1/limits", '{"daily_amount": 1e999}'),
    ],
)
async def test_what_no_database_could_keep_is_refused_and_not_a_mistake_of_ours(
    tmp_path: Path, method: str, path: str, body: str | None
) -> None:
    async with served(tmp_path) as (http, _):
        headers = {"Content-Type": "application/json"}
        answer = await http.request(method, path, content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("away", [PoolTimeout("30 s"), OperationalError("BEGIN", {}, Exception("database is locked"))])
async def test_a_database_that_is_busy_or_away_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, away: Exception
) -> None:
    async with served(tmp_path) as (http, services):
        monkeypatch.setattr(services.parts.database, "apply", AsyncMock(side_effect=away))
        refused = await http.post("/v1/chat", json={"question": "保证金多少？"})
    assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
    assert refused.headers["retry-after"]


async def test_too_large_an_upload_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, max_upload_mb=1) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        answer = await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("big.txt", b"x" * (2 << 20))})
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"
        assert (await http.get("/v1/knowledge-bases/shop/documents")).json()["total"] == 0
        assert [path for path in (tmp_path / "files").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("announced", [{}, {"Content-Length": "5", "Transfer-Encoding": "chunked"}])
async def test_a_body_that_announces_nothing_is_stopped_as_well(tmp_path: Path, announced: dict[str, str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
        for _ in range(64):
            yield b"x" * (1 << 16)
        yield b"\r\n--b--\r\n"

    async with served(tmp_path, max_upload_mb=1) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        answer = await http.post(
            "/v1/knowledge-bases/shop/documents",
            content=endless(),
            headers={"Content-Type": "multipart/form-data; boundary=b", **announced},
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert (await http.get("/v1/knowledge-bases/shop/documents")).json()["total"] == 0


async def test_keys_open_what_their_scope_says(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        _, reader = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        admin_key, admin = await services.keys.issue(DEFAULT_TENANT, "admin", scope=Scope.ADMIN)

        async def call(method: str, path: str, key: str | None, **more: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return await http.request(method, path, headers=headers, **more)

        assert (await call("GET", "/v1/knowledge-bases", None)).status_code == 401
        assert (await call("GET", "/v1/knowledge-bases", "sk_wrong")).json()["code"] == "key_invalid"
        assert (await call("GET", "/v1/knowledge-bases", reader)).status_code == 200
        refused = await call("POST", "/v1/knowledge-bases", reader, json={"name": "x"})
        assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
        assert (await call("POST", "/v1/knowledge-bases", admin, json={"name": "x"})).status_code == 201
        listed = (await call("GET", "/v1/keys", admin)).json()["keys"]
        assert all(admin not in json.dumps(key) for key in listed)
        assert (await call("DELETE", f"/v1/keys/{admin_key.id}", admin)).status_code == 204
        assert (await call("GET", "/v1/keys", admin)).json()["code"] == "key_invalid"
        raw = (tmp_path / "copilot.db").read_bytes()
        assert admin.encode() not in raw


async def test_a_publishable_key_chats_from_its_pages_only(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        await take_in(services, "shop", "退换货.md", RETURNS)
        _, key = await services.keys.publish(
            DEFAULT_TENANT, "site", origins=["https://shop.example", "https://*.mall.example"]
        )

        async def chat(origin: str | None) -> httpx.Response:
            headers = {"Authorization": f"Bearer {key}"} | ({"Origin": origin} if origin else {})
            return await http.post("/v1/chat", headers=headers, json={"question": "退货期限？", "stream": False})

        assert (await chat("https://shop.example")).status_code == 200
        assert (await chat("https://a.mall.example")).status_code == 200
        for origin in ("https://evil.example", "https://shop.example.evil.example", "https://evilmall.example", None):
            assert (await chat(origin)).json()["code"] == "origin_not_allowed"
        listing = await http.get(
            "/v1/knowledge-bases", headers={"Authorization": f"Bearer {key}", "Origin": "https://shop.example"}
        )
        assert listing.json()["code"] == "scope_missing"


async def test_without_keys_another_sites_page_and_a_rebound_name_are_kept_out(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert (await http.get("/v1/knowledge-bases")).status_code == 200
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example"}):
            assert (await http.get("/v1/knowledge-bases", headers=headers)).status_code == 401


async def test_tenants_do_not_see_each_other(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        document = await take_in(services, "shop", "退换货.md", RETURNS)
        await services.parts.catalog.ensure_tenant("other", "Other")
        _, key = await services.keys.issue("other", "admin", scope=Scope.ADMIN)
        headers = {"Authorization": f"Bearer {key}"}
        assert (await http.get("/v1/knowledge-bases", headers=headers)).json()["knowledge_bases"] == []
        for method, path in [
            ("GET", f"/v1/documents/{document.id}"),
            ("DELETE", f"/v1/documents/{document.id}"),
            ("GET", f"/v1/documents/{document.id}/chunks"),
            ("GET", "/v1/knowledge-bases/shop/documents"),
            ("DELETE", "/v1/knowledge-bases/shop"),
        ]:
            assert (await http.request(method, path, headers=headers)).status_code == 404
        answer = await http.post("/v1/chat", headers=headers, json={"question": "退货期限？", "stream": False})
        assert answer.json()["refused"]
        assert answer.json()["passages"] == []


async def test_the_page_and_the_widget_are_served_and_nothing_above_them(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert "text/html" in (await http.get("/")).headers["content-type"]
        assert "javascript" in (await http.get("/widget.js")).headers["content-type"]
        assert (await http.get("/widget/..%2Fsettings.py")).status_code == 404
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).json()["status"] == "ready"
        status = (await http.get("/v1/status")).json()
        assert status["model"] == {"kind": "extractive", "name": "extractive"}


async def test_a_model_that_fails_is_a_problem_for_those_who_do_not_stream(tmp_path: Path) -> None:
    down = ModelUnavailable("The model does not answer.")
    answerer = ModelAnswerer(ScriptedModel([down]), prompts.load("answer"), temperature=0, max_tokens=9)
    async with served(tmp_path, answerer=answerer) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        whole = await http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？", "stream": False})
        assert (whole.status_code, whole.json()["code"]) == (502, "model_unavailable")
        streamed = events_of((await http.post("/v1/chat", json={"question": "旗舰店的保证金是多少？"})).text)
        assert streamed[-1][0] == "failed"
        assert streamed[-1][1]["code"] == "model_unavailable"


@pytest.mark.parametrize(("headers", "channel"), [({}, "api"), ({"Origin": "http://127.0.0.1:8000"}, "web")])
async def test_a_question_from_a_page_is_of_the_web_and_any_other_of_the_api(
    tmp_path: Path, headers: dict[str, str], channel: str
) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        asked = {"question": "旗舰店的保证金是多少？", "stream": False}
        turn = (await http.post("/v1/chat", json=asked, headers=headers)).json()["turn_id"]
        assert (await http.get(f"/v1/turns/{turn}")).json()["channel"] == channel
