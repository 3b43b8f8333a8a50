"""A drawing that nobody wants any more stops within a step, and its neighbours do not notice."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from app.imaging.engines.diffusion.drawing import Drawing, OnStep, Step
from app.imaging.engines.diffusion.loading import Resident, load
from app.imaging.engines.diffusion.models import ModelEntry
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobCancelled
from tests.app.imaging.diffusion.pixels import difference

STEPS = 6


class Watched:
    """Loads models and remembers how many rows each call of the UNet had (guidance: two a picture), and of the VAE."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.decoded = 0

    def __call__(self, entry: ModelEntry, device: Any) -> Resident:
        resident = load(entry, device)
        resident._pipe.unet.register_forward_pre_hook(lambda _, given: self.rows.append(len(given[0])))
        decode = resident._pipe.vae.decode

        def counted(*given: Any, **more: Any) -> Any:
            self.decoded += 1
            return decode(*given, **more)

        resident._pipe.vae.decode = counted
        return resident


def cancel_after(steps: int) -> tuple[OnStep, list[Step]]:
    """A listener that gives up at a step, and what it has heard."""
    heard: list[Step] = []

    def on_step(step: Step) -> None:
        heard.append(step)
        if step.fraction >= steps / STEPS - 1e-9:
            raise JobCancelled

    return on_step, heard


@pytest.mark.parametrize("scheduler", ["dpm++", "euler_a", "unipc", "lcm"])
async def test_a_cancelled_row_leaves_the_batch_and_the_others_stay_as_they_are(
    service: GpuService, new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing], scheduler: str
) -> None:
    watched = Watched()
    crowd = new_service(company=3, load=watched)
    first, second, third = (
        drawing_of(prompt, seed, steps=STEPS, scheduler=scheduler)
        for seed, prompt in enumerate(["a red cup", "a blue bicycle", "a lamp"])
    )
    on_step, heard = cancel_after(2)
    kept, gone, also_kept = await asyncio.gather(
        crowd.generate(first), crowd.generate(second, on_step), crowd.generate(third), return_exceptions=True
    )
    assert isinstance(gone, JobCancelled)
    assert len(heard) == 3  # at the start, and after two steps
    assert watched.rows == [6, 6, 4, 4, 4, 4]
    for drawn, drawing in ((kept, first), (also_kept, third)):
        alone = await service.generate(drawing)
        assert difference(drawn.pictures[0], alone.pictures[0]) <= 1  # type: ignore[union-attr]


async def test_a_cancelled_row_of_an_sdxl_batch_leaves_too(
    service: GpuService, new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    watched = Watched()
    pair = new_service(company=2, load=watched)
    kept, gone = await asyncio.gather(
        pair.generate(drawing_of(seed=1, model="tiny_xl", steps=STEPS)),
        pair.generate(drawing_of(seed=2, model="tiny_xl", steps=STEPS), cancel_after(1)[0]),
        return_exceptions=True,
    )
    assert isinstance(gone, JobCancelled)
    assert watched.rows == [4, 2, 2, 2, 2, 2]
    alone = await service.generate(drawing_of(seed=1, model="tiny_xl", steps=STEPS))
    assert difference(kept.pictures[0], alone.pictures[0]) <= 1  # type: ignore[union-attr]


async def test_when_all_are_cancelled_the_run_stops_within_a_step_without_decoding(
    service: GpuService, new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    watched = Watched()
    pair = new_service(company=2, load=watched)
    gone = await asyncio.gather(
        *(pair.generate(drawing_of(seed=seed, steps=STEPS), cancel_after(2)[0]) for seed in (1, 2)),
        return_exceptions=True,
    )
    assert all(isinstance(each, JobCancelled) for each in gone)
    after = await pair.generate(drawing_of(seeds=(3, 4), steps=STEPS))
    assert watched.rows == [4] * (2 + STEPS)
    assert watched.decoded == 1
    alone = await service.generate(drawing_of(seed=3, steps=STEPS))
    assert difference(after.pictures[0], alone.pictures[0]) <= 1


async def test_cancelling_the_call_stops_the_run(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    watched = Watched()
    service = new_service(load=watched)
    under_way = Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(
            service.generate(drawing_of(steps=90), lambda step: under_way.set() if step.fraction else None)
        )
        await asyncio.to_thread(under_way.wait, 30)
        task.cancel()
    assert task.cancelled()
    await service.generate(drawing_of(steps=4))
    assert len(watched.rows) < 90


async def test_a_drawing_cancelled_in_the_queue_is_never_begun(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    watched = Watched()
    service = new_service(load=watched)
    _, second = await asyncio.gather(
        service.generate(drawing_of(steps=5)),
        service.generate(drawing_of(steps=7), cancel_after(0)[0]),
        return_exceptions=True,
    )
    assert isinstance(second, JobCancelled)
    assert len(watched.rows) == 5


async def test_a_listener_that_breaks_ends_its_own_drawing_only(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    def broken(_: Step) -> None:
        raise ConnectionError("the stream is gone")

    pair = new_service(company=2)
    drawn, failed = await asyncio.gather(
        pair.generate(drawing_of(seed=1)), pair.generate(drawing_of(seed=2), broken), return_exceptions=True
    )
    assert isinstance(failed, ConnectionError)
    assert drawn.pictures[0] is not None  # type: ignore[union-attr]
