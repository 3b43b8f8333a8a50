"""What a diffusion job may be asked for. Imported by the API process: no torch here."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.jobs.ports import JobRequest

Format: TypeAlias = Literal["jpeg", "png", "webp"]

MAX_SEED = 2**32 - 1


class LoraChoice(BaseModel):
    """A style by its name on the shelf. Without ``weight`` the one that its owner noted, else 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=100)
    weight: float | None = Field(default=None, ge=-2, le=2)


class DrawRequest(JobRequest):
    """What every task has. What is left out comes from the model's recipe; the seed from the job's id."""

    prompt: str = Field(min_length=1, max_length=2000, description="What to draw; English is understood best.")
    negative: str | None = Field(default=None, max_length=2000, description="What must not be in the picture.")
    model: str | None = Field(default=None, max_length=200, description="A model's name; the default one if left out.")
    loras: tuple[LoraChoice, ...] = Field(default=(), max_length=4, description="Styles, used together.")
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED, description="The same seed draws the same picture.")
    steps: int | None = Field(default=None, ge=1, le=100)
    guidance: float | None = Field(default=None, ge=0, le=30)
    count: int = Field(default=1, ge=1, le=4, description="How many pictures.")
    format: Format = "jpeg"
    mark: bool = Field(default=False, description="A visible corner mark that says the picture is generated.")

    @field_validator("loras")
    @classmethod
    def _named_once(cls, loras: tuple[LoraChoice, ...]) -> tuple[LoraChoice, ...]:
        if len({lora.name for lora in loras}) < len(loras):
            raise ValueError("a style is named twice")
        return loras


class TextToImage(DrawRequest):
    """A picture from words alone."""

    width: int = Field(default=1024, ge=64, le=2048)
    height: int = Field(default=1024, ge=64, le=2048)


class Variation(DrawRequest):
    """The same picture, differently; as large as it was."""

    image: str = Field(description="The artifact to start from.")
    strength: float = Field(default=0.6, ge=0.05, le=1, description="0.05: hardly changed; 1: drawn anew.")


class SceneInpaint(DrawRequest):
    """New surroundings for a product, whose own pixels stay as they are."""

    image: str = Field(description="The artifact with the product.")
