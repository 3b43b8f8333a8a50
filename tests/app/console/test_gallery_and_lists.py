"""What jobs made, filtered and paged; jobs in their list; pictures small and earlier."""

import io
from pathlib import Path

import pytest
from PIL import Image
from selectolax.lexbor import LexborHTMLParser as HTMLParser

from app.identity.keys import Scope
from knowledge.models import DEFAULT_TENANT
from tests.app.console.studio import studio
from tests.app.console.visits import one, see, words
from tests.studio_kinds import photo

# gallery, list


async def test_the_gallery_filters_by_kind_and_review_and_turns_its_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.console.gallery.PER_PAGE", 2)
    async with studio(tmp_path) as it:
        empty = await see(it.http, "/console/studio/gallery")
        assert "还没有成品" in words(empty, "#gallery")
        image = await it.picture()
        pictures = [await it.job("white_background", {"image": image}) for _ in range(3)]
        texts = [await it.job("brand_new", {"wish": f"第 {n}"}) for n in range(2)]
        await it.job("white_background", {"image": await it.picture(blurred=True)})  # failed: not here
        await it.services.jobs.review(DEFAULT_TENANT, pictures[0], "approved", reason=None, by=None)

        async def cards(query: str) -> list[str | None]:
            page = await see(it.http, f"/console/studio/gallery?{query}")
            return [card.attributes["data-card"] for card in page.css("[data-card]")]

        assert await cards("") == [texts[1], texts[0]]
        assert await cards("page=3") == [pictures[0]]
        assert await cards("page=99") == [pictures[0]]
        assert await cards("kind=brand_new") == [texts[1], texts[0]]
        assert await cards("review=approved") == [pictures[0]]
        assert await cards("review=pending&kind=white_background") == [pictures[2], pictures[1]]
        assert await cards("review=rejected") == []
        assert await cards("kind=none&review=none") == [texts[1], texts[0]]
        assert "没有符合条件" in words(await see(it.http, "/console/studio/gallery?review=rejected"), "#gallery")
        counts = [group.text() for group in (await see(it.http, "/console/studio/gallery")).css(".segments .count")]
        assert counts == ["5", "4", "1", "0"]


async def test_the_list_names_who_asked_and_what_became_of_it(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        assert "还没有任务" in words(await see(it.http, "/console/jobs"), "#jobs")
        _, token = await it.services.keys.issue(DEFAULT_TENANT, "运营小李", scope=Scope.WRITE)
        body = {"kind": "white_background", "request": {"image": await it.picture(blurred=True)}}
        await it.http.post("/v1/jobs", json=body, headers={"Authorization": f"Bearer {token}"})
        await it.job("brand_new", {"wish": "x"})
        page = await see(it.http, "/console/jobs")
        last, first = [" ".join(row.text(separator=" ").split()) for row in page.css("tbody tr")]
        assert "运营小李" in first
        assert "商品拍得模糊" in first
        assert "image_blurred" in first
        assert "本机" in last
        assert [group.text() for group in page.css(".segments .count")] == ["2", "0", "0", "1", "1"]
        assert len((await see(it.http, "/console/jobs?kind=brand_new")).css("tbody tr")) == 1
        assert "没有符合条件" in words(await see(it.http, "/console/jobs?state=waiting"), "#jobs")


async def test_ingestion_is_not_among_the_jobs_of_the_studio(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        await it.http.post("/v1/knowledge-bases", json={"name": "shop"})
        await it.http.post("/v1/knowledge-bases/shop/documents", files={"file": ("a.md", b"# A\n\nB")})
        for query in ("", "?kind=ingest"):
            assert "还没有任务" in words(await see(it.http, f"/console/jobs{query}"), "#jobs")


# pictures


async def test_lists_show_small_pictures_and_only_to_who_may_see_them(tmp_path: Path) -> None:
    async with studio(tmp_path, require_keys=True) as it:
        _, token = await it.services.keys.issue(DEFAULT_TENANT, "me", scope=Scope.WRITE)
        it.http.headers["Authorization"] = f"Bearer {token}"
        large = (await it.http.post("/v1/artifacts", files={"file": ("a.jpg", photo((2000, 1500)))})).json()["id"]
        torn = (await it.http.post("/v1/artifacts", files={"file": ("b.jpg", photo()[:2000])})).json()["id"]
        small = await it.http.get(f"/console/pictures/{large}")
        assert Image.open(io.BytesIO(small.content)).size == (480, 360)
        assert len(small.content) < 20_000
        assert (await it.http.get(f"/console/pictures/{torn}")).headers["location"] == f"/v1/artifacts/{torn}"
        assert (await it.http.get("/console/pictures/none")).status_code == 404
        del it.http.headers["Authorization"]
        assert (await it.http.get(f"/console/pictures/{large}")).status_code == 303


async def test_earlier_pictures_are_offered_to_start_from(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        assert "还没有图片" in (await it.http.get("/console/studio/pictures")).text
        image = await it.picture()
        await it.job("white_background", {"image": image})
        picks = HTMLParser((await it.http.get("/console/studio/pictures")).text).css("[data-pick]")
        assert picks[-1].attributes["data-pick"] == image
        assert len(picks) == 2
        chosen = await see(it.http, f"/console/studio?kind=white_background&image={picks[0].attributes['data-pick']}")
        assert one(chosen, "input[name=image]").attributes["value"] == picks[0].attributes["data-pick"]
