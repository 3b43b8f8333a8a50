"""How long the device takes: estimated from the work of a model, corrected by what was measured."""

import math
from collections import defaultdict, deque
from pathlib import Path
from threading import Lock
from typing import Literal, TypeAlias

from app.imaging.engines.diffusion.recipes import Family, Size

Device: TypeAlias = Literal["cuda", "cpu"]

# TFLOP at the trained size, counted with torch's FlopCounterMode, 2 per multiply-add: (one step of the UNet without
# guidance, VAE decode). Guidance doubles the step. Attention grows faster than the area; here it hardly tells.
WORK: dict[Family, tuple[float, float]] = {"sd": (0.803, 2.515), "sdxl": (6.761, 10.470)}
TRAINED_AREA: dict[Family, int] = {"sd": 512**2, "sdxl": 1024**2}
# TFLOP/s before anything is measured. cuda: the low end of what is published for an A100 without compiling (52–116);
# cpu: a few AVX-512 cores in fp32. Upper bounds are asked for, so both are cautious.
GUESS: dict[Device, float] = {"cuda": 50.0, "cpu": 0.1}
REMEMBERED = 16  # batches


class Pace:
    """Seconds per TFLOP of each model, of its last batches; kept in memory, safe from any thread."""

    def __init__(self) -> None:
        self._measured: defaultdict[tuple[str, Device], deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))
        self._lock = Lock()

    def add(self, model: str, device: Device, tflop: float, seconds: float) -> None:
        """A batch with this much work took so long."""
        with self._lock:
            self._measured[model, device].append(seconds / tflop)

    def seconds(self, model: str, device: Device, tflop: float) -> float:
        """An upper bound for this much work: by the slowest of the remembered batches."""
        with self._lock:
            seen = self._measured.get((model, device))
            return tflop * (max(seen) if seen else 1 / GUESS[device])


def tflop(family: Family, size: Size, *, steps: float, guidance: float) -> float:
    """The work of one picture."""
    step, decode = WORK[family]
    area = math.prod(size) / TRAINED_AREA[family]
    return area * (steps * step * (2 if guidance > 1 else 1) + decode)


def likely_device() -> Device:
    """What torch will find, without asking it: NVIDIA's driver leaves this file."""
    return "cuda" if Path("/dev/nvidiactl").exists() else "cpu"
