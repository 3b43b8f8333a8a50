"""Drawings that arrive together share the device's time, and nothing else."""

import asyncio
import time
from collections.abc import Callable

import numpy as np
import pytest

from app.imaging.engines.diffusion.batching import Ticket, WaitingRoom
from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.loading import Resident, load
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelEntry
from app.imaging.engines.diffusion.pace import Device
from app.imaging.engines.diffusion.service import GpuService
from tests.app.imaging.diffusion.pixels import difference

PROMPTS = ["a red cup on a table", "a blue bicycle", "a lamp"]


@pytest.mark.parametrize("scheduler", ["dpm++", "euler_a", "own"])
async def test_a_batch_gives_the_pictures_that_each_gives_alone(
    service: GpuService, new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing], scheduler: str
) -> None:
    drawings = [drawing_of(prompt, seed, scheduler=scheduler) for seed, prompt in enumerate(PROMPTS)]
    together = await asyncio.gather(*map(new_service(company=3).generate, drawings))
    assert [drawn.batch for drawn in together] == [3, 3, 3]
    alone = [await service.generate(drawing) for drawing in drawings]
    assert [drawn.batch for drawn in alone] == [1, 1, 1]
    for one, other in zip(together, alone, strict=True):
        assert difference(one.pictures[0], other.pictures[0]) <= 1
    assert difference(together[0].pictures[0], together[1].pictures[0]) > 10


async def test_sdxl_batches_give_the_same_pictures_too(
    service: GpuService, new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    drawings = [drawing_of(prompt, seed, model="tiny_xl") for seed, prompt in enumerate(PROMPTS)]
    together = await asyncio.gather(*map(new_service(company=3).generate, drawings))
    alone = await service.generate(drawings[1])
    assert together[1].batch == 3
    assert difference(together[1].pictures[0], alone.pictures[0]) <= 1


async def test_jobs_that_differ_in_steps_or_size_run_at_once_and_never_mix(
    service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    drawings = [
        drawing_of("a red cup", 1, steps=3),
        drawing_of("a red cup", 1, steps=7),
        drawing_of("a blue bicycle", 1, steps=5, scheduler="euler"),
        drawing_of("a red cup", 1, width=96),
        drawing_of("a red cup", 1),
        drawing_of("a red cup", 1, negative="blue"),
    ]
    at_once = await asyncio.gather(*map(service.generate, drawings))
    assert [drawn.batch for drawn in at_once] == [1] * 6
    for drawing, drawn in zip(drawings, at_once, strict=True):
        again = await service.generate(drawing)
        assert difference(drawn.pictures[0], again.pictures[0]) == 0
    assert difference(at_once[0].pictures[0], at_once[1].pictures[0]) > 10
    assert difference(at_once[4].pictures[0], at_once[5].pictures[0]) > 2


async def test_one_drawing_of_several_seeds_is_one_batch_in_their_order(
    service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    three = await service.generate(drawing_of(seeds=(5, 6, 7)))
    assert three.batch == 3
    six = await service.generate(drawing_of(seed=6))
    assert difference(three.pictures[1], six.pictures[0]) <= 1


async def test_more_than_a_batch_holds_is_drawn_in_several(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    fractions: list[float] = []
    drawn = await new_service(max_batch=2).generate(
        drawing_of(seeds=(1, 2, 3)), lambda step: fractions.append(step.fraction)
    )
    assert (drawn.batch, len(drawn.pictures)) == (2, 3)
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1)


async def test_the_precision_and_layout_of_a_gpu_draw_nearly_the_same_pictures(
    service: GpuService, new_service: Callable[..., GpuService], loras: LoraShelf, drawing_of: Callable[..., Drawing]
) -> None:
    """bf16, channels last, a style on top: on the CPU, which can do that too."""
    import torch

    def loaded_for_cuda(entry: ModelEntry, _: Device) -> Resident:
        resident = load(entry, "cuda")
        resident._pipe.unet.to(memory_format=torch.channels_last)
        resident._pipe.vae.to(memory_format=torch.channels_last)
        return resident

    drawing = drawing_of(seeds=(1, 2), loras=((loras.find("glaze", family="sd"), 1.0),))
    previews: list[bytes | None] = []
    half = await new_service(load=loaded_for_cuda).generate(drawing, lambda step: previews.append(step.preview))
    full = await service.generate(drawing)
    for one, other in zip(half.pictures, full.pictures, strict=True):
        assert one is not None
        assert other is not None
        apart = np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean()
        assert 0 < apart < 8
    assert any(previews)


def test_a_full_batch_does_not_wait_for_the_window(drawing_of: Callable[..., Drawing]) -> None:
    room = WaitingRoom(window_s=60)
    for seed in (1, 2):
        room.add(_rows(drawing_of(seed=seed)))
    started = time.monotonic()
    assert [row.seed for row in room.take(lambda _: 2)] == [1, 2]
    assert time.monotonic() - started < 30


def test_the_oldest_goes_first_and_takes_those_like_it_along(drawing_of: Callable[..., Drawing]) -> None:
    room = WaitingRoom(window_s=0)
    for seed, steps in ((1, 4), (2, 9), (3, 4)):
        room.add(_rows(drawing_of(seed=seed, steps=steps)))
    assert [row.seed for row in room.take(lambda _: 8)] == [1, 3]
    assert [row.seed for row in room.take(lambda _: 8)] == [2]


async def test_after_closing_a_drawing_is_sent_away(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    from knowledge.errors import Unavailable

    service = new_service()
    service.close()
    with pytest.raises(Unavailable, match="being stopped"):
        await service.generate(drawing_of())


def _rows(drawing: Drawing) -> list:  # type: ignore[type-arg]
    return Ticket(drawing, lambda _: None).rows()
