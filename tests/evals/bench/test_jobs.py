"""The bench itself, on a few jobs: real workers of both kinds, every job done and told of."""

import pytest

from evals.bench.jobs import run

pytestmark = pytest.mark.processes


async def test_both_do_all_their_jobs_and_are_compared() -> None:
    report = await run(jobs=40, rounds=1)
    assert {name: len(rounds) for name, rounds in report.rounds.items()} == {"copilot": 1, "dramatiq": 1}
    assert all(each.jobs_per_s > 0 and each.worker_cpu_ms >= 0 for rounds in report.rounds.values() for each in rounds)
    assert report.json()["ratio"] == report.ratio > 0
    assert report.threads == 8
