"""The styles of one loaded model: LoRA adapters that are switched on as a set for each batch.

They are never fused into the weights: taking a fused one out again does not give back the same bits.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from app.imaging.engines.diffusion.loras import Lora, unreadable, wrong_model
from app.jobs.ports import JobFailed

MOST = 16  # adapters kept on a model; some tens of MB each


class Adapters:
    """Those of one pipeline. Only the device's thread touches it."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._loaded: list[str] = []  # the least recently used first

    def use(self, loras: Sequence[tuple[Lora, float]]) -> None:
        """Draw with exactly these from now on; with none, as the bare model.

        Raises InvalidInput ``lora_wrong_model``, JobFailed ``lora_unreadable``; the model stays usable.
        """
        names = [self._load(lora) for lora, _ in loras]
        if names:
            # Loading one makes it the only active one, and switching off outlives set_adapters.
            self._pipe.enable_lora()
            self._pipe.set_adapters(names, [weight for _, weight in loras])
        elif self._loaded:
            self._pipe.disable_lora()
        self._forget(keep=names)

    def _load(self, lora: Lora) -> str:
        name = _adapter_name(lora)
        if name in self._loaded:
            self._loaded.remove(name)
        else:
            self._read(lora, name)
        self._loaded.append(name)
        return name

    def _read(self, lora: Lora, name: str) -> None:
        from safetensors import SafetensorError

        folder, file = str(lora.path.parent), lora.path.name
        try:
            self._pipe.load_lora_weights(folder, weight_name=file, adapter_name=name, local_files_only=True)
        except (SafetensorError, RuntimeError, OSError, ValueError, KeyError) as problem:
            self._clear(name)
            raise _refusal(lora, problem) from None
        if not self._holds(name):
            raise unreadable(lora.name)  # not a key of it belongs to this model: diffusers only logs that

    def _holds(self, name: str) -> bool:
        return any(name in names for names in self._pipe.get_list_adapters().values())

    def _clear(self, name: str) -> None:
        """A style that fits in part (the UNet, not the text encoder) would stay on the model, switched on."""
        if self._holds(name):
            self._pipe.delete_adapters([name])

    def _forget(self, keep: Sequence[str]) -> None:
        while len(self._loaded) > MOST and self._loaded[0] not in keep:
            self._pipe.delete_adapters([self._loaded.pop(0)])


def _refusal(lora: Lora, problem: Exception) -> Exception:
    """diffusers, transformers and peft each say in their own words that the weights do not fit the model."""
    said = str(problem).lower()
    if any(words in said for words in ("size mismatch", "mismatched_sizes", "target modules")):
        return wrong_model(lora.name)
    return problem if isinstance(problem, RuntimeError) else unreadable(lora.name)


def _adapter_name(lora: Lora) -> str:
    """Another file under the same name is another adapter. peft allows no dots in it."""
    try:
        told = f"{lora.path}:{lora.path.stat().st_mtime_ns}"
    except OSError:
        raise JobFailed(f"The style {lora.name} was taken away.", code="lora_unreadable", lora=lora.name) from None
    return hashlib.sha256(told.encode()).hexdigest()[:16]
