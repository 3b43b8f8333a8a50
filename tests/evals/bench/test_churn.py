"""``copilot bench churn`` on the smallest real thing, in two pieces."""

from pathlib import Path

import pytest

from evals.bench.churn import run
from evals.bench.churn_report import tables


@pytest.mark.processes
async def test_two_hours_of_changes_are_told_and_everything_found_is_right(tmp_path: Path) -> None:
    told = {"chunks": 60, "changes": 8, "per_second": 5, "folder": tmp_path}
    first, _ = await run(rounds=1, **told)  # type: ignore[arg-type]
    hours, verdict = await run(rounds=2, **told)  # type: ignore[arg-type]
    assert hours[:2] == first
    assert [hour.hour for hour in hours] == [0, 1, 2]
    assert [hour.wrong for hour in hours] == [(), (), ()]
    assert all(abs(hour.rows["chunks"] - 60) <= 3 and hour.rows["vectors"] == hour.rows["chunks"] for hour in hours)
    assert hours[2].rows["past_chunks"] > hours[0].rows["past_chunks"] == 0
    assert hours[2].rows["chunk_removals"] > 0
    assert all(hour.p50_ms > 0 and hour.footprint.chroma_mb > 0 and hour.recall > 0.9 for hour in hours)
    assert verdict.wrong == 0
    assert [table.row_count for table in tables(hours)] == [3, 3]
