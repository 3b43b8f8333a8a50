"""``copilot kb`` against a running service."""

import asyncio
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.cli import bases
from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from knowledge.tunings import Tunings
from tests.app.test_tuning import phrase, tuned
from tests.products import take_in
from tests.serving import listening


async def copilot(*arguments: str) -> Result:
    def call() -> Result:
        app = typer.Typer()
        bases.register(app)
        app.command("other")(lambda: None)  # so that the group keeps its name
        return CliRunner().invoke(app, ["kb", *arguments], catch_exceptions=False)

    return await asyncio.to_thread(call)


async def test_a_knowledge_base_is_tuned_shown_and_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(tmp_path) as (url, services):
        monkeypatch.setenv("COPILOT_URL", url)
        assert "No knowledge bases yet." in (await copilot("list")).stdout
        for number in range(20):
            await take_in(services, "shop", f"{number}.md", f"{phrase(number)}的保证金为 {number} 元。")
        lines = [{"question": f"{phrase(n)}的保证金", "documents": [f"{n}.md"]} for n in range(20)]
        questions = tmp_path / "questions.jsonl"
        questions.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        told = (await copilot("tune", "shop", "--questions", str(questions), "--dry-run")).stdout
        assert "20 questions, 0 without an answer" in told
        assert "order (MRR)" in told
        assert "Nothing was surely better: kept as it was." in told
        kb = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await Tunings(services.parts.database).keep(kb, tuned(kb.embedding_model, meaning=0.5))
        shown = (await copilot("show", "shop")).stdout
        assert "shop: 20 documents" in shown
        assert "weights: learned 2026-11-22 from 30 questions" in shown
        assert "meaning 0.5" in shown
        assert "learned 2026-11-22" in (await copilot("list")).stdout
        assert json.loads((await copilot("show", "shop", "--json")).stdout)["tuning"]["in_force"]
        assert "as shipped" in (await copilot("reset", "shop")).stdout
        assert "weights: as shipped" in (await copilot("show", "shop")).stdout


async def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "questions.jsonl", tmp_path / "missing.jsonl"):
        with pytest.raises(InvalidInput) as caught:
            await copilot("tune", "shop", "--questions", str(path))
        assert caught.value.error_code == "questions_unreadable"
