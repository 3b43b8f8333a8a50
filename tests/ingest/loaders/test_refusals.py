"""What is refused, for which reason, and that everything else stays out of the way."""

import random
from pathlib import Path

import pytest

from ingest.loaders import load
from knowledge.errors import DocumentRefused
from tests.ingest.loaders.made import fixture, loaded, ole, pdf, workbook


def refusal(data: bytes | str, name: str) -> DocumentRefused:
    with pytest.raises(DocumentRefused) as caught:
        loaded(data, name)
    return caught.value


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b" \n\t\r\n", "a.txt", "empty"),
        ("\u200b\ufeff", "a.txt", "empty"),
        ("---\ntitle: 只有标题\n---\n", "a.md", "empty"),
        ("<html><script>var x = 1</script></html>", "a.html", "empty"),
        ("[]", "a.json", "empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "scan.pdf", "needs_ocr"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "scan.jpg", "needs_ocr"),
        (b"MZ\x90\x00" + bytes(range(256)) * 4, "setup.exe", "unsupported"),
        (random.Random(7).randbytes(1024), "random.txt", "unsupported"),  # noqa: S311 - any bytes do
        (ole({"EncryptedPackage": b"x"}), "a.xlsx", "encrypted"),
        (b"%PDF-1.7\nnothing", "a.pdf", "corrupt"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "a.doc", "corrupt"),
    ],
)
def test_each_kind_of_useless_file_has_its_reason(data: bytes | str, name: str, reason: str) -> None:
    found = refusal(data, name)
    assert found.reason == found.error_code == reason
    assert found.message.endswith(".")


def test_cut_off_office_files_are_corrupt() -> None:
    whole = workbook({"Sheet1": [["商品", "价格"], ["耳机", 299]]})
    assert refusal(whole[: len(whole) * 2 // 3], "a.xlsx").reason == "corrupt"
    for name in ("prices.xls", "policy.doc"):
        assert refusal(fixture(name)[:1500], name).reason == "corrupt"


def test_an_empty_workbook_and_one_with_only_hidden_sheets_are_empty() -> None:
    assert refusal(workbook({"Sheet1": []}), "a.xlsx").reason == "empty"


def test_files_over_the_limit_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 2000)
    with pytest.raises(DocumentRefused) as caught:
        load(path, name="a.txt", max_bytes=1000)
    assert caught.value.reason == "too_large"
    assert load(path, name="a.txt", max_bytes=2000).blocks


def test_no_damage_gets_past_the_typed_refusals() -> None:
    """Random cuts, holes and flipped bytes: a document or a refusal, never another error."""
    chance = random.Random(20)  # noqa: S311 - reproducible damage
    whole = {
        "a.pdf": pdf([["一些文字。"] * 5]),
        "a.xlsx": workbook({"Sheet1": [["商品", "价格"], *([f"货{n}", n] for n in range(30))]}),
        **{name: fixture(name) for name in ("policy.doc", "policy.rtf", "policy.odt", "prices.xls")},
    }
    outcomes = set()
    for name, data in whole.items():
        for _ in range(12):
            damaged = bytearray(data)
            at = chance.randrange(len(damaged))
            match chance.randrange(4):
                case 0:
                    del damaged[at:]
                case 1:
                    del damaged[at : at + chance.randrange(1, 400)]
                case 2:
                    damaged[at : at + 200] = bytes(200)
                case _:
                    for _ in range(20):
                        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                outcomes.add("loaded" if loaded(bytes(damaged), name).blocks else "nothing")
            except DocumentRefused as found:
                outcomes.add(found.reason)
    assert {"loaded", "corrupt"} <= outcomes
    assert "nothing" not in outcomes
