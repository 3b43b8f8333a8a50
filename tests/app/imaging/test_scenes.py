"""The backdrops: all of them drawn, chosen sensibly, the product standing on them."""

from typing import Any

import numpy as np
import pytest

from app.imaging.engines.compositor import backdrop, ground_of, on_backdrop, spot_of
from app.imaging.enlarging import Enlarger
from app.imaging.matting import Matting
from app.imaging.pictures import read
from app.imaging.placing import Placed, place
from app.imaging.templates import Template, categories, choose, templates
from app.imaging.weights import Weights
from knowledge.errors import NotFound
from tests.app.imaging.conftest import Run
from tests.app.imaging.made import cut_vase, file_of

NAMES = sorted(templates())


def standing(template: Template, size: tuple[int, int] = (600, 600), **changes: Any) -> Placed:
    """A product with its own mask on the template's place: needs no network."""
    picture = read(file_of(cut_vase((700, 700), **changes), "PNG"))
    nowhere = Weights(template.file.parent)
    spot = spot_of(template, size, ground_of(template, size, scale=1.0))
    cutout = Matting(nowhere, threads=1).cut(picture)
    return place(picture, cutout, spot, Enlarger(nowhere, threads=1), enhance=False, report=lambda *_: None)


def test_there_are_at_least_twelve_of_every_pitch_and_for_every_trade() -> None:
    assert len(templates()) >= 12
    assert {template.pitch for template in templates().values()} == {"level", "high", "top"}
    assert {"general", "beauty", "kitchen", "electronics", "food", "bags", "festival", "shoes", "toys"} <= set(
        categories()
    )
    for template in templates().values():
        assert template.title["en"]
        assert template.title["zh"]
        assert 0 < template.tallest < 1
        assert template.text_area[0] < template.text_area[2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(600, 600), (450, 600), (600, 480)])
def test_every_scene_is_drawn_in_every_shape_with_the_product_inside(name: str, size: tuple[int, int]) -> None:
    template = templates()[name]
    placed = standing(template, size)
    made = on_backdrop(placed, template, "full")
    assert made.shape == (size[1], size[0], 3)
    left, top, right, bottom = placed.box
    assert min(left, top, size[0] - right, size[1] - bottom) >= 0
    assert max((right - left) / size[0], (bottom - top) / size[1]) > 0.3
    surroundings = made[placed.alpha < 0.01]
    assert surroundings.std() > 2, "not one flat colour"
    product = made[placed.alpha > 0.99].astype(int)
    assert np.abs(product - placed.pixels[placed.alpha > 0.99]).mean() < 30, "the product keeps its colours"


@pytest.mark.parametrize("name", NAMES)
def test_the_product_casts_a_shadow_at_its_foot_and_away_from_the_light(name: str) -> None:
    template = templates()[name]
    placed = standing(template)
    bare = on_backdrop(placed, template, "none").astype(float).sum(-1)
    shaded = on_backdrop(placed, template, "full").astype(float).sum(-1)
    dark = np.where(placed.alpha < 0.01, bare - shaded, 0)
    assert dark.min() >= -1
    _, top, _, bottom = placed.box
    height = bottom - top
    rows = dark.sum(1)
    assert rows[bottom - height // 4 : bottom + height // 10].sum() > 0.35 * rows.sum(), "most of it lies at the foot"
    left, _, right, _ = placed.box
    middle = (left + right) // 2
    on_the_left, on_the_right = dark[:, :middle].sum(), dark[:, middle:].sum()
    assert (on_the_right > on_the_left) == (template.light == "left")


def test_the_same_request_gives_the_same_picture() -> None:
    template = templates()["oak_table"]
    first, second = (on_backdrop(standing(template), template, "full") for _ in range(2))
    assert np.array_equal(first, second)


def test_a_backdrop_is_sharp_enough_and_whole_at_any_size() -> None:
    for size in [(64, 64), (3000, 2000)]:
        made = backdrop(templates()["marble_counter"], size)
        assert made.shape == (size[1], size[0], 3)
        assert made.std() > 2


def test_a_dark_scene_makes_the_product_darker_than_a_bright_one() -> None:
    tones = {}
    for name in ("dark_gloss", "window_plaster"):
        placed = standing(templates()[name], colour=(150, 150, 150))
        tones[name] = on_backdrop(placed, templates()[name], "full")[placed.alpha > 0.99].mean()
    assert tones["dark_gloss"] < tones["window_plaster"] - 4


def test_a_scene_is_chosen_by_category_and_pitch() -> None:
    assert "beauty" in choose(None, category="beauty", pitch=None).categories
    assert choose(None, category="beauty", pitch="top").pitch == "top"
    assert choose(None, category="kitchen", pitch="high").name == "oak_high"
    assert choose(None, category=None, pitch=None).name == "studio_grey"
    assert choose("festive_red", category="kitchen", pitch="top").name == "festive_red"


def test_a_right_perspective_goes_before_the_category() -> None:
    assert choose(None, category="festival", pitch="top").pitch == "top"


def test_unknown_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="oak_table") as refused:
        choose("beach", category=None, pitch=None)
    assert refused.value.error_code == "template_not_found"
    with pytest.raises(NotFound, match="kitchen") as refused:
        choose(None, category="cars", pitch=None)
    assert refused.value.error_code == "category_not_found"


async def test_the_text_area_is_given_in_pixels_of_the_result(run: Run) -> None:
    outcome = await run("scene", file_of(cut_vase(), "PNG"), template="studio_grey", width=600, height=800)
    left, top, right, bottom = outcome.result["text_area"]
    assert 0 <= left < right <= 600
    assert 0 <= top < bottom <= 800
