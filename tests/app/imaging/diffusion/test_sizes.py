"""What is drawn for what is asked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.imaging.engines.diffusion.pace import Pace, tflop
from app.imaging.engines.diffusion.recipes import DEFAULTS, Recipe
from app.imaging.engines.diffusion.sizes import bounded, drawn_size, fitted, working_size

sides = st.integers(64, 2048)


@given(sides, sides)
def test_a_bucket_of_the_nearest_shape_is_drawn(width: int, height: int) -> None:
    for recipe in DEFAULTS.values():
        chosen = drawn_size((width, height), recipe)
        off = abs(math.log(chosen[0] / chosen[1] * height / width))
        assert all(off <= abs(math.log(each[0] / each[1] * height / width)) + 1e-9 for each in recipe.buckets)


@given(sides, sides)
def test_without_buckets_whole_cells_are_drawn_and_a_few_pixels_cropped(width: int, height: int) -> None:
    drawn = drawn_size((width, height), Recipe())
    assert all(0 <= more - asked < 8 and more % 8 == 0 for more, asked in zip(drawn, (width, height), strict=True))


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_over_a_picture_its_own_shape_is_drawn_at_the_trained_area(width: int, height: int) -> None:
    drawn = working_size((width, height), 512)
    assert all(pixels % 8 == 0 and pixels >= 8 for pixels in drawn)
    if 0.25 < width / height < 4:
        assert drawn[0] / drawn[1] == pytest.approx(width / height, rel=0.04)
        assert math.prod(drawn) == pytest.approx(512**2, rel=0.05)


@pytest.mark.parametrize("asked", [(100, 70), (104, 72), (1000, 1000), (60, 72)])
def test_the_result_has_the_size_asked_for(asked: tuple[int, int]) -> None:
    assert fitted(Image.new("RGB", (104, 72)), asked).size == asked


def test_a_few_pixels_too_many_are_cropped_not_scaled() -> None:
    picture = Image.effect_noise((104, 72), 80)
    assert fitted(picture, (100, 70)).tobytes() == picture.crop((2, 1, 102, 71)).tobytes()


def test_large_pictures_are_bounded_and_small_ones_left_alone() -> None:
    small = Image.new("RGB", (2048, 100))
    assert bounded(small, 2048) is small
    assert bounded(Image.new("RGB", (4096, 1000)), 2048).size == (2048, 500)


def test_the_work_of_a_picture_is_what_was_counted() -> None:
    """25 steps with guidance at 512² and 30 at 1024²: 2 × steps × UNet + decoder."""
    assert tflop("sd", (512, 512), steps=25, guidance=7.5) == pytest.approx(42.7, abs=0.1)
    assert tflop("sdxl", (1024, 1024), steps=30, guidance=5) == pytest.approx(416, abs=1)
    assert tflop("sd", (512, 512), steps=4, guidance=1) == pytest.approx(5.7, abs=0.1)


def test_the_pace_is_that_of_the_slowest_remembered_batch_of_the_model_on_the_device() -> None:
    pace = Pace()
    guessed = pace.seconds("a", "cuda", 100)
    for seconds in (3.0, 1.0, 2.0):
        pace.add("a", "cuda", 10, seconds)
    assert pace.seconds("a", "cuda", 100) == pytest.approx(30)
    assert pace.seconds("b", "cuda", 100) == guessed
    for _ in range(16):
        pace.add("a", "cuda", 10, 1.0)
    assert pace.seconds("a", "cuda", 100) == pytest.approx(10)
