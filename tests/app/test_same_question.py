"""Which questions ask the same: no pair of the opposite kind passes, and the plain rewordings do."""

import json
from pathlib import Path

import pytest

from app.chat.same_question import LONGEST, read, same

PAIRS = Path(__file__).parents[2] / "evals" / "datasets" / "cache_dev.jsonl"
ROWS = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_pair_of_the_development_set_is_told_apart_at_any_cosine(row: dict[str, str]) -> None:
    assert same(read(row["one"]), read(row["other"]), 1.0) == row["same"]


def test_order_may_change_only_where_the_cosine_is_known_and_high() -> None:
    one, other = read("怎么注册店铺账号"), read("店铺账号怎么注册")
    assert [same(one, other, cosine) for cosine in (None, 0.9, 0.98)] == [False, False, True]


@pytest.mark.parametrize("question", ["", "  ？！", "的了吗", "长" * (LONGEST + 1)])
def test_what_has_no_words_or_too_many_is_like_nothing_not_even_itself(question: str) -> None:
    assert not same(read(question), read(question), 1.0)
