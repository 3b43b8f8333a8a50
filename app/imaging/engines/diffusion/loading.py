"""From a folder to a model on the device, and from the model to a pipeline for one batch."""

import inspect
import json
from pathlib import Path
from typing import Any

from app.imaging.engines.diffusion.adapters import Adapters
from app.imaging.engines.diffusion.models import ModelEntry, Task, unusable
from app.imaging.engines.diffusion.pace import Device
from app.imaging.engines.diffusion.recipes import SchedulerName

PIPELINES: dict[tuple[str, Task], str] = {
    ("sd", "text_to_image"): "StableDiffusionPipeline",
    ("sd", "image_to_image"): "StableDiffusionImg2ImgPipeline",
    ("sd", "inpaint"): "StableDiffusionInpaintPipeline",
    ("sdxl", "text_to_image"): "StableDiffusionXLPipeline",
    ("sdxl", "image_to_image"): "StableDiffusionXLImg2ImgPipeline",
    ("sdxl", "inpaint"): "StableDiffusionXLInpaintPipeline",
}
SCHEDULERS: dict[SchedulerName, tuple[str, dict[str, Any]]] = {
    "dpm++": ("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "ddim": ("DDIMScheduler", {}),
    "lcm": ("LCMScheduler", {}),
}


class Resident:
    """A loaded model: shared modules, and a pipeline object and scheduler of its own for every batch.

    A pipeline object keeps the state of its run, so two runs on one give wrong pictures, at times without an error.
    """

    def __init__(self, entry: ModelEntry, pipe: Any) -> None:
        self.entry = entry
        self.adapters = Adapters(pipe)
        self._pipe = pipe

    @property
    def nbytes(self) -> int:
        """The weights' size, styles not counted."""
        parts = (part for part in self._pipe.components.values() if hasattr(part, "parameters"))
        return sum(tensor.nbytes for part in parts for tensor in part.parameters())

    @property
    def screened(self) -> bool:
        """Whether it has a safety checker; SDXL has none."""
        return getattr(self._pipe, "safety_checker", None) is not None

    @property
    def rows_may_leave(self) -> bool:
        """Whether all that is as long as the batch can be reached from the step callback. Models distilled with
        their guidance inside (LCM) keep some of it out of reach."""
        return self._pipe.unet.config.time_cond_proj_dim is None

    def place(self, device: Device) -> None:
        """Move the weights there; channels last is how cuDNN convolves fastest."""
        import torch

        self._pipe.to(device)
        if device == "cuda":
            self._pipe.unet.to(memory_format=torch.channels_last)
            self._pipe.vae.to(memory_format=torch.channels_last)

    def pipeline(self, task: Task, scheduler: SchedulerName) -> Any:
        """A new pipeline over the same modules. Not by ``from_pipe``: that casts the shared modules to fp32."""
        import diffusers

        kind = getattr(diffusers, PIPELINES[self.entry.family, task])
        has = {**self._pipe.config, **self._pipe.components, "scheduler": self._scheduler(scheduler)}
        has |= {"requires_safety_checker": self.screened, "add_watermarker": False}
        accepted = inspect.signature(kind.__init__).parameters
        pipe = kind(**{name: part for name, part in has.items() if name in accepted})
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def cut_tokens(self, prompt: str) -> int:
        """How many tokens of a prompt are beyond the text encoder's window, and so never seen."""
        tokenizer = self._pipe.tokenizer
        return max(len(tokenizer(prompt, verbose=False).input_ids) - int(tokenizer.model_max_length), 0)

    def _scheduler(self, name: SchedulerName) -> Any:
        import diffusers

        own = self._pipe.scheduler
        if name == "own":
            return type(own).from_config(own.config)
        kind, more = SCHEDULERS[name]
        return getattr(diffusers, kind).from_config(own.config, **more)


def load(entry: ModelEntry, device: Device) -> Resident:
    """Read a model into main memory, in the device's precision: bf16 on cuda, fp32 on the CPU.

    Raises JobFailed ``image_model_unusable``. Weights in pickles are refused: reading one runs what is in it.
    """
    import diffusers
    import torch
    from safetensors import SafetensorError

    quiet()
    try:
        pipe = diffusers.DiffusionPipeline.from_pretrained(
            str(entry.folder),
            dtype=torch.bfloat16 if device == "cuda" else torch.float32,
            variant=_variant(entry.folder),
            use_safetensors=True,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError, json.JSONDecodeError) as problem:
        reason = str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
        raise unusable(entry.name, reason) from problem
    return prepared(entry, pipe)


def prepared(entry: ModelEntry, pipe: Any) -> Resident:
    """A pipeline that was built elsewhere, as a model of ours."""
    pipe.set_progress_bar_config(disable=True)
    # Decoding is the peak of memory, and one large picture fills the device anyway.
    pipe.vae.enable_slicing()
    return Resident(entry, pipe)


def quiet() -> None:
    """The libraries' own bars and remarks are not for a server's log; errors still are."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for library in (diffusers_logging, transformers_logging):
        library.set_verbosity_error()
        library.disable_progress_bar()


def _variant(folder: Path) -> str | None:
    """``fp16`` where only half-precision files were copied."""
    unet = folder / "unet"
    plain = [path for path in unet.glob("*.safetensors") if ".fp16" not in path.name]
    return "fp16" if not plain and any(unet.glob("*.fp16*.safetensors")) else None
