"""Images per second of the service beside diffusers' own ``pipe(prompt)``, one request at a time, equal settings.

    python -m evals.bench.diffusion [--tiny] [--device cuda|cpu] [--requests 32] [--json FILE]

The weights are random and of the true shapes (SD 1.5, SDXL), made on the device: the speed is real, the pictures are
noise. Both sides run bf16 on a GPU; the stock side is what a first server would do: one pipeline, one call a request.
``difference`` is the largest one between the two sides' pictures of the same seed, 0–255; on the CPU at most 1, in
bf16 more, because a larger batch is summed in another order.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from PIL.Image import Image

from app.imaging.engines.diffusion.drawing import Drawing
from app.imaging.engines.diffusion.loading import Resident, prepared, quiet
from app.imaging.engines.diffusion.models import ModelEntry
from app.imaging.engines.diffusion.pace import Device, likely_device, tflop
from app.imaging.engines.diffusion.recipes import DEFAULTS, Family, SchedulerName
from app.imaging.engines.diffusion.service import GpuService
from evals.bench.random_pipelines import SHAPES, ShapeName, build

SCHEDULER: SchedulerName = "dpm++"
PROMPT = "a studio photograph of a ceramic cup on an oak table, number {}"


@dataclass(frozen=True, slots=True)
class Case:
    """One shape at one size; 4 steps without guidance is how distilled models run."""

    shape: ShapeName
    side: int
    steps: int
    guidance: float
    batch: int


CASES = (
    Case("sd15", 512, 25, 7.5, 8),
    Case("sd15", 512, 25, 7.5, 16),
    Case("sd15", 512, 4, 1.0, 16),
    Case("sdxl", 1024, 30, 6.0, 8),
    Case("sdxl", 1024, 4, 1.0, 8),
)
TINY = (Case("tiny", 64, 5, 5.0, 8), Case("tiny_xl", 64, 5, 5.0, 8))


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of the waiting side; ``images_s`` over the whole run."""

    images_s: float
    p50_s: float
    p95_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """``reached`` is the service's useful TFLOP/s, for the true shapes; memory is the service's peak on the device,
    weights included."""

    shape: str
    side: int
    steps: int
    guidance: float
    batch: int
    device: str
    requests: int
    stock: Figures
    service: Figures
    factor: float
    difference: int
    reached: float | None
    peak_gib: float | None


def run(
    tiny: Annotated[bool, typer.Option(help="Tiny shapes, for any machine: shows that it runs, not how fast.")] = False,
    device: Annotated[str, typer.Option(help="cuda or cpu; empty: what is there.")] = "",
    requests: Annotated[int, typer.Option(help="Requests that arrive at once.")] = 32,
    seconds: Annotated[float, typer.Option(help="No further case is begun after this long.")] = 480,
    file: Annotated[Path | None, typer.Option("--json", help="Append the lines here, too.")] = None,
) -> None:
    """Images per second of the service beside stock diffusers, one JSON line a case."""
    place: Device = likely_device() if not device else "cuda" if device == "cuda" else "cpu"
    started = time.perf_counter()
    for case in TINY if tiny else CASES:
        if time.perf_counter() - started > seconds:
            break
        line = json.dumps(asdict(measure(case, place, requests=requests)))
        print(line, flush=True)
        if file is not None:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(line + "\n")


def measure(case: Case, device: Device, *, requests: int) -> Report:
    """Both sides on the same weights, the stock side first; each warmed up."""
    import torch

    quiet()
    entry = _entry(case)
    pipe = build(case.shape, device=device, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    alone = _drawings(case, entry, min(requests, 8))
    stock, expected = _stock(pipe, entry, alone)
    drawings = _drawings(case, entry, requests)
    ours, pictures = asyncio.run(_ours(prepared(entry, pipe), drawings, case.batch, device))
    work = tflop(entry.family, (case.side, case.side), steps=case.steps, guidance=case.guidance)
    return Report(
        **asdict(case),
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        requests=requests,
        stock=stock,
        service=ours,
        factor=round(ours.images_s / stock.images_s, 2),
        difference=max(_difference(one, other) for one, other in zip(expected, pictures, strict=False)),
        reached=None if case in TINY else round(ours.images_s * work, 1),
        peak_gib=round(torch.cuda.max_memory_allocated() / 2**30, 1) if device == "cuda" else None,
    )


def _entry(case: Case) -> ModelEntry:
    """A model of that name; nothing is read from its folder."""
    family: Family = "sdxl" if SHAPES[case.shape].xl else "sd"
    recipe = DEFAULTS[family].model_copy(update={"max_batch": case.batch, "scheduler": SCHEDULER})
    return ModelEntry(case.shape, Path(case.shape), family, frozenset({"text_to_image"}), recipe)


def _drawings(case: Case, entry: ModelEntry, count: int) -> list[Drawing]:
    return [
        Drawing(
            task="text_to_image",
            model=entry,
            prompt=PROMPT.format(number),
            seeds=(number,),
            width=case.side,
            height=case.side,
            steps=case.steps,
            guidance=case.guidance,
            scheduler=SCHEDULER,
        )
        for number in range(count)
    ]


def _stock(pipe: Any, entry: ModelEntry, drawings: Sequence[Drawing]) -> tuple[Figures, list[Image]]:
    """``pipe(prompt)`` for one after the other; those who come later wait for those before them."""
    import torch

    # Only for the same scheduler on both sides: its modules are the pipeline's own.
    stock = Resident(entry, pipe).pipeline("text_to_image", SCHEDULER)
    waits, pictures = [], []
    for number, drawing in enumerate([drawings[0], *drawings]):
        if number == 1:  # the first was for warming up
            started = time.perf_counter()
        picture = stock(
            drawing.prompt,
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance,
            width=drawing.width,
            height=drawing.height,
            generator=torch.Generator().manual_seed(drawing.seeds[0]),
        ).images[0]
        if number:
            waits.append(time.perf_counter() - started)
            pictures.append(picture)
    return _figures(waits), pictures


async def _ours(
    resident: Resident, drawings: Sequence[Drawing], batch: int, device: Device
) -> tuple[Figures, list[Image]]:
    """All at once through the front door, after a batch for warming up."""
    import torch

    service = GpuService(device=device, max_batch=batch, load=lambda _entry, _device: resident)
    try:
        await asyncio.gather(*map(service.generate, drawings[:batch]))
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        started = time.perf_counter()

        async def one(drawing: Drawing) -> tuple[float, Image]:
            drawn = await service.generate(drawing)
            picture = drawn.pictures[0]
            assert picture is not None  # noqa: S101 (these models have no safety checker)
            return time.perf_counter() - started, picture

        done = await asyncio.gather(*map(one, drawings))
    finally:
        await asyncio.to_thread(service.close)
    return _figures([waited for waited, _ in done]), [picture for _, picture in done]


def _figures(waits: Sequence[float]) -> Figures:
    ordered = sorted(waits)
    late = ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)]
    return Figures(round(len(ordered) / ordered[-1], 3), round(statistics.median(ordered), 3), round(late, 3))


def _difference(one: Image, other: Image) -> int:
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


if __name__ == "__main__":
    typer.run(run)
