"""Forms of the studio, made from any request: filled, empty, wrong, and given back."""

import io
from pathlib import Path
from typing import Any, Literal

import pytest
from PIL import Image
from pydantic import BaseModel, Field
from starlette.datastructures import FormData

from app.console.filled_form import request_of, shown_value
from app.console.job_form import fields_of
from app.console.kinds import kinds_of
from app.copywriting.kinds.attributes import AttributesRequest
from app.copywriting.kinds.rewrite import RewriteRequest
from app.imaging.requests import Scene
from app.jobs.ports import JobRequest
from tests.app.console.studio import studio
from tests.app.console.visits import one, see, words
from tests.studio_kinds import NewcomerHandler


async def test_every_kind_has_a_form_also_one_that_nobody_has_thought_of(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        offered = await see(it.http, "/console/studio")
        assert "白底图" in words(offered, ".kinds")
        assert "标题" in words(offered, ".kinds")
        for link in offered.css(".kinds a"):
            form = one(await see(it.http, str(link.attributes["href"])), "#studio-form")
            assert form.css("input, textarea, select")
        newcomer = await see(it.http, "/console/studio?kind=brand_new")
        assert "brand new" in words(newcomer, "#studio-form h2")
        assert [
            field.attributes["name"] for field in newcomer.css("#studio-form textarea, #studio-form [type=text]")
        ] == [
            "wish",
            "sizes",
        ]
        await see(it.http, "/console/studio?kind=none", status=404)


async def test_a_form_offers_channels_and_scenes_by_their_names(tmp_path: Path) -> None:
    async with studio(tmp_path) as it:
        page = await see(it.http, "/console/studio?kind=scene")
        assert "淘宝/天猫主图 · 800×800" in words(page, "select[name=preset]")
        scene = one(page, "input[name=template][value=oak_table]")
        assert scene.parent
        assert "橡木餐桌" in scene.parent.text()
        picture = await it.http.get("/console/backdrops/oak_table")
        assert Image.open(io.BytesIO(picture.content)).width <= 480
        assert (await it.http.get("/console/backdrops/none")).status_code == 404


class Deep(BaseModel):
    name: str
    weight: float | None = None


class Everything(JobRequest):
    image: str
    tone: Literal["warm", "cold"] = "warm"
    large: bool = False
    sure: bool | None = None
    count: int | None = Field(default=None, ge=1, le=9)
    tags: list[str] = Field([])
    rows: list[Deep] = Field([])
    facts: dict[str, str | bool] | list[str] = Field({})
    inner: Deep | None = None
    odd: dict[str, Any] = Field({})


def filled(**values: str) -> dict[str, Any]:
    return request_of(fields_of(Everything.model_json_schema()), FormData(values))


def test_a_filled_form_is_the_request_that_its_model_expects() -> None:
    request = filled(
        image="a1", tone="cold", large="true", sure="False", count="3", tags="红\n\n 蓝 ", rows="水彩 | 0.8\n油画",
        facts="材质：纯棉\ncolour: red: dark", **{"inner.name": "x", "inner.weight": "2"}, odd='{"a": [1]}',
    )  # fmt: skip
    made = Everything.model_validate(request)
    assert (made.tone, made.large, made.sure, made.count, made.tags) == ("cold", True, False, 3, ["红", "蓝"])
    assert made.rows == [Deep(name="水彩", weight=0.8), Deep(name="油画")]
    assert made.facts == {"材质": "纯棉", "colour": "red: dark"}
    assert (made.inner, made.odd) == (Deep(name="x", weight=2), {"a": [1]})


def test_an_empty_form_is_the_defaults_and_what_is_missing_stays_missing() -> None:
    request = filled(image="", tone="")
    assert "image" not in request
    assert Everything.model_validate({**request, "image": "a"}) == Everything(image="a")


def test_lines_that_are_no_pairs_are_a_list_where_the_request_takes_one() -> None:
    assert filled(image="a", facts="保温杯\n容量: 500ml")["facts"] == ["保温杯", "容量: 500ml"]


def test_what_is_no_number_and_no_json_is_left_to_the_request_to_refuse() -> None:
    assert (filled(count="many")["count"], filled(odd="{")["odd"]) == ("many", "{")


@pytest.mark.parametrize(
    ("schema", "request_", "form"),
    [
        (
            Everything,
            {"image": "a1", "tone": "cold", "sure": False, "count": 2, "tags": ["红", "蓝"], "inner": None, "odd": {},
             "large": False, "rows": [{"name": "水彩", "weight": 0.8}], "facts": {"材质": "纯棉"}},
            {"image": "a1", "tone": "cold", "sure": "False", "count": "2", "tags": "红\n蓝", "rows": "水彩 | 0.8",
             "facts": "材质: 纯棉"},
        ),
        (
            AttributesRequest,
            {"product": {"name": "杯", "brand": None, "facts": {}, "text": "x", "goods": "general"}, "language": "zh",
             "attributes": {"type": "object", "properties": {
                 "材质": {"type": "string"}, "颜色": {"type": "string", "enum": ["红", "蓝"]},
                 "容量": {"type": "number"}}}},
            {"product.name": "杯", "product.text": "x", "attributes": "材质\n颜色: 红/蓝\n容量: 数字"},
        ),
    ],
)  # fmt: skip
def test_a_request_fills_its_form_and_the_form_gives_it_back(
    schema: type[JobRequest], request_: dict[str, Any], form: dict[str, str]
) -> None:
    (kind,) = kinds_of({"x": _kind_of(schema)})
    flat = [part for field in kind.fields for part in (field.parts if field.widget == "group" else (field,))]
    shown = {field.name: shown_value(field, request_) for field in flat}
    assert {name: shown[name] for name in form} == form
    again = {name: value for name, value in shown.items() if value not in (None, False, [])}
    assert request_of(kind.fields, FormData({name: str(value) for name, value in again.items()})) == request_


def _kind_of(schema: type[JobRequest]) -> Any:
    handler = NewcomerHandler()
    handler.request = schema  # type: ignore[assignment, misc]
    handler.kind = "attributes"
    return handler


def test_a_group_that_may_be_left_out_is_left_out_when_nothing_is_in_it() -> None:
    fields = fields_of(RewriteRequest.model_json_schema())
    empty = request_of(fields, FormData({"text": "一句话", "product.goods": "general", "product.name": ""}))
    assert RewriteRequest.model_validate(empty).product is None


def test_fields_of_the_other_engine_are_not_shown_with_this_one() -> None:
    (kind,) = kinds_of({"scene": _kind_of_scene()})
    conditions = {field.name: field.when for field in kind.fields if field.when}
    assert conditions["prompt"] == ("engine", "diffusion")
    assert conditions["template"] == ("engine", "compositor")


def _kind_of_scene() -> Any:
    handler = _kind_of(Scene)
    handler.kind = "scene"
    return handler
