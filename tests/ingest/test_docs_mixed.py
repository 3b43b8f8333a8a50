"""The parsing suite on the public folder of mixed documents, and its own arithmetic."""

from pathlib import Path

import pytest

from evals.suites.parsing import evaluate, similarity
from ingest.ocr.choice import recognizer_named


def test_every_public_document_ends_in_its_expected_class(shared_data: Path) -> None:
    report = evaluate(shared_data / "docs_mixed", recognise=False)
    assert len(report.outcomes) >= 40
    assert not report.failures, report.table()


@pytest.mark.skipif(recognizer_named("auto") is None, reason="needs the extra ocr")
def test_a_public_scan_is_read(shared_data: Path, tmp_path: Path) -> None:
    name = "table-multi-row-column-cells.pdf"
    (tmp_path / "MANIFEST.tsv").write_text(f"file\texpected\n{name}\tOCR\n", encoding="utf-8")
    (tmp_path / name).symlink_to(shared_data / "docs_mixed/unstructured" / name)
    report = evaluate(tmp_path)
    assert [outcome.got for outcome in report.outcomes] == ["loaded"]
    assert not report.failures, report.table()
    assert report.outcomes[0].recognised == 1


def test_the_suite_counts_what_fails(tmp_path: Path) -> None:
    (tmp_path / "MANIFEST.tsv").write_text(
        "file\texpected\ngood.md\tPARSE\nwrong.md\tREFUSE\nempty.txt\tEMPTY\ngone.pdf\tPARSE\ngood.gold\tGOLD text\n",
        encoding="utf-8",
    )
    (tmp_path / "good.md").write_text("# 标题\n\n正文\n", encoding="utf-8")
    (tmp_path / "wrong.md").write_text("正文\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    report = evaluate(tmp_path)
    assert [(outcome.file, outcome.got, outcome.passed) for outcome in report.outcomes] == [
        ("good.md", "loaded", True),
        ("wrong.md", "loaded", False),
        ("empty.txt", "empty", True),
    ]
    assert report.missing == 1
    assert "2 of 3 files as expected" in report.table()
    assert report.as_dict()["passed"] == 2


def test_similarity_is_about_words_in_order() -> None:
    assert similarity("价格 299 元", "价格：299元！") == 1.0
    assert similarity("a b c d", "a b x d") == 0.75
    assert similarity("", "words") == 0.0
