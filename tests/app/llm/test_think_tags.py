"""Reasoning in tags, told apart from the answer however the text is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.think_tags import TagSplitter

CASES = [
    ("<think>why</think>answer", "why", "answer"),
    ("\n <think>\nwhy not\n</think>\n\nanswer\n", "why not", "answer\n"),
    ("<think>a < b, </thin, </think>b", "a < b, </thin,", "b"),
    ("<think>\n\n</think>\n\nanswer", "", "answer"),
    ("answer", "", "answer"),
    ("  answer <think>x</think>", "", "  answer <think>x</think>"),
    ("<thinking>answer", "", "<thinking>answer"),
    ("<thi", "", "<thi"),
    ("<", "", "<"),
    ("", "", ""),
    ("<think>never closed </", "never closed </", ""),
    ("<think>one</think>two</think>", "one", "two</think>"),
]


def split(pieces: list[str], splitter: TagSplitter | None = None) -> tuple[str, str]:
    splitter = splitter or TagSplitter()
    parts = [*[splitter.feed(piece) for piece in pieces], splitter.close()]
    return "".join(part.reasoning for part in parts), "".join(part.answer for part in parts)


@pytest.mark.parametrize(("text", "reasoning", "answer"), CASES)
@given(data=st.data())
def test_any_cut_gives_the_same_two_texts(text: str, reasoning: str, answer: str, data: st.DataObject) -> None:
    edges = [0, *sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8))), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]

    assert split(pieces) == (reasoning, answer)


def test_an_answer_without_tags_is_not_held_back() -> None:
    splitter = TagSplitter()
    assert splitter.feed("Seven").answer == "Seven"
    assert splitter.feed(" <").answer == " <"


def test_reasoning_is_passed_on_as_it_comes() -> None:
    splitter = TagSplitter()
    assert splitter.feed("<think>first").reasoning == "first"
    assert splitter.feed(" second").reasoning == " second"


def test_a_template_can_have_tags_of_its_own() -> None:
    splitter = TagSplitter("<reasoning>", "</reasoning>")
    assert split(["<reason", "ing>x</reas", "oning>y"], splitter) == ("x", "y")
