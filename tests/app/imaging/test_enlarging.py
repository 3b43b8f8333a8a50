"""Real-ESRGAN by onnxruntime, in tiles; and when it is used at all."""

from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.imaging.enlarging import OVERLAP, TILE, Enlarger, resized
from app.imaging.requests import Scene, Upscale, WhiteBackground
from app.imaging.studio import Studio
from app.imaging.weights import Weights
from app.jobs.ports import JobCancelled, JobFailed
from app.settings import Settings
from tests.app.imaging.conftest import Run, opened
from tests.app.imaging.made import cut_vase, file_of, vase


class Doubling:
    """Stands for the network: repeats every pixel four times each way, and counts."""

    def __init__(self) -> None:
        self.tiles = 0

    def run(self, _: Any, given: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.tiles += 1
        return [given["input"].repeat(4, 2).repeat(4, 3)]


@pytest.fixture
def network() -> Doubling:
    return Doubling()


@pytest.fixture
def studio(network: Doubling) -> Studio:
    folder = Settings().cache_folder
    return Studio(folder, threads=2, enlarger=Enlarger(Weights(folder), threads=2, network=network))


def test_the_real_network_keeps_the_picture_and_shows_no_seams(weights: Weights, mug: bytes) -> None:
    part = np.asarray(Image.open(BytesIO(mug)).crop((260, 120, 760, 820)).resize((TILE + 16, 30)))
    made = Enlarger(weights, threads=2).enlarge(part, lambda _: None)
    assert made.shape == (120, (TILE + 16) * 4, 3)
    back = resized(made, (part.shape[1], part.shape[0]))
    assert np.abs(back.astype(int) - part).mean() < 5
    steps = np.abs(np.diff(made.astype(int), axis=1)).mean((0, 2))
    seam = TILE * 4 - 1
    assert steps[seam] < 3 * np.median(steps[seam - 40 : seam + 40]) + 1


def test_tiles_are_put_together_without_losing_or_doubling_a_pixel(weights: Weights, network: Doubling) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (TILE + 7, 2 * TILE + 1, 3), dtype=np.uint8)
    made = Enlarger(weights, threads=1, network=network).enlarge(picture, lambda _: None)
    assert np.array_equal(made, picture.repeat(4, 0).repeat(4, 1))
    assert network.tiles == 6


def test_pictures_smaller_than_the_overlap_work(weights: Weights, network: Doubling) -> None:
    picture = np.full((OVERLAP - 3, 5, 3), 9, np.uint8)
    assert Enlarger(weights, threads=1, network=network).enlarge(picture, lambda _: None).shape == (20, 20, 3)


def test_cancelling_acts_within_one_tile(studio: Studio, network: Doubling) -> None:
    def report(_: int, stage: str) -> None:
        if stage == "enlarging" and network.tiles == 2:
            raise JobCancelled

    with pytest.raises(JobCancelled):
        studio.upscale(Upscale(image="a"), file_of(vase((300, 300))), report)
    assert network.tiles == 2


def test_every_tile_is_reported(studio: Studio, network: Doubling) -> None:
    told: list[int] = []
    studio.upscale(Upscale(image="a", factor=4), file_of(vase((200, 150))), lambda percent, _: told.append(percent))
    assert network.tiles == 12
    assert len(told) == 13
    assert told == sorted(told)


@pytest.mark.parametrize("factor", [2, 4])
def test_an_upscaled_picture_has_the_factor_and_keeps_its_transparency(studio: Studio, factor: int) -> None:
    made = studio.upscale(Upscale(image="a", factor=factor), file_of(cut_vase((200, 220)), "PNG"), lambda *_: None)
    assert made.pixels.shape == (220 * factor, 200 * factor, 3)
    assert made.alpha is not None
    assert made.alpha.shape == made.pixels.shape[:2]


def test_what_is_large_enough_is_not_enlarged(studio: Studio) -> None:
    with pytest.raises(JobFailed) as refused:
        studio.upscale(Upscale(image="a"), file_of(vase((1200, 1000))), lambda *_: None)
    assert refused.value.error_code == "image_large_enough"


@pytest.mark.parametrize(
    ("side", "enhance", "tier"),
    [
        (1500, None, "area"),
        (700, None, "lanczos"),
        (700, True, "real-esrgan"),
        (300, None, "real-esrgan"),
        (300, False, "lanczos"),
        (1500, True, "area"),
    ],
)
def test_the_policy_by_size(studio: Studio, side: int, enhance: bool | None, tier: str) -> None:
    request = WhiteBackground(image="a", enhance=enhance, width=800, height=800)
    made = studio.white_background(request, file_of(cut_vase((side, side)), "PNG"), lambda *_: None)
    assert made.told["quality_tier"] == tier
    assert made.pixels.shape == (800, 800, 3)
    assert ("realesrgan-x4plus" in made.told["models"]) == (tier == "real-esrgan")
    assert ("image_enlarged_by_model" in [note.code for note in made.notes]) == (tier == "real-esrgan")


def test_without_its_weights_lanczos_takes_over_and_says_so(weights: Weights, tmp_path: Any) -> None:
    folder = Settings().cache_folder
    plain = Studio(folder, threads=2, enlarger=Enlarger(Weights(tmp_path), threads=1))
    made = plain.scene(Scene(image="a"), file_of(cut_vase((300, 300)), "PNG"), lambda *_: None)
    assert made.told["quality_tier"] == "lanczos"
    assert "image_enlarged_plainly" in [note.code for note in made.notes]


async def test_upscaling_end_to_end_is_labelled_as_enhanced(run: Run) -> None:
    outcome = await run("upscale", file_of(vase((60, 40))), factor=4)
    assert opened(outcome).size == (240, 160)
    assert b"algorithmicallyEnhanced" in outcome.artifacts[0].data
