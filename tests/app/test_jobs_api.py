"""Jobs and files over HTTP: asked for, priced, watched, cancelled, reviewed; and who may do what."""

import asyncio
import io
import json
import struct
import threading
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from app.identity.keys import Scope
from app.jobs.ports import NewArtifact
from app.jobs.queue import MemoryQueue
from app.jobs.runner import JobRunner
from app.main import create_app
from app.wiring import Services, Twins
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.ports import Embedder
from knowledge.vectors import MemoryVectors
from tests.app.jobs.kinds import Echo, Picture
from tests.products import FEES, settings_for


@asynccontextmanager
async def served(
    data: Path, *, embedder: Embedder | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(
        embedder=embedder or HashingEmbedder(),
        vectors=MemoryVectors(),
        queue=MemoryQueue(),
        handlers=[Echo(), Picture()],
    )
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield http, app.state.services


def echo(text: str = "你好", **fields: object) -> dict[str, Any]:
    top = {name: fields.pop(name) for name in ("priority", "idempotency_key", "conversation_id") if name in fields}
    return {"kind": "echo", "request": {"text": text, **fields}, **top}


async def create(http: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await http.post("/v1/jobs", json=echo(**fields))
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def work(services: Services, queue: str = "text") -> int:
    """What a worker does when it is woken."""
    return await JobRunner(services.jobs, "w").drain(queue)


def png() -> bytes:
    """A red square of 2×2 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    pixels = zlib.compress(b"".join(b"\0" + b"\xff\0\0" * 2 for _ in range(2)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def events_of(body: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(id, name, data) of each event."""
    found = []
    for block in body.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line and not line.startswith(":"))
        if "event" in fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@asynccontextmanager
async def two_tenants(data: Path, **overrides: object) -> AsyncIterator[tuple[Any, Services]]:
    """A service that asks for keys; → ``call(scope, method, path, …)`` with a key of ours, or of the other tenant."""
    async with served(data, require_keys=True, **overrides) as (http, services):
        await services.parts.catalog.ensure_tenant("other", "Other")
        keys = {}
        for name, tenant, scope in (
            ("read", DEFAULT_TENANT, Scope.READ),
            ("write", DEFAULT_TENANT, Scope.WRITE),
            ("admin", DEFAULT_TENANT, Scope.ADMIN),
            ("other", "other", Scope.ADMIN),
        ):
            _, keys[name] = await services.keys.issue(tenant, name, scope=scope)
        _, keys["chat"] = await services.keys.publish(DEFAULT_TENANT, "site", origins=["https://shop.example"])

        async def call(who: str | None, method: str, path: str, **more: Any) -> httpx.Response:
            headers = dict(more.pop("headers", {}))
            if who:
                headers["Authorization"] = f"Bearer {keys[who]}"
            if who == "chat":
                headers["Origin"] = "https://shop.example"
            return await http.request(method, path, headers=headers, **more)

        yield call, services


# asking, and what becomes of it


async def test_a_job_is_accepted_done_and_shown_with_what_it_made_and_cost(tmp_path: Path) -> None:
    async with served(tmp_path, prices={"currency": "CNY", "image": 0.5}) as (http, services):
        made = await create(http, text="杯子", priority="high", conversation_id="c1")
        assert (made["state"], made["percent"], made["priority"], made["requester"]) == ("queued", 0, 2, "local")
        assert made["estimate"]["amount"] == {"low": 0.5, "high": 0.5, "currency": "CNY"}
        assert (made["artifacts"], made["cost"], made["result"], made["error"]) == ([], None, None, None)
        assert services.jobs._queue.sent == [("text", made["id"])]  # type: ignore[union-attr]
        assert await work(services) == 1
        done = (await http.get(f"/v1/jobs/{made['id']}")).json()
        assert (done["state"], done["percent"], done["attempts"]) == ("succeeded", 100, 1)
        assert done["result"] == {"engine": "echo", "text": "杯子"}
        assert done["cost"]["amount"] == 0.5
        assert done["review"] == {"state": "pending", "reason": None, "by": None}
        (artifact,) = done["artifacts"]
        assert (artifact["name"], artifact["media_type"], artifact["size"]) == ("回声.txt", "text/plain", 6)
        assert artifact["about"] == {"engine": "echo"}
        assert (await http.get(artifact["url"])).content.decode() == "杯子"


async def test_a_job_that_failed_says_why(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http, fail="final")
        await work(services)
        failed = (await http.get(f"/v1/jobs/{made['id']}")).json()
        expected = {"code": "echo_impossible", "message": "This cannot be echoed.", "params": {"why": "test"}}
        assert (failed["state"], failed["error"], failed["cost"]) == ("failed", expected, None)


async def test_the_same_request_sent_twice_is_one_job(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        first, second = [await create(http, idempotency_key="order-7") for _ in range(2)]
        assert first["id"] == second["id"]
        assert (await http.get("/v1/jobs")).json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "nonsense"}, 422, "job_kind_unknown"),
        ({"kind": "ingest", "request": {"document_id": "x"}}, 422, "job_kind_unknown"),
        ({"kind": "echo"}, 422, "job_argument_missing"),
        ({"kind": "echo", "request": {"text": "x", "colour": "red"}}, 422, "job_request_invalid"),
        ({"kind": "echo", "request": {"text": "x"}, "priority": "now"}, 422, "invalid_input"),
        ({"kind": "echo", "request": {"text": "x"}, "tenant": "other"}, 422, "invalid_input"),
        ({"kind": "echo", "request": {"text": "x"}, "idempotency_key": "k" * 201}, 422, "invalid_input"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_code(
    tmp_path: Path, body: dict[str, Any], status: int, code: str
) -> None:
    async with served(tmp_path) as (http, _):
        refused = await http.post("/v1/jobs", json=body)
        assert code_of(refused) == (status, code)
        assert refused.json()["detail"]
        assert (await http.get("/v1/jobs")).json()["total"] == 0


async def test_jobs_are_listed_newest_first_and_by_kind_state_and_conversation(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = [await create(http, text=f"{number}", conversation_id=f"c{number % 2}") for number in range(4)]
        picture = (await http.post("/v1/jobs", json={"kind": "picture", "request": {"text": "p"}})).json()
        await http.post(f"/v1/jobs/{made[0]['id']}/cancel")
        await work(services, "image")

        async def ids(**params: Any) -> list[str]:
            page = (await http.get("/v1/jobs", params=params)).json()
            return [job["id"] for job in page["jobs"]]

        newest_first = [picture["id"], *(job["id"] for job in reversed(made))]
        assert await ids() == newest_first
        assert await ids(limit=2, offset=1) == newest_first[1:3]
        assert (await http.get("/v1/jobs", params={"limit": 1})).json()["total"] == 5
        assert await ids(kind="picture") == [picture["id"]]
        assert await ids(state=["cancelled", "succeeded"]) == [picture["id"], made[0]["id"]]
        assert await ids(conversation_id="c1") == [made[3]["id"], made[1]["id"]]
        assert code_of(await http.get("/v1/jobs", params={"state": "lost"})) == (422, "invalid_input")


async def test_kinds_are_listed_with_the_schema_of_their_request(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        kinds = {kind["kind"]: kind for kind in (await http.get("/v1/job-kinds")).json()["kinds"]}
        assert "ingest" not in kinds
        assert kinds["picture"]["queue"] == "image"
        assert kinds["echo"]["request"]["required"] == ["text"]


# prices and limits


async def test_one_or_many_jobs_are_priced_before_any_runs(tmp_path: Path) -> None:
    async with served(tmp_path, prices={"currency": "CNY", "image": 0.5}, job_approval_over=1) as (http, _):
        one = (await http.post("/v1/estimates", json={"kind": "echo", "request": {"text": "x"}})).json()
        assert one["amount"] == {"low": 0.5, "high": 0.5, "currency": "CNY"}
        assert (one["needs_approval"], one["quantities"]["images"], one["priced"]) == (False, 1, True)
        requests = [{"text": "x", "amount_images": images} for images in (1, 2, 3)]
        many = (await http.post("/v1/estimates", json={"kind": "echo", "requests": requests})).json()
        assert many["amount"] == {"low": 3.0, "high": 3.0, "currency": "CNY"}
        assert [each["needs_approval"] for each in many["estimates"]] == [False, False, True]
        bad = await http.post("/v1/estimates", json={"kind": "echo", "requests": [{"text": "x"}, {}]})
        assert code_of(bad) == (422, "job_argument_missing")
        assert (await http.get("/v1/jobs")).json()["total"] == 0


async def test_a_job_over_the_limit_waits_until_somebody_approves(tmp_path: Path) -> None:
    async with served(tmp_path, prices={"image": 1}, job_approval_over=3) as (http, services):
        made = await create(http, amount_images=4)
        assert (made["state"], made["estimate"]["needs_approval"]) == ("waiting", True)
        assert await work(services) == 0
        assert (await http.post(f"/v1/jobs/{made['id']}/approve")).json()["state"] == "queued"
        assert await work(services) == 1
        assert code_of(await http.post(f"/v1/jobs/{made['id']}/approve")) == (409, "job_not_waiting")
        other = await create(http, amount_images=4)
        assert (await http.post(f"/v1/jobs/{other['id']}/cancel")).json()["state"] == "cancelled"


async def test_only_an_admin_sets_limits_and_they_hold_at_once(tmp_path: Path) -> None:
    async with two_tenants(tmp_path, job_daily_limit=9) as (call, _):
        assert (await call("read", "GET", "/v1/limits")).json()["daily_jobs"] == 9
        assert code_of(await call("write", "PUT", "/v1/limits", json={"daily_jobs": 1})) == (403, "scope_missing")
        assert (await call("admin", "PUT", "/v1/limits", json={"daily_jobs": 1})).json()["daily_jobs"] == 1
        assert (await call("write", "POST", "/v1/jobs", json=echo())).status_code == 202
        full = await call("write", "POST", "/v1/jobs", json=echo())
        assert code_of(full) == (409, "daily_limit_reached")
        assert full.json()["params"] == {"limit": 1}
        assert (await call("other", "POST", "/v1/jobs", json=echo())).status_code == 202
        assert (await call("other", "GET", "/v1/limits")).json()["daily_jobs"] == 9
        assert (await call("admin", "PUT", "/v1/limits", json={})).json()["daily_jobs"] == 9
        assert code_of(await call("admin", "PUT", "/v1/limits", json={"concurrency": 0})) == (422, "invalid_input")


# deciding


async def test_a_queued_job_is_cancelled_at_once_and_an_ended_one_not_any_more(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http)
        assert (await http.post(f"/v1/jobs/{made['id']}/cancel")).json()["state"] == "cancelled"
        assert await work(services) == 0
        assert code_of(await http.post(f"/v1/jobs/{made['id']}/cancel")) == (409, "job_ended")


async def test_a_job_is_tried_again_with_changes_as_a_new_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http, fail="final", conversation_id="c1")
        path = f"/v1/jobs/{made['id']}/retry"
        assert code_of(await http.post(path)) == (422, "job_not_ended")
        await work(services)
        assert code_of(await http.post(path, json={"changes": {"colour": "red"}})) == (422, "job_request_invalid")
        again = await http.post(path, json={"changes": {"fail": "", "text": "这次"}})
        assert again.status_code == 202
        assert (again.json()["retry_of"], again.json()["conversation_id"]) == (made["id"], "c1")
        await work(services)
        done = (await http.get(f"/v1/jobs/{again.json()['id']}")).json()
        assert (done["state"], done["result"]["text"]) == ("succeeded", "这次")
        same = (await http.post(path)).json()
        assert same["request"] == made["request"]


async def test_a_result_is_approved_or_rejected_with_a_reason_and_the_last_word_counts(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http)
        path = f"/v1/jobs/{made['id']}/review"
        assert code_of(await http.post(path, json={"verdict": "approved"})) == (409, "job_not_done")
        await work(services)
        rejected = (await http.post(path, json={"verdict": "rejected", "reason": "太暗"})).json()
        assert rejected["review"] == {"state": "rejected", "reason": "太暗", "by": "local"}
        assert (await http.post(path, json={"verdict": "approved"})).json()["review"]["state"] == "approved"
        assert code_of(await http.post(path, json={"verdict": "pending"})) == (422, "invalid_input")


# watching


async def test_a_job_is_watched_from_the_queue_to_its_end_and_on_from_any_event(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await create(http, text="看看", steps=4, step_seconds=0.12)
        path = f"/v1/jobs/{made['id']}/events"
        watched, _ = await asyncio.gather(http.get(path), work(services))
        assert watched.headers["content-type"].startswith("text/event-stream")
        assert watched.headers["x-accel-buffering"] == "no"
        events = events_of(watched.text)
        states = [data["state"] for _, name, data in events if name == "state"]
        assert states[-3:] == ["queued", "running", "succeeded"]
        assert "看" in [data.get("preview", {}).get("text") for _, name, data in events if name == "progress"]
        last_id, name, data = events[-1]
        assert (name, data["job"]["state"], data["job"]["artifacts"][0]["name"]) == ("done", "succeeded", "回声.txt")
        resumed = events_of((await http.get(path, headers={"Last-Event-ID": last_id})).text)
        assert [name for _, name, _ in resumed] == ["done"]

        second = await create(http, text="再看", steps=4, step_seconds=0.12)
        path = f"/v1/jobs/{second['id']}/events"
        watched, _ = await asyncio.gather(http.get(path), work(services))
        every = [number for number, name, _ in events_of(watched.text) if name != "done"]
        assert every == sorted(every, key=lambda number: int(number.partition("-")[0]))


async def test_what_cannot_be_watched_is_said_before_the_stream_begins(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        assert code_of(await http.get("/v1/jobs/none/events")) == (404, "job_not_found")
        made = await create(http)
        bad = await http.get(f"/v1/jobs/{made['id']}/events", headers={"Last-Event-ID": "yesterday"})
        assert code_of(bad) == (422, "invalid_input")


# files


async def upload(http: httpx.AsyncClient, data: bytes, name: str = "杯子.png") -> httpx.Response:
    return await http.post("/v1/artifacts", files={"file": (name, io.BytesIO(data))})


async def test_a_picture_is_uploaded_and_comes_back_harmless(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        sent = await upload(http, png())
        assert sent.status_code == 201
        kept = sent.json()
        assert (kept["name"], kept["media_type"], kept["size"]) == ("杯子.png", "image/png", len(png()))
        assert (kept["job_id"], kept["about"]) == (None, {"uploaded": True})
        got = await http.get(kept["url"])
        assert (got.status_code, got.content) == (200, png())
        assert got.headers["content-type"] == "image/png"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in got.headers["content-security-policy"]
        assert got.headers["accept-ranges"] == "bytes"
        assert got.headers["content-length"] == str(len(png()))
        assert got.headers["cache-control"].startswith("private")
        inline = got.headers["content-disposition"]
        assert inline.startswith("inline;")
        assert unquote(inline.partition("filename*=UTF-8''")[2]) == "杯子.png"
        attached = await http.get(kept["url"], params={"download": "true"})
        assert attached.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    "content",
    [
        "说明：这不是图片".encode(),
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b"<html><script>alert(1)</script></html>",
        b"%PDF-1.7\n",
        b"",
    ],
)
async def test_what_is_no_picture_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    async with served(tmp_path) as (http, _):
        assert code_of(await upload(http, content)) == (415, "unsupported")
        assert list((tmp_path / "artifacts").rglob("*")) == []


@pytest.mark.parametrize("name", ['a"b\\c.png', "../../etc/passwd", "一\r\n二.png", "x" * 400 + ".png"])
async def test_no_name_breaks_out_of_its_header(tmp_path: Path, name: str) -> None:
    async with served(tmp_path) as (http, services):
        new = NewArtifact(png(), "image/png", name[:300])
        kept = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        header = (await http.get(f"/v1/artifacts/{kept.id}")).headers["content-disposition"]
        quoted, _, extended = header.partition("\"; filename*=UTF-8''")
        assert not set('"\\\r\n/') & set(quoted.partition('"')[2])
        assert not set('"\r\n/; ') & set(extended)
        assert unquote(extended) == name[:300]


@pytest.mark.parametrize(
    ("wanted", "status", "part"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=4-", 206, slice(4, None)),
        ("bytes=0-", 206, slice(0, None)),
        ("bytes=-3", 206, slice(-3, None)),
        ("bytes=-9999", 206, slice(0, None)),
        ("bytes=2-99999", 206, slice(2, None)),
        ("bytes=99999-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 200, slice(0, None)),
        ("bytes=0-1,4-5", 200, slice(0, None)),
        ("bytes=", 200, slice(0, None)),
        ("items=0-3", 200, slice(0, None)),
        ("bytes=" + "9" * 5000 + "-", 200, slice(0, None)),
    ],
)
async def test_parts_of_a_file_are_served_as_they_are_asked_for(
    tmp_path: Path, wanted: str, status: int, part: slice | None
) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        got = await http.get(kept["url"], headers={"Range": wanted})
        size = len(png())
        assert got.status_code == status
        if part is None:
            assert got.headers["content-range"] == f"bytes */{size}"
            return
        assert got.content == png()[part]
        if status == 206:
            start, end, _ = part.indices(size)
            assert got.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        else:
            assert "content-range" not in got.headers


async def test_a_file_that_the_client_has_is_not_sent_again(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        etag = (await http.get(kept["url"])).headers["etag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            unchanged = await http.get(kept["url"], headers={"If-None-Match": known})
            assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", etag)
        assert (await http.get(kept["url"], headers={"If-None-Match": '"other"'})).status_code == 200
        stale = {"Range": "bytes=0-3", "If-Range": '"other"'}
        assert (await http.get(kept["url"], headers=stale)).status_code == 200
        assert (await http.get(kept["url"], headers={**stale, "If-Range": etag})).status_code == 206


async def test_a_file_that_is_lost_is_an_error_and_not_half_an_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        kept = (await upload(http, png())).json()
        for path in (tmp_path / "artifacts").rglob("*"):
            if path.is_file():
                path.unlink()
        assert code_of(await http.get(kept["url"])) == (503, "files_unavailable")


async def test_too_large_a_picture_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, max_upload_mb=1) as (http, _):
        assert code_of(await upload(http, png() + bytes(3 << 20))) == (413, "too_large")
        assert list((tmp_path / "artifacts").rglob("*")) == []


async def test_a_signed_link_needs_no_key_and_bears_no_change(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        new = NewArtifact(png(), "image/png", "杯子.png")
        kept = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        other = await services.jobs.artifacts.upload(DEFAULT_TENANT, new)
        listed = (await call("write", "POST", "/v1/artifacts", files={"file": ("a.png", png())})).json()
        assert (await call(None, "GET", listed["link"])).content == png()
        path, query = f"/v1/artifacts/{kept.id}", services.jobs.artifacts.sign(kept)
        assert (await call(None, "GET", f"{path}?{query}")).content == png()
        assert (await call(None, "GET", f"{path}?{query}", headers={"Range": "bytes=0-3"})).status_code == 206
        assert code_of(await call(None, "GET", path)) == (401, "key_missing")
        expires, signature = (field.partition("=")[2] for field in query.split("&"))
        for bad in (
            f"{path}?expires={int(expires) + 1}&signature={signature}",
            f"{path}?expires={expires}&signature={signature[:-1]}",
            f"{path}?expires={expires}&signature=签名",
            f"{path}?expires={'9' * 5000}&signature={signature}",
            f"{path}?expires=never&signature={signature}",
            f"{path}?signature={signature}",
            f"/v1/artifacts/{other.id}?{query}",
            f"/v1/artifacts/none?{query}",
        ):
            assert code_of(await call(None, "GET", bad)) == (403, "link_invalid")
        from datetime import timedelta

        old = services.jobs.artifacts.sign(kept, lasting=timedelta(seconds=-1))
        assert code_of(await call(None, "GET", f"{path}?{old}")) == (403, "link_expired")


# who may do what


async def test_another_tenant_finds_nothing_of_ours(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        job = (await call("write", "POST", "/v1/jobs", json=echo())).json()
        await work(services)
        (artifact,) = (await call("read", "GET", f"/v1/jobs/{job['id']}")).json()["artifacts"]
        path = f"/v1/jobs/{job['id']}"
        for method, where, body in (
            ("GET", path, None),
            ("GET", f"{path}/events", None),
            ("POST", f"{path}/cancel", None),
            ("POST", f"{path}/approve", None),
            ("POST", f"{path}/retry", None),
            ("POST", f"{path}/review", {"verdict": "approved"}),
        ):
            assert code_of(await call("other", method, where, json=body)) == (404, "job_not_found")
        assert code_of(await call("other", "GET", artifact["url"])) == (404, "artifact_not_found")
        assert (await call("other", "GET", "/v1/jobs")).json() == {"jobs": [], "total": 0}
        same_key = echo(idempotency_key="k")
        mine, theirs = [(await call(who, "POST", "/v1/jobs", json=same_key)).json() for who in ("write", "other")]
        assert mine["id"] != theirs["id"]


async def test_a_key_of_a_page_watches_and_fetches_but_starts_nothing(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, services):
        job = (await call("write", "POST", "/v1/jobs", json=echo())).json()
        await work(services)
        path = f"/v1/jobs/{job['id']}"
        done = (await call("chat", "GET", path)).json()
        assert done["state"] == "succeeded"
        assert (await call("chat", "GET", f"{path}/events")).status_code == 200
        assert (await call("chat", "GET", done["artifacts"][0]["url"])).status_code == 200
        assert (await call("chat", "POST", "/v1/artifacts", files={"file": ("a.png", png())})).status_code == 201
        for who, method, where, body in (
            ("chat", "POST", "/v1/jobs", echo()),
            ("chat", "POST", "/v1/estimates", echo()),
            ("chat", "GET", "/v1/jobs", None),
            ("chat", "GET", "/v1/limits", None),
            ("chat", "POST", f"{path}/cancel", None),
            ("chat", "POST", f"{path}/retry", None),
            ("read", "POST", "/v1/jobs", echo()),
            ("read", "POST", f"{path}/review", {"verdict": "approved"}),
        ):
            assert code_of(await call(who, method, where, json=body)) == (403, "scope_missing")
        assert code_of(await call(None, "GET", path)) == (401, "key_missing")


# documents are jobs too


async def send(http: httpx.AsyncClient, content: str) -> dict[str, Any]:
    answer = await http.post("/v1/knowledge-bases/shop/documents", files={"file": ("费用.md", content.encode())})
    assert answer.status_code == 202
    return dict(answer.json())


async def test_taking_a_document_in_is_a_job_that_can_be_watched(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        sent = await send(http, FEES)
        path = f"/v1/jobs/{sent['job_id']}"
        watched, _ = await asyncio.gather(http.get(f"{path}/events"), work(services, "ingest"))
        events = events_of(watched.text)
        assert [data["state"] for _, name, data in events if name == "state"][-1] == "succeeded"
        assert events[-1][2]["job"]["result"]["state"] == "live"
        assert (await http.get(f"/v1/documents/{sent['id']}")).json()["status"] == "live"
        assert (await http.get("/v1/jobs")).json()["total"] == 0  # listed only by name
        assert (await http.get("/v1/jobs", params={"kind": "ingest"})).json()["total"] == 1


class Gate(HashingEmbedder):
    """Embeds when it is let; tells that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()
        self.open.set()

    def embed_passages(self, texts):  # type: ignore[no-untyped-def]
        self.asked.set()
        self.open.wait(10)
        return super().embed_passages(texts)


@pytest.mark.parametrize("when", ["queued", "running"])
async def test_a_document_whose_job_is_cancelled_has_failed_and_its_old_version_answers(
    tmp_path: Path, when: str
) -> None:
    gate = Gate()
    async with served(tmp_path, embedder=gate) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        await send(http, FEES)
        await work(services, "ingest")
        newer = await send(http, FEES.replace("50000", "80000"))
        runner = JobRunner(services.jobs, "w")
        cancel = f"/v1/jobs/{newer['job_id']}/cancel"
        if when == "queued":
            await http.post(cancel)
            assert await runner.drain("ingest") == 0
        else:
            gate.asked.clear()
            gate.open.clear()
            working = asyncio.ensure_future(runner.drain("ingest"))
            await asyncio.to_thread(gate.asked.wait, 10)
            await http.post(cancel)
            await runner.beat()
            await working
            gate.open.set()
        assert (await http.get(f"/v1/jobs/{newer['job_id']}")).json()["state"] == "cancelled"
        document = (await http.get(f"/v1/documents/{newer['id']}")).json()
        assert (document["status"], document["reason"], document["answers"]) == ("failed", "cancelled", True)
        assert await work(services, "ingest") == 0
        found = await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金"})
        assert "50000" in found.json()["passages"][0]["text"]
        await http.post(f"/v1/documents/{newer['id']}/reingest")
        await work(services, "ingest")
        found = await http.post("/v1/knowledge-bases/shop/search", json={"query": "旗舰店保证金"})
        assert "80000" in found.json()["passages"][0]["text"]


async def test_the_job_of_a_document_is_not_turned_on_another_one(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        sent = await send(http, FEES)
        await work(services, "ingest")
        retried = await http.post(
            f"/v1/jobs/{sent['job_id']}/retry", json={"changes": {"document_id": "a neighbour's"}}
        )
        assert code_of(retried) == (422, "job_kind_unknown")
