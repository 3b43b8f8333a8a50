"""What is left out of a prompt that would not fit."""

import pytest

from app.llm.budget import Room, TokenBudget
from app.llm.ports import Message
from app.llm.tokens import TokenCounter

FIXED = [Message("system", "规则"), Message("user", "问题")]
PASSAGES = ["甲" * 100, "乙" * 100, "丙" * 100]
HITS = [text[:40] for text in PASSAGES]
TURNS = [[Message("user", "旧" * 50), Message("assistant", "旧" * 50)], [Message("user", "新" * 50)]]
COUNTER = TokenCounter()


def tokens(*texts: str) -> int:
    return sum(COUNTER.count(text).tokens for text in texts)


def fit(context: int, *, answer: int = 100) -> Room:
    return TokenBudget(context, COUNTER, "any").fit(FIXED, PASSAGES, HITS, TURNS, answer=answer)


ALL = (
    COUNTER.count_messages(FIXED).tokens
    + tokens(*PASSAGES)
    + sum(COUNTER.count_messages(turn).tokens for turn in TURNS)
    + 100
)


def test_everything_stays_when_there_is_just_room_for_it() -> None:
    assert fit(ALL) == Room(3, 3, 2)
    assert fit(ALL - 1) == Room(3, 2, 2)


def test_what_is_around_hits_goes_first_then_hits_but_the_best_then_turns_always_from_the_least() -> None:
    seen = [fit(context) for context in range(ALL, 0, -1)]
    order = list(dict.fromkeys(seen))
    assert order == [
        *(Room(3, whole, 2) for whole in (3, 2, 1, 0)),
        *(Room(passages, 0, 2) for passages in (2, 1)),
        *(Room(1, 0, turns) for turns in (1, 0)),
    ]


@pytest.mark.parametrize("context", [ALL - 1, ALL - 90, ALL - 200])
def test_what_stays_fits(context: int) -> None:
    room = fit(context)
    kept = TURNS[len(TURNS) - room.turns :]
    used = COUNTER.count_messages(FIXED).tokens
    used += tokens(*PASSAGES[: room.whole], *HITS[room.whole : room.passages])
    used += sum(COUNTER.count_messages(turn).tokens for turn in kept)
    assert used + 100 <= context


def test_a_longer_answer_leaves_less_room() -> None:
    assert fit(ALL, answer=101) == Room(3, 2, 2)
