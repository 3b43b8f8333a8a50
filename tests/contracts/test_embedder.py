"""What every embedder keeps to: the twin, the bundled model, one of sentence-transformers, an endpoint over HTTP."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from knowledge.embeddings.bundled import BundledEmbedder
from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.embeddings.openai import OpenAIEmbedder
from knowledge.embeddings.sentence_transformers import SentenceTransformersEmbedder
from knowledge.ports import Embedder
from tests.contracts.embedding_server import KEY, MODEL, embedding_server
from tests.contracts.tiny_models import gpu_extra, tiny_embedder

TEXTS = [
    "签收后七天内可以申请无理由退货，运费由买家承担。",
    "商家入驻需要营业执照和品牌授权书。",
    "Returns are free within 30 days of delivery.",
    "",
    "  \n\t ",
    "😀🛒",
    "坏的字符 \ud800 和 \x00",
    "SKU AB-1029 " * 200,
    "退",
]


@pytest.fixture(params=["hashing", "bundled", "sentence_transformers", "openai"], scope="module")
def embedder(
    request: pytest.FixtureRequest, embedder_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Embedder]:
    match request.param:
        case "hashing":
            yield HashingEmbedder()
        case "bundled":
            yield BundledEmbedder(embedder_cache)
        case "sentence_transformers":
            gpu_extra()
            folder = tiny_embedder(tmp_path_factory.mktemp("models") / "tiny")
            yield SentenceTransformersEmbedder(str(folder), device="cpu")
        case _:
            with embedding_server() as server:
                client = OpenAIEmbedder(server.url, KEY, MODEL)
                yield client
                client.close()


def test_every_text_gets_a_vector_of_length_one_in_its_own_place(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    for text, vector in zip(TEXTS, vectors, strict=True):
        assert embedder.embed_passages([text])[0] == pytest.approx(vector, abs=1e-5)


def test_no_texts_make_no_vectors(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimensions)


def test_a_question_is_one_vector_of_length_one(embedder: Embedder) -> None:
    for text in TEXTS:
        vector = embedder.embed_query(text)
        assert vector.shape == (embedder.dimensions,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_the_same_text_has_the_same_vector_and_a_caller_cannot_spoil_it(embedder: Embedder) -> None:
    first = embedder.embed_query("退货运费谁承担？")
    kept = first.copy()
    first[:] = 0
    assert np.array_equal(embedder.embed_query("退货运费谁承担？"), kept)


def test_a_question_is_nearest_to_the_text_that_answers_it(embedder: Embedder) -> None:
    passages = embedder.embed_passages(TEXTS[:3])
    for question, answer in (("退货的运费由谁承担", 0), ("入驻需要营业执照吗", 1), ("free returns", 2)):
        assert int(np.argmax(passages @ embedder.embed_query(question))) == answer


def test_many_threads_get_what_one_would(embedder: Embedder) -> None:
    questions = [f"订单 {number} 什么时候发货？" for number in range(24)]
    alone = [embedder.embed_passages([question])[0] for question in questions]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda question: embedder.embed_passages([question])[0], questions))
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_model_id_can_be_part_of_a_collection_name(embedder: Embedder) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*[a-z0-9]", embedder.model_id)
