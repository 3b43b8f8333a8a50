"""What an OpenAI-compatible endpoint can do wrong, and what the operator then reads."""

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

from knowledge.embeddings.openai import OpenAIEmbedder
from knowledge.errors import Unavailable
from tests.contracts.embedding_server import KEY, MODEL, EmbeddingServer, embedding_server, vectors_body


@pytest.fixture
def server() -> Generator[EmbeddingServer]:
    with embedding_server() as started:
        yield started


def embed(server: EmbeddingServer, texts: list[str], *, key: str = KEY, model: str = MODEL, **options: Any) -> Any:
    embedder = OpenAIEmbedder(server.url, key, model, **{"max_retries": 0, **options})
    try:
        return embedder.embed_passages(texts)
    finally:
        embedder.close()


def refusal(server: EmbeddingServer, **options: Any) -> str:
    with pytest.raises(Unavailable) as refused:
        embed(server, ["一", "二"], **options)
    assert refused.value.message.endswith(".")
    return refused.value.error_code


def test_many_texts_go_in_batches_and_come_back_in_order(server: EmbeddingServer) -> None:
    texts = [f"第 {number} 号商品" for number in range(23)]
    together = embed(server, texts, batch=10)
    assert [len(request["input"]) for request in server.requests] == [10, 10, 3]
    np.testing.assert_allclose(together, embed(server, texts, batch=100), atol=1e-6)


def test_dimensions_are_asked_for_only_if_they_are_set(server: EmbeddingServer) -> None:
    text = "签收后七天内可以申请无理由退货，运费由买家承担。"
    assert embed(server, [text], dimensions=64).shape == (1, 64)
    assert embed(server, [text]).shape == (1, 256)
    assert [request.get("dimensions") for request in server.requests] == [64, None]


def test_the_endpoint_tells_how_many_dimensions_there_are(server: EmbeddingServer) -> None:
    embedder = OpenAIEmbedder(server.url, KEY, MODEL)
    assert (embedder.dimensions, embedder.dimensions) == (256, 256)
    assert len(server.requests) == 1
    embedder.close()


def test_shortened_vectors_are_another_model(server: EmbeddingServer) -> None:
    whole, short = (OpenAIEmbedder(server.url, KEY, MODEL, dimensions=size) for size in (None, 64))
    assert whole.model_id == "test-embedding-model-1"
    assert short.model_id == "test-embedding-model-1-64"
    whole.close()
    short.close()


def test_prompts_are_put_before_the_texts_and_make_another_model(server: EmbeddingServer) -> None:
    embedder = OpenAIEmbedder(server.url, KEY, MODEL, query_prompt="query: ", passage_prompt="passage: ")
    embedder.embed_query("退货")
    embedder.embed_passages(["运费"])
    assert [request["input"] for request in server.requests] == [["query: 退货"], ["passage: 运费"]]
    assert embedder.model_id.startswith("test-embedding-model-1-p")
    embedder.close()


def test_of_a_text_that_is_too_long_the_beginning_is_embedded(server: EmbeddingServer) -> None:
    embed(server, ["退货" * 500, "short"], max_tokens=100)
    assert server.requests[0]["input"] == ["退货" * 33, "short"]


def test_a_question_asked_again_costs_nothing(server: EmbeddingServer) -> None:
    embedder = OpenAIEmbedder(server.url, KEY, MODEL)
    assert np.array_equal(embedder.embed_query("退货"), embedder.embed_query("退货"))
    assert len(server.requests) == 1
    embedder.close()


def test_an_endpoint_that_changes_its_dimensions_is_refused(server: EmbeddingServer) -> None:
    embedder = OpenAIEmbedder(server.url, KEY, MODEL, max_retries=0)
    embedder.embed_query("退货")
    server.answer = lambda: (200, vectors_body([[1.0, 2.0]]))
    with pytest.raises(Unavailable, match="2 dimensions instead of 256"):
        embedder.embed_query("运费")
    embedder.close()


def test_a_refused_key_and_an_unknown_model_have_their_own_codes(server: EmbeddingServer) -> None:
    assert refusal(server, key="sk-wrong") == "embedder_key_refused"
    assert refusal(server, model="another") == "embedder_model_not_found"


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "embedder_refused"), (429, "embedder_busy"), (500, "embedder_unavailable"), (503, "embedder_unavailable")],
)
def test_a_failing_endpoint_has_a_code(server: EmbeddingServer, status: int, code: str) -> None:
    server.answer = lambda: (status, {"error": {"message": "no"}})
    assert refusal(server) == code


def test_a_failure_that_passes_is_tried_again(server: EmbeddingServer) -> None:
    def fails_once() -> tuple[int, Any]:
        server.answer = None
        return 503, {"error": {"message": "starting"}}

    server.answer = fails_once
    assert embed(server, ["a"], max_retries=1).shape == (1, 256)
    assert len(server.requests) == 2


def test_a_silent_endpoint_is_given_up(server: EmbeddingServer) -> None:
    server.delay_s = 0.5
    assert refusal(server, timeout=0.1) == "embedder_timeout"


def test_an_endpoint_that_is_not_there_is_unavailable(server: EmbeddingServer) -> None:
    server.url = "http://127.0.0.1:9/v1"
    assert refusal(server) == "embedder_unavailable"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>a proxy's page</html>",
        b"{}",
        b"null",
        vectors_body([]),
        vectors_body([[1.0, 2.0]]),
        vectors_body([[1.0, 2.0], [1.0]]),
        vectors_body([[1.0, 2.0], [0.0, 0.0]]),
        vectors_body([[1.0, 2.0], [float("nan"), 1.0]]),
        vectors_body([[1.0, 2.0], []]),
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
    ],
)
def test_an_answer_that_is_no_set_of_vectors_is_never_used(server: EmbeddingServer, body: Any) -> None:
    server.answer = lambda: (200, body)
    assert refusal(server) == "embedder_answer_invalid"
