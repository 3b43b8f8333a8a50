"""From a request to a plan, to the device, to labelled files. What all diffusion jobs have in common."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from PIL import Image

from app.imaging.engines.diffusion import notes
from app.imaging.engines.diffusion.drawing import Drawing, Drawn, Step
from app.imaging.engines.diffusion.loras import Lora, LoraShelf
from app.imaging.engines.diffusion.models import ModelEntry, ModelShelf, Task, require
from app.imaging.engines.diffusion.pace import tflop
from app.imaging.engines.diffusion.pictures import Finish, Label, OpenPicture, encode, is_blank, open_picture
from app.imaging.engines.diffusion.recipes import Size
from app.imaging.engines.diffusion.requests import MAX_SEED, DrawRequest
from app.imaging.engines.diffusion.service import GpuService
from app.jobs.ports import JobFailed, NewArtifact, Outcome, Preview, Quantities, Work

# Percent of a job: before and after the device has it.
BEGUN, DRAWN = 3, 92


@dataclass(frozen=True, slots=True)
class Plan:
    """A request with the model's recipe filled in."""

    request: DrawRequest
    task: Task
    model: ModelEntry
    loras: tuple[tuple[Lora, float], ...]
    negative: str
    steps: int
    guidance: float
    strength: float

    def drawing(self, job_id: str, size: Size, **pictures: Image.Image) -> Drawing:
        """For the device. Without a seed the job's id is one, so that a job that runs twice draws the same."""
        first = self.request.seed
        if first is None:
            first = int.from_bytes(hashlib.sha256(job_id.encode()).digest()[:4], "big")
        return Drawing(
            task=self.task,
            model=self.model,
            prompt=self.request.prompt,
            negative=self.negative,
            seeds=tuple((first + number) % (MAX_SEED + 1) for number in range(self.request.count)),
            width=size[0],
            height=size[1],
            steps=self.steps,
            guidance=self.guidance,
            scheduler=self.model.recipe.scheduler,
            loras=self.loras,
            strength=self.strength,
            **pictures,
        )


class DiffusionEngine:
    """``label`` writes the file with its label; ``open_picture`` reads what a user sent, and refuses what it must."""

    name = "diffusion"

    def __init__(
        self,
        models: ModelShelf,
        loras: LoraShelf,
        service: GpuService,
        *,
        label: Label = encode,
        open_picture: OpenPicture = open_picture,
    ) -> None:
        self.models = models
        self.loras = loras
        self.open_picture = open_picture
        self._service = service
        self._label = label

    def plan(self, request: DrawRequest, task: Task, *, strength: float = 1.0) -> Plan:
        """Raises what :meth:`ModelShelf.find` and :meth:`LoraShelf.find` raise, and ``image_model_task``."""
        model = self.models.find(request.model)
        require(model, task)
        found = [(self.loras.find(each.name, family=model.family), each.weight) for each in request.loras]
        recipe = model.recipe
        return Plan(
            request=request,
            task=task,
            model=model,
            loras=tuple((lora, lora.weight if weight is None else weight) for lora, weight in found),
            negative=recipe.negative if request.negative is None else request.negative,
            # At a low strength only that share of the steps is made; there must be one.
            steps=max(recipe.steps if request.steps is None else request.steps, ceil(1 / strength)),
            guidance=recipe.guidance if request.guidance is None else request.guidance,
            strength=strength,
        )

    def estimate(self, plan: Plan, size: Size) -> Quantities:
        """An upper bound; loading the model is not counted."""
        steps = plan.steps * plan.strength
        work = tflop(plan.model.family, size, steps=steps, guidance=plan.guidance)
        seconds = plan.request.count * self._service.seconds(work, plan.model.name)
        return Quantities(images=plan.request.count, gpu_seconds=seconds, seconds=seconds + 1, model=plan.model.name)

    async def draw(self, drawing: Drawing, work: Work) -> Drawn:
        """On the device, with progress and previews. Raises what :meth:`GpuService.generate` raises, JobCancelled."""
        work.report(BEGUN, "waiting")

        def on_step(step: Step) -> None:
            percent = BEGUN + int(step.fraction * (DRAWN - BEGUN))
            work.report(percent, step.stage, Preview(image=step.preview) if step.preview else None)

        return await self._service.generate(drawing, on_step)

    async def outcome(
        self, plan: Plan, drawing: Drawing, drawn: Drawn, work: Work, finish: Callable[[Image.Image], Image.Image]
    ) -> Outcome:
        """Labelled files of what can be shown. Raises JobFailed ``image_unsafe`` or ``image_blank`` if nothing can."""
        work.report(DRAWN, "finishing")
        good = [
            (seed, picture)
            for seed, picture in zip(drawing.seeds, drawn.pictures, strict=True)
            if picture is not None and not is_blank(picture)
        ]
        unsafe = drawn.pictures.count(None)
        if not good:
            raise _unsafe() if unsafe else _blank(plan.model.name)
        asked = plan.request
        kind = "variation" if plan.task == "image_to_image" else plan.task
        label = Finish(asked.format, asked.mark, plan.model.name, work.job_id, kind)
        files = [await asyncio.to_thread(self._file, plan, label, seed, picture, finish) for seed, picture in good]
        size: Size = files[0].about["width"], files[0].about["height"]
        told = [
            *notes.about_prompt(asked.prompt, drawn.cut_tokens),
            *notes.about_pictures(
                (drawing.width, drawing.height),
                size,
                unsafe=unsafe,
                blank=len(drawn.pictures) - unsafe - len(good),
                screened=drawn.screened,
            ),
        ]
        return Outcome(
            result=_told(plan, drawing, drawn) | {"size": list(size), "notes": [note.json() for note in told]},
            artifacts=tuple(files),
            used=Quantities(images=len(drawing.seeds), gpu_seconds=round(drawn.seconds, 3), model=plan.model.name),
        )

    def _file(
        self, plan: Plan, label: Finish, seed: int, picture: Image.Image, finish: Callable[[Image.Image], Image.Image]
    ) -> NewArtifact:
        finished = finish(picture)
        about = {"engine": self.name, "model": plan.model.name, "seed": seed}
        return NewArtifact(
            data=self._label(finished, label),
            media_type=f"image/{label.format}",
            name=_file_name(label, seed),
            about=about | {"width": finished.width, "height": finished.height},
        )


def _file_name(label: Finish, seed: int) -> str:
    what = "scene" if label.kind == "inpaint" else label.kind
    return f"{what}-{seed}.{'jpg' if label.format == 'jpeg' else label.format}"


def _told(plan: Plan, drawing: Drawing, drawn: Drawn) -> dict[str, Any]:
    return {
        "engine": DiffusionEngine.name,
        "model": plan.model.name,
        "seeds": list(drawing.seeds),
        "steps": drawing.steps,
        "guidance": drawing.guidance,
        "scheduler": drawing.scheduler,
        "loras": [{"name": lora.name, "weight": weight} for lora, weight in drawing.loras],
        "drawn_at": [drawing.width, drawing.height],
        "batch": drawn.batch,
    }


def _unsafe() -> JobFailed:
    return JobFailed(
        "The model's safety checker held this picture back; describe it differently, or try another seed.",
        code="image_unsafe",
    )


def _blank(model: str) -> JobFailed:
    return JobFailed(
        f"The model {model} drew nothing but one colour; try another seed or fewer styles.",
        code="image_blank",
        model=model,
    )
