"""What a question is about."""

import pytest

from knowledge.question import content_characters, content_terms


@pytest.mark.parametrize("end", ["呀", "？啊呀", "嘛啦~", "哦", "吧？", "呗，哈哈"])
def test_what_only_sounds_at_the_end_of_a_question_is_not_what_it_is_about(end: str) -> None:
    assert content_terms(f"旗舰店的保证金要交多少{end}") == content_terms("旗舰店的保证金要交多少")
    assert content_characters(f"旗舰店的保证金要交多少{end}") == content_characters("旗舰店的保证金要交多少")


WORDS = [("哈尔滨能送到吗", "哈尔"), ("附近有网吧", "网吧"), ("有啦啦队服吗", "啦队")]


@pytest.mark.parametrize(("question", "term"), WORDS)
def test_the_same_characters_in_a_word_are_kept(question: str, term: str) -> None:
    assert term in content_terms(question)
