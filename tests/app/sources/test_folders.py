"""A watched folder: what is new, changed and gone; and what must never happen to a knowledge base."""

import os
import shutil
import time
from pathlib import Path

import pytest

from app.sources.models import Run
from app.sources.service import Changes
from knowledge.errors import InvalidInput
from knowledge.models import DEFAULT_TENANT
from tests.app.sources.watching import add, came_to, names, run, watching, write


async def test_only_what_is_new_or_changed_is_taken_in(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        docs = tmp_path / "docs"
        for name in ("费用.md", "规则/退货.md", ".hidden.md", ".git/x.md", "~$费用.docx"):
            write(docs / name, f"# {name}\n\n内容。")
        source = await add(services, "folder", docs)
        assert came_to(await run(services, source)) == {"new": 2}
        assert await names(services) == ["规则/退货.md", "费用.md"]
        assert came_to(await run(services, source)) == {"unchanged": 2}
        write(docs / "费用.md", "# 费用\n\n新的内容。", age=30)
        write(docs / "规则/退货.md", "# 规则/退货.md\n\n内容。", age=20)  # touched, not changed
        write(docs / "新.md", "# 新")
        assert came_to(await run(services, source)) == {"new": 1, "changed": 1, "unchanged": 1}
        assert came_to(await run(services, source)) == {"unchanged": 3}


async def test_a_document_says_which_source_it_is_from_and_when_it_was_seen(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        write(tmp_path / "docs/a/费用.md", "# 费用\n\n内容。")
        source = await add(services, "folder", tmp_path / "docs", name="共享盘")
        await run(services, source)
        base = await services.knowledge.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        (document,), _ = await services.knowledge.catalog.documents(base)
        whence = await services.sources.whence(document.id)
        assert whence is not None
        assert (whence.place, whence.source) == ("a/费用.md", "共享盘")
        first = whence.seen_at
        await run(services, source)
        again = await services.sources.whence(document.id)
        assert again is not None
        assert first is not None
        assert again.seen_at is not None
        assert again.seen_at > first


async def test_what_is_gone_is_deleted_at_the_second_look(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        docs = tmp_path / "docs"
        for n in range(4):
            write(docs / f"{n}.md", f"# 第 {n} 份")
        source = await add(services, "folder", docs)
        await run(services, source)
        (docs / "0.md").unlink()
        assert came_to(await run(services, source)) == {"unchanged": 3, "missing": 1}
        assert await names(services) == ["0.md", "1.md", "2.md", "3.md"]
        assert came_to(await run(services, source)) == {"unchanged": 3, "deleted": 1}
        assert await names(services) == ["1.md", "2.md", "3.md"]
        (docs / "1.md").rename(tmp_path / "1.md")
        await run(services, source)
        (tmp_path / "1.md").rename(docs / "1.md")  # it was away for one look only
        assert came_to(await run(services, source)) == {"unchanged": 3}
        write(docs / "0.md", "# 第 0 份")
        assert came_to(await run(services, source)) == {"unchanged": 3, "new": 1}
        assert await names(services) == ["0.md", "1.md", "2.md", "3.md"]


@pytest.mark.parametrize("left", [0, 1])
async def test_an_empty_mount_deletes_nothing_until_somebody_agrees(tmp_path: Path, left: int) -> None:
    async with watching(tmp_path) as services:
        docs = tmp_path / "docs"
        for n in range(4):
            write(docs / f"{n}.md", f"# 第 {n} 份")
        source = await add(services, "folder", docs)
        await run(services, source)
        for n in range(left, 4):
            (docs / f"{n}.md").unlink()
        for _ in range(3):
            asked = await run(services, source)
            assert (asked.state, asked.counts["missing"]) == ("asks", 4 - left)
            assert len(await names(services)) == 4
        await services.sources.sync(DEFAULT_TENANT, source.id, delete_gone=True)
        done = await run(services, source)
        assert (done.state, done.counts["deleted"]) == ("done", 4 - left)
        assert len(await names(services)) == left
        assert (await run(services, source)).state == "done"  # what was agreed to is used up


async def test_a_folder_that_is_away_is_a_failed_run_and_nothing_else(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        docs = tmp_path / "docs/a"
        write(docs / "a.md", "# 甲")
        source = await add(services, "folder", docs)
        await run(services, source)
        shutil.rmtree(docs)
        for _ in range(3):
            away = await run(services, source)
            assert (away.state, away.error_code) == ("failed", "source_unreadable")
        assert await names(services) == ["a.md"]
        write(docs / "a.md", "# 甲")
        assert came_to(await run(services, source)) == {"unchanged": 1}


async def test_a_file_that_is_being_written_waits_for_the_next_run(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        file = write(tmp_path / "docs/a.md", "# 甲", age=0)
        source = await add(services, "folder", tmp_path / "docs")
        assert came_to(await run(services, source)) == {"waiting": 1}
        write(file, "# 甲乙丙")
        assert came_to(await run(services, source)) == {"new": 1}
        write(file, "# 甲乙丙丁", age=-1)
        assert came_to(await run(services, source)) == {"waiting": 1}
        assert await names(services) == ["a.md"]


async def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        docs, secret = tmp_path / "docs", write(tmp_path / "secret.md", "# 密码")
        write(docs / "a.md", "# 甲")
        (docs / "inside.md").symlink_to(docs / "a.md")
        (docs / "outside.md").symlink_to(secret)
        (docs / "nowhere.md").symlink_to(tmp_path / "none")
        (docs / "up").symlink_to(tmp_path, target_is_directory=True)
        os.mkfifo(docs / "pipe.md")
        source = await add(services, "folder", docs)
        assert came_to(await run(services, source)) == {"new": 2, "left_out": 3}
        assert await names(services) == ["a.md", "inside.md"]


async def test_only_folders_that_a_setting_names_are_watched(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        (tmp_path / "docs/way-out").symlink_to("/")
        (tmp_path / "docs-too").mkdir()
        for folder in (
            "/etc",
            tmp_path,
            tmp_path / "docs/../..",
            "docs",
            tmp_path / "docs/way-out/etc",
            tmp_path / "docs-too",
        ):
            with pytest.raises(InvalidInput) as caught:
                await add(services, "folder", folder)
            assert caught.value.error_code == "source_folder_refused", folder
        (tmp_path / "docs/a").mkdir()
        source = await add(services, "folder", tmp_path / "docs/a")
        (tmp_path / "docs/a").rmdir()
        (tmp_path / "docs/a").symlink_to("/etc")
        assert (await run(services, source)).error_code == "source_folder_refused"


async def test_patterns_choose_and_a_pattern_that_leaves_out_most_asks_first(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        docs = tmp_path / "docs"
        for name in ("a.md", "b/c.md", "b/old/d.md", "e.txt"):
            write(docs / name, f"# {name}")
        source = await add(services, "folder", docs, include=["*.md"], exclude=["b/old/*"])
        await run(services, source)
        assert await names(services) == ["a.md", "b/c.md"]
        await services.sources.change(DEFAULT_TENANT, source.id, Changes(include=["*.txt"]))
        assert (await run(services, source)).state == "asks"
        assert await names(services) == ["a.md", "b/c.md", "e.txt"]


async def test_two_folders_with_a_file_of_one_name_do_not_fight_over_a_document(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        sources = []
        for name in ("east", "west"):
            write(tmp_path / "docs" / name / "README.md", f"# {name}")
            sources.append(await add(services, "folder", tmp_path / "docs" / name))
        for _ in range(2):
            runs: list[Run] = [await run(services, source) for source in sources]
        assert [came_to(each) for each in runs] == [{"unchanged": 1}, {"unchanged": 1}]
        assert await names(services) == ["README.md", "west/README.md"]


async def test_a_file_that_cannot_be_taken_is_named_with_its_reason_and_keeps_what_answers(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        file = write(tmp_path / "docs/a.md", "# 甲")
        source = await add(services, "folder", tmp_path / "docs")
        await run(services, source)
        with file.open("r+b") as stream:
            stream.truncate(60 << 20)
        os.utime(file, (time.time() - 60,) * 2)
        failed = await run(services, source)
        assert (failed.state, came_to(failed)) == ("done", {"failed": 1})
        assert [(each.key, each.reason) for each in failed.failures] == [("a.md", "too_large")]
        write(file, "# 乙")
        assert came_to(await run(services, source)) == {"changed": 1}


async def test_a_source_that_is_removed_leaves_its_documents_or_takes_them_along(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        write(tmp_path / "docs/a.md", "# 甲")
        source = await add(services, "folder", tmp_path / "docs")
        await run(services, source)
        await services.sources.remove(DEFAULT_TENANT, source.id)
        assert await names(services) == ["a.md"]
        source = await add(services, "folder", tmp_path / "docs")
        assert came_to(await run(services, source)) == {"unchanged": 1}
        await services.sources.remove(DEFAULT_TENANT, source.id, documents=True)
        assert await names(services) == []


async def test_a_knowledge_base_that_is_deleted_takes_its_sources_along(tmp_path: Path) -> None:
    async with watching(tmp_path) as services:
        write(tmp_path / "docs/a.md", "# 甲")
        await run(services, await add(services, "folder", tmp_path / "docs"))
        await services.knowledge.delete(DEFAULT_TENANT, "shop")
        assert await services.sources.list(DEFAULT_TENANT) == []
