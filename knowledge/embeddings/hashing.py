"""The in-memory twin of an embedding model: no weights, the same vector for the same text everywhere."""

from collections.abc import Sequence
from zlib import crc32

import numpy as np

from knowledge.ports import Vector
from knowledge.tokens import terms

_DIMENSIONS = 256


class HashingEmbedder:
    """Terms (CJK bigrams, words, numbers, codes) hashed into 256 signed dimensions.

    Texts that share terms are near, texts that share none are at a cosine of about 0 (± 0.06); it knows no synonyms.
    """

    model_id = "hashing-256"
    dimensions = _DIMENSIONS

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        return np.array([self.embed_query(text) for text in texts], np.float32).reshape(-1, _DIMENSIONS)

    def embed_query(self, text: str) -> Vector:
        vector = np.zeros(_DIMENSIONS, np.float32)
        for term in terms(text) or ["(nothing)"]:
            bits = crc32(term.encode("utf-8", "replace"))
            vector[bits % _DIMENSIONS] += 1 if bits >> 31 else -1
        if not vector.any():  # the terms cancelled each other out
            vector[0] = 1
        unit: Vector = vector / np.linalg.norm(vector)
        return unit
