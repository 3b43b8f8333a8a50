"""Which models are at hand: diffusers folders below one folder, and hub ids that are in the local cache.

Only the small JSON files are read here, so that a price can be named without torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from app.imaging.engines.diffusion.recipes import Family, Recipe, recipe_of
from app.jobs.ports import JobFailed
from knowledge.errors import InvalidInput

Task: TypeAlias = Literal["text_to_image", "image_to_image", "inpaint"]

INDEX = "model_index.json"
LORA_FOLDER = "loras"
FAMILY_OF_CLASS: dict[str, Family] = {
    "StableDiffusionPipeline": "sd",
    "StableDiffusionImg2ImgPipeline": "sd",
    "StableDiffusionInpaintPipeline": "sd",
    "StableDiffusionXLPipeline": "sdxl",
    "StableDiffusionXLImg2ImgPipeline": "sdxl",
    "StableDiffusionXLInpaintPipeline": "sdxl",
}
# By the channels that the UNet reads: 4 of the picture, and in models made for inpainting 1 of the mask, 4 of the rest.
TASKS_OF_CHANNELS: dict[int, frozenset[Task]] = {
    4: frozenset({"text_to_image", "image_to_image", "inpaint"}),
    9: frozenset({"inpaint"}),
}
# What is fetched of a hub model: no pickles, which run code when they are read.
HUB_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that can be loaded from ``folder``."""

    name: str
    folder: Path
    family: Family
    tasks: frozenset[Task]
    recipe: Recipe


class ModelShelf:
    """``folder`` holds one diffusers folder a model. ``hub_ids`` may be used too, once they are downloaded.

    ``default`` is a name or a hub id; without it, the first by name. ``hub_cache``: where downloads lie; None is
    the hub library's own place. Nothing is ever fetched but by :meth:`download`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        default: str | None = None,
        hub_ids: Sequence[str] = (),
        hub_cache: Path | None = None,
    ) -> None:
        self._folder = folder
        self._default = default
        self._hub_cache = hub_cache
        self._hub_ids = tuple(dict.fromkeys([*hub_ids, *([default] if default and "/" in default else [])]))

    def names(self) -> list[str]:
        """What may be asked for, the default one first."""
        found = sorted([*self._folders(), *self._hub_ids])
        return sorted(found, key=lambda name: name != self._default)

    def find(self, name: str | None = None) -> ModelEntry:
        """A model by name, or the default one.

        Raises InvalidInput ``image_model_unknown``; JobFailed ``image_model_missing`` (no weights are there),
        ``image_model_unsupported``, ``image_model_unusable``, ``image_recipe_invalid``.
        """
        names = self.names()
        if not names:
            raise self._nothing_here()
        wanted = name or names[0]
        if wanted not in names:
            known = ", ".join(names)
            raise InvalidInput(
                f"There is no image model named {wanted}. There are: {known}.",
                code="image_model_unknown",
                model=wanted,
                known=known,
            )
        return _entry(wanted, self._folders().get(wanted) or self._downloaded(wanted))

    def download(self, hub_id: str) -> None:
        """Fetch a hub model into the local cache; minutes. Raises OSError when the hub is not reachable."""
        from huggingface_hub import snapshot_download

        snapshot_download(hub_id, allow_patterns=list(HUB_FILES), cache_dir=self._hub_cache)

    def _downloaded(self, hub_id: str) -> Path:
        from huggingface_hub import snapshot_download

        try:
            return Path(snapshot_download(hub_id, local_files_only=True, cache_dir=self._hub_cache))
        except (OSError, ValueError):  # not there, or no id at all
            raise JobFailed(
                f"The weights of {hub_id} are not on this machine. Fetch them with `hf download {hub_id}`.",
                code="image_model_missing",
                place=hub_id,
            ) from None

    def _folders(self) -> dict[str, Path]:
        if self._folder is None or not self._folder.is_dir():
            return {}
        found = (path for path in self._folder.iterdir() if path.name != LORA_FOLDER)
        return {path.name: path for path in found if (path / INDEX).is_file()}

    def _nothing_here(self) -> JobFailed:
        place = str(self._folder) if self._folder else "the models folder, which is not set"
        return JobFailed(
            f"No image model is set up here. Put a diffusers folder of Stable Diffusion or SDXL weights into {place}.",
            code="image_model_missing",
            place=place,
        )


def require(entry: ModelEntry, task: Task) -> None:
    """Raises InvalidInput ``image_model_task`` for a model that is made for something else."""
    if task not in entry.tasks:
        raise InvalidInput(
            f"The model {entry.name} is made for changing parts of pictures only; choose another one.",
            code="image_model_task",
            model=entry.name,
        )


def _entry(name: str, folder: Path) -> ModelEntry:
    kind = str(_json(name, folder / INDEX).get("_class_name"))
    family = FAMILY_OF_CLASS.get(kind)
    channels = _json(name, folder / "unet" / "config.json").get("in_channels", 4) if family else 0
    if family is None or channels not in TASKS_OF_CHANNELS:
        raise JobFailed(
            f"The model {name} is a {kind}; Stable Diffusion 1, 2 and XL are supported.",
            code="image_model_unsupported",
            model=name,
            kind=kind,
        )
    return ModelEntry(name, folder, family, TASKS_OF_CHANNELS[channels], recipe_of(folder, family))


def _json(name: str, path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise unusable(name, f"{path.name} cannot be read") from problem
    if not isinstance(read, dict):
        raise unusable(name, f"{path.name} is no JSON object")
    return read


def unusable(name: str, reason: str) -> JobFailed:
    """The error for a folder that looks like a model and cannot be loaded."""
    return JobFailed(
        f"The image model {name} cannot be loaded: {reason}. Copy its folder again, with safetensors weights.",
        code="image_model_unusable",
        model=name,
        reason=reason,
    )
