"""Which rung an answer is shown on, and why."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import get_args

import pytest

from app import channels
from bots.dingtalk.ladder import CARD_CALLS, COARSE_SECONDS, Reason, Rules, Step, choose
from bots.dingtalk.standing import Standing, Terms
from knowledge.language import Language, Texts

RULES = Rules(template=True)
FRESH = Standing()


def spent(left: int, **more: int) -> Standing:
    return replace(FRESH, calls_used=FRESH.calls_limit - left, **more)


def test_an_answer_streams_where_nothing_speaks_against_it() -> None:
    assert choose(RULES, FRESH) == Step("stream", "normal", 0.8)
    assert choose(replace(RULES, frame_seconds=0.5), FRESH).frames_per_second == 2


@pytest.mark.parametrize(
    ("rules", "standing", "step"),
    [
        (replace(RULES, template=False), FRESH, Step("markdown", "no_template")),
        (replace(RULES, streaming=False), FRESH, Step("final", "streaming_off")),
        (RULES, replace(FRESH, frames_per_second=13.75), Step("stream", "normal", 0.8)),
        (RULES, replace(FRESH, frames_per_second=13.8), Step("coarse", "load", COARSE_SECONDS)),
        (RULES, replace(FRESH, frames_per_second=14.8), Step("final", "load")),
        (replace(RULES, terms=Terms(qps=40)), replace(FRESH, frames_per_second=14.8), Step("stream", "normal", 0.8)),
        (RULES, replace(FRESH, calls_used=1000, ends_on=date(2026, 8, 19)), Step("coarse", "pace", COARSE_SECONDS)),
        (RULES, replace(FRESH, calls_used=999, ends_on=date(2026, 8, 19)), Step("stream", "normal", 0.8)),
        (RULES, replace(FRESH, calls_used=4000), Step("final", "soft_limit")),
        (RULES, replace(FRESH, calls_used=3990, promised=10), Step("final", "soft_limit")),
        (replace(RULES, soft_limit=1), spent(100), Step("stream", "normal", 0.8)),
        (replace(RULES, soft_limit=1), spent(99), Step("final", "month_nearly_spent")),
        (RULES, spent(CARD_CALLS), Step("final", "month_nearly_spent")),
        (RULES, spent(CARD_CALLS + 30, promised=31), Step("markdown", "month_spent")),
        (RULES, spent(0), Step("markdown", "month_spent")),
        (RULES, spent(0, messages_used=3000), Step("stored", "messages_spent")),
        (RULES, replace(FRESH, messages_used=3000), Step("stream", "normal", 0.8)),
        (replace(RULES, template=False), replace(FRESH, messages_used=3000), Step("markdown", "no_template")),
        (replace(RULES, frame_seconds=6), replace(FRESH, frames_per_second=14.8), Step("stream", "normal", 6)),
    ],
)
def test_each_rung_has_its_reason(rules: Rules, standing: Standing, step: Step) -> None:
    assert choose(rules, standing) == step


def test_what_is_set_is_said_before_what_the_load_is() -> None:
    busy = replace(spent(5), frames_per_second=100.0)
    assert choose(replace(RULES, streaming=False), busy).reason == "streaming_off"
    assert choose(replace(RULES, template=False), busy).reason == "no_template"


def test_ten_answers_at_once_stream_and_a_thirtieth_does_not_begin_to() -> None:
    standing, rungs = FRESH, []
    for _ in range(40):
        step = choose(RULES, standing)
        rungs.append(step.rung)
        more = standing.frames_per_second + step.frames_per_second
        standing = replace(standing, frames_per_second=more, answers=standing.answers + 1)
        assert more <= 15
    assert rungs[:12] == ["stream"] * 12
    assert rungs[-1] == "final"


def test_the_smaller_a_month_the_sooner_it_is_saved() -> None:
    standing = Standing(calls_limit=50)
    rungs = []
    while standing.calls_left or not rungs:
        step = choose(RULES, standing)
        rungs.append(step.rung)
        standing = replace(standing, calls_used=standing.calls_used + (CARD_CALLS if step.rung == "final" else 1))
    assert rungs == ["final"] * 16 + ["markdown"] * 2


def test_every_reason_can_be_read_in_the_console() -> None:
    texts = Texts(Path(channels.__file__).with_name("texts.json"))
    for reason in get_args(Reason):
        said = [texts.word(f"reason.{reason}", language) for language in get_args(Language)]
        assert all(said)
        assert len(set(said)) == 2
