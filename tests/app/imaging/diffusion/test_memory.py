"""Too little memory: smaller batches first, then one job fails and no other; models make room for each other."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.loading import Resident, load
from app.imaging.engines.diffusion.models import ModelEntry
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobFailed
from tests.app.imaging.diffusion.pixels import difference


class Small(Resident):
    """A model on a device where only ``fitting`` pictures at once fit, and a ``poison`` prompt never does."""

    def __init__(self, resident: Resident, fitting: int, sizes: list[int]) -> None:
        super().__init__(resident.entry, resident._pipe)
        self._fitting = fitting
        self._sizes = sizes

    def pipeline(self, task: Any, scheduler: Any) -> Any:
        import torch

        pipe = super().pipeline(task, scheduler)

        def call(**given: Any) -> Any:
            self._sizes.append(len(given["prompt"]))
            if len(given["prompt"]) > self._fitting or "poison" in given["prompt"]:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return pipe(**given)

        return call


def small(fitting: int) -> tuple[Callable[[ModelEntry, Any], Resident], list[int]]:
    """A loader of such models, and the sizes of the batches that were tried."""
    sizes: list[int] = []
    return lambda entry, device: Small(load(entry, device), fitting, sizes), sizes


async def test_a_batch_that_does_not_fit_is_halved_and_its_pictures_are_the_same(
    new_service: Callable[..., GpuService], service: GpuService, drawing_of: Callable[..., Drawing]
) -> None:
    loader, sizes = small(fitting=1)
    cramped = new_service(company=4, load=loader)
    drawings = [drawing_of(seed=seed) for seed in range(4)]
    drawn = await asyncio.gather(*map(cramped.generate, drawings))
    assert sizes == [4, 2, 1, 1, 2, 1, 1]
    for drawing, each in zip(drawings, drawn, strict=True):
        assert difference(each.pictures[0], (await service.generate(drawing)).pictures[0]) <= 1


async def test_what_fits_is_remembered(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    loader, sizes = small(fitting=2)
    cramped = new_service(company=4, load=loader)
    for _ in range(2):
        await asyncio.gather(*(cramped.generate(drawing_of(seed=seed)) for seed in range(4)))
    assert sizes == [4, 2, 2, 2, 2]


async def test_a_drawing_that_does_not_fit_alone_is_tried_once_more_and_fails_by_itself(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    loader, sizes = small(fitting=8)
    cramped = new_service(company=3, load=loader)
    good, bad, also_good = await asyncio.gather(
        *(cramped.generate(drawing_of(prompt, seed)) for seed, prompt in enumerate(["a cup", "poison", "a lamp"])),
        return_exceptions=True,
    )
    assert isinstance(bad, JobFailed)
    assert bad.error_code == "gpu_out_of_memory"
    assert bad.params == {"model": "tiny", "size": "64×64"}
    assert good.pictures[0] is not None  # type: ignore[union-attr]
    assert also_good.pictures[0] is not None  # type: ignore[union-attr]
    assert sizes == [3, 1, 2, 1, 1, 1]


async def test_the_model_used_least_recently_makes_room(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    loads: list[str] = []

    def counted(entry: ModelEntry, device: Any) -> Resident:
        loads.append(entry.name)
        return load(entry, device)

    service = new_service(load=counted, budget_bytes=13_000_000)  # tiny has 4.6 MB, tiny_xl 5.1, inpainter 4.6
    for model in ("tiny", "tiny_xl", "tiny"):
        await service.generate(drawing_of(model=model))
    assert service.loaded == ["tiny_xl", "tiny"]
    await service.generate(_inpainting(drawing_of))
    assert service.loaded == ["tiny", "inpainter"]
    await service.generate(drawing_of())
    assert loads == ["tiny", "tiny_xl", "inpainter"]


async def test_a_model_larger_than_the_budget_is_loaded_alone(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    service = new_service(budget_bytes=1000)
    for model in ("tiny", "tiny_xl"):
        await service.generate(drawing_of(model=model))
    assert service.loaded == ["tiny_xl"]


async def test_out_of_memory_lets_the_other_models_go(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    loader, _ = small(fitting=1)
    service = new_service(load=loader)
    await service.generate(drawing_of(model="tiny_xl"))
    await service.generate(drawing_of(seeds=(1, 2)))
    assert service.loaded == ["tiny"]


async def test_an_error_nobody_expected_reaches_the_caller_and_the_thread_goes_on(
    new_service: Callable[..., GpuService], drawing_of: Callable[..., Drawing]
) -> None:
    def broken(entry: ModelEntry, device: Any) -> Resident:
        if entry.name == "tiny_xl":
            raise ZeroDivisionError
        return load(entry, device)

    service = new_service(load=broken)
    with pytest.raises(ZeroDivisionError):
        await service.generate(drawing_of(model="tiny_xl"))
    assert (await service.generate(drawing_of())).pictures[0] is not None


def _inpainting(drawing_of: Callable[..., Drawing]) -> Drawing:
    from PIL import Image

    blank = Image.new("RGB", (64, 64), "grey")
    return drawing_of(model="inpainter", task="inpaint", picture=blank, mask=Image.new("L", (64, 64), 255))
