"""Drafts, publishing and going back over HTTP; what is live is what answers, in every process, and in the cache."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.chat.cache import MemoryCache
from app.chat.prompts import NAMES
from app.chat.tables import turns
from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.prompts.serving import CHANGED, MARK, QUESTION, SHIPPED, answering, drafted, published, served, told

CODES = [
    ("保证金", "{price}", "prompt_variable_unknown", "price"),
    ("{evidence}", "", "prompt_variable_missing", "evidence"),
    ("## input\n", "## input\n{ ", "prompt_brace_unbalanced", "{"),
    ("## output\n", "", "prompt_section_missing", "output"),
]


async def test_the_shipped_files_are_version_0_and_live(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        listed = (await http.get("/v1/prompts")).json()["prompts"]
        assert [(prompt["name"], prompt["live"]["number"], prompt["drafts"]) for prompt in listed] == [
            (name, 0, 0) for name in NAMES
        ]
        (shipped,) = (await http.get("/v1/prompts/answer/versions")).json()["versions"]
        assert (shipped["state"], shipped["text"]) == ("live", SHIPPED)


async def test_a_draft_changes_nothing_until_it_is_published_and_then_answers_in_every_process(tmp_path: Path) -> None:
    model, answerer = answering(["50000 元[1]"])
    async with served(tmp_path, answerer) as (http, services), served(tmp_path, answerer) as (other, _):
        number = await drafted(http)
        await told(http)
        assert MARK not in model.calls[-1].messages[0].content
        assert (await http.post(f"/v1/prompts/answer/versions/{number}/publish")).json()["state"] == "live"
        for process in (http, other):
            done = await told(process, "旗舰店要交多少保证金？")
            assert MARK in model.calls[-1].messages[0].content
        query = select(turns.c.prompt_version).where(turns.c.id == done["turn_id"])
        (row,) = await services.parts.database.rows(query)
        assert row.prompt_version.startswith(f"v{number}-")
        days = await services.model_calls.daily(DEFAULT_TENANT, days=1)
        assert sum(day.calls for day in days) == 3


async def test_no_answer_made_by_another_version_comes_from_the_cache(tmp_path: Path) -> None:
    model, answerer = answering(["50000 元[1]"])
    async with served(tmp_path, answerer, cache=MemoryCache()) as (http, _):
        assert [(await told(http))["cached"] for _ in range(2)] == [None, "exact"]
        await published(http)
        assert (await told(http))["cached"] is None  # neither by the question nor by the evidence
        assert (await told(http, "请问旗舰店的保证金是多少"))["cached"] == "evidence"
        await http.post("/v1/prompts/answer/roll-back", json={"to": 0})
        assert (await told(http))["cached"] == "exact"  # the very text that made it is live again
    assert len(model.calls) == 2


async def test_going_back_to_any_earlier_version(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        first = await published(http)
        second = await published(http, CHANGED.replace(MARK, "分点回答。"))
        for to in (first, 0, second):
            assert (await http.post("/v1/prompts/answer/roll-back", json={"to": to})).json()["state"] == "live"
            states = {
                v["number"]: v["state"] for v in (await http.get("/v1/prompts/answer/versions")).json()["versions"]
            }
            assert [number for number, state in states.items() if state == "live"] == [to]
        assert (await services.prompts.live(DEFAULT_TENANT)).answer.version.startswith(f"v{second}-")
        draft = await drafted(http)
        refused = await http.post("/v1/prompts/answer/roll-back", json={"to": draft})
        assert (refused.status_code, refused.json()["code"]) == (409, "prompt_not_published")


@pytest.mark.parametrize(("old", "new", "code", "name"), CODES)
async def test_a_text_with_a_flaw_is_not_kept(tmp_path: Path, old: str, new: str, code: str, name: str) -> None:
    text = CHANGED.replace(old, new, 1) if old in CHANGED else CHANGED.replace(MARK, new)
    async with served(tmp_path) as (http, _):
        refused = await http.post("/v1/prompts/answer/versions", json={"text": text})
        assert (refused.status_code, refused.json()["code"]) == (422, code)
        assert refused.json()["params"]["name"] == name
        line = refused.json()["params"]["line"]
        (flaw,) = (await http.post("/v1/prompts/answer/check", json={"text": text})).json()["flaws"]
        assert (flaw["code"], flaw["line"], flaw["name"]) == (code, line, name)
        assert len((await http.get("/v1/prompts/answer/versions")).json()["versions"]) == 1


async def test_a_draft_is_edited_by_one_at_a_time_and_a_published_text_stays_as_it_is(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        made = (await http.post("/v1/prompts/answer/versions", json={})).json()
        assert (made["text"], made["based_on"], made["state"]) == (SHIPPED, 0, "draft")
        path = f"/v1/prompts/answer/versions/{made['number']}"
        edit = {"text": CHANGED.replace("\n", "\r\n"), "was": made["digest"]}
        assert (await http.put(path, json=edit)).json()["text"] == CHANGED
        late = await http.put(path, json={"text": SHIPPED, "was": made["digest"]})
        assert (late.status_code, late.json()["code"]) == (409, "prompt_changed")
        await http.post(f"{path}/publish")
        for refused in (await http.put(path, json=edit), await http.delete(path), await http.post(f"{path}/publish")):
            assert (refused.status_code, refused.json()["code"]) == (409, "prompt_published")
        another = await drafted(http)
        assert (await http.delete(f"/v1/prompts/answer/versions/{another}")).status_code == 204
        assert (await http.get(f"/v1/prompts/answer/versions/{another}")).json()["code"] == "prompt_version_not_found"
        assert (await http.get("/v1/prompts/none/versions")).json()["code"] == "prompt_not_found"


async def test_two_versions_are_compared_as_a_diff(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        number = await drafted(http)
        diff = (await http.get(f"/v1/prompts/answer/versions/0/diff?to={number}")).json()["diff"]
        assert [line for line in diff.splitlines() if line[0] in "+-"][2:] == [f"+{MARK}"]


async def test_one_version_beside_the_live_one_on_the_same_passages_and_nothing_is_kept(tmp_path: Path) -> None:
    model, answerer = answering(["50000 元[1]"])
    async with served(tmp_path, answerer) as (http, services):
        turn = await told(http)
        number = await drafted(http)
        body = {"turn_id": turn["turn_id"], "version": number}
        compared = (await http.post("/v1/prompts/answer/preview", json=body)).json()
        assert compared["question"] == QUESTION
        assert (compared["live"]["answer"], compared["live"]["citations"]) == ("50000 元[1]", [1])
        assert compared["live"]["passages"] == compared["draft"]["passages"] != []
        assert compared["draft"]["prompt_version"].startswith(f"v{number}-")
        assert compared["draft"]["timings_ms"]["total"] > 0
        assert sum(MARK in call.messages[0].content for call in model.calls) == 1
        unsaved = {"question": "佣金多少？", "text": CHANGED}
        assert (await http.post("/v1/prompts/answer/preview", json=unsaved)).status_code == 200
        broken = {"question": "佣金多少？", "text": "## input\n{x"}
        assert (await http.post("/v1/prompts/answer/preview", json=broken)).status_code == 422
        assert [each.turn_id for each in await services.previews.recent(DEFAULT_TENANT)] == [turn["turn_id"]]


@pytest.mark.parametrize("name", NAMES)
async def test_every_template_can_be_tried(tmp_path: Path, name: str) -> None:
    _, answerer = answering(["50000 元[1]"])
    async with served(tmp_path, answerer) as (http, _):
        tried = await http.post(f"/v1/prompts/{name}/preview", json={"question": QUESTION})
        assert tried.json()["draft"]["answer"].startswith("50000 元")


async def test_a_preview_needs_a_model(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        refused = await http.post("/v1/prompts/answer/preview", json={"question": QUESTION})
        assert (refused.status_code, refused.json()["code"]) == (422, "model_needed")


async def test_who_may_write_makes_drafts_and_an_administrator_puts_them_live(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        for scope, statuses in ((Scope.READ, (200, 403, 403, 403)), (Scope.WRITE, (200, 201, 403, 403))):
            _, key = await services.keys.issue(DEFAULT_TENANT, scope.value, scope=scope)
            http.headers["Authorization"] = f"Bearer {key}"
            seen = (
                await http.get("/v1/prompts"),
                await http.post("/v1/prompts/answer/versions", json={}),
                await http.post("/v1/prompts/answer/versions/1/publish"),
                await http.post("/v1/prompts/answer/roll-back", json={"to": 0}),
            )
            assert tuple(answer.status_code for answer in seen) == statuses
        await services.parts.catalog.ensure_tenant("other", "other")
        _, key = await services.keys.issue("other", "admin", scope=Scope.ADMIN)
        http.headers["Authorization"] = f"Bearer {key}"
        assert (await http.get("/v1/prompts/answer/versions/1")).status_code == 404
