"""The sample documents' vectors come along, so that a first start does not wait for them."""

from pathlib import Path

import numpy as np
import pytest

from app.samples import indexed_texts
from knowledge.embeddings.bundled import BundledEmbedder
from knowledge.embeddings.known_vectors import SAMPLES, KnownVectors


def test_every_chunk_of_the_samples_has_its_vector() -> None:
    known = KnownVectors(SAMPLES)
    unknown = [text for text in indexed_texts() if known.of(text) is None]
    assert not unknown, "run “make samples”: the samples, a loader or the chunking changed"


def test_vectors_that_come_along_are_those_that_would_be_embedded(embedder_cache: Path, tmp_path: Path) -> None:
    texts = indexed_texts()[::60]
    embedded = BundledEmbedder(embedder_cache, known=tmp_path / "none.npz").embed_passages(texts)
    taken = BundledEmbedder(embedder_cache).embed_passages(texts)
    assert np.sum(taken * embedded, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-2)


def test_known_and_new_texts_come_back_in_their_order(embedder_cache: Path) -> None:
    embedder = BundledEmbedder(embedder_cache)
    known = indexed_texts()[0]
    vectors = embedder.embed_passages(["一段新的文字", known, "另一段新的文字"])
    assert vectors[1] == pytest.approx(embedder.embed_passages([known])[0])
    assert vectors[0] == pytest.approx(embedder.embed_passages(["一段新的文字"])[0], abs=1e-5)
    assert embedder.embed_passages([]).shape == (0, 384)
