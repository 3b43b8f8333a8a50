"""When an endpoint is passed over, and when it is tried again."""

from dataclasses import dataclass

import pytest

from app.llm.breaker import Breaker


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, window_s=60, pause_s=30, clock=clock)


def open_it(breaker: Breaker) -> None:
    assert [breaker.failed() for _ in range(3)] == [False, False, True]


def test_it_opens_after_so_many_failures_and_not_before(breaker: Breaker) -> None:
    assert (breaker.failed(), breaker.failed()) == (False, False)
    assert breaker.admits()
    assert breaker.failed()
    assert not breaker.admits()


def test_failures_that_are_far_apart_do_not_open_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(10):
        assert not breaker.failed()
        clock.now += 31
    assert breaker.admits()


def test_after_the_pause_one_call_may_try_and_the_others_may_not(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 29.9
    assert not breaker.admits()
    clock.now = 30
    assert [breaker.admits() for _ in range(3)] == [True, False, False]


def test_a_try_that_succeeds_closes_it_and_forgets_the_failures(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 30
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert not breaker.failed()


def test_a_try_that_fails_makes_it_pause_again(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 35
    assert breaker.admits()
    clock.now = 40
    assert not breaker.failed()
    clock.now = 69
    assert not breaker.admits()
    clock.now = 70
    assert breaker.admits()


def test_a_try_that_nobody_waited_for_does_not_block_the_next(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now = 30
    assert breaker.admits()
    clock.now = 60
    assert breaker.admits()
