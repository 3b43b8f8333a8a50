"""Children as one, with small programs that write down when they end."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from app.processes.children import ChildDied, ChildSilent, ChildSpec, Stage
from app.processes.pids import mark
from app.processes.runtime import RecordedChild
from app.processes.supervisor import StopRequested, Supervisor, supervised
from tests.app.processes.conftest import Children

pytestmark = pytest.mark.processes

# Writes its name and the time (in seconds) when it is asked to end, a moment later.
POLITE = """
import signal, sys, time
def end(*_):
    time.sleep(0.2)
    with open(sys.argv[1], 'a') as file: file.write(f'{sys.argv[2]}\\n')
    sys.exit()
signal.signal(signal.SIGTERM, end)
print('ready', flush=True)
time.sleep(600)
"""


class Family:
    """What the supervisor tells: the lines, and the children that were written down last."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.recorded: list[RecordedChild] = []

    def supervised(self, **options: tuple[signal.Signals, ...]) -> AbstractAsyncContextManager[Supervisor]:
        return supervised(on_line=self.heard, on_change=self.changed, stop_on=options.get("stop_on", ()))

    def heard(self, name: str, line: str) -> None:
        self.lines.append((name, line))

    def changed(self, children: list[RecordedChild]) -> None:
        self.recorded = children

    def said(self, name: str) -> bool:
        return (name, "ready") in self.lines


@pytest.fixture
async def family(children: Children) -> AsyncIterator[Family]:
    yield Family()
    assert children() == []


def python(name: str, program: str, *argv: str, **options: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", program, *argv), **options)  # type: ignore[arg-type]


async def test_services_are_stopped_before_the_stores_they_use(family: Family, tmp_path: Path) -> None:
    ends = tmp_path / "ends"

    def polite(name: str, stage: Stage) -> ChildSpec:
        async def ready(_: int) -> bool:
            return family.said(name)

        return python(name, POLITE, str(ends), name, ready=ready, stage=stage)

    async with family.supervised() as supervisor:
        await supervisor.start_ready([polite("store", Stage.STORE), polite("service", Stage.SERVICE)])
    assert ends.read_text().split() == ["service", "store"]


async def test_children_are_started_side_by_side(family: Family) -> None:
    async def after_a_while(_: int) -> bool:
        await asyncio.sleep(1.5)
        return True

    began = time.perf_counter()
    async with family.supervised() as supervisor:
        specs = [python(str(n), "import time; time.sleep(60)", ready=after_a_while) for n in range(4)]
        children = await supervisor.start_ready(specs)
        assert time.perf_counter() - began < 5  # one after the other they take six
        assert all(child.ready_after and child.ready_after >= 1.5 for child in children)


async def test_each_child_is_written_down_as_soon_as_it_runs(family: Family) -> None:
    async with family.supervised() as supervisor:
        await supervisor.start(python("first", "import time; time.sleep(60)"))
        assert [child.name for child in family.recorded] == ["first"]
        assert family.recorded[0].process.alive


async def test_work_is_broken_off_when_a_child_dies(family: Family) -> None:
    async with family.supervised() as supervisor:
        await supervisor.start_ready([python("mortal", "import time; time.sleep(0.3); print('farewell'); 1/0")])
        with pytest.raises(ChildDied) as caught:
            await supervisor.guard(asyncio.sleep(60))
    assert caught.value.message == "mortal ended unexpectedly (exit code 1); everything else was stopped."
    assert "farewell" in caught.value.tail[0]
    assert caught.value.tail[-1] == "ZeroDivisionError: division by zero"


async def test_the_result_and_the_errors_of_guarded_work_come_through_as_they_are(family: Family) -> None:
    async with family.supervised() as supervisor:
        assert await supervisor.guard(asyncio.sleep(0, "result")) == "result"
        with pytest.raises(TimeoutError):
            await supervisor.guard(asyncio.wait_for(asyncio.sleep(60), 0.01))


async def test_a_signal_breaks_off_guarded_work(family: Family) -> None:
    async with family.supervised(stop_on=(signal.SIGUSR1,)) as supervisor:
        asyncio.get_running_loop().call_later(0.1, signal.raise_signal, signal.SIGUSR1)
        with pytest.raises(StopRequested):
            await supervisor.guard(asyncio.sleep(60))


async def test_a_child_that_is_never_ready_is_given_up(family: Family) -> None:
    async def never(_: int) -> bool:
        return False

    async with family.supervised() as supervisor:
        with pytest.raises(ChildSilent, match=r"slow was not ready after 0\.3 s"):
            await supervisor.start_ready(
                [python("slow", "import time; time.sleep(60)", ready=never, start_timeout=0.3)]
            )


async def test_a_program_that_does_not_exist_is_a_death_with_a_reason(family: Family) -> None:
    async def never(_: int) -> bool:
        return False

    async with family.supervised() as supervisor:
        with pytest.raises(ChildDied) as caught:
            await supervisor.start_ready([ChildSpec("ghost", ("/no/such/program",), ready=never)])
    assert caught.value.tail == ("/no/such/program: No such file or directory",)


async def test_what_a_dead_child_has_started_is_killed_with_it(family: Family) -> None:
    program = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)"
    )
    async with family.supervised() as supervisor:
        child = await supervisor.start(python("parent", program))
        await child.ended()
        await child.death()
        grandchild = int(family.lines[0][1])
        async with asyncio.timeout(20):
            while mark(grandchild).alive:  # noqa: ASYNC110 (it is not our child)
                await asyncio.sleep(0.02)


async def test_long_lines_and_broken_text_are_handed_on(family: Family) -> None:
    program = "import sys; sys.stdout.buffer.write(b'x' * 200_000 + b'\\n\\xff\\xfe ok\\nno newline')"
    async with family.supervised() as supervisor:
        child = await supervisor.start(python("loud", program))
        await child.ended()
        await child.death()
    said = [line for _, line in family.lines]
    assert sum(line.count("x") for line in said) == 200_000
    assert said[-2:] == ["\ufffd\ufffd ok", "no newline"]


async def test_sigpipe_ends_a_child_as_it_would_in_a_shell(family: Family) -> None:
    async with family.supervised() as supervisor:
        child = await supervisor.start(ChildSpec("shell", ("/bin/sh", "-c", "kill -PIPE $$; echo survived")))
        await child.ended()
        assert child.exit_status == -signal.SIGPIPE


async def test_a_log_that_grew_too_large_is_set_aside(
    family: Family, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.processes.children.LARGEST_LOG", 10)
    log = tmp_path / "logs" / "child.log"
    async with family.supervised() as supervisor:
        for word in ("the first run", "the second run"):
            child = await supervisor.start(python("child", f"print({word!r})", log=log))
            await child.ended()
            assert child.tail() == (word,)
    assert log.read_text() == "the second run\n"
    assert log.with_suffix(".log.1").read_text() == "the first run\n"
