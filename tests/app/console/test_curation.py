"""Curated answers and gaps in the console: written, accepted, published, retired; answers put right."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.identity.access import COOKIE
from app.identity.keys import Scope
from app.wiring import Services
from knowledge.models import DEFAULT_TENANT
from tests.app.console.chats import answered, link
from tests.app.console.visits import HOSTILE, one, see, words
from tests.app.curation import ask, served, write
from tests.products import FEES, take_in

MOON = "月球上的重力加速度是多少？"


def filled(page: HTMLParser, name: str) -> str:
    field = one(page, f"[name={name}]")
    return (field.text() if field.tag == "textarea" else field.attributes.get("value")) or ""


async def answers(http: httpx.AsyncClient) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await http.get("/v1/curated-answers")).json()["curated_answers"]
    return found


async def test_an_answer_is_written_published_edited_retired_and_deleted(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        assert "还没有人工答案" in words(await see(http, "/console/curated"))
        assert filled(await see(http, "/console/curated/new?question=问"), "question") == "问"
        form = {
            "question": "保证金多少", "variants": "押金几何\r\n\r\n 押金几何 ", "answer": "五万。\r\n可分期。",
            "scope": "some", "kb": ["shop"], "valid_from": "2026-01-01T08:00", "valid_until": "",
        }  # fmt: skip
        made = await http.post("/console/curated", data=form)
        assert made.status_code == 303
        (kept,) = await answers(http)
        assert (kept["state"], kept["variants"], kept["answer"]) == ("proposed", ["押金几何"], "五万。\n可分期。")
        assert (kept["knowledge_bases"], kept["valid_from"]) == (["shop"], "2026-01-01T00:00:00Z")
        assert not (await ask(http, "押金几何"))["curated"]

        path = urlsplit(made.headers["location"]).path
        page = await see(http, made.headers["location"])
        assert "上线前不会用来回答" in words(page)
        assert (filled(page, "valid_from"), filled(page, "variants")) == ("2026-01-01T08:00", "押金几何")
        await http.post(path, data={**form, "answer": "六万。", "live": "yes"})
        assert (await ask(http, "押金几何"))["answer"] == "六万。"
        assert "已上线" in words(await see(http, "/console/curated"), "[data-state=live]")

        await http.post(f"{path}/state", data={"to": "retired", "next": "/console/curated?state=all"})
        assert not (await ask(http, "押金几何"))["curated"]
        assert "没有这种状态" in words(await see(http, "/console/curated?state=live"))
        assert (await http.post(f"{path}/state", data={"to": "all"})).status_code == 422
        assert (await http.post(f"{path}/delete")).headers["location"] == "/console/curated"
        await see(http, path, status=404)


async def test_what_cannot_be_saved_stays_in_the_form_with_a_sentence(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, _):
        made = await write(http, "问", "答")
        for path in ("/console/curated", f"/console/curated/{made['id']}"):
            for wrong, sentence in (
                ({"answer": " "}, "要有问题和回答"),
                ({"scope": "some"}, "或其中几个"),
                ({"scope": "some", "kb": ["none"]}, "没有这个知识库"),
                ({"valid_from": "2026-02-01T00:00", "valid_until": "2026-01-01T00:00"}, "失效时间"),
                ({"valid_from": "soon"}, "失效时间"),
            ):
                refused = await http.post(path, data={"question": HOSTILE, "answer": "写了很久", **wrong})
                page = HTMLParser(refused.text)
                assert refused.status_code == 422
                assert sentence in words(page, "#problem"), wrong
                assert filled(page, "question") == HOSTILE
        assert [each["question"] for each in await answers(http)] == ["问"]


async def test_gaps_are_shown_together_answered_from_here_and_then_gone(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await take_in(services, "shop", "费用.md", FEES)
        for question in (MOON, "请问月球上的重力加速度多少", "月球重力加速度是多少？在月球上的", HOSTILE):
            assert (await ask(http, question, kb=["shop"]))["refused"]
        page = await see(http, "/console/gaps")
        moon = one(page, ".gap")
        assert "问过 2 次" in words(moon, ".chip")
        assert "请问月球上的重力加速度多少" in words(moon, ".wordings")
        to = one(moon, "a.primary").attributes["href"] or ""
        form = await see(http, to)
        assert (filled(form, "question"), filled(form, "variants")) == (MOON, "请问月球上的重力加速度多少")
        ids = [field.attributes["value"] or "" for field in form.css("[name=gap]")]
        assert len(ids) == 2
        wanted = {"question": MOON, "answer": "1.62 m/s²", "scope": "all", "gap": ids, "live": "yes"}
        assert (await http.post("/console/curated", data=wanted)).status_code == 303
        assert MOON not in words(await see(http, "/console/gaps"))
        assert (await ask(http, MOON))["curated"]


async def test_a_gap_leads_to_an_upload_that_names_it_or_is_dismissed(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        await ask(http, HOSTILE)
        gap = one(await see(http, "/console/gaps"), ".gap")
        upload = one(gap, "a.button:not(.primary)").attributes["href"] or ""
        assert HOSTILE in words(await see(http, upload), "#wanted")
        await services.knowledge.ensure(DEFAULT_TENANT, "rules")
        gap = one(await see(http, "/console/gaps"), ".gap")
        assert [each.text() for each in gap.css("dialog a")] == ["shop", "rules"]
        await http.post(one(gap, "form[action$=dismiss]").attributes["action"] or "")
        assert "没有未答的问题" in words(await see(http, "/console/gaps"))


async def test_an_answer_that_was_wrong_is_put_right_from_its_page(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        turn = await answered(services, "50000 元 [1]。")
        assert "人工答案" not in words(await see(http, link(services, turn.id)))
        await signed_in(http, services, Scope.READ)
        assert "人工答案" not in words(await see(http, link(services, turn.id)))
        await signed_in(http, services, Scope.WRITE)
        page = await see(http, link(services, turn.id))
        assert "/console/documents/d1?chunk=c1#c1" in [a.attributes["href"] for a in page.css("a")]
        form = await see(http, one(page, ".fix a").attributes["href"] or "")
        assert (filled(form, "question"), filled(form, "answer")) == ("保证金多少？", "50000 元。")
        assert "费用说明.md" in words(form, ".passages")
        assert filled(form, "turn") == turn.id
        wanted = {"question": "保证金多少？", "answer": "60000 元。", "turn": turn.id, "live": "yes"}
        made = await http.post("/console/curated", data=wanted)
        (kept,) = (await services.curation.answers.page(DEFAULT_TENANT))[0]
        assert (dict(kept.source), made.status_code) == ({"turn": turn.id}, 303)


async def test_an_answer_that_people_wrote_says_so_and_leads_to_its_form(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        made = await write(http, "保证金多少", "五万。")
        page = await see(http, link(services, (await ask(http, "保证金多少"))["turn_id"]))
        assert "人工核对" in words(page, ".curated-mark")
        assert "AI" not in words(page)
        assert one(page, ".fix a").attributes["href"] == f"/console/curated/{made['id']}"


async def test_another_tenants_operator_is_not_shown_how_to_correct_it(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        turn = await answered(services)
        await services.parts.catalog.ensure_tenant("other", "other")
        await signed_in(http, services, Scope.WRITE, tenant="other")
        assert "人工答案" not in words(await see(http, link(services, turn.id)))
        await see(http, f"/console/curated/new?turn={turn.id}", status=404)


async def test_a_reader_sees_them_and_can_change_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, require_keys=True) as (http, services):
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        made = await services.curation.answers.propose(
            DEFAULT_TENANT, "问", "答", source={"number": 7}, by="key:gone", knowledge_bases=None
        )
        await signed_in(http, services, Scope.READ)
        page = await see(http, f"/console/curated/{made.id}")
        assert "来自转人工 #7" in words(page)
        assert page.css("main button, .page-actions form") == []
        assert (await see(http, "/console/curated")).css("[data-curated] button") == []
        for path in ("", f"/{made.id}", f"/{made.id}/state", f"/{made.id}/delete"):
            assert (await http.post(f"/console/curated{path}", data={"to": "live"})).status_code == 403
        assert (await http.post("/console/gaps/x/dismiss")).status_code == 403


async def test_the_pages_are_in_english_too(tmp_path: Path) -> None:
    async with served(tmp_path) as (http, services):
        http.cookies.set("copilot_lang", "en")
        await services.knowledge.ensure(DEFAULT_TENANT, "shop")
        made = await write(http, "How much?", "50000.", state="proposed")
        await ask(http, "What is the gravity on the moon?")
        for path, said in (
            ("/console/curated", "Accept"),
            (f"/console/curated/{made['id']}", "Save and publish"),
            ("/console/gaps", "asked once"),
        ):
            text = words(await see(http, path))
            assert said in text
            assert not [letter for letter in text if "\u3000" <= letter <= "\u9fff"], path


async def signed_in(http: httpx.AsyncClient, services: Services, scope: Scope, *, tenant: str = DEFAULT_TENANT) -> None:
    _, token = await services.keys.issue(tenant, scope.value, scope=scope)
    http.cookies.set(COOKIE, token)
