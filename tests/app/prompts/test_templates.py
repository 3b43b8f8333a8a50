"""Prompts are files in four parts; a switch decides about the chain of thought."""

from pathlib import Path

import pytest

from app.chat.prompts import load
from app.llm.ports import Message

VALUES = {"question": "保证金多少？{x}", "evidence": "[1] (a.md)\n{1}", "today": "2026-11-21"}


def test_the_four_parts_the_examples_and_the_turns_are_sent_in_order() -> None:
    turns = [Message("user", "早先的问题"), Message("assistant", "早先的回答")]
    sent = load("answer").render(turns, **VALUES)
    assert [message.role for message in sent] == ["system", *["user", "assistant"] * 3, "user"]
    assert sent[-1].content == VALUES["question"]
    assert sent[-3].content == "早先的问题"
    assert VALUES["evidence"] in sent[0].content
    assert "[编号]" in sent[0].content


def test_the_switch_takes_the_thinking_out_of_prompt_and_examples_and_changes_the_version() -> None:
    on, off = load("answer"), load("answer", think=False)
    assert "<think>" in on.render(**VALUES)[0].content
    assert any("<think>" in message.content for message in on.render(**VALUES) if message.role == "assistant")
    assert not any("think>" in message.content for message in off.render(**VALUES))
    assert on.version != off.version


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(KeyError):
        load("answer").render(question="?", today="2026-11-21")


def test_a_file_without_a_part_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "half.md").write_text("## instruction\nx\n\n## input\n{question}\n")
    with pytest.raises(ValueError, match=r"half\.md has no part context, output"):
        load("half", folder=tmp_path)
