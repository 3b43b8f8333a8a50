"""The bot's sentences: in both languages, with the same values, and there where they are said."""

import json
import re
from pathlib import Path
from string import Formatter

import pytest

import bots
from app.chat.history import REASONS
from bots.dingtalk.cards import REJECTIONS
from bots.wording import failure, say, word

FOLDER = Path(bots.__file__).parent
TEXTS: dict[str, dict[str, str]] = json.loads((FOLDER / "texts.json").read_text(encoding="utf-8"))
_SAID = re.compile(r"(?<![\w.])say\(\s*\"([a-z_.A-Z]+)\"")


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_a_sentence_is_there_in_both_languages_with_the_same_values(key: str) -> None:
    entry = TEXTS[key]
    assert set(entry) == {"zh", "en"}
    assert all(text == text.strip() and text for text in entry.values())
    assert _values(entry["zh"]) == _values(entry["en"])
    assert re.search("[一-鿿]", entry["zh"])
    assert not re.search("[一-鿿]", entry["en"])


@pytest.mark.parametrize("key", TEXTS)
def test_chinese_has_chinese_marks(key: str) -> None:
    text = re.sub(r"`[^`]*`|/\S+", "", TEXTS[key]["zh"])
    assert not re.search(r"[一-鿿][,;!?]|[,;!?][一-鿿]", text)


def test_every_sentence_that_is_said_is_there() -> None:
    for path in FOLDER.rglob("*.py"):
        if "from bots.wording import" in (code := path.read_text(encoding="utf-8")):
            missing = [key for key in _SAID.findall(code) if key not in TEXTS]
            assert not missing, (path.name, missing)


def test_reasons_have_words() -> None:
    assert all(word(f"reason.{reason}", "zh") for reason in REASONS)
    assert all(word(f"rejection.{reason}", "zh") for reason in REJECTIONS)


def test_what_has_no_sentence_of_its_own_is_said_by_default() -> None:
    assert say("unreadable.hologram", "zh", default="unreadable") == say("unreadable", "zh")
    assert say("unreadable.video", "zh", default="unreadable") != say("unreadable", "zh")
    with pytest.raises(KeyError):
        say("unreadable.hologram", "zh")


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("model_rate_limited", "busy"),
        ("model_timeout", "slow"),
        ("question_too_long", "too_long"),
        ("model_interrupted", "interrupted"),
        ("vectors_unavailable", "unavailable"),
        ("role_missing", "role_missing"),
    ],
)
def test_a_failure_says_what_to_do_by_its_code(code: str, group: str) -> None:
    assert failure(code, "…", "zh") == say(f"failed.{group}", "zh")


def test_a_wrong_setting_is_named_for_the_administrator() -> None:
    assert "model_key_invalid" in failure("model_key_invalid", "…", "zh")


def test_what_the_console_has_a_sentence_for_is_said_so() -> None:
    assert failure("image_truncated", "…", "zh").startswith("图片不完整")
    blurred = failure("image_blurred", "…", "zh", params={"found": 12, "limit": 60})
    assert "12" in blurred


def test_a_code_that_nobody_knows_is_said_in_general() -> None:
    assert failure("quantum_flux", "The flux is low.", "zh") == say("failed.internal", "zh")
    assert failure("quantum_flux", "The flux is low.", "en") == "The flux is low."
    assert failure("image_blurred", "", "zh") == say("failed.internal", "zh")  # its figures are not known here
