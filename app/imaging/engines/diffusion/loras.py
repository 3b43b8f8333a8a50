"""Which styles are at hand: ``NAME.safetensors`` in the models' ``loras`` folder, with an optional ``NAME.json``.

Only the header of a file is read here; :mod:`adapters` loads the weights.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.imaging.engines.diffusion.recipes import Family
from app.jobs.ports import JobFailed
from knowledge.errors import InvalidInput

SUFFIX = ".safetensors"
MAX_HEADER = 50 * 2**20  # bytes; a real one has a few hundred kB
# The width of the text that the cross attention reads: CLIP-L, OpenCLIP-H, both encoders of SDXL side by side.
FAMILY_OF_TEXT_WIDTH: dict[int, Family] = {768: "sd", 1024: "sd", 2048: "sdxl"}


@dataclass(frozen=True, slots=True)
class Lora:
    """A style. ``base`` is the family that it was trained on, where its file says so; ``weight`` its usual one."""

    name: str
    path: Path
    base: Family | None
    weight: float


class _Note(BaseModel):
    """``NAME.json``: what the owner says about a style."""

    model_config = ConfigDict(extra="ignore")

    base: Family | None = None
    weight: float = Field(default=1.0, ge=-2, le=2)


class LoraShelf:
    """The styles in ``folder``; None or a missing folder: there are none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """What may be asked for."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(path.stem for path in self._folder.glob(f"*{SUFFIX}"))

    def find(self, name: str, *, family: Family) -> Lora:
        """A style by name, for a model of ``family``.

        Raises InvalidInput ``lora_unknown`` with the names there are, ``lora_wrong_model``; JobFailed
        ``lora_unreadable``.
        """
        names = self.names()
        if self._folder is None or name not in names:
            known = ", ".join(names) or "none"
            raise InvalidInput(
                f"There is no style named {name}. There are: {known}.", code="lora_unknown", lora=name, known=known
            )
        lora = _read(name, self._folder / f"{name}{SUFFIX}")
        if lora.base not in (None, family):
            raise wrong_model(name)
        return lora


def wrong_model(name: str) -> InvalidInput:
    """The error for a style whose weights do not fit the model's."""
    return InvalidInput(
        f"The style {name} was made for another kind of model; choose another model or style.",
        code="lora_wrong_model",
        lora=name,
    )


def unreadable(name: str) -> JobFailed:
    """The error for a file that holds no style, or is damaged."""
    return JobFailed(
        f"The file of the style {name} is damaged or holds no LoRA weights.", code="lora_unreadable", lora=name
    )


def _read(name: str, path: Path) -> Lora:
    header = _header(name, path)
    note_path = path.with_suffix(".json")
    try:
        note = _Note.model_validate_json(note_path.read_bytes()) if note_path.is_file() else _Note()
    except ValidationError:
        raise unreadable(name) from None
    base = note.base or _base_said(header.pop("__metadata__", {})) or _base_seen(header)
    return Lora(name, path, base, note.weight)


def _header(name: str, path: Path) -> dict[str, Any]:
    """safetensors: 8 bytes little-endian length, then as much JSON (github.com/huggingface/safetensors, Format)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length <= MAX_HEADER else b""
    try:
        header = json.loads(text)
    except ValueError:
        raise unreadable(name) from None
    if not isinstance(header, dict):
        raise unreadable(name)
    return header


def _base_said(metadata: Any) -> Family | None:
    """As kohya's trainer and the modelspec standard write it."""
    if not isinstance(metadata, dict):
        return None
    said = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}"
    if "sdxl" in said or "stable-diffusion-xl" in said:
        return "sdxl"
    return "sd" if "sd_v" in said or "stable-diffusion-v" in said else None


def _base_seen(header: dict[str, Any]) -> Family | None:
    for key, tensor in header.items():
        if "attn2" in key and "to_k" in key and ("lora_down" in key or "lora_A" in key or "lora.down" in key):
            return FAMILY_OF_TEXT_WIDTH.get(tensor["shape"][-1])
    return None
