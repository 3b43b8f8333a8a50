"""The baseline of every retrieval figure: BM25 over the same chunks, one field, nothing else."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from evals.corpora import CorpusDocument
from ingest.chunk import chunk
from ingest.loaders import load_bytes
from knowledge.errors import DocumentRefused
from knowledge.tokens import terms


class PlainBM25:
    """BM25 (k1 = 1.2, b = 0.75) with the product's terms."""

    def __init__(self, documents: Sequence[CorpusDocument]) -> None:
        self._names: list[str] = []
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        lengths = []
        for document in documents:
            for text in _texts(document):
                counts = Counter(terms(text))
                for term, count in counts.items():
                    postings[term].append((len(self._names), count))
                self._names.append(document.name)
                lengths.append(counts.total())
        lengths_of = np.array(lengths, float)
        norm = 1.2 * (0.25 + 0.75 * lengths_of / max(1.0, lengths_of.mean() if lengths else 1.0))
        self._postings = {}
        for term, entries in postings.items():
            chunks, counts_of = np.array(entries).T
            idf = math.log(1 + (len(lengths) - len(entries) + 0.5) / (len(entries) + 0.5))
            self._postings[term] = (chunks, idf * counts_of * 2.2 / (counts_of + norm[chunks]))

    def search(self, question: str, limit: int) -> list[str]:
        """Names of documents of the best chunks, repeated as they come."""
        scores = np.zeros(len(self._names))
        for term in dict.fromkeys(terms(question)):
            if term in self._postings:
                chunks, weights = self._postings[term]
                scores[chunks] += weights
        best = np.argsort(-scores, kind="stable")[:limit]
        return [self._names[i] for i in best if scores[i] > 0]


def _texts(document: CorpusDocument) -> Sequence[str]:
    if document.chunks is not None:
        return document.chunks
    try:
        loaded = load_bytes(document.data, name=document.name)
    except DocumentRefused:
        return []
    return [f"{found.place.heading}\n{found.text}" for found in chunk(loaded, document_id=document.name)]
