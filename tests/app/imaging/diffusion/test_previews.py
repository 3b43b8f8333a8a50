"""How it looks so far."""

import asyncio
import io
from collections.abc import Callable

import pytest
from PIL import Image

from app.imaging.engines.diffusion.drawing import Drawing, Step
from app.imaging.engines.diffusion.service import GpuService


@pytest.mark.parametrize("model", ["tiny", "tiny_xl"])
async def test_small_jpegs_arrive_while_it_is_drawn(
    service: GpuService, drawing_of: Callable[..., Drawing], model: str
) -> None:
    steps: list[Step] = []
    await service.generate(drawing_of(model=model, steps=10, width=128), steps.append)
    assert [round(step.fraction, 3) for step in steps] == [0, *(number / 10 for number in range(1, 11))]
    shown = [step.preview for step in steps if step.preview]
    assert len(shown) == 4  # after 2, 4, 6 and 8 of 10 steps
    for preview in shown:
        picture = Image.open(io.BytesIO(preview))
        assert (picture.format, picture.size) == ("JPEG", (256, 128))
        assert len(preview) < 30_000
    assert len(set(shown)) == 4


async def test_each_job_of_a_batch_sees_its_own_picture(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    pair = new_service(company=2)
    heard: tuple[list[Step], list[Step]] = ([], [])
    await asyncio.gather(*(pair.generate(drawing_of(seed=seed, steps=5), heard[seed].append) for seed in range(2)))
    first, second = ([step.preview for step in steps if step.preview] for steps in heard)
    assert len(first) == len(second) == 4
    assert not set(first) & set(second)


async def test_progress_counts_the_steps_that_are_made_not_those_asked_for(
    service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    """A variation of half strength makes half of the steps."""
    heard: list[Step] = []
    picture = Image.new("RGB", (64, 64), "teal")
    await service.generate(drawing_of(task="image_to_image", picture=picture, strength=0.5, steps=8), heard.append)
    assert [step.fraction for step in heard] == [0, 0.25, 0.5, 0.75, 1]
