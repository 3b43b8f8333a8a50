"""Are the right documents found, and better than plain BM25 finds them? Both on the same questions in the same run.

Ranks are of documents: the first passage of a document counts, further ones are passed over.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evals.corpora import Corpus, CorpusDocument, Question
from ingest.chunk import chunk
from ingest.loaders import load_bytes
from knowledge.errors import DocumentRefused
from knowledge.retriever import Retrieval
from knowledge.tokens import terms

Search = Callable[[str, int], Awaitable[Retrieval]]
"""A question and how many passages at most → what was found, best first."""

CUTS = (1, 5, 10)
_DEPTH = 50  # passages asked for, so that ten documents are among them


@dataclass(frozen=True, slots=True)
class Row:
    """One system's figures; ``recall`` in the order of :data:`CUTS`."""

    system: str
    recall: tuple[float, ...]
    mrr: float


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """``first_five``: how often the document is among the first five *passages*, as a reader of a hit list sees it."""

    corpus: str
    questions: int
    rows: tuple[Row, ...]
    first_five: float
    missed: tuple[str, ...]  # ids of questions whose document is not among the first five

    def lines(self) -> list[str]:
        """The table as it is printed."""
        head = " ".join(f"{f'R@{cut}':>6}" for cut in CUTS)
        body = [f"{row.system:<12}{' '.join(f'{value:6.3f}' for value in (*row.recall, row.mrr))}" for row in self.rows]
        last = f"{'':<12}among the first five passages: {self.first_five:.3f}"
        return [f"{self.corpus} (n={self.questions})", f"{'':<12}{head}    MRR", *body, last]


async def evaluate(corpus: Corpus, search: Search) -> RetrievalReport:
    """Every answerable question through ``search`` and through BM25 over the same chunks."""
    asked = [question for question in corpus.questions if question.answerable and question.documents]
    found = [[passage.document for passage in (await search(q.text, _DEPTH)).passages] for q in asked]
    plain = PlainBM25(corpus.documents)
    ranks = [_rank(names, question) for names, question in zip(found, asked, strict=True)]
    return RetrievalReport(
        corpus=corpus.name,
        questions=len(asked),
        rows=(
            _row("copilot", ranks),
            _row("BM25", [_rank(plain.search(question.text, _DEPTH), question) for question in asked]),
        ),
        first_five=_mean(
            [not question.documents.isdisjoint(names[:5]) for names, question in zip(found, asked, strict=True)]
        ),
        missed=tuple(question.id for rank, question in zip(ranks, asked, strict=True) if rank > 5),
    )


class PlainBM25:
    """The baseline: BM25 (k1 = 1.2, b = 0.75) over the same chunks with the same terms, one field, nothing else."""

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


def _texts(document: CorpusDocument) -> list[str]:
    try:
        loaded = load_bytes(document.data, name=document.name)
    except DocumentRefused:
        return []
    return [f"{found.place.heading}\n{found.text}" for found in chunk(loaded, document_id=document.name)]


def _rank(names: Sequence[str], question: Question) -> float:
    for rank, name in enumerate(dict.fromkeys(names), 1):
        if name in question.documents:
            return rank
    return math.inf


def _row(system: str, ranks: Sequence[float]) -> Row:
    recall = tuple(_mean([rank <= cut for rank in ranks]) for cut in CUTS)
    return Row(system, recall, _mean([1 / rank for rank in ranks]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
