"""Weights are learned from questions with their documents, and believed only on questions that were left out."""

import random

import numpy as np
import pytest

from knowledge.catalog import FoundChunk
from knowledge.fusion import Candidate, ordered
from knowledge.learning import Asked, Table, gain, learn_order, learn_threshold
from knowledge.models import Chunk
from knowledge.retriever import Found, Staged
from knowledge.weights import SHIPPED, Weights, together


def asked(text: str, parts: dict[str, tuple[float, float, float]], right: str, *, phrasings: int = 1) -> Asked:
    """``parts``: words, meaning and characters of each chunk, which is named for its document and a number."""
    candidates = tuple(
        Candidate(name, words, meaning, None, None, None, None, characters)
        for name, (words, meaning, characters) in parts.items()
    )
    live = {name: FoundChunk(Chunk(name, name[0], 0, name), document=name[0], kb_id="kb") for name in parts}
    found = tuple(Found(candidates[number:], live) for number in range(phrasings))
    return Asked(text, Staged((), (text,), found, lambda _: 1.0), frozenset({right}))


def misled(number: int) -> Asked:
    """By meaning another document is a little before the right one."""
    return asked(f"问题 {number}", {"A1": (0.9, 0.1, 0.5), "B1": (0.0, 1.0, 0.6), "C1": (0.3, 0.2, 0.1)}, "A")


def test_what_misleads_every_question_is_worth_less_and_that_is_seen_on_those_left_out() -> None:
    weights, order = learn_order([misled(number) for number in range(40)])
    assert weights.meaning < SHIPPED.meaning
    assert (order.shipped, order.learned) == (0.5, 1)
    assert order.better


def test_where_the_shipped_weights_find_everything_they_stay() -> None:
    easy = [asked(f"问题 {number}", {"A1": (1, 1, 1), "B1": (0.5, 0.4, 0.3)}, "A") for number in range(40)]
    weights, order = learn_order(easy)
    assert weights == SHIPPED
    assert (order.shipped, order.gain, order.better) == (1, 0, False)


def test_chance_is_not_believed() -> None:
    """What is right has nothing to do with any part: what was learned from chance does not hold on other questions."""
    dice = random.Random(7)  # noqa: S311 (a made-up set, the same every time)
    parts = [{f"{name}1": tuple(dice.random() for _ in range(3)) for name in "ABCDEF"} for _ in range(60)]
    _, order = learn_order([asked(f"问题 {n}", each, dice.choice("ABCDEF")) for n, each in enumerate(parts)])  # type: ignore[arg-type]
    assert not order.better


@pytest.mark.parametrize("weights", [SHIPPED, Weights(0.4, 2.0, 1.5, 1.7), Weights(3.0, 0.2, 0.5, 0.0001)])
def test_questions_are_ranked_as_retrieval_ranks_them(weights: Weights) -> None:
    dice = random.Random(3)  # noqa: S311 (as above)
    several = []
    for number in range(30):
        chunks = [f"{name}{n}" for name in "ABCDE" for n in range(dice.randint(1, 5))]
        parts = {chunk: (dice.random(), dice.random(), dice.random()) for chunk in chunks}
        several.append(asked(f"问题 {number}", parts, "C", phrasings=1 + number % 2))
    expected = []
    for one in several:
        best: dict[str, float] = {}
        for found in one.staged.found:
            for score, candidate in ordered(found.candidates, found.live, weights):
                best[candidate.chunk_id[0]] = max(score, best.get(candidate.chunk_id[0], 0.0))
        expected.append(1 / (1 + sum(score > best["C"] for score in best.values())))
    assert Table.of(several).reciprocal_ranks(weights).tolist() == pytest.approx(expected)


def test_the_threshold_moves_to_where_answers_part_from_near_misses() -> None:
    scores = [(f"有 {n}", 0.35 + n / 100) for n in range(20)] + [(f"没有 {n}", 0.1 + n / 100) for n in range(20)]
    threshold, wrong = learn_threshold(scores, [True] * 20 + [False] * 20)
    assert 0.29 < threshold < 0.35
    assert (wrong.shipped, wrong.learned) == (pytest.approx(0.375), 0)
    assert wrong.better


def test_a_threshold_stays_where_nothing_parts_them() -> None:
    scores = [(f"{n}", (n * 37 % 40) / 40) for n in range(40)]
    _, wrong = learn_threshold(scores, [bool(n % 2) for n in range(40)])
    assert not wrong.better


def test_several_knowledge_bases_are_asked_with_the_mean_of_their_weights() -> None:
    assert together([]) == SHIPPED
    assert together([SHIPPED, SHIPPED]) is SHIPPED
    assert together([Weights(meaning=2.0), Weights(threshold=0.7)]) == Weights(meaning=1.5, threshold=0.6)


def test_an_interval_holds_its_mean_and_nothing_asked_gains_nothing() -> None:
    mean, low, high = gain(np.array([0.0, 1.0, 0.0, 1.0]))
    assert low <= mean <= high
    assert gain(np.array([])) == (0, 0, 0)
