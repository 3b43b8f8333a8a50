"""Conversations are looked at, taken along, and deleted with all that belongs to them."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import insert, select, update

from app.channels.replies import Reply
from app.chat import prompts
from app.chat.answerers import ModelAnswerer
from app.chat.export import cell
from app.chat.tables import conversations, gaps, turns
from app.chat.turns import Ask
from app.identity.keys import Scope
from app.jobs.ports import NewArtifact
from app.jobs.tables import artifacts, jobs
from app.llm.ports import TextDelta
from app.llm.scripted import ScriptedModel
from app.main import create_app
from app.wiring import Services, Twins
from app.worker import Housekeeping
from knowledge.database import metadata, now
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.errors import NotFound
from knowledge.models import DEFAULT_TENANT
from knowledge.tables import tenants
from knowledge.vectors import MemoryVectors
from tests.app.jobs_api.calls import png
from tests.products import FEES, settings_for, take_in

FEE = "旗舰店的保证金是多少？"
UNKNOWN = "月球上的重力加速度是多少？"
NEVER = 3600.0


@asynccontextmanager
async def served(
    data: Path, *script: str | float, **overrides: Any
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    model = ScriptedModel([TextDelta(each) if isinstance(each, str) else each for each in script or ("50000 [1]。",)])
    answerer = ModelAnswerer(model, prompts.load("answer"), temperature=0, max_tokens=99)
    twins = Twins(embedder=HashingEmbedder(), vectors=MemoryVectors(), answerer=answerer)
    app = create_app(settings_for(data, **overrides), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            await take_in(app.state.services, "shop", "费用.md", FEES)
            yield http, app.state.services


async def ask(http: httpx.AsyncClient, question: str = FEE, **more: Any) -> dict[str, Any]:
    answer = await http.post("/v1/chat", json={"question": question, "stream": False, **more})
    assert answer.status_code == 200, answer.text
    done: dict[str, Any] = answer.json()
    return done


async def upload(services: Services) -> str:
    return (await services.jobs.artifacts.upload(DEFAULT_TENANT, NewArtifact(png(), "image/png", "a.png"))).id


async def left(services: Services) -> dict[str, int]:
    """Rows that name a turn or a conversation that is not there, by table and column; calls of models may."""
    async with services.parts.database.read() as connection:
        known = {
            "turn_id": set((await connection.execute(select(turns.c.id))).scalars()),
            "conversation_id": set((await connection.execute(select(conversations.c.id))).scalars()),
        }
        found = {}
        for table in metadata.sorted_tables:
            for name in known.keys() & table.c.keys() if table.name != "model_calls" else ():
                named = set((await connection.execute(select(table.c[name]))).scalars()) - {None}
                found[f"{table.name}.{name}"] = len(named - known[name])
    return {name: count for name, count in found.items() if count}


async def rich(http: httpx.AsyncClient, services: Services) -> tuple[str, str]:
    """A conversation with everything that one may have → (its id, its picture)."""
    picture = await upload(services)
    first = await ask(http, FEE, attachments=[picture])
    conversation = first["conversation_id"]
    second = await ask(http, UNKNOWN, conversation_id=conversation)
    gap = {"turn_id": second["turn_id"], "tenant": DEFAULT_TENANT, "question": UNKNOWN, "created_at": now()}
    await services.parts.database.apply(insert(gaps).values(gap))
    (await http.post(f"/v1/turns/{first['turn_id']}/feedback", json={"rating": "down"})).raise_for_status()
    turn = await services.conversations.answered(DEFAULT_TENANT, first["turn_id"])
    await services.handoffs.open(DEFAULT_TENANT, turn, channel="dingtalk", asker="张三", target={})
    reply = Reply("r1", DEFAULT_TENANT, "dingtalk", "answer", "p", {}, "final", "ok", turn_id=turn.id, text="50000")
    await services.replies.open(reply)
    return conversation, picture


async def test_they_are_listed_with_their_first_question_and_one_has_its_turns(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        first = await ask(http)
        await ask(http, "专营店呢？", conversation_id=first["conversation_id"])
        second = await ask(http, "家居类目的佣金比例是多少？")
        listed = (await http.get("/v1/conversations")).json()
        assert [(each["title"], each["total"]) for each in listed["conversations"]] == [
            ("家居类目的佣金比例是多少？", 1),
            (FEE, 2),
        ]
        assert (listed["total"], listed["retention_days"]) == (2, None)
        assert listed["conversations"][0]["id"] == second["conversation_id"]
        one = (await http.get(f"/v1/conversations/{first['conversation_id']}")).json()
        assert [turn["question"] for turn in one["turns"]] == [FEE, "专营店呢？"]
        assert one["turns"][0]["sources"] == ["费用.md"]
        assert one["requester"] == "local"


async def test_a_deleted_one_leaves_nothing_behind(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        conversation, picture = await rich(http, services)
        other = await ask(http, "专营店的保证金是多少？")
        assert (await http.delete(f"/v1/conversations/{conversation}")).status_code == 204
        assert await left(services) == {}
        listed = (await http.get("/v1/conversations")).json()
        assert [each["id"] for each in listed["conversations"]] == [other["conversation_id"]]
        assert (await http.get("/v1/gaps")).json()["gaps"] == []
        assert await services.handoffs.waiting(DEFAULT_TENANT) == []
        assert await services.replies.find("r1") is None
        with pytest.raises(NotFound):
            await services.jobs.artifacts.get(DEFAULT_TENANT, picture)
        for call in (http.get, http.delete):
            again = await call(f"/v1/conversations/{conversation}")
            assert (again.status_code, again.json()["code"]) == (404, "conversation_not_found")
        asked = await http.post("/v1/chat", json={"question": FEE, "conversation_id": conversation})
        assert (asked.status_code, asked.json()["code"]) == (404, "conversation_not_found")


async def test_a_job_stays_in_its_ledger_with_the_picture_it_was_made_from(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        conversation, picture = await rich(http, services)
        job = {"id": "j1", "tenant": DEFAULT_TENANT, "kind": "crop", "queue": "image", "state": "succeeded"}
        job |= {"priority": 0, "request": {"image": picture}, "conversation_id": conversation, "max_attempts": 1}
        async with services.parts.database.write() as connection:
            await connection.execute(insert(jobs).values(**job, created_at=now()))
            await connection.execute(update(artifacts).values(name="b.png"))
        await http.delete(f"/v1/conversations/{conversation}")
        assert await left(services) == {}
        assert (await services.jobs.artifacts.get(DEFAULT_TENANT, picture)).name == "b.png"
        assert (await services.jobs.ledger.get(DEFAULT_TENANT, "j1")).conversation_id is None


async def test_all_of_one_requester_are_deleted_and_nobody_elses(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for person in ("dingtalk:u1",) * 30 + ("dingtalk:u2",):
            await services.conversations.begin(
                DEFAULT_TENANT, turn_id=uuid4().hex, question="?", channel="dingtalk", requester=person
            )
        mine = (await http.get("/v1/conversations", params={"requester": "dingtalk:u1", "limit": 5})).json()
        assert (mine["total"], len(mine["conversations"])) == (30, 5)
        done = await http.delete("/v1/conversations", params={"requester": "dingtalk:u1"})
        assert done.json() == {"deleted": 30}
        assert (await http.get("/v1/conversations")).json()["conversations"][0]["requester"] == "dingtalk:u2"
        assert (await http.delete("/v1/conversations")).status_code == 422


async def test_what_is_not_used_for_too_long_is_swept_up(tmp_path: Path) -> None:
    async with served(tmp_path, history_days=30) as (http, services):
        old, _ = await rich(http, services)
        fresh = await ask(http, "专营店的保证金是多少？")
        long_ago = now() - timedelta(days=31)
        async with services.parts.database.write() as connection:
            await connection.execute(update(conversations).filter_by(id=old).values(last_turn_at=long_ago))
        await Housekeeping(services, rarely=0).sweep()
        listed = (await http.get("/v1/conversations")).json()
        assert [each["id"] for each in listed["conversations"]] == [fresh["conversation_id"]]
        assert listed["retention_days"] == 30
        assert await left(services) == {}


async def test_a_question_keeps_its_conversation_from_being_swept_up(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        first = await ask(http)
        async with services.parts.database.write() as connection:
            await connection.execute(update(conversations).values(last_turn_at=now() - timedelta(days=9)))
        await ask(http, "专营店呢？", conversation_id=first["conversation_id"])
        assert await services.eraser.unused(longer_than=timedelta(days=1)) == 0


async def test_a_turn_under_way_in_a_deleted_conversation_ends_as_stopped_and_writes_no_row(tmp_path: Path) -> None:
    async with served(tmp_path, "五万", NEVER) as (http, services):
        running = http._transport.app.state.running  # type: ignore[attr-defined]
        turn = await services.chat.prepare(Ask(DEFAULT_TENANT, FEE))
        running.start(turn)
        frames, said = [], asyncio.Event()

        async def read() -> None:
            async for batch in running.frames(DEFAULT_TENANT, turn.id):
                frames.extend(batch)
                if "五万".encode() in b"".join(frame.data for frame in frames):
                    said.set()

        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            await said.wait()
            assert (await http.delete(f"/v1/conversations/{turn.conversation_id}")).status_code == 204
        assert b'"finish":"stopped"' in frames[-1].data
        assert await left(services) == {}
        gone = await http.get(f"/v1/turns/{turn.id}/events")
        assert (gone.status_code, gone.json()["code"]) == (404, "turn_not_found")
        assert (await http.post(f"/v1/turns/{turn.id}/regenerate")).status_code == 404


async def test_a_question_into_a_conversation_that_is_deleted_at_that_moment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(tmp_path) as (_, services):
        monkeypatch.setattr(services.parts.database, "rows", AsyncMock(return_value=["it was there"]))
        with pytest.raises(NotFound) as gone:
            await services.conversations.begin(DEFAULT_TENANT, turn_id="t", conversation_id="0" * 32, question="?")
        assert gone.value.error_code == "conversation_not_found"


async def test_an_export_has_a_line_for_every_turn_in_either_form(tmp_path: Path) -> None:
    async with served(tmp_path, '=HYPERLINK("http://x") [1]，含“引号”,\n换行。') as (http, services):
        conversation, _ = await rich(http, services)
        lines = (await http.get("/v1/conversations/export")).text.splitlines()
        first, second = map(json.loads, lines)
        assert (first["conversation_id"], first["question"], first["rating"]) == (conversation, FEE, "down")
        assert (second["question"], second["rating"]) == (UNKNOWN, None)
        answer = await http.get("/v1/conversations/export", params={"format": "csv"})
        assert answer.content.startswith(b"\xef\xbb\xbf")
        assert "attachment" in answer.headers["content-disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert rows[0]["answer"] == "'" + first["answer"]
        assert (rows[0]["sources"], rows[1]["refused"]) == ("费用.md", "false")
        assert list(rows[0]) == list(first)


async def test_an_export_of_many_is_read_in_lots_and_by_moment(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        talk, start = services.conversations, now() - timedelta(days=2)
        conversation = await talk.begin(DEFAULT_TENANT, turn_id=f"{0:032}", question="?")
        async with asyncio.TaskGroup() as tasks:
            for number in range(1, 450):
                one = talk.begin(DEFAULT_TENANT, turn_id=f"{number:032}", conversation_id=conversation, question="?")
                tasks.create_task(one)
        async with services.parts.database.write() as connection:
            await connection.execute(update(turns).values(created_at=start))  # all at the same moment
        lots = [lot async for lot in services.archive.export(DEFAULT_TENANT)]
        assert [len(lot) for lot in lots] == [200, 200, 50]
        assert len({turn.id for lot in lots for turn in lot}) == 450
        for bound, count in (({"since": (start + timedelta(hours=1)).isoformat()}, 0), ({"until": "2999-01-01"}, 450)):
            found = await http.get("/v1/conversations/export", params=bound)
            assert len(found.text.splitlines()) == count
        nowhere = await http.get("/v1/conversations/export", params={"since": "0001-01-01T00:00:00+14:00"})
        assert (nowhere.status_code, nowhere.json()["code"]) == (422, "moment_invalid")


async def test_each_tenant_sees_and_deletes_its_own_and_each_key_what_it_may(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        async with services.parts.database.write() as connection:
            await connection.execute(insert(tenants).values(id="other", name="other", created_at=now()))
        conversation = await services.conversations.begin(DEFAULT_TENANT, turn_id="t", question="?", requester="local")
        foreign = (await services.keys.issue("other", "k", scope=Scope.ADMIN))[1]
        reader = (await services.keys.issue(DEFAULT_TENANT, "k", scope=Scope.READ))[1]
        one = f"/v1/conversations/{conversation}"

        async def status(key: str, method: str, path: str) -> int:
            return (await http.request(method, path, headers={"Authorization": f"Bearer {key}"})).status_code

        assert await status(foreign, "GET", one) == 404
        assert await status(foreign, "DELETE", one) == 404
        assert await status(reader, "GET", one) == 200
        assert await status(reader, "GET", "/v1/conversations") == 200
        for method, path in (("DELETE", one), ("GET", "/v1/conversations/export")):
            assert await status(reader, method, path) == 403
        deleted = await http.request(
            "DELETE", "/v1/conversations?requester=local", headers={"Authorization": f"Bearer {foreign}"}
        )
        assert deleted.json() == {"deleted": 0}
        listed = await http.get("/v1/conversations", headers={"Authorization": f"Bearer {foreign}"})
        assert listed.json()["conversations"] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1", "\r=1"])
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"
