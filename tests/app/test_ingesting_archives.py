"""``copilot ingest``, with a service and without: each file of an archive, and what was embedded, is reported."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.cli.backend import Backend, FileReport
from app.cli.local import LocalBackend
from app.cli.remote import RemoteBackend
from app.jobs.runner import JobRunner
from ingest.sources import expand
from tests.ingest.loaders.test_members import zipped
from tests.products import FEES, RETURNS, product
from tests.serving import listening


@asynccontextmanager
async def local(data: Path) -> AsyncIterator[Backend]:
    async with product(data) as services:
        yield LocalBackend(services)


@asynccontextmanager
async def remote(data: Path) -> AsyncIterator[Backend]:
    """A service with a worker behind it."""
    async with listening(data) as (url, services), asyncio.TaskGroup() as tasks:

        async def work() -> None:
            while True:
                await JobRunner(services.jobs, "worker").drain("ingest")
                await asyncio.sleep(0.02)

        worker = tasks.create_task(work())
        async with RemoteBackend(url, None) as backend:
            yield backend
        worker.cancel()


async def taken_in(backend: Backend, paths: Sequence[Path]) -> dict[str, FileReport]:
    reports: dict[str, FileReport] = {}

    async def report(done: FileReport) -> None:
        reports[done.name] = done

    await backend.ingest("shop", expand([str(path) for path in paths]), report)
    return reports


@pytest.mark.parametrize("connected", [local, remote])
async def test_every_file_of_an_archive_is_reported(tmp_path: Path, connected) -> None:  # type: ignore[no-untyped-def]
    archive = tmp_path / "资料.zip"
    archive.write_bytes(zipped([("a.md", RETURNS.encode()), ("b.md", FEES.encode()), ("c.pdf", b"%PDF-1.7\nx")]))
    async with connected(tmp_path / "data") as backend:
        reports = await taken_in(backend, [archive])
        assert {name: done.state for name, done in reports.items()} == {
            "资料.zip": "live",
            "资料.zip/a.md": "live",
            "资料.zip/b.md": "live",
            "资料.zip/c.pdf": "failed",
        }
        assert "3 files were taken out" in str(reports["资料.zip"].message)
        assert (await taken_in(backend, [archive]))["资料.zip"].state == "unchanged"
        found = await backend.search("shop", "旗舰店保证金是多少", 1)
        assert found["passages"][0]["document"] == "资料.zip/b.md"


@pytest.mark.parametrize("connected", [local, remote])
async def test_what_had_to_be_embedded_is_reported(tmp_path: Path, connected) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "a.md"
    rules = [f"## 第 {number} 条\n\n" + f"编号 {number} 的商品按 {number} 折计价。" * 20 for number in range(1, 6)]
    async with connected(tmp_path / "data") as backend:
        file.write_text("\n\n".join(rules), encoding="utf-8")
        first = (await taken_in(backend, [file]))["a.md"]
        assert first.embedded == first.chunks > 3
        file.write_text("\n\n".join([*rules[:-1], rules[-1].replace("5 折", "6 折")]), encoding="utf-8")
        assert (await taken_in(backend, [file]))["a.md"].embedded in {1, 2, 3}
        assert (await taken_in(backend, [file]))["a.md"].embedded == 0
