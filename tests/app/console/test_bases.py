"""Knowledge bases in the console: the first step, names, and what cannot be searched."""

from pathlib import Path
from urllib.parse import quote

import pytest
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from knowledge.embeddings.hashing import HashingEmbedder
from knowledge.models import DEFAULT_TENANT
from knowledge.moves import Moves
from tests.app.console.visits import NAVIGATION, one, see, served, words
from tests.products import FEES, take_in


async def test_a_newcomer_is_told_the_first_step_and_how_answers_are_made(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        page = await see(http, "/console")
        assert "先建一个知识库" in words(page)
        assert "未配置大模型" in words(page)
        assert "COPILOT_MODEL_BASE_URL" in words(page)
        assert "本机免密钥" in words(page)
        assert [link.attributes["href"] for link in page.css(".nav a")] == NAVIGATION


async def test_a_knowledge_base_is_created_shown_and_deleted_by_typing_its_name(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        made = await http.post("/console/kb", data={"name": "店铺 规则"})
        assert made.status_code == 303
        assert "还没有文档" in words(await see(http, made.headers["location"]))
        await take_in(services, "店铺 规则", "费用.md", FEES)
        await take_in(services, "店铺 规则", "坏.pdf", b"%PDF-1.7 torn")
        card = words(await see(http, "/console"), ".base")
        assert "2 份文档" in card
        assert "1 份失败" in card
        assert HashingEmbedder().model_id in card

        path = f"/console/kb/{quote('店铺 规则')}/delete"
        wrong = await http.post(path, data={"confirm": "店铺"})
        assert wrong.status_code == 422
        assert "没有删除任何内容" in wrong.text
        assert len(await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT)) == 1
        gone = await http.post(path, data={"confirm": " 店铺 规则 "})
        assert gone.status_code == 303
        assert "知识库已删除" in words(await see(http, gone.headers["location"]))
        assert await services.knowledge.catalog.knowledge_bases(DEFAULT_TENANT) == []


@pytest.mark.parametrize(
    ("name", "sentence"), [("shop", "已经有叫“shop”的知识库了"), ("/", "名称不能为空"), (" ", "名称不能为空")]
)
async def test_a_name_that_cannot_be_used_is_explained_where_it_was_typed(
    tmp_path: Path, name: str, sentence: str
) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        answer = await http.post("/console/kb", data={"name": name})
        assert answer.status_code == 422
        page = HTMLParser(answer.text)
        assert sentence in words(page, "#create .problem")
        assert one(page, "#create input[name=name]").attributes["value"] == name
        assert "data-open-now" in one(page, "#create").attributes


async def test_a_knowledge_base_of_another_embedding_model_says_that_it_moves_and_how_far_it_is(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        kb = await services.knowledge.catalog.create_knowledge_base(DEFAULT_TENANT, "old", embedding_model="other-1")
        assert "后台任务进程会把这个知识库换过去" in words(await see(http, "/console"), ".base .note")
        assert "只按字词检索" in (await http.get("/console/kb/old/search?q=x")).text
        moves = Moves(services.parts.database, services.parts.catalog, HashingEmbedder().model_id, "test")
        assert await moves.claim(kb.id)
        assert "已完成 0%" in words(await see(http, "/console"), ".base .note")
        listed = (await http.get("/v1/knowledge-bases")).json()["knowledge_bases"][0]
        assert (listed["embedding_model"], listed["next_embedding_model"]) == ("other-1", HashingEmbedder().model_id)
        assert listed["moved_percent"] == 0
        await moves.release(kb.id)
        assert await services.parts.mover.move() == 1
        assert "note" not in (await http.get("/console")).text.split('id="kb-')[1].split("</li>")[0]
