"""A job's result is brought where the caller wishes, if there is such a place and it is the caller's."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app.jobs.tables import deliveries
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.jobs_api.calls import code_of, served, two_tenants, work

ROBOTS = {"warehouse": {"url": "https://oapi.dingtalk.com/robot/send?access_token=t"}}
TO_WAREHOUSE = {"name": "dingtalk-robot", "target": {"robot": "warehouse"}}


async def ask(http: httpx.AsyncClient, channel: dict[str, Any]) -> httpx.Response:
    return await http.post("/v1/jobs", json={"kind": "echo", "request": {"text": "x"}, "channel": channel})


async def rows(services: Services) -> list[tuple[Any, ...]]:
    async with services.parts.database.read() as connection:
        return [tuple(row) for row in await connection.execute(select(deliveries.c["channel", "target", "state"]))]


async def test_a_result_waits_for_a_custom_robot(tmp_path: Path) -> None:
    async with served(tmp_path, dingtalk_robots=ROBOTS) as (http, services):
        assert (await ask(http, TO_WAREHOUSE)).status_code == 202
        await work(services)
        assert await rows(services) == [("dingtalk-robot", {"robot": "warehouse"}, "waiting")]


async def test_a_result_waits_for_a_group_that_is_known(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        known = {"tenant": DEFAULT_TENANT, "organisation": "corp", "title": "仓库"}
        await services.groups.seen("dingtalk", "cidA==", **known)
        assert (await ask(http, {"name": "dingtalk", "target": {"conversation": "cidA=="}})).status_code == 202
        await work(services)
        target = {"kind": "group", "conversation": "cidA==", "organisation": "corp"}
        assert await rows(services) == [("dingtalk", target, "waiting")]


@pytest.mark.parametrize(
    ("channel", "refused"),
    [
        ({"name": "dingtalk-robot", "target": {"robot": "nobody"}}, (422, "robot_unknown")),
        ({"name": "dingtalk", "target": {"conversation": "cidX"}}, (404, "group_not_found")),
        ({"name": "dingtalk", "target": {"robot": "warehouse"}}, (422, "invalid_input")),
        ({"name": "pigeon", "target": {}}, (422, "invalid_input")),
    ],
)
async def test_a_place_that_is_not_there_is_refused(
    tmp_path: Path, channel: dict[str, Any], refused: tuple[int, str]
) -> None:
    async with served(tmp_path, dingtalk_robots=ROBOTS) as (http, _):
        assert code_of(await ask(http, channel)) == refused


async def test_nobody_sends_to_another_tenants_places(tmp_path: Path) -> None:
    async with two_tenants(tmp_path, dingtalk_robots=ROBOTS) as (call, services):
        known = {"tenant": DEFAULT_TENANT, "organisation": "corp", "title": "仓库"}
        await services.groups.seen("dingtalk", "cidA==", **known)
        group = {"name": "dingtalk", "target": {"conversation": "cidA=="}}
        body = {"kind": "echo", "request": {"text": "x"}}
        for who, channel, refused in (
            ("other", TO_WAREHOUSE, (422, "robot_unknown")),
            ("other", group, (404, "group_not_found")),
            ("read", TO_WAREHOUSE, (403, "scope_missing")),
        ):
            assert code_of(await call(who, "POST", "/v1/jobs", json={**body, "channel": channel})) == refused
        assert (await call("write", "POST", "/v1/jobs", json={**body, "channel": TO_WAREHOUSE})).status_code == 202
