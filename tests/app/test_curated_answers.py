"""Curated answers through HTTP and the chat: written, published, edited, retired, and what they answer meanwhile."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.events import Done
from app.chat.turns import Ask, Brought
from app.identity.keys import Scope
from app.llm.ports import TextDelta, ToolSpec
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.database import now
from knowledge.models import DEFAULT_TENANT
from tests.app.curation import ask, served, write
from tests.app.jobs_api.calls import png
from tests.products import FEES, take_in

QUESTION, ANSWER = "旗舰店的保证金是多少？", "五万元，可分两期 [见合同]。"


def model(*scripts: list[Any]) -> tuple[ScriptedModel, ModelAnswerer]:
    scripted = ScriptedModel(*(scripts or ([TextDelta("50000 元[1]")],)))
    return scripted, ModelAnswerer(scripted, prompts.load("answer"), temperature=0, max_tokens=99)


async def test_a_live_answer_comes_before_documents_model_and_cache_and_is_marked(tmp_path: Path) -> None:
    scripted, answerer = model()
    async with served(tmp_path, answerer=answerer) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        assert (await ask(http, QUESTION))["curated"] is False
        made = await write(http, QUESTION, ANSWER)
        done = await ask(http, QUESTION)
        assert (done["answer"], done["curated"], done["cached"], done["model"]) == (ANSWER, True, None, "")
        assert (done["passages"], done["citations"], done["usage"]) == ([], [], {})
        assert len(scripted.calls) == 1
        turn = await services.conversations.answered(DEFAULT_TENANT, done["turn_id"])
        assert (turn.curated, turn.answer) == (made["id"], ANSWER)
        use = await services.cache_use.since(DEFAULT_TENANT)
        assert use.written == 1

        await http.delete(f"/v1/curated-answers/{made['id']}")
        assert (await ask(http, QUESTION))["cached"] == "exact"  # what was kept before, and nothing of the curated one
    assert len(scripted.calls) == 1


async def test_only_a_live_one_answers_and_every_change_counts_from_the_next_question_on(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        made = await write(http, QUESTION, ANSWER, state="proposed")
        path = f"/v1/curated-answers/{made['id']}"
        assert not (await ask(http, QUESTION))["curated"]
        for changes, answer in (
            ({"state": "live"}, ANSWER),
            ({"answer": "六万元。"}, "六万元。"),
            ({"variants": ["押金几何"]}, "六万元。"),
            ({"state": "retired"}, None),
            ({"state": "live", "question": "别的"}, None),
        ):
            changed = await http.patch(path, json=changes)
            assert changed.status_code == 200
            done = await ask(http, QUESTION)
            assert (done["answer"] if done["curated"] else None) == answer, changes
        assert (await ask(http, "押金几何"))["curated"]
        assert changed.json()["variants"] == ["押金几何"]
        assert changed.json()["updated_by"] == "local"


async def test_another_process_sees_a_change_at_its_next_question(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services), served(tmp_path) as (other, _):
        await take_in(services, "shop", "费用.md", FEES)
        assert not (await ask(other, QUESTION))["curated"]
        made = await write(http, QUESTION, ANSWER)
        assert (await ask(other, QUESTION))["curated"]
        await http.patch(f"/v1/curated-answers/{made['id']}", json={"answer": "六万元。"})
        assert (await ask(other, QUESTION))["answer"] == "六万元。"
        await http.delete(f"/v1/curated-answers/{made['id']}")
        assert not (await ask(other, QUESTION))["curated"]


async def test_it_answers_within_its_time_only(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        hour = timedelta(hours=1)
        for begins, ends, answers in (
            (-hour, hour, True),
            (hour, None, False),
            (None, -hour, False),
            (-hour, None, True),
        ):
            window = {
                "valid_from": begins and (now() + begins).isoformat(),
                "valid_until": ends and (now() + ends).isoformat(),
            }
            made = await write(http, QUESTION, ANSWER, **window)
            assert (await ask(http, QUESTION))["curated"] is answers, window
            await http.delete(f"/v1/curated-answers/{made['id']}")


async def test_it_answers_in_its_knowledge_bases_and_the_nearest_one_wins(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for name in ("shop", "rules"):
            await services.knowledge.ensure(DEFAULT_TENANT, name)
        shop = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        made = await write(http, QUESTION, "店铺的", knowledge_bases=[shop.id])
        assert made["knowledge_bases"] == ["shop"]
        assert not (await ask(http, QUESTION, kb=["rules"]))["curated"]
        await write(http, QUESTION, "所有的")
        assert [(await ask(http, QUESTION, kb=kb))["answer"] for kb in (["rules"], ["shop"], [shop.id], None)] == [
            "所有的", "店铺的", "店铺的", "店铺的",
        ]  # fmt: skip
        await write(http, "旗舰店保证金多少", "原话的")
        assert (await ask(http, "旗舰店保证金多少"))["answer"] == "原话的"


async def test_a_follow_up_is_matched_as_asked_and_as_condensed_but_not_by_what_it_points_at(tmp_path: Path) -> None:
    scripted, answerer = model([TextDelta("五万[1]")], [TextDelta("专营店的保证金是多少？")])
    async with served(tmp_path, answerer=answerer) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        first = await ask(http, QUESTION)
        await write(http, "专营店的保证金是多少？", "三万元。")
        await write(http, "那它呢？", "这句话不该单独回答。")
        talk = {"conversation_id": first["conversation_id"]}
        assert (await ask(http, "请问专营店保证金多少", **talk))["answer"] == "三万元。"
        assert len(scripted.calls) == 1
        assert (await ask(http, "那它呢？", **talk))["answer"] == "三万元。"
        assert len(scripted.calls) == 2  # to condense


async def test_pictures_and_a_clients_tools_are_not_for_it(tmp_path: Path) -> None:
    _, answerer = model()
    async with served(tmp_path, answerer=answerer) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await write(http, QUESTION, ANSWER)
        tool = ToolSpec("lookup", "Looks something up.", {"type": "object", "properties": {}})
        assert not (await done(services, brought=Brought(tools=(tool,)))).curated
        assert (await done(services, brought=Brought(instructions="Be short."))).curated
        picture = (await http.post("/v1/artifacts", files={"file": ("a.png", png())})).json()["id"]
        assert not (await ask(http, QUESTION, attachments=[picture]))["curated"]
        assert not (await done(services, attachments=(picture,))).curated


async def done(services: Services, **more: Any) -> Done:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION, **more))
    end = [event async for event in services.chat.answer(turn)][-1]
    assert isinstance(end, Done)
    return end


async def test_openai_clients_are_told_too(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await write(http, QUESTION, ANSWER)
        _, token = await services.keys.issue(DEFAULT_TENANT, "client", scope=Scope.READ)
        async with AsyncOpenAI(base_url="http://127.0.0.1:8000/v1", api_key=token, http_client=http) as client:
            said = await client.chat.completions.create(
                model="copilot", messages=[{"role": "user", "content": QUESTION}]
            )
            assert said.choices[0].message.content == ANSWER
            assert said.choices[0].message.copilot["curated"] is True  # type: ignore[attr-defined]


async def test_they_are_listed_by_state_a_page_at_a_time_and_only_to_their_tenant(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for n in range(3):
            await write(http, f"问题 {n}", "答", state="live" if n else "proposed")
        listed = (await http.get("/v1/curated-answers")).json()
        assert ([each["question"] for each in listed["curated_answers"]], listed["total"]) == (
            ["问题 2", "问题 1", "问题 0"], 3,
        )  # fmt: skip
        page = (await http.get("/v1/curated-answers?state=live&limit=1&offset=1")).json()
        assert ([each["question"] for each in page["curated_answers"]], page["total"]) == (["问题 1"], 2)
        one = listed["curated_answers"][0]
        assert (await http.get(f"/v1/curated-answers/{one['id']}")).json() == one
        await services.parts.catalog.ensure_tenant("other", "other")
        _, token = await services.keys.issue("other", "theirs", scope=Scope.WRITE)
        theirs = {"Authorization": f"Bearer {token}"}
        assert (await http.get("/v1/curated-answers", headers=theirs)).json()["total"] == 0
        for method in ("GET", "PATCH", "DELETE"):
            body = {"json": {"answer": "x"}} if method == "PATCH" else {}
            refused = await http.request(method, f"/v1/curated-answers/{one['id']}", headers=theirs, **body)
            assert (refused.status_code, refused.json()["code"]) == (404, "curated_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"question": " "}, 422, "curated_empty"),
        ({"answer": ""}, 422, "curated_empty"),
        ({"answer": "长" * 10_001}, 422, "curated_too_long"),
        ({"variants": ["长" * 2001]}, 422, "curated_too_long"),
        ({"variants": [str(n) for n in range(101)]}, 422, "curated_too_many_variants"),
        ({"knowledge_bases": []}, 422, "curated_no_base"),
        ({"knowledge_bases": ["none"]}, 404, "knowledge_base_not_found"),
        ({"valid_from": "2026-02-01T00:00:00Z", "valid_until": "2026-01-01T00:00:00Z"}, 422, "curated_window"),
        ({"valid_until": "9999-12-31T23:59:59-12:00"}, 422, "curated_window"),
        ({"valid_until": "2026-01-01T00:00:00"}, 422, "invalid_input"),
        ({"state": "retired"}, 422, "invalid_input"),
        ({"gap": "none"}, 404, "gap_not_found"),
    ],
)
async def test_what_cannot_be_one_is_refused_with_a_code(
    tmp_path: Path, body: dict[str, Any], status: int, code: str
) -> None:
    async with served(tmp_path) as (http, _):
        refused = await http.post("/v1/curated-answers", json={"question": "问", "answer": "答", **body})
        assert (refused.status_code, refused.json()["code"]) == (status, code)


async def test_reading_is_for_readers_and_writing_for_writers(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        _, token = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        reader = {"Authorization": f"Bearer {token}"}
        for path in ("/v1/curated-answers", "/v1/gaps"):
            assert (await http.get(path)).status_code == 401
            assert (await http.get(path, headers=reader)).status_code == 200
        for path in ("/v1/curated-answers", "/v1/gaps/x/dismiss", "/v1/gaps/x/resolve"):
            body = {"question": "问", "answer": "答", "curated_answer_id": "x"}
            assert (await http.post(path, json=body, headers=reader)).status_code == 403
