"""The models on the device, within a budget of bytes: the one used least recently makes room."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.imaging.engines.diffusion.loading import Resident
from app.imaging.engines.diffusion.models import ModelEntry
from app.imaging.engines.diffusion.pace import Device

Load = Callable[[ModelEntry, Device], Resident]


class Residents:
    """Used by the device's thread only."""

    def __init__(self, load: Load, device: Device, *, budget_bytes: int) -> None:
        self._load = load
        self._device = device
        self._budget = budget_bytes
        self._held: dict[str, Resident] = {}  # the least recently used first
        self._pinned: list[str] = []

    @property
    def names(self) -> list[str]:
        """What is loaded, the least recently used first."""
        return list(self._held)

    def holds(self, name: str) -> bool:
        """Whether it can be used at once."""
        return name in self._held

    @contextmanager
    def use(self, entry: ModelEntry) -> Iterator[Resident]:
        """The model, loaded if it must be; it stays while it is used. Raises what loading raises."""
        resident = self._held.pop(entry.name, None)
        if resident is None:
            resident = self._load(entry, self._device)
            self._make_room(resident.nbytes)
            resident.place(self._device)
        self._held[entry.name] = resident
        self._pinned.append(entry.name)
        try:
            yield resident
        finally:
            self._pinned.remove(entry.name)

    def free_memory(self, *, keep: str) -> None:
        """Drop every model but ``keep`` and those in use, and give torch's spare blocks back to the device."""
        for name in [name for name in self._held if name != keep and name not in self._pinned]:
            del self._held[name]
        self._collect()

    def _make_room(self, nbytes: int) -> None:
        """A model that is larger than the budget by itself is loaded all the same, alone."""
        total = nbytes + sum(resident.nbytes for resident in self._held.values())
        for name in [name for name in self._held if name not in self._pinned]:
            if total <= self._budget:
                break
            total -= self._held.pop(name).nbytes
            self._collect()

    def _collect(self) -> None:
        gc.collect()
        if self._device == "cuda":
            import torch

            torch.cuda.empty_cache()
