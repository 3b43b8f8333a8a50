"""Questions that could not be answered: grouped, counted, and closed."""

from pathlib import Path
from typing import Any

import httpx

from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.curation import ask, served, write
from tests.products import FEES, take_in

MOON = "月球上的重力加速度是多少？"


async def gaps(http: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/v1/gaps", params=query)).raise_for_status().json()
    return found


async def asked(http: httpx.AsyncClient, *questions: str, **more: Any) -> None:
    for question in questions:
        assert (await ask(http, question, **more))["refused"], question


async def test_those_alike_are_one_counted_and_the_most_frequent_comes_first(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await asked(http, "火星离地球多远", MOON, kb=["shop"])
        await asked(http, "月球上的重力加速度有多少呢", "月球上的重力加速度是多少")
        listed = await gaps(http)
        assert [(each["question"], each["count"], each["knowledge_bases"]) for each in listed["gaps"]] == [
            (MOON, 3, None),
            ("火星离地球多远", 1, ["shop"]),
        ]
        first = listed["gaps"][0]
        assert first["id"] == first["questions"][0]["turn_id"]
        assert first["last_asked"] == first["questions"][2]["created_at"]
        assert listed["total"] == 2
        assert [each["question"] for each in (await gaps(http, limit=1, offset=1))["gaps"]] == ["火星离地球多远"]


async def test_a_number_a_code_or_a_negation_that_differs_is_another_gap_however_near(tmp_path: Path) -> None:
    questions = [
        "火星上住 30 天多少钱",
        "火星上住 300 天多少钱",
        "火箭 XB-20 在火星上能停吗",
        "火箭 XB-21 在火星上能停吗",
    ]
    questions += ["去火星哪些行李可以托运", "去火星哪些行李不可以托运"]
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await asked(http, *questions)
        assert sorted(each["question"] for each in (await gaps(http))["gaps"]) == sorted(questions)


async def test_dismissed_it_is_gone_with_those_alike_and_asked_again_it_is_back(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await asked(http, MOON, MOON, "火星离地球多远")
        (moon, mars) = (await gaps(http))["gaps"]
        dismissed = await http.post(f"/v1/gaps/{moon['questions'][1]['turn_id']}/dismiss")
        assert dismissed.json() == {"closed": 2}
        assert [each["id"] for each in (await gaps(http))["gaps"]] == [mars["id"]]
        again = await http.post(f"/v1/gaps/{moon['id']}/dismiss")
        assert (again.status_code, again.json()["code"]) == (404, "gap_not_found")
        await asked(http, MOON)
        assert (await gaps(http))["total"] == 2


async def test_a_gap_is_resolved_by_a_live_curated_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await asked(http, MOON, MOON)
        (moon,) = (await gaps(http))["gaps"]
        path, made = f"/v1/gaps/{moon['id']}/resolve", await write(http, "别的问题", "答", state="proposed")
        refused = await http.post(path, json={"curated_answer_id": made["id"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "curated_not_live")
        await http.patch(f"/v1/curated-answers/{made['id']}", json={"state": "live"})
        assert (await http.post(path, json={"curated_answer_id": "none"})).status_code == 404
        assert (await http.post(path, json={"curated_answer_id": made["id"]})).json() == {"closed": 2}
        assert (await gaps(http))["total"] == 0


async def test_what_a_curated_answer_answers_or_was_written_for_is_closed_once_it_is_live(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for name in ("shop", "rules"):
            await services.knowledge.ensure(DEFAULT_TENANT, name)
        await asked(http, MOON, "火星离地球多远")
        await asked(http, "请问月球上的重力加速度多少", kb=["rules"])
        (mars,) = [each for each in (await gaps(http))["gaps"] if "火星" in each["question"]]
        made = await write(http, MOON, "1.62", gap=mars["id"], state="proposed", knowledge_bases=["shop"])
        assert (await gaps(http))["total"] == 2
        await http.patch(f"/v1/curated-answers/{made['id']}", json={"state": "live"})
        (left,) = (await gaps(http))["gaps"]
        assert (left["knowledge_bases"], left["count"]) == (["rules"], 1)
        await http.patch(f"/v1/curated-answers/{made['id']}", json={"knowledge_bases": None})
        assert (await gaps(http))["total"] == 0


async def test_gaps_of_a_knowledge_base_that_is_gone_stay_and_stop_nobody(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for name in ("shop", "rules"):
            await services.knowledge.ensure(DEFAULT_TENANT, name)
        await asked(http, MOON, kb=["rules"])
        await services.knowledge.delete(DEFAULT_TENANT, "rules")
        await write(http, MOON, "1.62")
        assert (await gaps(http))["total"] == 1


async def test_another_tenants_gaps_are_not_there(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await asked(http, MOON)
        (moon,) = (await gaps(http))["gaps"]
        await services.parts.catalog.ensure_tenant("other", "other")
        _, token = await services.keys.issue("other", "theirs", scope=Scope.WRITE)
        theirs = {"Authorization": f"Bearer {token}"}
        assert (await http.get("/v1/gaps", headers=theirs)).json() == {"gaps": [], "total": 0}
        assert (await http.post(f"/v1/gaps/{moon['id']}/dismiss", headers=theirs)).status_code == 404
