"""Models that sentence-transformers runs: their folder, what they are called, and the device they run on.

torch is imported here only when such a model is loaded: that takes seconds and some 500 MB.
"""

import hashlib
import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from knowledge.errors import InvalidInput
from knowledge.model_ids import slug

Device: TypeAlias = Literal["auto", "cuda", "cpu"]
Precision: TypeAlias = Literal["auto", "fp32", "bf16", "fp16"]

# What is fetched of a hub model, and what it is: no pickles, which run code when they are read.
FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
MARK = "modules.json"  # a folder without it is loaded with a pooling that somebody guessed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a model runs, ``auto`` resolved: bf16 on CUDA, fp32 on the CPU. ``dtype`` is torch's."""

    device: Literal["cuda", "cpu"]
    precision: Literal["fp32", "bf16", "fp16"]
    dtype: Any


def require_extra(variable: str) -> None:
    """Raises InvalidInput ``gpu_extra_missing``; ``variable`` is what asked for it."""
    if find_spec("torch") is None or find_spec("sentence_transformers") is None:
        raise InvalidInput(
            f"{variable} asks for sentence-transformers, which is not installed. Run “make gpu”, "
            "or install torch==2.13.0 and then merchant-copilot[gpu].",
            code="gpu_extra_missing",
            variable=variable,
        )


def place(device: Device, precision: Precision) -> Placed:
    """Raises InvalidInput ``cuda_missing`` when a device is asked for that is not there."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(
            "COPILOT_EMBEDDING_DEVICE asks for CUDA, and torch finds none. Set it to “cpu”, or install a CUDA build.",
            code="cuda_missing",
        )
    on_cuda = device != "cpu" and torch.cuda.is_available()
    chosen = ("bf16" if on_cuda else "fp32") if precision == "auto" else precision
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[chosen]
    return Placed("cuda" if on_cuda else "cpu", chosen, dtype)


def folder_of(model: str, *, mark: str = MARK) -> Path:
    """A local folder, or a hub id with an optional ``@revision``: from the local cache, fetched if it is not there.

    Raises InvalidInput ``model_folder_unusable`` (a folder that is no such model), ``model_not_fetched``.
    """
    path = Path(model).expanduser()
    if not path.is_dir():
        if model.startswith((".", "/", "~")):
            raise unusable(model, "there is no such folder")
        path = _from_hub(model)
    if not (path / mark).is_file():
        raise unusable(model, f"it has no {mark}")
    if not any(path.rglob("*.safetensors")):
        raise unusable(model, "it has no safetensors weights")
    return path


def identity(model: str, folder: Path, precision: str) -> str:
    """``bge-m3-1f2e3d4c-fp32``: name, hash of weights and configuration, precision."""
    name = Path(model.partition("@")[0].rstrip("/")).name
    return f"{slug(name)}-{_digest(folder)}-{precision}"


def unusable(model: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"“{model}” cannot be loaded as a sentence-transformers model: {reason}.",
        code="model_folder_unusable",
        model=model,
        reason=reason,
    )


@contextmanager
def loading(model: str) -> Generator[None]:
    """What loading can raise, as ``model_folder_unusable``; the libraries' bars and remarks are not for a log."""
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    kinds = (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError)
    try:
        yield
    except (*kinds, SafetensorError, json.JSONDecodeError) as problem:
        raise unusable(model, str(problem).partition("\n")[0][:200] or type(problem).__name__) from problem


def _from_hub(model: str) -> Path:
    from huggingface_hub import snapshot_download

    name, _, revision = model.partition("@")
    wanted: dict[str, Any] = {"revision": revision or None, "allow_patterns": list(FILES)}
    try:
        return Path(snapshot_download(name, local_files_only=True, **wanted))
    except (OSError, ValueError):
        log.info("fetching the model %s from the hub", model)
    try:
        return Path(snapshot_download(name, **wanted))
    except (OSError, ValueError) as problem:
        raise InvalidInput(
            f"The model “{model}” is no folder here and could not be fetched from the hub. Check its name, or fetch it "
            f"with “hf download {name}” where there is a connection.",
            code="model_not_fetched",
            model=model,
        ) from problem


def _digest(folder: Path) -> str:
    """Eight hex digits over every file that decides; a gigabyte takes about a second."""
    found = hashlib.sha256()
    for path in sorted({path for pattern in FILES for path in folder.rglob(pattern)}):
        found.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()[:8]
