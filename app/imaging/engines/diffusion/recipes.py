"""How a model wants to be run: its scheduler, steps, guidance and sizes; from ``copilot.json`` beside its weights."""

from pathlib import Path
from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.jobs.ports import JobFailed

Family: TypeAlias = Literal["sd", "sdxl"]
SchedulerName: TypeAlias = Literal["own", "dpm++", "euler", "euler_a", "unipc", "ddim", "lcm"]
Size: TypeAlias = tuple[int, int]

FILE = "copilot.json"
STEP = 8  # pixels per latent cell of both families


class Recipe(BaseModel):
    """``buckets``: width × height in pixels that the model draws well; empty: whatever is asked for.
    ``side``: of the square it was trained on. ``own`` is the scheduler saved with the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheduler: SchedulerName = "dpm++"
    steps: int = Field(default=25, ge=1, le=100)
    guidance: float = Field(default=7.0, ge=0, le=30)
    negative: str = ""
    buckets: tuple[Size, ...] = ()
    side: int = Field(default=512, ge=STEP, le=2048, multiple_of=STEP)
    max_batch: int = Field(default=8, ge=1, le=64)

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if any(pixels % STEP or pixels < STEP for size in self.buckets for pixels in size):
            raise ValueError(f"each side of a bucket must be a multiple of {STEP}")
        return self


# SD 1.x was trained on 512², and repeats its subject on much larger canvases. SDXL's sizes are those of its paper
# (arXiv 2307.01952, appendix I) that shops use. DPM++ needs half the steps of the PNDM that SD 1.x is saved with.
DEFAULTS: dict[Family, Recipe] = {
    "sd": Recipe(
        steps=25,
        guidance=7.0,
        side=512,
        buckets=((512, 512), (576, 448), (448, 576), (640, 448), (448, 640), (768, 512), (512, 768), (704, 384)),
    ),
    "sdxl": Recipe(
        steps=30,
        guidance=6.0,
        side=1024,
        buckets=(
            (1024, 1024),
            (1152, 896),
            (896, 1152),
            (1216, 832),
            (832, 1216),
            (1344, 768),
            (768, 1344),
        ),
    ),
}


def recipe_of(folder: Path, family: Family) -> Recipe:
    """The family's recipe with what the folder's ``copilot.json`` says instead. Raises ``image_recipe_invalid``."""
    path = folder / FILE
    if not path.is_file():
        return DEFAULTS[family]
    try:
        said = Recipe.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as problem:
        raise _invalid(folder, problem) from None
    return DEFAULTS[family].model_copy(update={name: getattr(said, name) for name in said.model_fields_set})


def _invalid(folder: Path, problem: ValidationError | UnicodeDecodeError) -> JobFailed:
    if isinstance(problem, ValidationError):
        first = problem.errors()[0]
        reason = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".removeprefix(": ")
    else:
        reason = "it is not UTF-8 text"
    return JobFailed(
        f"The recipe {FILE} of the model {folder.name} cannot be used: {reason}.",
        code="image_recipe_invalid",
        model=folder.name,
        reason=reason,
    )
