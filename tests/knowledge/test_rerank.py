"""Reranking: what it does to the order, and that nothing it does wrong keeps a question from its answer."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from app.jobs.queue import MemoryQueue
from app.wiring import Twins, running_services
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.errors import InvalidInput, Unavailable
from knowledge.models import DEFAULT_TENANT, Passage
from knowledge.rerank import Rerank, SharedWords
from knowledge.rerankers.cross_encoder import CrossEncoderReranker
from knowledge.rerankers.http import HttpReranker
from knowledge.settings import KnowledgeSettings
from knowledge.vectors import MemoryVectors
from knowledge.wiring import make_reranker
from tests.contracts.rerank_server import KEY, MODEL, RerankServer, rerank_server
from tests.contracts.tiny_models import gpu_extra, tiny_cross_encoder, tiny_embedder
from tests.products import FEES, RETURNS, settings_for, take_in

PASSAGES = [Passage(f"c{n}", f"d{n}", f"{n}.md", "kb", text, 1.0 - n / 10) for n, text in enumerate(["甲", "乙", "丙"])]


class Given:
    """Scores as given; waits for ``gate``."""

    model_id = "given"

    def __init__(self, *scores: float, failure: Unavailable | None = None) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self._scores, self._failure = scores, failure

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        await self.gate.wait()
        if self._failure:
            raise self._failure
        return list(self._scores[: len(texts)])

    async def close(self) -> None:
        """Nothing to close."""


def order(passages: Sequence[Passage]) -> str:
    return "".join(passage.text for passage in passages)


async def test_the_first_are_ordered_anew_and_those_behind_them_stay() -> None:
    ranked = await Rerank(Given(0.1, 0.9), top=2, seconds=5).order("?", PASSAGES)
    assert order(ranked.passages) == "乙甲丙"
    assert [passage.scores.rerank for passage in ranked.passages] == [0.9, 0.1, None]
    assert ranked.notes == ()


async def test_a_reranker_that_is_late_or_fails_leaves_the_order_and_it_is_noted() -> None:
    slow = Given(1, 2, 3)
    slow.gate.clear()
    late = await Rerank(slow, top=2, seconds=0.01).order("?", PASSAGES)
    assert (order(late.passages), late.notes) == ("甲乙丙", ("rerank_timeout",))
    assert [passage.scores.unranked for passage in late.passages] == ["rerank_timeout", "rerank_timeout", None]
    down = Given(failure=Unavailable("down", code="rerank_unavailable"))
    assert (await Rerank(down, top=3, seconds=5).order("?", PASSAGES)).notes == ("rerank_unavailable",)


async def test_the_hit_test_shows_its_scores_and_a_search_asks_for_enough(tmp_path: Path) -> None:
    async with rerank_server() as server:
        told = {"reranker": "http", "rerank_url": server.url, "rerank_model": MODEL, "rerank_api_key": KEY}
        settings = settings_for(tmp_path, **told, rerank_timeout=10, rerank_top=5)
        twins = Twins(HashingEmbedder(), MemoryVectors(), MemoryQueue())
        async with running_services(settings, twins=twins) as services:
            await take_in(services, "shop", "费用.md", FEES)
            await take_in(services, "shop", "退换货.md", RETURNS)
            found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=1)
            assert len(found.passages) == 1
            assert found.passages[0].document == "费用.md"
            assert found.passages[0].scores.rerank == pytest.approx(1)
            assert "rerank" in found.timings_ms
            assert len(server.requests[0]["documents"]) == 2
            server.answer = lambda: (500, {})
            found = await services.knowledge.search(DEFAULT_TENANT, "旗舰店保证金", kbs=["shop"], limit=1)
            assert found.notes == ("rerank_unavailable",)
            assert asdict(found.passages[0].scores)["unranked"] == "rerank_unavailable"


async def refused(server: RerankServer, key: str = KEY, **options: Any) -> str:
    client = HttpReranker(server.url, key, MODEL, **options)
    try:
        with pytest.raises(Unavailable) as failure:
            await client.scores("退货", ["一", "二"])
    finally:
        await client.close()
    return failure.value.error_code


async def test_what_an_endpoint_can_do_wrong_has_a_code() -> None:
    async with rerank_server() as server:
        assert await refused(server, key="sk-wrong") == "rerank_key_refused"
        statuses = {404: "rerank_refused", 422: "rerank_refused", 429: "rerank_busy", 503: "rerank_unavailable"}
        for status, code in statuses.items():
            server.answer = lambda status=status: (status, {})  # type: ignore[misc]
            assert await refused(server) == code
        one = {"index": 0, "relevance_score": 1}
        bodies: list[Any] = ["<html>", {}, [], None, {"results": []}, {"results": [one, one]}]
        bodies += [{"results": [{**one, "index": 7}]}, {"results": [{**one, "relevance_score": None}]}]
        bodies += ['{"results": [{"index": 0, "relevance_score": NaN}]}']
        for body in bodies:
            server.answer = lambda body=body: (200, body)  # type: ignore[misc]
            assert await refused(server) == "rerank_answer_invalid", body
        server.answer = None
        server.delay_s = 0.5
        assert await refused(server, timeout=0.05) == "rerank_timeout"
        server.url = "http://127.0.0.1:9/rerank"
        assert await refused(server) == "rerank_unavailable"


async def test_a_text_that_the_endpoint_leaves_out_is_worth_least_and_output_may_be_wrapped() -> None:
    async with rerank_server() as server:
        server.answer = lambda: (200, {"output": {"results": [{"index": 1, "relevance_score": -4.5}]}})
        client = HttpReranker(server.url, KEY, MODEL)
        first, second = await client.scores("退货", ["一", "二"])
        assert second == -4.5
        assert first < second
        await client.close()


async def test_a_cross_encoder_that_somebody_gave_up_on_is_left_alone_until_it_has_ended(tmp_path: Path) -> None:
    gpu_extra()
    encoder = CrossEncoderReranker(str(tiny_cross_encoder(tmp_path / "cross")), device="cpu")
    predict, gate = encoder._model.predict, threading.Event()
    encoder._model.predict = lambda *given, **more: gate.wait(30) and predict(*given, **more)
    stage = Rerank(encoder, top=3, seconds=0.05)
    assert (await stage.order("?", PASSAGES)).notes == ("rerank_timeout",)
    assert (await stage.order("?", PASSAGES)).notes == ("rerank_busy",)
    gate.set()
    while (await Rerank(encoder, top=3, seconds=30).order("?", PASSAGES)).notes:  # noqa: ASYNC110 (a thread's end)
        await asyncio.sleep(0.01)


def test_a_model_without_a_head_is_no_reranker(tmp_path: Path) -> None:
    gpu_extra()
    tiny_embedder(tmp_path / "bi")
    with pytest.raises(InvalidInput, match="no cross-encoder"):
        CrossEncoderReranker(str(tmp_path / "bi-plain"), device="cpu")


def test_the_settings_choose_it_and_say_what_is_missing() -> None:
    def made(**told: str) -> object:
        return make_reranker(KnowledgeSettings(_env_file=None, **told))  # type: ignore[call-arg, arg-type]

    assert made() is None
    for half in ({"reranker": "http"}, {"reranker": "http", "rerank_url": "x"}, {"reranker": "cross_encoder"}):
        with pytest.raises(InvalidInput, match="COPILOT_RERANK_MODEL"):
            made(**half)
    assert isinstance(made(reranker="http", rerank_url="http://x/rerank", rerank_model="m"), HttpReranker)


async def test_the_twin_knows_shared_words() -> None:
    near, far = await SharedWords().scores("旗舰店保证金", ["旗舰店保证金为 50000 元", "退货"])
    assert near > far
