"""What the jobs on pictures may be asked for. Imported by the API process: nothing heavy here."""

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from app.imaging.engines.diffusion.requests import LoraChoice
from app.jobs.ports import JobRequest

Format: TypeAlias = Literal["jpeg", "png", "webp"]
Pitch: TypeAlias = Literal["level", "high", "top"]
Shadow: TypeAlias = Literal["none", "contact", "full"]
Mark: TypeAlias = Literal["none", "zh", "en"]

SMALLEST, LARGEST = 64, 3000  # pixels a side


class PictureRequest(JobRequest):
    """A picture in, a picture out. Its size is that of ``preset``, or ``width`` and ``height``, or 1000×1000."""

    image: str = Field(min_length=1, max_length=200, description="The artifact with the picture.")
    preset: str | None = Field(default=None, max_length=60, description="A channel's rules by name, e.g. taobao_main.")
    width: int | None = Field(default=None, ge=SMALLEST, le=LARGEST)
    height: int | None = Field(default=None, ge=SMALLEST, le=LARGEST)
    format: Format | None = Field(default=None, description="Empty: what suits the kind and the preset.")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height belong together")
        if self.preset and self.width:
            raise ValueError("name a preset, or a width and a height, not both")
        return self


class CutoutRequest(PictureRequest):
    """What all jobs have in common that find the product in its picture."""

    force: bool = Field(default=False, description="Go on although the picture is blurred, dark, cropped, …")
    enhance: bool | None = Field(
        default=None, description="Enlarge with Real-ESRGAN; empty: only when the picture is smaller than 500 pixels."
    )
    mark: Mark | None = Field(default=None, description="Visible corner mark «AI生成» (zh) or AI-generated (en).")


class WhiteBackground(CutoutRequest):
    """The product on pure white."""

    fill: float | None = Field(default=None, ge=0.3, le=1.0, description="Share of the frame the product takes.")
    shadow: Shadow = Field(default="none", description="Marketplaces that ask for pure white want none.")


class Transparent(CutoutRequest):
    """The product on nothing, as PNG or WebP. Without a size it keeps its own, trimmed to the product."""

    fill: float | None = Field(default=None, ge=0.3, le=1.0)

    @model_validator(mode="after")
    def _keeps_alpha(self) -> Self:
        if self.format == "jpeg":
            raise ValueError("JPEG has no transparency; ask for png or webp")
        return self


class Scene(CutoutRequest):
    """The product in new surroundings: on a backdrop by name, or the best one for a category and a pitch; or, with
    ``engine: diffusion``, drawn around it from ``prompt``."""

    engine: Literal["compositor", "diffusion"] = "compositor"
    template: str | None = Field(default=None, max_length=60, description="A backdrop by name.")
    category: str | None = Field(default=None, max_length=60, description="What is sold: beauty, kitchen, bags, …")
    pitch: Pitch | None = Field(default=None, description="How the product was photographed; empty: level.")
    shadow: Shadow = "full"
    scale: float = Field(default=1.0, ge=0.4, le=1.4, description="Of the size that the backdrop suggests.")
    prompt: str | None = Field(default=None, max_length=2000, description="For diffusion: the surroundings, in words.")
    negative: str | None = Field(default=None, max_length=2000)
    model: str | None = Field(default=None, max_length=200)
    loras: tuple[LoraChoice, ...] = Field(default=(), max_length=4)
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    steps: int | None = Field(default=None, ge=1, le=100)
    guidance: float | None = Field(default=None, ge=0, le=30)
    count: int = Field(default=1, ge=1, le=4)

    @model_validator(mode="after")
    def _says_what_to_draw(self) -> Self:
        drawn = [self.prompt, self.negative, self.model, self.seed, self.steps, self.guidance, *self.loras]
        if self.engine == "diffusion" and not self.prompt:
            raise ValueError("diffusion needs a prompt that describes the surroundings")
        if self.engine == "compositor" and (self.count > 1 or any(given is not None for given in drawn)):
            raise ValueError("prompt, model, loras, seed, steps, guidance and count are for engine diffusion")
        if self.engine == "diffusion" and (self.template or self.category or self.preset or self.width):
            raise ValueError("template, category and size are for engine compositor")
        return self


class Upscale(JobRequest):
    """The whole picture, larger and sharper (Real-ESRGAN)."""

    image: str = Field(min_length=1, max_length=200)
    factor: Literal[2, 4] = 2
    format: Format | None = None
    mark: Mark | None = None


class Crop(PictureRequest):
    """The whole picture fitted to a size: ``cover`` cuts what is too much, ``contain`` fills up. No model."""

    fit: Literal["cover", "contain"] = "cover"
