"""One batch on the device: the pipeline's call, what happens between its steps, and its pictures."""

from typing import Any

from PIL import Image

from app.imaging.engines.diffusion import previews
from app.imaging.engines.diffusion.batching import Row, tickets_of
from app.imaging.engines.diffusion.drawing import Drawing, Step
from app.imaging.engines.diffusion.loading import Resident

PREVIEWS = 5  # of each picture
# Tensors of a pipeline that are as long as the batch, or twice as long with guidance.
TENSORS = {"sd": ["latents", "prompt_embeds"], "sdxl": ["latents", "prompt_embeds", "add_text_embeds", "add_time_ids"]}


class Abandoned(Exception):
    """Nobody wants any row of the batch any more."""


class Batch:
    """Rows with equal keys. A row that nobody wants any more leaves before the next step, where the pipeline allows."""

    def __init__(self, resident: Resident, rows: list[Row]) -> None:
        import torch

        self._resident = resident
        self._rows = rows  # those still in the tensors, in their order
        # On the CPU, so that a seed gives the same picture on any device and in any batch.
        self._generators = [torch.Generator().manual_seed(row.seed) for row in rows]
        # Inpainting holds the first latents and their noise where the callback cannot reach them.
        self._rows_may_leave = resident.rows_may_leave and rows[0].drawing.task != "inpaint"

    def draw(self) -> list[tuple[Row, Image.Image | None]]:
        """The rows that stayed, with their pictures; None: the safety checker found something.

        Raises :class:`Abandoned`, ``torch.OutOfMemoryError``.
        """
        drawing = self._rows[0].drawing
        pipe = self._resident.pipeline(drawing.task, drawing.scheduler)
        result = pipe(
            **self._conditions(drawing),
            num_inference_steps=drawing.steps,
            guidance_scale=drawing.guidance,
            generator=self._generators,
            output_type="pt",
            callback_on_step_end=self._after_step,
            callback_on_step_end_tensor_inputs=TENSORS[self._resident.entry.family],
        )
        unsafe = getattr(result, "nsfw_content_detected", None) or [False] * len(self._rows)
        pictures = _pictures(result.images)
        return [(row, None if hit else picture) for row, hit, picture in zip(self._rows, unsafe, pictures, strict=True)]

    def _conditions(self, drawing: Drawing) -> dict[str, Any]:
        drawings = [row.drawing for row in self._rows]
        given: dict[str, Any] = {"prompt": [each.prompt for each in drawings]}
        if drawing.negative:
            given["negative_prompt"] = [each.negative for each in drawings]
        if drawing.task != "image_to_image":
            given |= {"width": drawing.width, "height": drawing.height}
        if drawing.task != "text_to_image":
            given |= {"image": [each.picture for each in drawings], "strength": drawing.strength}
        if drawing.task == "inpaint":
            given["mask_image"] = [each.mask for each in drawings]
        return given

    def _after_step(self, pipe: Any, number: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        steps = int(pipe.num_timesteps)  # not those asked for: some schedulers make more, a low strength fewer
        shown = self._shown(number + 1, steps, tensors["latents"])
        for ticket, rows in tickets_of(self._rows).items():
            step = Step((number + 1) / steps, preview=shown.get(rows[0]))
            ticket.tell(step, under_way=len(rows))
        stay = [place for place, row in enumerate(self._rows) if row.wanted]
        if not stay:
            raise Abandoned
        if len(stay) < len(self._rows) and self._rows_may_leave:
            self._keep(stay, tensors, pipe.scheduler)
        return tensors

    def _shown(self, done: int, steps: int, latents: Any) -> dict[Row, bytes]:
        """Previews after every fifth of the steps, but not of the last: the picture itself comes next."""
        if done >= steps or done % max(steps // PREVIEWS, 1):
            return {}
        pixels = previews.colours(latents, self._resident.entry.family)
        places = {rows[0]: self._rows.index(rows[0]) for rows in tickets_of(self._rows).values() if rows[0].wanted}
        return {row: previews.jpeg(pixels[place]) for row, place in places.items()}

    def _keep(self, stay: list[int], tensors: dict[str, Any], scheduler: Any) -> None:
        """Take the other rows out of all that the next step reads."""
        count = len(self._rows)
        for name, tensor in tensors.items():
            tensors[name] = _rows_of(tensor, stay, count)
        for name, kept in vars(scheduler).items():  # the earlier steps that a multistep solver looks back on
            if isinstance(kept, list):
                kept[:] = [_rows_of(each, stay, count) if _is_batch(each, count) else each for each in kept]
            elif _is_batch(kept, count):
                setattr(scheduler, name, _rows_of(kept, stay, count))
        self._rows = [self._rows[place] for place in stay]
        self._generators[:] = [self._generators[place] for place in stay]  # the list that the pipeline holds


def _is_batch(value: Any, count: int) -> bool:
    """Whether it is an image-like tensor with one row a picture; a scheduler's tables have one dimension."""
    return getattr(value, "ndim", 0) == 4 and len(value) == count


def _rows_of(tensor: Any, stay: list[int], count: int) -> Any:
    """Those rows of a tensor that holds the batch once, or twice in a row (without and with the prompt)."""
    return tensor[[place + start for start in range(0, len(tensor), count) for place in stay]]


def _pictures(images: Any) -> list[Image.Image]:
    """(n, 3, h, w) in 0…1 → RGB pictures, rounded as diffusers does; one copy from the device for all."""
    import torch

    pixels = (images.float() * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return [Image.fromarray(each) for each in pixels]
