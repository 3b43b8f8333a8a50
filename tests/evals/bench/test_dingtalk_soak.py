"""The soak itself, for a moment: two bots, one of them killed, everything going wrong."""

import psutil
import pytest
from psutil import STATUS_ZOMBIE

from evals.bench.dingtalk_soak import run


@pytest.mark.processes
@pytest.mark.timeout(400)
async def test_for_a_moment_of_faults_nothing_is_lost_or_doubled() -> None:
    report = await run(minutes=0.15, seed=3, kill_every_s=5)
    assert (report.lost, report.doubled) == ((), ())
    assert report.messages > 8
    assert report.restarts >= 1
    assert report.good
    assert report.calls_per_answer < report.plain_calls
    assert report.table().row_count > 10
    left = [child.cmdline() for child in psutil.Process().children(recursive=True) if child.status() != STATUS_ZOMBIE]
    assert not [command for command in left if "evals.bench.bot_processes" in command]
