"""What a turn under way holds ready for those who read it."""

import pytest

from app.chat.events import Done, Sources, Started, Token
from app.chat.frames import text_in
from app.chat.prompts import shipped
from app.chat.running import TAIL, RunningTurn
from app.chat.turns import Ask, Turn
from knowledge.models import DEFAULT_TENANT

SAID = [f"第{number}段。" for number in range(5 * TAIL)]


@pytest.fixture
def running() -> RunningTurn:
    """A long answer that somebody keeps up with."""
    running = RunningTurn(Turn("t", "c", Ask(DEFAULT_TENANT, "?"), condensed="?", prompts=shipped()))
    running.add(Started("t", "c"))
    running.add(Sources(()))
    for text in SAID:
        running.add(Token(text))
        assert running.after(len(running.events) - 1)
    return running


def test_a_long_answer_is_held_as_few_frames(running: RunningTurn) -> None:
    assert len(running.frames) <= 2 * TAIL


@pytest.mark.parametrize("seen", [0, 1, 2, 3, TAIL, 5 * TAIL - 1, 5 * TAIL, 5 * TAIL + 1, 5 * TAIL + 2])
def test_whoever_comes_back_gets_what_it_has_not_seen_and_nothing_twice(running: RunningTurn, seen: int) -> None:
    frames = running.after(seen)
    assert text_in(frames) == "".join(SAID[max(0, seen - 2) :])
    assert running.after(frames[-1].number if frames else seen) == []


def test_who_comes_late_to_an_end_gets_it(running: RunningTurn) -> None:
    running.add(Done("t", "c", answer="".join(SAID)))
    for seen in (0, TAIL, len(running.events) - 1):
        assert running.after(seen)[-1].last
