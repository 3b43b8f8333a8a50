"""Sources over HTTP: who may do what, and what is shown."""

from pathlib import Path

from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import code_of, served
from tests.app.sources.watching import write


async def test_a_source_from_its_adding_to_its_removal(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    write(docs / "费用.md", "# 费用\n\n佣金 8%。")
    async with served(tmp_path / "data", source_folders=(str(docs),)) as (http, services):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        new = {"knowledge_base": "shop", "kind": "folder", "location": str(docs), "schedule": "daily 03:00"}
        made = await http.post("/v1/sources", json=new)
        assert made.status_code == 201
        source = made.json()
        assert (source["name"], source["schedule"], source["last_run"]) == ("docs", "daily 03:00", None)
        await services.keeper.run(source["id"])
        (shown,) = (await http.get("/v1/sources")).json()["sources"]
        assert (shown["documents"], shown["last_run"]["state"], shown["last_run"]["counts"]["new"]) == (1, "done", 1)
        (document,) = (await http.get("/v1/knowledge-bases/shop/documents")).json()["documents"]
        origin = (await http.get(f"/v1/documents/{document['id']}")).json()["origin"]
        assert (origin["place"], origin["source"], origin["url"]) == ("费用.md", "docs", None)
        paused = await http.patch(f"/v1/sources/{source['id']}", json={"enabled": False, "include": ["*.md"]})
        assert (paused.json()["enabled"], paused.json()["next_run_at"]) == (False, None)
        asked = await http.post(f"/v1/sources/{source['id']}/sync")
        assert (asked.status_code, asked.json()["wanted"]) == (202, True)
        runs = (await http.get(f"/v1/sources/{source['id']}/runs")).json()["runs"]
        assert [run["state"] for run in runs] == ["done"]
        assert runs[0]["seconds"] >= 0
        gone = await http.delete(f"/v1/sources/{source['id']}", params={"documents": True})
        assert gone.status_code == 204
        assert (await http.get("/v1/knowledge-bases/shop/documents")).json()["documents"] == []
        assert code_of(await http.get(f"/v1/sources/{source['id']}")) == (404, "source_not_found")


async def test_what_may_not_be_watched_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        await http.post("/v1/knowledge-bases", json={"name": "shop"})
        for change, code in (
            ({"location": "/etc"}, "source_folder_refused"),
            ({"kind": "ftp"}, "source_kind_unknown"),
            ({"kind": "url", "location": "http://127.0.0.1/"}, "address_refused"),
            ({"kind": "url", "location": "https://a.example/", "schedule": "now"}, "schedule_invalid"),
            ({"knowledge_base": "none"}, "knowledge_base_not_found"),
        ):
            new = {"knowledge_base": "shop", "kind": "folder", "location": "/srv", **change}
            answer = await http.post("/v1/sources", json=new)
            assert code_of(answer) == (404 if code.endswith("not_found") else 422, code)


async def test_who_reads_does_not_add_and_nobody_sees_another_tenants_sources(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await services.knowledge.catalog.ensure_tenant("other", "other")
        new = {"knowledge_base": "shop", "kind": "url", "location": "https://a.example/"}
        keys = {}
        for name, tenant, scope in (
            ("reader", DEFAULT_TENANT, Scope.READ),
            ("writer", DEFAULT_TENANT, Scope.WRITE),
            ("stranger", "other", Scope.ADMIN),
        ):
            _, token = await services.keys.issue(tenant, name, scope=scope)
            keys[name] = {"Authorization": f"Bearer {token}"}
        assert (await http.post("/v1/sources", json=new, headers=keys["reader"])).status_code == 403
        made = (await http.post("/v1/sources", json=new, headers=keys["writer"])).json()
        assert len((await http.get("/v1/sources", headers=keys["reader"])).json()["sources"]) == 1
        assert (await http.get("/v1/sources", headers=keys["stranger"])).json()["sources"] == []
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/sync"), ("GET", "/runs")):
            answer = await http.request(method, f"/v1/sources/{made['id']}{path}", headers=keys["stranger"])
            assert code_of(answer) == (404, "source_not_found")
