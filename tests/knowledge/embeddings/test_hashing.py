"""The twin has to be the same everywhere, or tests that use it would pass on one machine only."""

import numpy as np
import pytest

from knowledge.embeddings.hashing import HashingEmbedder


def test_a_vector_is_the_same_on_every_machine() -> None:
    vector = HashingEmbedder().embed_query("退货运费")
    assert {int(place): float(vector[place]) for place in np.flatnonzero(vector)} == pytest.approx(
        {15: -(3**-0.5), 161: 3**-0.5, 175: 3**-0.5}
    )


def test_shared_words_bring_texts_together_and_others_apart() -> None:
    embedder = HashingEmbedder()
    question = embedder.embed_query("退货的运费由谁承担")
    near, far = embedder.embed_passages(["退货运费由买家承担。", "Opening hours: nine to five."])
    assert question @ near > 0.5
    assert abs(question @ far) < 0.2


def test_writing_and_case_do_not_matter() -> None:
    embedder = HashingEmbedder()
    assert embedder.embed_query("ＡＢ－１２３ Shipping") @ embedder.embed_query("ab-123 shipping") == pytest.approx(1)


def test_text_without_a_word_still_has_a_direction() -> None:
    assert np.linalg.norm(HashingEmbedder().embed_query("！？")) == pytest.approx(1)
