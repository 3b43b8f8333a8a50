"""The answer without a language model: the one or two sentences that answer, word for word, with their numbers.

It cannot invent anything. Sentences are chosen by :mod:`knowledge.relevance`; whether to answer at all is decided
before, by :mod:`knowledge.answerability`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from knowledge.models import Passage
from knowledge.ports import Embedder
from knowledge.relevance import Sentence, best_sentences

_CONSIDERED = 5  # passages; the sixth has the answer for one question in a hundred and distracts in more
_TOO_FAR = 5.0  # a second sentence that much behind is left out; drops one in twenty and no gold string of CMRC


@dataclass(frozen=True, slots=True)
class Quote:
    """``text`` word for word from the passage with number ``n`` (from 1, as cited). Larger ``score`` answers better."""

    text: str
    n: int
    score: float


def select(
    question: str,
    passages: Sequence[Passage],
    *,
    sentences: int = 2,
    idf: Callable[[str], float] | None = None,
    embedder: Embedder | None = None,
) -> list[Quote]:
    """At most ``sentences`` sentences, the best first; neighbours come as one quote, in the order of the document.

    ``idf`` as in :func:`knowledge.relevance.best_sentences`. An ``embedder`` finds one answer in a hundred more and
    costs the embedding of six sentences. Blocking. No passages, no quotes.
    """
    best = best_sentences(question, passages[:_CONSIDERED], count=sentences, idf=idf, embedder=embedder)
    kept = [sentence for sentence in best if sentence.score >= best[0].score - _TOO_FAR]
    return _joined(kept, passages)


def paragraphs(quotes: Sequence[Quote]) -> list[str]:
    """The quotes as the answer shows them: one paragraph each, ending in its citation; joined they are the answer."""
    return [("\n\n" if i else "") + f"{quote.text}{_gap(quote.text)}[{quote.n}]" for i, quote in enumerate(quotes)]


def _joined(chosen: Sequence[Sentence], passages: Sequence[Passage]) -> list[Quote]:
    quotes: list[Quote] = []
    left = list(chosen)
    while left:
        first = left.pop(0)
        group = [first]
        for other in list(left):
            if other.passage == first.passage and any(abs(other.position - one.position) == 1 for one in group):
                group.append(other)
                left.remove(other)
        group.sort(key=lambda sentence: sentence.position)
        text = _as_written([sentence.text for sentence in group], passages[first.passage].text)
        quotes.append(Quote(text, first.passage + 1, first.score))
    return quotes


def _as_written(texts: Sequence[str], source: str) -> str:
    """Neighbouring sentences with what stands between them in the passage: nothing, a space or a line break."""
    joined = texts[0]
    for text in texts[1:]:
        glue = next((glue for glue in ("", " ", "\n", "\n\n") if joined + glue + text in source), "\n")
        joined += glue + text
    return joined


def _gap(text: str) -> str:
    return " " if text[-1].isascii() else ""
