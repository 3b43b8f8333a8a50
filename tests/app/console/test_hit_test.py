"""The hit test shows what was found and why, as the chat would decide it."""

from pathlib import Path
from urllib.parse import quote

import pytest

from app.console.highlight import pieces
from knowledge.models import DEFAULT_TENANT
from tests.app.console.visits import one, see, served, words
from tests.products import FEES, RETURNS, take_in


async def test_the_hit_test_shows_scores_matches_timings_and_the_verdict(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        await take_in(services, "shop", "退货.md", RETURNS)
        page = await see(http, f"/console/kb/shop/search?q={quote('旗舰店的保证金是多少？')}&limit=5")
        hit = one(page, ".hit")
        assert "费用.md" in words(hit, ".hit-name")
        assert {mark.text() for mark in hit.css(".chunk-text mark")} == {"旗舰店保证金", "保证金"}
        assert len(hit.css(".score")) == 3
        assert "第 1 名" in words(hit, ".scores")
        assert float(one(hit, ".meter.lexical .level").attributes["width"] or 0) == 100
        link = one(hit, ".hit-name a").attributes["href"] or ""
        target = one(await see(http, link.partition("#")[0]), ".chunk.target").attributes["id"]
        assert link.endswith(f"#{target}")
        assert all(part in words(page, ".timings") for part in ("向量化", "语义检索", "关键词检索", "合计", "ms"))
        assert one(page, ".verdict").attributes["data-answerable"] == "true"
        assert "会回答" in words(page, ".verdict")


async def test_the_hit_test_gives_the_verdict_the_chat_gives(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        for question in ("旗舰店的保证金是多少？", "无人机可以寄到火星吗？"):
            asked = await http.post("/v1/chat", json={"question": question, "stream": False, "kb": ["shop"]})
            page = await see(http, f"/console/kb/shop/search?q={quote(question)}")
            shown = one(page, ".verdict").attributes["data-answerable"]
            assert shown == str(not asked.json()["refused"]).lower(), question
        assert "如实说" in words(page, ".verdict")
        page = await see(http, f"/console/kb/shop/search?q={quote('HB-KT-9999 旗舰店的保证金是多少？')}")
        assert "资料里没有这个编号：hb-kt-9999" in words(page, ".verdict")


async def test_the_hit_test_of_an_empty_knowledge_base_finds_nothing_and_says_so(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        assert (await see(http, "/console/kb/shop/search")).css_first("#results") is None
        assert "没有找到任何片段" in words(await see(http, "/console/kb/shop/search?q=what"))


@pytest.mark.parametrize(
    ("text", "question", "matched"),
    [
        ("旗舰店保证金为 50000 元", "保证金是多少", ["保证金"]),
        ("Refunds, seller's fees", "refund fee", ["Refunds", "fees"]),
        ("首重 1,299.00 元", "1299 元", ["1,299.00", "元"]),
        ("型号 HB-KT-2048。", "hbkt2048 有货吗", ["HB-KT-2048"]),
        ("ＡＢＣ 全角", "abc", ["ＡＢＣ"]),
        ("没有相同的词", "完全无关", []),
        ("", "什么", []),
    ],
)
def test_matches_are_laid_back_onto_the_original_text(text: str, question: str, matched: list[str]) -> None:
    found = pieces(text, question)
    assert "".join(piece.text for piece in found) == text
    assert [piece.text for piece in found if piece.matched] == matched
