"""An answer is given the section of a hit, copies count once, and nothing that is added goes stale."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.chat.answerers import ModelAnswerer, numbered
from app.chat.cache import fingerprint
from app.chat.events import Done, Sources, passage_json, passage_of
from app.chat.prompts import load
from app.chat.turns import Ask
from app.llm.scripted import ScriptedModel
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT, Chunk, Copy, Document, Passage
from knowledge.retriever import Retrieval
from tests.app.jobs_api.calls import served
from tests.products import product, take_in


def steps(count: int, *, about: str = "退货") -> str:
    """A section of ``count`` chunks: each paragraph is about 150 characters and speaks of another step."""
    names = "甲乙丙丁戊己庚辛壬癸"
    return "\n\n".join(
        f"{about}第{names[i]}步：" + "".join(f"请按照{names[i]}类说明办理{names[i]}事项{names[j]}。" for j in range(9))
        for i in range(count)
    )


PHONE = "客服电话 400-810-1234，每天九点到十八点。" + "请耐心等待接听。" * 20
GUIDE = f"# 手册\n\n## 退货步骤\n\n{steps(5)}\n\n## 联系方式\n\n{PHONE}\n"


async def pieces(services: Services, document: Document) -> list[Chunk]:
    _, listed, _ = await services.knowledge.chunks(DEFAULT_TENANT, document.id, limit=50, offset=0)
    return [one.chunk for one in listed]


async def found(services: Services, question: str, **more: Any) -> Retrieval:
    return await services.knowledge.search(DEFAULT_TENANT, question, kbs=["shop"], **({"limit": 5} | more))


async def test_a_hit_comes_with_its_section_once_and_in_the_order_of_the_document(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        guide = await take_in(services, "shop", "手册.md", GUIDE)
        chunks = await pieces(services, guide)
        section = [one for one in chunks if one.place.heading == "手册 > 退货步骤"]
        assert len(section) > 2
        hits = await found(services, "退货丙类说明办理丙事项")
        wide = await found(services, "退货丙类说明办理丙事项", sections=True)
        best = wide.passages[0]
        assert best.text == hits.passages[0].text
        assert best.score == hits.passages[0].score
        assert "".join(best.in_full.split()) == "".join(steps(5).split())  # whole, and no overlap twice
        assert [one.place.heading for one in wide.passages] == ["手册 > 退货步骤", "手册 > 联系方式"]
        assert "400-810-1234" not in best.in_full


async def test_two_hits_of_one_document_stay_within_their_sections(tmp_path: Path) -> None:
    parts = "\n\n".join(
        f"## {name}\n\n{steps(1, about=name)}{steps(2, about=name)}" for name in ("退货", "换货", "维修")
    )
    async with product(tmp_path) as services:
        await take_in(services, "shop", "手册.md", f"# 手册\n\n{parts}\n")
        passages = (await found(services, "退货换货维修甲类说明", sections=True)).passages
        headings = [one.place.heading for one in passages]
        assert sorted(headings) == ["手册 > 换货", "手册 > 维修", "手册 > 退货"]
        for one in passages:
            name = one.place.heading.removeprefix("手册 > ")
            assert all((other in one.in_full) == (other == name) for other in ("退货", "换货", "维修"))


async def test_of_a_section_that_does_not_fit_the_nearest_neighbours_come(tmp_path: Path) -> None:
    async with product(tmp_path, section_width=600) as services:
        guide = await take_in(services, "shop", "手册.md", GUIDE)
        chunks = await pieces(services, guide)
        best = (await found(services, "退货丙类说明办理丙事项", sections=True)).passages[0]
        at = next(i for i, one in enumerate(chunks) if one.id == best.chunk_id)
        assert chunks[at + 1].text in best.in_full or chunks[at - 1].text in best.in_full
        assert len(best.in_full) < len(steps(5))


async def test_without_room_hits_stay_alone(tmp_path: Path) -> None:
    async with product(tmp_path, section_width=0) as services:
        await take_in(services, "shop", "手册.md", GUIDE)
        wide = await found(services, "退货丙类说明办理丙事项", sections=True)
        assert {(one.before, one.after) for one in wide.passages} == {("", "")}


async def test_a_row_brings_no_neighbour_but_a_small_sheet_as_a_whole(tmp_path: Path) -> None:
    small = "型号,价格\n" + "\n".join(f"QX-{i},{i}.50" for i in range(40))
    large = "型号,颜色\n" + "\n".join(f"ZK-{i},第{i}种红色" for i in range(400))
    async with product(tmp_path) as services:
        await take_in(services, "shop", "价目.csv", small)
        await take_in(services, "shop", "颜色.csv", large)
        prices = (await found(services, "QX-7 的价格", sections=True)).passages[0]
        assert all(f"QX-{i}；" in prices.in_full for i in range(40))
        colours = (await found(services, "ZK-250 的颜色", sections=True)).passages[0]
        assert colours.document == "颜色.csv"
        assert (colours.before, colours.after) == ("", "")


RULE = "保修期内出现质量问题，凭购买凭证可以免费维修，人为损坏、私自拆机和进水的不在保修范围之内。"


async def test_copies_are_one_passage_with_all_the_places_where_it_stands(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        for name in ("保修.md", "客服手册.md", "旧版/保修.md"):
            await take_in(services, "shop", name, f"# 保修\n\n{RULE}\n")
        await take_in(services, "shop", "全角.md", f"# 保修\n\n{RULE.replace('，', ', ')}\n")
        await take_in(services, "shop", "退货.md", "# 退货\n\n签收后 7 天内可以退货，质量问题的运费由卖家承担。\n")
        for sections in (False, True):
            passages = (await found(services, "质量问题保修", limit=2, sections=sections)).passages
            assert len(passages) == 2  # folded before the cut
            places = [passages[0].document, *(copy.document for copy in passages[0].also_in)]
            assert sorted(places) == ["保修.md", "全角.md", "客服手册.md", "旧版/保修.md"]
            assert passages[1].document == "退货.md"
            assert passages[1].also_in == ()


@pytest.mark.parametrize(
    ("other", "heading"),
    [
        (RULE.replace("免费维修", "免费维修 2 次"), "保修"),
        (RULE.replace("不在", "在"), "保修"),
        (RULE.replace("凭购买凭证", "凭三次购买凭证"), "保修"),
        (RULE.replace("维修", "更换"), "保修"),
        (RULE, "电饭煲保修"),
    ],
    ids=["a number", "a negation", "a numeral", "another word", "another heading"],
)
async def test_what_differs_in_substance_is_never_folded(tmp_path: Path, other: str, heading: str) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "甲.md", f"# 保修\n\n{RULE}\n")
        await take_in(services, "shop", "乙.md", f"# {heading}\n\n{other}\n")
        passages = (await found(services, "质量问题保修")).passages
        assert sorted(passage.document for passage in passages) == ["乙.md", "甲.md"]


async def test_a_text_with_a_few_words_put_in_is_a_copy(tmp_path: Path) -> None:
    async with product(tmp_path) as services:
        await take_in(services, "shop", "甲.md", f"# 保修\n\n{RULE}\n")
        await take_in(services, "shop", "乙.md", f"# 售后\n\n## 保修\n\n{RULE.replace('出现', '如出现')}\n")
        (passage,) = (await found(services, "质量问题保修")).passages
        assert len(passage.also_in) == 1


PASSAGE = Passage("c1", "d1", "保修.md", "shop", "正文。", 1.0, before="前文。", after="后文。")


def test_the_fingerprint_of_evidence_has_what_is_around_hits_and_where_else_they_stand() -> None:
    copies = (Copy("c2", "d2", "手册.md", "shop"),)
    changed = [replace(PASSAGE, before="前。"), replace(PASSAGE, after=""), replace(PASSAGE, also_in=copies), PASSAGE]
    assert len({tuple(fingerprint([one])) for one in changed}) == 4
    assert passage_of(passage_json(changed[2])) == changed[2]


def test_the_prompt_has_the_section_and_every_place_under_one_number() -> None:
    shown = numbered([replace(PASSAGE, also_in=(Copy("c2", "d2", "手册.md", "shop"),))])
    assert shown == "[1] (保修.md = 手册.md)\n前文。正文。后文。"


@asynccontextmanager
async def modelled(folder: Path) -> AsyncIterator[tuple[Services, ScriptedModel]]:
    model = ScriptedModel(["按步骤办理[1]。"])
    answerer = ModelAnswerer(model, load("answer", think=False), temperature=0, max_tokens=9)
    async with product(folder, answerer=answerer, suggestions="off") as services:
        yield services, model


async def asked(services: Services, question: str) -> dict[str, Any]:
    turn = await services.chat.prepare(Ask(DEFAULT_TENANT, question))
    events = [event async for event in services.chat.answer(turn)]
    done = events[-1]
    assert isinstance(done, Done), done
    sources = next(event for event in events if isinstance(event, Sources))
    return {"id": turn.id, "cached": done.cached, "citations": done.citations, "passages": sources.passages}


async def test_a_change_beside_the_hit_makes_the_answer_anew_and_the_receipt_has_what_was_read(tmp_path: Path) -> None:
    question = "退货丙类说明办理丙事项"
    async with modelled(tmp_path) as (services, _):
        await take_in(services, "shop", "手册.md", GUIDE)
        before = await asked(services, question)
        assert (await asked(services, question))["cached"] == "exact"
        assert before["citations"] == (1,)
        assert "戊类说明" in before["passages"][0].in_full
        await take_in(services, "shop", "手册.md", GUIDE.replace("戊事项壬", "戊事项改"))
        after = await asked(services, question)
        assert after["cached"] is None
        assert "戊事项改" in after["passages"][0].in_full
        receipt = await services.receipts.of(DEFAULT_TENANT, after["id"])
        assert receipt.passages[0].in_full == after["passages"][0].in_full


async def test_quotes_come_from_the_hits_and_cite_the_section_that_has_them(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "手册.md", GUIDE)
        said = await http.post("/v1/chat", json={"question": "退货戊类说明办理戊事项丁", "stream": False})
        body = said.json()
        cited = [body["passages"][n - 1] for n in body["citations"]]
        assert cited
        assert all("戊类说明" in one["before"] + one["text"] + one["after"] for one in cited)


async def test_search_over_http_gives_sections_where_they_are_asked_for(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "手册.md", GUIDE)
        path, query = "/v1/knowledge-bases/shop/search", {"query": "退货丙类说明办理丙事项", "limit": 3}
        alone = (await http.post(path, json=query)).json()["passages"]
        assert {(one["before"], one["after"]) for one in alone} == {("", "")}
        wide = (await http.post(path, json={**query, "sections": True})).json()["passages"]
        assert wide[0]["before"] + wide[0]["after"]
        assert wide[0]["also_in"] == []
