"""The sentences of ``copilot up``."""

import re
from pathlib import Path
from string import Formatter

import pytest

import app.processes
from app.processes.words import CATALOG, TerminalLanguage, load_catalog, say

FOLDER = Path(next(iter(app.processes.__path__)))


def fields(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_every_sentence_exists_in_both_languages_with_the_same_parameters() -> None:
    for code, sentences in load_catalog(CATALOG).items():
        assert set(sentences) == {"en", "zh"}, code
        assert fields(sentences["en"]) == fields(sentences["zh"]), code
        assert re.search(r"[\u4e00-\u9fff]", sentences["zh"]), code
        assert not re.search(r"[\u4e00-\u9fff]", sentences["en"]), code


def test_every_sentence_is_used() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))
    assert [name for name in load_catalog(CATALOG) if f'"{name}"' not in code] == []


def test_a_missing_parameter_is_an_error_and_not_a_gap() -> None:
    assert say("port_forbidden", "en", port=80).startswith("You may not listen on port 80")
    with pytest.raises(KeyError):
        say("port_forbidden", "en")


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.Big5"}, "zh"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_terminal(
    variables: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TerminalLanguage().language == language
