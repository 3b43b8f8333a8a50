"""An answer whose end is missing says so where it is read: in the terminal, and in DingTalk also when told again."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from app.chat.history import AnsweredTurn
from app.cli.ask import show_end
from bots import answer_text

ENDS = [("length", "截断", "停下"), ("content_filter", "内容过滤", "内容过滤")]


@pytest.mark.parametrize(("finish", "said", "_"), ENDS)
def test_the_terminal_says_that_the_end_is_missing(finish: str, said: str, _: str) -> None:
    done: dict[str, Any] = {
        "citations": [], "finish": finish, "notice": None, "usage": {}, "model": "one", "timings_ms": {},
    }  # fmt: skip
    shown = io.StringIO()
    show_end(Console(file=shown, width=200), "保证金是多少？", done, [])
    assert said in shown.getvalue()
    whole = io.StringIO()
    show_end(Console(file=whole, width=200), "保证金是多少？", {**done, "finish": "stop"}, [])
    assert said not in whole.getvalue()


@pytest.mark.parametrize(("finish", "_", "said"), ENDS)
def test_an_answer_that_is_told_again_says_so_too(finish: str, _: str, said: str) -> None:
    kept = AnsweredTurn(
        "t", "c", "保证金是多少？", "done", "五万", (), (), False, None, None, datetime(2026, 1, 1, tzinfo=UTC), finish
    )
    end, sources = answer_text.kept(kept)
    assert said in answer_text.beside(end, sources, "zh")
