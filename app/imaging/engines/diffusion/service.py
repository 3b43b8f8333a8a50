"""The one thread of this process that draws, and the asyncio side of it.

Drawings with equal keys that arrive within a short window share a batch. One thread owns the device, because the
state of styles lives in modules that all runs of a model share.
"""

import asyncio
import time
from threading import Lock, Thread
from typing import Literal

from app.imaging.engines.diffusion.batching import Row, Ticket, WaitingRoom, tickets_of
from app.imaging.engines.diffusion.denoising import Abandoned, Batch
from app.imaging.engines.diffusion.drawing import BatchKey, Drawing, Drawn, OnStep, Step
from app.imaging.engines.diffusion.loading import load, quiet
from app.imaging.engines.diffusion.pace import Device, Pace, likely_device, tflop
from app.imaging.engines.diffusion.residents import Load, Residents
from app.jobs.ports import JobFailed
from knowledge.errors import Unavailable

WINDOW_S = 0.05
MAX_BATCH = 8
SHARE_OF_MEMORY = 0.7  # for weights; activations and the decoder need the rest
CPU_BUDGET = 8 * 2**30


class GpuService:
    """One for each device. Making it starts nothing; the first drawing imports torch and starts the thread.

    ``threads``: torch's, on the CPU; None leaves them as they are. ``load`` reads a model into main memory.
    """

    def __init__(
        self,
        *,
        device: Literal["auto", "cuda", "cpu"] = "auto",
        budget_bytes: int | None = None,
        window_s: float = WINDOW_S,
        max_batch: int = MAX_BATCH,
        threads: int | None = None,
        pace: Pace | None = None,
        load: Load = load,
    ) -> None:
        self.pace = pace or Pace()
        self._asked = device
        self._device: Device = likely_device() if device == "auto" else device
        self._budget = budget_bytes
        self._max_batch = max_batch
        self._threads = threads
        self._load = load
        self._room = WaitingRoom(window_s)
        self._fitting: dict[BatchKey, int] = {}  # rows that fit into memory, where more did not
        self._residents: Residents | None = None
        self._thread: Thread | None = None
        self._starting = Lock()

    @property
    def device(self) -> Device:
        """Before torch has been asked, what it will probably find."""
        return self._device

    @property
    def loaded(self) -> list[str]:
        """The models on the device, the least recently used first."""
        return self._residents.names if self._residents else []

    async def generate(self, drawing: Drawing, on_step: OnStep = lambda _: None) -> Drawn:
        """Draw it. ``on_step`` is called on the device's thread after every step; what it raises ends this drawing.

        Raises JobFailed ``image_model_unusable``, ``image_engine_missing``, ``gpu_out_of_memory``,
        ``lora_unreadable``; InvalidInput ``lora_wrong_model``; Unavailable ``image_service_stopped``.
        Cancelling the call takes the drawing back within a step.
        """
        ticket = Ticket(drawing, on_step)
        self._start()
        if not self._room.add(ticket.rows()):
            raise _stopped()
        return await asyncio.wrap_future(ticket.future)

    def seconds(self, drawing_tflop: float, model: str) -> float:
        """An upper bound of the device's time for so much work."""
        return self.pace.seconds(model, self._device, drawing_tflop)

    def close(self) -> None:
        """Let the batch that is under way end, send those who wait away, and free the device."""
        for row in self._room.close():
            row.ticket.fail(_stopped())
        if self._thread is not None:
            self._thread.join()
        self._residents = None

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._serve, name="diffusion", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        while rows := self._room.take(self._most):
            try:
                self._draw_all(rows)
            except BaseException as error:  # noqa: BLE001 (the thread's edge: whoever waits is told, the rest go on)
                for row in rows:
                    row.ticket.fail(error)

    def _most(self, drawing: Drawing) -> int:
        return min(self._max_batch, drawing.model.recipe.max_batch, self._fitting.get(drawing.key, self._max_batch))

    def _draw_all(self, rows: list[Row]) -> None:
        """In smaller and smaller parts, if the device's memory is not enough for all at once."""
        residents = self._residents or self._open()
        parts = [rows]
        while parts:
            part = [row for row in parts.pop() if row.wanted]
            if part and not self._fits(part, residents):
                # Here and not in the handler: while an error is handled, its frames hold on to their tensors.
                residents.free_memory(keep=part[0].drawing.model.name)
                parts += self._smaller(part)

    def _fits(self, rows: list[Row], residents: Residents) -> bool:
        import torch

        try:
            self._draw(rows, residents)
        except torch.OutOfMemoryError:
            return False
        except Abandoned:
            pass
        return True

    def _smaller(self, rows: list[Row]) -> list[list[Row]]:
        half = len(rows) // 2
        if half:
            self._fitting[rows[0].drawing.key] = half
            return [rows[half:], rows[:half]]
        if rows[0].tried_alone:
            rows[0].ticket.fail(_out_of_memory(rows[0].drawing))
            return []
        rows[0].tried_alone = True  # once more, now that the other models are gone
        return [rows]

    def _draw(self, rows: list[Row], residents: Residents) -> None:
        drawing = rows[0].drawing
        stage: Literal["loading", "drawing"] = "drawing" if residents.holds(drawing.model.name) else "loading"
        for ticket in tickets_of(rows):
            ticket.tell(Step(0.0, stage), under_way=0)
        rows = [row for row in rows if row.wanted]
        if not rows:
            return
        with residents.use(drawing.model) as resident:
            resident.adapters.use(drawing.loras)
            for ticket in tickets_of(rows):
                ticket.cut_tokens = resident.cut_tokens(ticket.drawing.prompt)
            started = time.perf_counter()
            drawn = Batch(resident, rows).draw()
            seconds = (time.perf_counter() - started) / len(drawn)
            self.pace.add(drawing.model.name, self._device, _tflop(drawing), seconds)
            for row, picture in drawn:
                row.ticket.finish(row.index, picture, seconds=seconds, batch=len(rows), screened=resident.screened)

    def _open(self) -> Residents:
        try:
            import diffusers  # noqa: F401 (whether it is there)
            import torch
        except ImportError as missing:
            raise _engine_missing() from missing
        quiet()
        found = torch.cuda.is_available()
        if self._asked == "cuda" and not found:
            raise _no_gpu()
        self._device = "cuda" if found and self._asked != "cpu" else "cpu"
        budget = CPU_BUDGET
        if self._device == "cuda":
            budget = int(torch.cuda.mem_get_info()[1] * SHARE_OF_MEMORY)
        elif self._threads:
            torch.set_num_threads(self._threads)
        self._residents = Residents(self._load, self._device, budget_bytes=self._budget or budget)
        return self._residents


def _tflop(drawing: Drawing) -> float:
    steps = drawing.steps * drawing.strength
    size = drawing.width, drawing.height
    return tflop(drawing.model.family, size, steps=steps, guidance=drawing.guidance)


def _stopped() -> Unavailable:
    return Unavailable("The image service is being stopped.", code="image_service_stopped")


def _engine_missing() -> JobFailed:
    return JobFailed(
        "torch and diffusers are not installed here; install merchant-copilot[gpu].", code="image_engine_missing"
    )


def _no_gpu() -> JobFailed:
    return JobFailed(
        "CUDA is configured for drawing, and torch finds no GPU; check the driver, or configure the CPU.",
        code="image_engine_missing",
    )


def _out_of_memory(drawing: Drawing) -> JobFailed:
    return JobFailed(
        f"The device has too little memory for {drawing.width}×{drawing.height} with {drawing.model.name}; "
        "ask for a smaller picture.",
        code="gpu_out_of_memory",
        model=drawing.model.name,
        size=f"{drawing.width}×{drawing.height}",
    )
