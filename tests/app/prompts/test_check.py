"""What is wrong with a template is said by line and name, and whatever passes can be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import prompts
from app.chat.prompt_check import OPTIONAL, REQUIRED, Flaw, flaws
from app.llm.prompts import parse

GOOD = "## instruction\nAnswer.\n\n## context\n{evidence}\n\n## input\n{question}\n\n## output\nBriefly.\n"


@pytest.mark.parametrize("name", prompts.NAMES)
def test_the_shipped_templates_have_no_flaw_and_name_what_they_are_given(name: str) -> None:
    template = prompts.load(name)
    assert flaws(name, template.text) == []
    assert set(REQUIRED[name]) <= template.variables <= {*REQUIRED[name], *OPTIONAL[name]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("{evidence}", "{evidense}"), [Flaw("prompt_variable_missing", 4, "evidence"),
                                        Flaw("prompt_variable_unknown", 5, "evidense")]),
        (("{question}", "Q"), [Flaw("prompt_variable_missing", 7, "question")]),
        (("Briefly.", "As JSON: {\n}"), [Flaw("prompt_brace_unbalanced", 11, "{"),
                                         Flaw("prompt_brace_unbalanced", 12, "}")]),
        (("Briefly.", "{today!r}"), [Flaw("prompt_variable_unknown", 11, "today!r")]),
        (("Briefly.", "{question.__class__}"), [Flaw("prompt_variable_unknown", 11, "question.__class__")]),
        (("Briefly.", "{}"), [Flaw("prompt_variable_unknown", 11, "")]),
        (("## output\nBriefly.\n", ""), [Flaw("prompt_section_missing", 8, "output")]),
        (("Briefly.", " "), [Flaw("prompt_section_missing", 10, "output")]),
        (("## instruction", "Hello\n## instruction"), [Flaw("prompt_text_outside", 1)]),
        (("Briefly.", "Briefly.\n## tone\nkind"), [Flaw("prompt_section_unknown", 12, "tone")]),
        (("Briefly.", "Briefly.\n## output\nkind"), [Flaw("prompt_section_twice", 12, "output")]),
        (("Briefly.", "x\n## examples\n### human\nHi\n"), [Flaw("prompt_example_incomplete", 12)]),
        (("Briefly.", "x\n## examples\n### human\nHi\n### ai\n"), [Flaw("prompt_example_incomplete", 15)]),
        (("Briefly.", "x" * 20_001), [Flaw("prompt_too_long", 1, "20000")]),
    ],
)  # fmt: skip
def test_every_flaw_names_its_line(change: tuple[str, str], expected: list[Flaw]) -> None:
    assert flaws("answer", GOOD.replace(*change)) == expected
    assert all(flaw.sentence for flaw in expected)


def test_doubled_braces_and_the_braces_of_examples_are_text() -> None:
    text = GOOD.replace("Briefly.", 'As {{"a": {question}}}\n## examples\n### human\n{x}\n### ai\n{"y": 1}')
    assert flaws("answer", text) == []
    sent = parse("answer", text, think=True).render(question="Q", evidence="E")
    assert 'As {"a": Q}' in sent[0].content


@given(st.text(alphabet='{}ab\n# "question', max_size=40), st.booleans())
def test_a_text_without_flaws_can_always_be_rendered(written: str, think: bool) -> None:
    text = GOOD.replace("Briefly.", f"Briefly. {written}")
    if flaws("answer", text):
        return
    sent = parse("answer", text, think=think).render(question="Q", evidence="E", today="T", examples="")
    assert sent[-1].content.startswith("Q")


@pytest.mark.parametrize("text", ["", "x", "\n\n", "## examples\nno turns", GOOD + "## examples\nno turns\n", "{"])
def test_a_text_that_is_nothing_like_a_template_has_flaws_and_no_error(text: str) -> None:
    assert flaws("answer", text)
