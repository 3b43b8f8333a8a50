"""The page of one whole answer: for who has a link to it, and for nobody else."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.app.console.chats import answered, bot, link
from tests.app.console.visits import HOSTILE, one, see, words


async def test_a_signed_link_shows_the_whole_answer_with_its_sources_and_needs_no_key(tmp_path: Path) -> None:
    async with bot(tmp_path, require_keys=True) as (http, services):
        turn = await answered(
            services, "**50000** 元 [1]，另见 [2](https://example.com/x)。\n\n| a | b |\n|--|-:|\n| 1 | 2 |"
        )
        page = await see(http, link(services, turn.id))
        assert words(page, "h1") == "保证金多少？"
        assert one(page, ".prose strong").text() == "50000"
        assert one(page, ".prose td[align=right]").text() == "2"
        assert one(page, ".prose a.cite").attributes["href"] == "#source-1"
        assert one(page, ".prose a[rel]").attributes["href"] == "https://example.com/x"
        assert [words(page, "#source-1")[:6]] == ["旗舰店保证金"]
        assert "第 3 页" in words(page, ".source")
        assert len(page.css(".source")) == 1
        answer = await http.get(link(services, turn.id))
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "script-src" not in answer.headers["content-security-policy"]
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(("finish", "sentence"), [("length", "被截断了"), ("content_filter", "内容过滤"), ("stop", "")])
async def test_an_answer_whose_end_is_missing_says_so(tmp_path: Path, finish: str, sentence: str) -> None:
    async with bot(tmp_path) as (http, services):
        page = await see(http, link(services, (await answered(services, finish=finish)).id))
        assert len(page.css(".note")) == bool(sentence)
        assert sentence in words(page)


async def test_nothing_in_an_answer_runs_loads_or_leads_astray(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        hostile = f"{HOSTILE} ![图](https://evil.example/p.png) [x](javascript:alert(1)) [y](data:text/html,1) [2] [9]"
        page = await see(http, link(services, (await answered(services, hostile)).id))
        assert page.css("script, img, .prose a, [style]") == []
        assert "图" in words(page, ".prose")


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (lambda url: url.replace("signature=", "signature=0"), "不是本服务发出的"),
        (lambda url: url.replace("expires=", "expires=9"), "不是本服务发出的"),
        (lambda url: url.partition("?")[0], "不是本服务发出的"),
        (lambda url: re.sub(r"expires=\d+", "expires=never", url), "不是本服务发出的"),
    ],
)
async def test_a_link_that_is_not_ours_opens_nothing(tmp_path: Path, tamper: Any, sentence: str) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        page = await see(http, tamper(link(services, turn.id)), status=403)
        assert sentence in words(page)
        assert "50000" not in (page.html or "")


async def test_a_link_ends_and_a_files_signature_opens_no_answer(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        expired = link(services, turn.id, lasting=timedelta(seconds=-1))
        page = await see(http, expired, status=403)
        assert "链接已过期" in words(page)
        assert "重新提问" in words(page)
        of_file = services.jobs.artifacts.signer.query(turn.id)
        await see(http, f"/a/{turn.id}?{of_file}", status=403)
        await see(http, link(services, "0" * 32), status=404)


async def test_an_answer_that_is_not_complete_says_so(tmp_path: Path) -> None:
    async with bot(tmp_path) as (http, services):
        turn = await answered(services)
        await services.conversations.fail(
            turn.id, code="interrupted", partial="五万", condensed=turn.question, evidence=(), timings_ms={}
        )
        assert "没有完成" in words(await see(http, link(services, turn.id)), ".note")
