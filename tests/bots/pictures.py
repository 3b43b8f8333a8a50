"""A kind of job that is quick: it gives the picture back."""

import io
from typing import Literal

from PIL import Image

from app.jobs.ports import JobRequest, NewArtifact, Outcome, Quantities, Work


def _photo() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 64), (180, 60, 40)).save(made, "PNG")
    return made.getvalue()


PHOTO = _photo()


class WhiteRequest(JobRequest):
    image: str
    preset: str | None = None


class WhiteBackground:
    """Instead of the compositor."""

    kind = "white_background"
    queue: Literal["image"] = "image"
    request = WhiteRequest

    def estimate(self, request: WhiteRequest) -> Quantities:
        return Quantities(images=1)

    async def run(self, request: WhiteRequest, work: Work) -> Outcome:
        picture = await work.read(request.image)
        work.report(50, "placing")
        return Outcome({"engine": "test"}, (NewArtifact(picture, "image/png", "白底图.png"),))
