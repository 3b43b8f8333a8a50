"""When sources run, who runs them, and what is left of a run that was killed."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from app.sources.schedule import Schedule
from app.sources.service import Changes
from app.sources.store import SourceLeaseLost, SourceStore
from app.sources.tables import sources as table
from app.wiring import Services
from app.worker import Housekeeping
from ingest.watch.folder import FolderPlace
from knowledge.database import now
from knowledge.errors import Conflict, InvalidInput
from knowledge.models import DEFAULT_TENANT
from tests.app.sources.watching import add, came_to, names, watching, write


async def until_idle(services: Services) -> None:
    async with asyncio.timeout(20):
        while any(  # noqa: ASYNC110 (what is waited for is in the database)
            source.running or source.wanted for source, _ in await services.sources.list(DEFAULT_TENANT)
        ):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("text", "shown", "later"),
    [("every 30m", "every 30m", 1800), ("Every 90 min", "every 90m", 5400), ("every 120m", "every 2h", 7200)],
)
def test_a_schedule_of_so_many_minutes_or_hours(text: str, shown: str, later: int) -> None:
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert str(Schedule.parse(text)) == shown
    assert Schedule.parse(text).next_after(moment) == moment + timedelta(seconds=later)


def test_a_daily_schedule_is_at_that_time_of_the_machine() -> None:
    schedule = Schedule.parse("daily 3:05")
    assert str(schedule) == "daily 03:05"
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    following = schedule.next_after(moment)
    assert moment < following <= moment + timedelta(days=1)
    assert (following.astimezone().hour, following.astimezone().minute) == (3, 5)
    assert schedule.next_after(following) > following + timedelta(hours=22)


@pytest.mark.parametrize("text", ["", "every 0m", "every 9999h", "daily 24:00", "hourly", "every m", "* * * * *"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Schedule.parse(text)
    assert caught.value.error_code == "schedule_invalid"


async def test_a_worker_runs_what_is_due_and_nothing_else(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        for name in ("a", "b", "c"):
            write(tmp_path / f"docs/{name}/{name}.md", f"# {name}")
        for name in ("a", "b", "c"):
            await add(services, "folder", tmp_path / "docs" / name, enabled=name != "c")
        housekeeping = Housekeeping(services)
        await housekeeping.sweep()
        await until_idle(services)
        assert await names(services) == ["a.md", "b.md"]
        assert await services.keeper.begin_due() == 0  # their next runs are hours away
        found = {source.name: source for source, _ in await services.sources.list(DEFAULT_TENANT)}
        assert found["a"].next_run_at - now() > timedelta(hours=5)
        await services.sources.sync(DEFAULT_TENANT, found["c"].id)  # also one that is paused, when somebody asks
        await housekeeping.sweep()
        await until_idle(services)
        assert await names(services) == ["a.md", "b.md", "c.md"]


async def test_a_source_runs_once_however_many_workers_look(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        source = await add(services, "folder", tmp_path / "docs")
        store = SourceStore(services.parts.database)
        leases = await asyncio.gather(*(store.claim(f"w{n}") for n in range(5)))
        (lease,) = [lease for lease in leases if lease is not None]
        assert not await services.keeper.run(source.id)
        await store.renew(lease, done=1, total=2)
        shown, last = await services.sources.get(DEFAULT_TENANT, source.id)
        assert (shown.running, shown.done, shown.total) == (True, 1, 2)
        assert last is not None
        assert last.state == "running"


async def test_a_killed_run_is_begun_anew_when_its_lease_is_over_and_nothing_is_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(tmp_path) as services:
        for n in range(6):
            write(tmp_path / f"docs/{n}.md", f"# 第 {n} 份")
        source = await add(services, "folder", tmp_path / "docs")
        store = SourceStore(services.parts.database)
        killed, taken = asyncio.Event(), FolderPlace.take

        async def take(self, tenant, entry, known):  # type: ignore[no-untyped-def]
            if entry.key == "3.md" and not killed.is_set():
                killed.set()
                await asyncio.Event().wait()
            return await taken(self, tenant, entry, known)

        monkeypatch.setattr(FolderPlace, "take", take)
        await services.keeper.begin_due()
        await killed.wait()
        async with services.parts.database.write() as connection:  # its worker says nothing any more
            await connection.execute(update(table).values(lease_until=now() - timedelta(seconds=1)))
        assert await services.keeper.run(source.id)
        _, runs = await services.sources.runs(DEFAULT_TENANT, source.id)
        assert [run.state for run in runs] == ["done", "interrupted"]
        assert came_to(runs[0]) == {"new": 3, "unchanged": 3}
        assert len(await names(services)) == 6
        assert await store.claim("w") is None


async def test_a_run_that_was_overtaken_ends_and_says_nothing(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        source = await add(services, "folder", tmp_path / "docs")
        store = SourceStore(services.parts.database)
        lease = await store.claim("w")
        assert lease is not None
        await services.sources.remove(DEFAULT_TENANT, source.id)
        with pytest.raises(SourceLeaseLost):
            await store.renew(lease, done=0, total=0)


async def test_a_worker_that_stops_gives_its_source_back_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()

    async def take(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with watching(tmp_path) as services:
        write(tmp_path / "docs/a.md", "# 甲")
        await add(services, "folder", tmp_path / "docs")
        monkeypatch.setattr(FolderPlace, "take", take)
        await services.keeper.begin_due()
        await begun.wait()
    monkeypatch.undo()
    async with watching(tmp_path) as services:
        ((source, run),) = await services.sources.list(DEFAULT_TENANT)
        assert (source.running, source.wanted, run.state if run else "") == (False, True, "interrupted")
        assert await services.keeper.begin_due() == 1
        await until_idle(services)
        assert await names(services) == ["a.md"]


async def test_only_the_newest_fifty_reports_are_kept(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        source = await add(services, "folder", tmp_path / "docs")
        for _ in range(53):
            await services.keeper.run(source.id)
        _, runs = await services.sources.runs(DEFAULT_TENANT, source.id, limit=100)
        assert len(runs) == 50


async def test_a_source_needs_a_name_of_its_own_and_patterns_that_are_patterns(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        source = await add(services, "folder", tmp_path / "docs", name="盘")
        with pytest.raises(Conflict):
            await add(services, "folder", tmp_path / "docs", name="盘")
        other = await add(services, "folder", tmp_path / "docs", name="另")
        with pytest.raises(Conflict):
            await services.sources.change(DEFAULT_TENANT, other.id, Changes(name="盘"))
        for wrong, code in (
            ({"name": "\x01"}, "source_name_invalid"),
            ({"include": ["x"] * 2 + ["y" * 400]}, "source_globs_invalid"),
        ):
            with pytest.raises(InvalidInput) as caught:
                await add(services, "folder", tmp_path / "docs", **wrong)
            assert caught.value.error_code == code
        with pytest.raises(InvalidInput):
            await add(services, "ftp", "ftp://a.example/")
        assert (await services.sources.named(DEFAULT_TENANT, "盘")).id == source.id
