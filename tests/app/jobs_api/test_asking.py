"""Jobs asked for over HTTP: accepted, refused, listed, priced and limited."""

from pathlib import Path
from typing import Any

import pytest

from tests.app.jobs_api.calls import code_of, create, echo, served, two_tenants, work

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
