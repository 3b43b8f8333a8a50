"""Jobs and files belong to a tenant, and a key may do what its scope says."""

from pathlib import Path

from tests.app.jobs_api.calls import code_of, echo, png, two_tenants, work


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


async def test_who_may_not_work_may_send_no_pictures_and_pages_are_told_so(tmp_path: Path) -> None:
    async with two_tenants(tmp_path) as (call, _):
        for who in ("chat", "read"):
            refused = await call(who, "POST", "/v1/artifacts", files={"file": ("a.png", png())})
            assert code_of(refused) == (403, "scope_missing")
        assert list((tmp_path / "artifacts").rglob("*")) == []
        assert (await call("write", "POST", "/v1/artifacts", files={"file": ("a.png", png())})).status_code == 201
        may = {
            who: (await call(who, "GET", "/v1/status")).json()["may_work"] for who in ("chat", "read", "write", None)
        }
        assert may == {"chat": False, "read": False, "write": True, None: False}
