"""``copilot bench diffusion`` on shapes that any machine can draw."""

import json
from pathlib import Path

import pytest

from evals.bench.diffusion import run


@pytest.mark.usefixtures("gpu_extra")
def test_the_bench_compares_both_sides_on_the_same_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tiny=True, device="cpu", requests=3, seconds=600, file=tmp_path / "lines.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [line["shape"] for line in lines] == ["tiny", "tiny_xl"]
    for line in lines:
        assert line["difference"] <= 1
        assert line["stock"]["images_s"] > 0
        assert line["factor"] > 0
    assert capsys.readouterr().out.count("\n") == 2
