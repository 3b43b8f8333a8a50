"""The bench of reading: both sides read the same pages. Nothing is timed."""

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from evals import cli
from evals.bench.ingest import text_pdf
from ingest.blocks import Text
from ingest.loaders import load_bytes


def test_the_made_pdf_is_text_and_nothing_else() -> None:
    found = load_bytes(text_pdf(3), name="a.pdf")
    assert {block.page for block in found.blocks} == {1, 2, 3}
    assert all(isinstance(block, Text) for block in found.blocks)
    assert "Item 0002-44 is sold at" in str(found.blocks)


def test_the_command_prints_both_sides(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# 退货\n\n签收后七天内可以退货。", encoding="utf-8")
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(
        app, ["bench", "ingest", "--pages", "3", "--documents", "1", "--folder", str(tmp_path), "--json"]
    )
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [of["pages"] for of in found["pages"]] == [3]
    assert set(found["small_ms"]) == {"here", "warm", "cold"}
    assert [one["corpus"] for one in found["overhead"]] == ["samples", "longer", "yours"]
    assert all(one["documents"] == 1 and one["chunks"] >= 1 for one in found["overhead"])
