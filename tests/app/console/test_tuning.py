"""The page of weights: what was learned and what it gained, questions pasted, a wrong line named and nothing lost."""

import json
from pathlib import Path

from sqlalchemy import update

from knowledge.models import DEFAULT_TENANT
from knowledge.tables import knowledge_bases
from knowledge.tunings import Tunings
from tests.app.console.visits import one, see, served, words
from tests.app.test_tuning import phrase, tuned
from tests.products import take_in

PAGE = "/console/kb/shop/tuning"
ZH = {"Accept-Language": "zh-CN"}


async def test_questions_are_learned_from_on_the_page(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        for number in range(20):
            await take_in(services, "shop", f"{number}.md", f"{phrase(number)}的保证金为 {number} 元。")
        assert "出厂权重" in words(await see(http, PAGE), ".nothing")
        lines = [json.dumps({"question": phrase(n), "documents": [f"{n}.md"]}) for n in range(20)]
        refused = await http.post(PAGE, data={"questions": "\r\n".join([*lines, "无"]), "dry_run": "1"}, headers=ZH)
        assert refused.status_code == 422
        assert "第 21 行" in refused.text
        assert "checked" in refused.text
        answer = await http.post(PAGE, data={"questions": "\r\n".join(lines)}, headers=ZH)
        assert answer.status_code == 200
        assert "保持原样" in answer.text
        assert "1.000" in answer.text


async def test_what_was_learned_is_shown_and_taken_away(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        kb = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await Tunings(services.parts.database).keep(kb, tuned(kb.embedding_model, meaning=0.71))
        assert "30" in words(await see(http, "/console/kb/shop"), "#tuned")
        page = await see(http, PAGE)
        assert "0.71" in words(page, ".facts")
        assert one(page, "#reset")
        answer = await http.post(f"{PAGE}/reset")
        assert answer.status_code == 303
        assert (await see(http, answer.headers["location"])).css_first("#reset") is None
        assert (await see(http, "/console/kb/shop")).css_first("#tuned") is None


async def test_what_was_learned_with_another_model_is_said_to_be_out_of_force(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.create(DEFAULT_TENANT, "shop")
        kb = await services.parts.catalog.knowledge_base(DEFAULT_TENANT, "shop")
        await Tunings(services.parts.database).keep(kb, tuned(kb.embedding_model, meaning=0.71))
        async with services.parts.database.write() as connection:
            await connection.execute(update(knowledge_bases).values(embedding_model="another"))
        assert "另一个向量模型" in words(await see(http, PAGE), "#outdated")
