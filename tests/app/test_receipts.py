"""The receipt of an answer says how it came about, over HTTP: to operators, of their tenant, for a time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import update

from app.chat.answerers import Answerer, ModelAnswerer
from app.chat.events import Event, Token
from app.chat.prompts import load
from app.chat.tables import receipts
from app.chat.trail import MOST_SENT
from app.chat.turns import Ask
from app.identity.keys import Scope
from app.jobs.queue import MemoryQueue
from app.llm.ports import Delta, Message, ModelInterrupted, ModelUnavailable, TextDelta, Usage
from app.llm.scripted import ScriptedModel, Step
from app.llm.tables import model_calls
from app.main import create_app
from app.wiring import Services, Twins
from app.worker import Housekeeping
from knowledge.database import now
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.vectors import MemoryVectors
from tests.app.test_answer_cache import QUESTION, model
from tests.products import FEES, RETURNS, settings_for, take_in

ANSWER = [TextDelta("50000 元[1][9]"), Usage(100, 20)]


@asynccontextmanager
async def served(
    data: Path, answerer: Answerer | None = None, **overrides: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Services]]:
    twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue(), answerer)
    app = create_app(settings_for(data, **{"suggestions": "off", **overrides}), twins=twins)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            await take_in(app.state.services, "shop", "费用.md", FEES)
            await take_in(app.state.services, "shop", "退换货.md", RETURNS)
            yield http, app.state.services


async def asked(http: httpx.AsyncClient, question: str = QUESTION, **more: Any) -> str:
    answer = (await http.post("/v1/chat", json={"question": question, "stream": False, **more})).json()
    found: str = answer["turn_id"] if "turn_id" in answer else answer["params"]["turn_id"]
    return found


async def receipt_of(http: httpx.AsyncClient, turn_id: str) -> dict[str, Any]:
    answer = await http.get(f"/v1/turns/{turn_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_it_has_scores_verdict_prompt_call_times_and_what_was_taken_out(tmp_path: Path) -> None:
    scripted, answerer = model(ANSWER)
    async with served(tmp_path, answerer) as (http, _):
        receipt = await receipt_of(http, await asked(http))
    first = receipt["passages"][0]
    assert (first["document"], first["given"], first["scores"]["lexical_rank"]) == ("费用.md", True, 1)
    assert -1 <= first["scores"]["dense"] <= 1
    assert "保证金" in first["text"]
    assert receipt["verdict"]["answerable"] is True
    assert (receipt["citations"], receipt["citations_removed"]) == ([1], [9])
    (prompt,) = receipt["prompts"]
    assert [(each["role"], each["content"]) for each in prompt["messages"]] == [
        (each.role, each.content) for each in scripted.calls[0].messages
    ]
    assert (prompt["purpose"], prompt["version"], prompt["left_out"]) == ("answer", answerer.prompt_version, 0)
    (call,) = receipt["calls"]
    assert (call["purpose"], call["outcome"], call["prompt_tokens"], call["completion_tokens"]) == (
        "answer", "stop", 100, 20,
    )  # fmt: skip
    assert receipt["cost"] == {"amounts": {}, "unpriced_calls": 1}
    assert (receipt["cached"], receipt["shared"], receipt["feedback"]) == (None, False, None)
    steps = [span["step"] for span in receipt["waterfall"]]
    assert steps == ["retrieve", "embed", "dense", "lexical", "sections", "call", "total"]
    *parts, whole = receipt["waterfall"]
    assert all(part["start"] >= 0 and part["start"] + part["length"] <= whole["length"] + 1 for part in parts)


async def test_a_kept_answer_has_its_scores_and_no_call(tmp_path: Path) -> None:
    _, answerer = model(ANSWER)
    async with served(tmp_path, answerer) as (http, _):
        made = await receipt_of(http, await asked(http))
        again = await receipt_of(http, await asked(http))
        other = await receipt_of(http, await asked(http, "请问旗舰店保证金多少"))
    assert (again["cached"], again["saved_tokens"], again["calls"], again["prompts"]) == ("exact", 120, [], [])
    given = [each for each in made["passages"] if each["given"]]
    assert again["passages"] == given
    assert other["cached"] == "evidence"
    assert [each["step"] for each in again["waterfall"]] == ["replay", "total"]
    assert [each["step"] for each in other["waterfall"]][-2:] == ["replay", "total"]


class HeldModel(ScriptedModel):
    """Waits after each piece until it may go on."""

    def __init__(self, *script: Step) -> None:
        super().__init__(list(script))
        self.go_on = asyncio.Event()

    async def stream(self, messages: Sequence[Message], **more: Any) -> AsyncGenerator[Delta, None]:
        async with aclosing(super().stream(messages, **more)) as deltas:
            async for delta in deltas:
                yield delta
                await self.go_on.wait()


async def test_an_answer_shared_with_another_question_says_so(tmp_path: Path) -> None:
    held = HeldModel("50000 ", "元[1]", Usage(100, 20))
    answerer = ModelAnswerer(held, load("answer"), temperature=0, max_tokens=99)
    async with served(tmp_path, answerer) as (http, services), AsyncExitStack() as streams:
        turns = [await services.chat.prepare(Ask(DEFAULT_TENANT, QUESTION)) for _ in range(2)]
        events = [await streams.enter_async_context(aclosing(services.chat.answer(turn))) for turn in turns]
        for stream in events:
            assert [event async for event in until_a_token(stream)]
        held.go_on.set()
        for stream in events:
            assert [event async for event in stream]
        own, shared = [await receipt_of(http, turn.id) for turn in turns]
    assert (own["shared"], len(own["prompts"]), len(own["calls"])) == (False, 1, 1)
    assert (shared["shared"], shared["prompts"], shared["calls"], shared["saved_tokens"]) == (True, [], [], 120)
    assert shared["waterfall"][-2]["step"] == "share"


async def until_a_token(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    async for event in events:
        yield event
        if isinstance(event, Token):
            return


async def test_a_refusal_shows_what_was_found_and_why_it_was_not_enough(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        receipt = await receipt_of(http, await asked(http, "HB-KT-9999 旗舰店的保证金是多少？"))
    assert receipt["refused"] is True
    assert receipt["verdict"]["missing_codes"] == ["hb-kt-9999"]
    assert receipt["verdict"]["answerable"] is False
    assert receipt["passages"]
    assert all(each["text"] for each in receipt["passages"])


async def test_a_failure_shows_its_code_its_prompt_and_the_evidence_as_far_as_it_got(tmp_path: Path) -> None:
    _, answerer = model(["五", ModelInterrupted("cut")], [ModelUnavailable("down")])
    async with served(tmp_path, answerer) as (http, _):
        receipt = await receipt_of(http, await asked(http))
        down = await receipt_of(http, await asked(http, "佣金是多少？"))
    assert (receipt["status"], receipt["error_code"], receipt["answer"]) == ("failed", "model_interrupted", "五")
    assert receipt["passages"][0]["text"]
    assert receipt["calls"][0]["outcome"] == "model_interrupted"
    assert receipt["prompts"][0]["messages"]
    assert receipt["waterfall"][-1]["step"] == "total"
    assert (down["error_code"], down["calls"][0]["outcome"]) == ("model_unavailable", "model_unavailable")


async def test_a_follow_up_shows_how_it_was_read_and_both_prompts(tmp_path: Path) -> None:
    _, answerer = model(ANSWER, ["专营店的保证金是多少？"], ["30000 元[1]"])
    async with served(tmp_path, answerer) as (http, _):
        first = await receipt_of(http, await asked(http))
        receipt = await receipt_of(http, await asked(http, "那专营店呢？", conversation_id=first["conversation_id"]))
    assert (receipt["question"], receipt["condensed"]) == ("那专营店呢？", "专营店的保证金是多少？")
    assert [each["purpose"] for each in receipt["prompts"]] == ["condense", "answer"]
    assert [each["purpose"] for each in receipt["calls"]] == ["condense", "answer"]
    assert [each["step"] for each in receipt["waterfall"]] == [
        "call", "retrieve", "embed", "dense", "lexical", "sections", "call", "total",
    ]  # fmt: skip


async def test_versions_know_each_other_and_feedback_is_shown(tmp_path: Path) -> None:
    _, answerer = model(ANSWER, ["五万[1]"], ["5 万[1]"])
    async with served(tmp_path, answerer) as (http, _):
        first = await asked(http)
        conversation = (await receipt_of(http, first))["conversation_id"]
        second = (await http.post(f"/v1/turns/{first}/regenerate?stream=false")).json()["turn_id"]
        third = (await http.post(f"/v1/turns/{second}/regenerate?stream=false")).json()["turn_id"]
        by_hand = await asked(http, conversation_id=conversation)
        await http.post(f"/v1/turns/{second}/feedback", json={"rating": "down", "reason": "wrong", "comment": "旧"})
        seen = [await receipt_of(http, each) for each in (first, second, third, by_hand)]
    assert [[version["id"] for version in each["versions"]] for each in seen] == [[first, second, third]] * 3 + [
        [by_hand]
    ]
    assert [each["feedback"] and each["feedback"]["reason"] for each in seen] == [None, "wrong", None, None]


async def test_prompts_are_kept_within_a_bound(tmp_path: Path) -> None:
    _, answerer = model(ANSWER)
    async with served(tmp_path, answerer) as (http, _):
        instructions = "简短。" * MOST_SENT
        messages = [{"role": "system", "content": instructions}, {"role": "user", "content": QUESTION}]
        body = {"model": "copilot", "messages": messages}
        done = (await http.post("/v1/chat/completions", json=body)).json()
        prompt = (await receipt_of(http, done["choices"][0]["message"]["copilot"]["turn_id"]))["prompts"][0]
    kept = sum(len(each["content"]) for each in prompt["messages"])
    assert kept == MOST_SENT
    assert prompt["left_out"] > len(instructions) - MOST_SENT


async def test_who_may_not_read_and_other_tenants_see_nothing(tmp_path: Path) -> None:
    _, answerer = model(ANSWER)
    async with served(tmp_path, answerer, require_keys=True) as (http, services):
        await services.parts.catalog.ensure_tenant("other", "other")
        _, reader = await services.keys.issue(DEFAULT_TENANT, "reader", scope=Scope.READ)
        _, page = await services.keys.publish(DEFAULT_TENANT, "page", origins=["https://shop.example"])
        _, stranger = await services.keys.issue("other", "stranger", scope=Scope.ADMIN)
        turn = await asked_with(http, reader)
        statuses = [await status_with(http, turn, key) for key in (reader, page, stranger)]
    assert statuses == [200, 403, 404]


async def asked_with(http: httpx.AsyncClient, key: str) -> str:
    http.headers["Authorization"] = f"Bearer {key}"
    return await asked(http)


async def status_with(http: httpx.AsyncClient, turn: str, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}", "Origin": "https://shop.example"}
    return (await http.get(f"/v1/turns/{turn}", headers=headers)).status_code


async def test_old_trails_and_calls_are_swept_and_the_turn_stays(tmp_path: Path) -> None:
    _, answerer = model(ANSWER, ANSWER)
    async with served(tmp_path, answerer, call_log_days=7) as (http, services):
        old, new = await asked(http), await asked(http, "专营店的保证金是多少？")
        long_ago = now() - timedelta(days=8)
        async with services.parts.database.write() as connection:
            await connection.execute(update(receipts).where(receipts.c.turn_id == old).values(created_at=long_ago))
            await connection.execute(
                update(model_calls).where(model_calls.c.turn_id == old).values(created_at=long_ago)
            )
        await Housekeeping(services, rarely=0).sweep()
        gone, there = await receipt_of(http, old), await receipt_of(http, new)
    assert (gone["prompts"], gone["calls"], gone["verdict"]) == ([], [], None)
    assert gone["answer"] == "50000 元[1]"
    assert gone["passages"][0]["scores"]["dense"] is None
    assert there["prompts"]
    assert there["calls"]
