"""The kinds of jobs that diffusion models do. Importing this imports no torch."""

import asyncio
from typing import Literal

from PIL import Image

from app.imaging.engines.diffusion.engine import DiffusionEngine
from app.imaging.engines.diffusion.pictures import Mask, alpha_of, pasted_back, to_redraw
from app.imaging.engines.diffusion.requests import SceneInpaint, TextToImage, Variation
from app.imaging.engines.diffusion.sizes import bounded, drawn_size, fitted, working_size
from app.jobs.ports import JobFailed, Outcome, Quantities, Work

LONGEST = 2048  # pixels; more only enlarges what was drawn at about 1 megapixel


class TextToImageHandler:
    """A picture from words."""

    kind = "text_to_image"
    queue: Literal["image"] = "image"
    request = TextToImage

    def __init__(self, engine: DiffusionEngine) -> None:
        self._engine = engine

    def estimate(self, request: TextToImage) -> Quantities:
        """Raises when there is no such model or style."""
        plan = self._engine.plan(request, "text_to_image")
        return self._engine.estimate(plan, drawn_size((request.width, request.height), plan.model.recipe))

    async def run(self, request: TextToImage, work: Work) -> Outcome:
        """At a size the model draws well, then scaled and cropped to what was asked for."""
        asked = request.width, request.height
        plan = await asyncio.to_thread(self._engine.plan, request, "text_to_image")
        drawing = plan.drawing(work.job_id, drawn_size(asked, plan.model.recipe))
        drawn = await self._engine.draw(drawing, work)
        return await self._engine.outcome(plan, drawing, drawn, work, lambda picture: fitted(picture, asked))


class VariationHandler:
    """A picture like another."""

    kind = "variation"
    queue: Literal["image"] = "image"
    request = Variation

    def __init__(self, engine: DiffusionEngine) -> None:
        self._engine = engine

    def estimate(self, request: Variation) -> Quantities:
        """Raises when there is no such model or style."""
        plan = self._engine.plan(request, "image_to_image", strength=request.strength)
        return self._engine.estimate(plan, (plan.model.recipe.side, plan.model.recipe.side))

    async def run(self, request: Variation, work: Work) -> Outcome:
        """In the picture's own shape and size."""
        plan = await asyncio.to_thread(self._engine.plan, request, "image_to_image", strength=request.strength)
        picture = await asyncio.to_thread(self._engine.open_picture, await work.read(request.image))
        picture = await asyncio.to_thread(bounded, picture, LONGEST)
        size = working_size(picture.size, plan.model.recipe.side)
        drawing = plan.drawing(work.job_id, size, picture=picture.resize(size, Image.Resampling.LANCZOS))
        drawn = await self._engine.draw(drawing, work)
        return await self._engine.outcome(
            plan, drawing, drawn, work, lambda each: each.resize(picture.size, Image.Resampling.LANCZOS)
        )


class SceneInpainter:
    """New surroundings for a product. Not a kind of its own: the scene job hands over to it, as to an
    :class:`app.imaging.ports.ScenePainter`.

    ``mask`` finds the product in a picture's bytes; it may take seconds, and may refuse by raising JobFailed.
    """

    def __init__(self, engine: DiffusionEngine, mask: Mask) -> None:
        self._engine = engine
        self._mask = mask

    def estimate(self, request: SceneInpaint) -> Quantities:
        """Raises when there is no such model or style."""
        plan = self._engine.plan(request, "inpaint")
        return self._engine.estimate(plan, (plan.model.recipe.side, plan.model.recipe.side))

    async def run(self, request: SceneInpaint, work: Work) -> Outcome:
        """All but the product is drawn anew, and the product's own pixels are laid over the result."""
        plan = await asyncio.to_thread(self._engine.plan, request, "inpaint")
        data = await work.read(request.image)
        photo, product = await asyncio.to_thread(self._seen, data)
        size = working_size(photo.size, plan.model.recipe.side)
        drawing = plan.drawing(
            work.job_id,
            size,
            picture=photo.resize(size, Image.Resampling.LANCZOS),
            mask=to_redraw(product, size),
        )
        drawn = await self._engine.draw(drawing, work)
        return await self._engine.outcome(plan, drawing, drawn, work, lambda each: pasted_back(photo, product, each))

    def _seen(self, data: bytes) -> tuple[Image.Image, Image.Image]:
        photo = self._engine.open_picture(data)
        product = self._mask(data)
        if product.size != photo.size:
            raise ValueError(f"the mask is {product.size}, the picture {photo.size}")
        if alpha_of(product).getbbox() is None:
            raise JobFailed(
                "No product was found in this picture; send one with a single product in front of a plain background.",
                code="image_no_subject",
            )
        photo = bounded(photo, LONGEST)
        return photo, product if product.size == photo.size else product.resize(photo.size, Image.Resampling.LANCZOS)
