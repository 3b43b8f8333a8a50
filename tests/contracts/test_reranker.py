"""What every reranker keeps to: the twin, a cross-encoder of sentence-transformers, an endpoint over real HTTP."""

import math
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from knowledge.rerank import Reranker, SharedWords
from knowledge.rerankers.cross_encoder import CrossEncoderReranker
from knowledge.rerankers.http import HttpReranker
from tests.contracts.rerank_server import KEY, MODEL, rerank_server
from tests.contracts.tiny_models import gpu_extra, tiny_cross_encoder

TEXTS = ["退货运费由买家承担。", "商家入驻需要营业执照。", "", "坏的字符 \ud800 和 \x00", "SKU AB-1029 " * 400]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gpu_extra()
    return tiny_cross_encoder(tmp_path_factory.mktemp("models") / "Tiny Cross_1")


@pytest.fixture(params=["twin", "cross_encoder", "http"])
async def reranker(request: pytest.FixtureRequest) -> AsyncIterator[Reranker]:
    match request.param:
        case "twin":
            yield SharedWords()
        case "cross_encoder":
            yield CrossEncoderReranker(str(request.getfixturevalue("model")), device="cpu")
        case _:
            async with rerank_server() as server:
                client = HttpReranker(server.url, KEY, MODEL)
                yield client
                await client.close()


async def test_every_text_gets_its_score_wherever_it_stands(reranker: Reranker) -> None:
    scores = await reranker.scores("退货运费谁承担？", TEXTS)
    assert len(scores) == len(TEXTS)
    assert all(isinstance(score, float) and math.isfinite(score) for score in scores)
    backwards = await reranker.scores("退货运费谁承担？", TEXTS[::-1])
    assert backwards[::-1] == pytest.approx(scores, abs=1e-4)
    assert await reranker.scores("退货运费谁承担？", TEXTS[:1]) == pytest.approx(scores[:1], abs=1e-4)


async def test_its_id_may_be_part_of_a_key(reranker: Reranker) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", reranker.model_id)
