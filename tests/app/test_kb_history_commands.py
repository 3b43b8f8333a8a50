"""``copilot kb`` and ``copilot search --explain`` against a running service."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from app.cli import bases, ingest
from app.cli.main import app
from knowledge.errors import CopilotError
from tests.app.test_publications import apart
from tests.products import FEES, RETURNS, take_in
from tests.serving import listening

bases.register(app)
ingest.register(app)

Copilot = Callable[..., str]


def commands(url: str) -> Copilot:
    """What a command prints; its error is raised."""

    def call(*arguments: str) -> str:
        done: Result = CliRunner(env={"COPILOT_URL": url, "COLUMNS": "200"}).invoke(app, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


async def test_a_knowledge_base_is_saved_undone_restored_and_explained(tmp_path: Path) -> None:
    file = tmp_path / "shop.zip"
    async with listening(tmp_path / "data") as (url, services):
        copilot = commands(url)
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        assert "bytes" in await asyncio.to_thread(copilot, "kb", "snapshot", "shop", "--out", str(file))
        await apart(services)
        await take_in(services, "shop", "费用.md", FEES.replace("50000", "60000"))
        listed = await asyncio.to_thread(copilot, "kb", "publications", "shop")
        assert "费用.md" in listed
        undone = await asyncio.to_thread(copilot, "kb", "undo", "shop")
        assert "1 as before, 0 taken out, 0 left as they are" in undone
        with pytest.raises(CopilotError) as refused:
            await asyncio.to_thread(copilot, "kb", "undo", "shop", "--until", "2026-11-22T00:00:00Z")
        assert refused.value.error_code == "undo_without_since"
        made = await asyncio.to_thread(copilot, "kb", "restore", str(file), "--name", "copy", "--json")
        assert json.loads(made)["documents"] == 2
        asked = ("search", "旗舰店的保证金", "--kb", "copy", "-k", "1", "--explain")
        told = await asyncio.to_thread(copilot, *asked, "退货.md")
        assert "Found, as number 2: below the 1 that were asked for." in told
        assert "lacks: " in told
        assert "curated answer" in told
        with pytest.raises(CopilotError) as taken:
            await asyncio.to_thread(copilot, "kb", "restore", str(file), "--name", "copy")
        assert taken.value.error_code == "knowledge_base_exists"
        with pytest.raises(CopilotError) as missing:
            await asyncio.to_thread(copilot, "kb", "snapshot", "none", "--out", str(tmp_path / "none.zip"))
        assert missing.value.error_code == "knowledge_base_not_found"
    left = await asyncio.to_thread(lambda: sorted(path.name for path in tmp_path.iterdir()))
    assert left == ["data", "shop.zip"]
