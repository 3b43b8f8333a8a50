"""Cache truth: is the second question of a pair answered with what was kept for the first, and should it be?

Pairs are judged alone, as if their evidence were the same: the harder half of the cache's proof is left out, because
questions that ask different things mostly find different passages. Beside it, similarity alone with the threshold that
is best for it on the very pairs it is judged on, and GPTCache where it is installed (:mod:`evals.gptcache_pairs`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.chat.same_question import read, same
from knowledge.errors import InvalidInput
from knowledge.ports import Embedder

ALLOWED = 0.01  # false hits, of the pairs that ask different things
DEV_ROWS = {"lcqmc_test": 250}  # the first rows of a file, that the rules were made with


@dataclass(frozen=True, slots=True)
class Pair:
    one: str
    other: str
    same: bool


@dataclass(frozen=True, slots=True)
class Subset:
    name: str
    pairs: tuple[Pair, ...]
    development: bool = False


@dataclass(frozen=True, slots=True)
class Rates:
    """``true_hits`` of the pairs that ask the same, ``false_hits`` of the others, ``wrong`` of the hits themselves."""

    by: str
    true_hits: float
    false_hits: float
    wrong: float
    false_count: int


@dataclass(frozen=True, slots=True)
class CacheReport:
    subset: str
    development: bool
    same: int
    different: int
    rates: tuple[Rates, ...]

    @property
    def holds(self) -> bool:
        """Whether ours stays within what is allowed."""
        return self.rates[0].false_hits <= ALLOWED

    def lines(self) -> list[str]:
        """As it is printed."""
        used = ", the rules were made with it" if self.development else ""
        head = f"{self.subset} (same n={self.same}, different n={self.different}{used})"
        return [
            head,
            *(
                f"  {each.by:<44} true hits {each.true_hits:6.1%}   false hits {each.false_hits:6.2%}"
                f" ({each.false_count})   wrong of its hits {each.wrong:6.1%}"
                for each in self.rates
            ),
        ]


def subsets(own: Path, folder: Path | None) -> list[Subset]:
    """Our own pairs, then every ``*.txt`` of the folder. Raises InvalidInput ``corpus_missing``."""
    rows = [json.loads(line) for line in own.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = [Subset("own pairs", tuple(Pair(row["one"], row["other"], row["same"]) for row in rows), True)]
    if folder is None:
        return found
    files = sorted(path for path in folder.glob("*.txt") if not path.stem.isupper())
    if not files:
        raise InvalidInput(f"There are no pairs in {folder}.", code="corpus_missing")
    return [*found, *(subset for path in files for subset in _read(path))]


def _read(path: Path) -> Iterator[Subset]:
    """Tab-separated, the last three columns are one, other, label; PAWS-X has an id before them."""
    rows = [line.split("\t")[-3:] for line in path.read_text(encoding="utf-8").splitlines() if line.count("\t") >= 2]
    pairs = tuple(Pair(one, other, label == "1") for one, other, label in rows if label in {"0", "1"})
    dev = DEV_ROWS.get(path.stem, 0)
    if dev:
        yield Subset(f"{path.stem}, first {dev}", pairs[:dev], True)
    yield Subset(f"{path.stem}, the rest" if dev else path.stem, pairs[dev:])


def evaluate(
    subset: Subset, embedder: Embedder, beside: Callable[[Sequence[Pair], Embedder], tuple[str, list[bool]]] | None
) -> CacheReport:
    """``beside`` is another cache: → (what it is, its hits)."""
    cosines = [float(embedder.embed_query(pair.one) @ embedder.embed_query(pair.other)) for pair in subset.pairs]
    ours = [same(read(pair.one), read(pair.other), cosine) for pair, cosine in zip(subset.pairs, cosines, strict=True)]
    rates = [_rates("copilot", subset, ours), _similarity(subset, cosines)]
    if beside is not None:
        rates.append(_rates(*_swapped(beside(subset.pairs, embedder), subset)))
    equal = sum(pair.same for pair in subset.pairs)
    return CacheReport(subset.name, subset.development, equal, len(subset.pairs) - equal, tuple(rates))


def _similarity(subset: Subset, cosines: Sequence[float]) -> Rates:
    """The lowest threshold at which no more than what is allowed of these pairs are false hits."""
    others = sorted((c for c, pair in zip(cosines, subset.pairs, strict=True) if not pair.same), reverse=True)
    threshold = others[int(len(others) * ALLOWED)] if others else 0.0
    return _rates(f"cosine alone, > {threshold:.3f} (best for these)", subset, [c > threshold for c in cosines])


def _swapped(told: tuple[str, list[bool]], subset: Subset) -> tuple[str, Subset, list[bool]]:
    return told[0], subset, told[1]


def _rates(by: str, subset: Subset, hits: Sequence[bool]) -> Rates:
    equal = sum(pair.same for pair in subset.pairs)
    different = len(subset.pairs) - equal
    right = sum(hit for hit, pair in zip(hits, subset.pairs, strict=True) if pair.same)
    wrong = sum(hits) - right
    return Rates(by, right / max(equal, 1), wrong / max(different, 1), wrong / max(right + wrong, 1), wrong)
