"""Jobs for tests of the pages: the real requests and results, work that is quick, and gates that a test opens."""

import asyncio
import io
import threading
from collections.abc import Mapping
from typing import Any, Literal

from PIL import Image, ImageDraw, ImageFilter

from app.copywriting.check import check_copy
from app.copywriting.kinds.titles import TitlesRequest
from app.copywriting.product import statements
from app.imaging.requests import WhiteBackground
from app.jobs.ports import JobFailed, JobRequest, NewArtifact, Outcome, Preview, Quantities, Work

STEPS = 4


def photo(size: tuple[int, int] = (1200, 900), *, ground: str = "#c9b28f", blurred: bool = False) -> bytes:
    """A mug on a table, as JPEG."""
    picture = Image.new("RGB", size, "#8d9aa5")
    ImageDraw.Draw(picture).rectangle((0, size[1] * 0.62, *size), fill=ground)
    picture.paste(_mug(size), (0, 0), _mask(size))
    return _encoded(picture.filter(ImageFilter.GaussianBlur(30)) if blurred else picture, "JPEG")


class CutoutHandler:
    """White background of :func:`photo`. Blurred pictures are refused. Waits at each step until ``gate`` is open."""

    kind = "white_background"
    queue: Literal["image"] = "image"
    request = WhiteBackground

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()

    def estimate(self, request: WhiteBackground) -> Quantities:
        return Quantities(images=1, seconds=1.4)

    async def run(self, request: WhiteBackground, work: Work) -> Outcome:
        data = await work.read(request.image)
        made = await asyncio.to_thread(self._made, request, data, work)
        about = {
            "engine": "compositor",
            "width": made.width,
            "height": made.height,
            "matting": "u2netp",
            "screening": {"sharpness": 431.2, "mean": 143.0, "area": 21.6},
            "label": {"aigc": True, "producer": "merchant-copilot", "model": "u2netp"},
        }
        file = NewArtifact(_encoded(made, "PNG"), "image/png", "白底图.png", about)
        return Outcome({"engine": "compositor", "notes": []}, (file,), Quantities(images=1))

    def _made(self, request: WhiteBackground, data: bytes, work: Work) -> Image.Image:
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        edges = picture.resize((256, 256)).filter(ImageFilter.FIND_EDGES).convert("L").crop((2, 2, 254, 254))
        found = edges.getextrema()[1]
        for step in range(STEPS):
            preview = picture.resize((96, 72)).filter(ImageFilter.GaussianBlur(3 - step if step < 3 else 0))
            stage = ("reading", "matting", "matting", "composing")[step]
            work.report(100 * step // STEPS, stage, Preview(image=_encoded(preview, "JPEG")))
            while not self.gate.wait(0.05):
                work.report(100 * step // STEPS, stage)
        if found < 25 and not request.force:
            raise JobFailed("The product is blurred.", code="image_blurred", found=f"{found:.0f}", limit="25")
        white = Image.composite(picture, Image.new("RGB", picture.size, "white"), _mask(picture.size))
        return white.crop(_square(picture.size)).resize((1000, 1000))


class TitlesHandler:
    """Says what it was told to say, checked as the real one checks."""

    kind = "titles"
    queue: Literal["text"] = "text"
    request = TitlesRequest

    def __init__(self, *texts: str) -> None:
        self.texts = texts or ("304不锈钢保温杯 500ml 大容量 便携",)

    def estimate(self, request: TitlesRequest) -> Quantities:
        return Quantities(prompt_tokens=900, completion_tokens=400, seconds=3, model="qwen-plus")

    async def run(self, request: TitlesRequest, work: Work) -> Outcome:
        work.report(40, "writing", Preview(text=self.texts[0][:9]))
        variants = [self._variant(text, request) for text in self.texts[: request.count]]
        result = {
            "kind": "titles",
            "language": "zh",
            "variants": variants,
            "facts": {one.id: one.line for one in statements(request.product)},
            "limit": {"max": 60, "min": 0, "count": "width"},
            "flags": [],
            "needs_review": any(variant["flags"] for variant in variants),
            "repaired": False,
            "model": "qwen-plus",
            "usage": {"prompt_tokens": 812, "completion_tokens": 120, "counted_by": "model"},
            "label": {"aigc": True, "producer": "merchant-copilot", "model": "qwen-plus", "job": work.job_id},
        }
        about = {"kind": "titles", "language": "zh", "label": result["label"]}
        file = NewArtifact("\n".join(self.texts).encode(), "text/markdown; charset=utf-8", "titles.md", about)
        used = Quantities(prompt_tokens=812, completion_tokens=120, model="qwen-plus")
        return Outcome(result, (file,), used)

    def _variant(self, text: str, request: TitlesRequest) -> Mapping[str, Any]:
        flags = [flag.json() for flag in check_copy(text, request.product)]
        return {"text": text, "sources": ["f0", "f1"], "flags": flags, "length": 2 * len(text), "fits": True}


class NewcomerRequest(JobRequest):
    """A kind that the console has never heard of."""

    wish: str
    sizes: tuple[int, ...] = ()


class NewcomerHandler:
    """Does nothing worth mentioning."""

    kind = "brand_new"
    queue: Literal["text"] = "text"
    request = NewcomerRequest

    def estimate(self, request: NewcomerRequest) -> Quantities:
        return Quantities()

    async def run(self, request: NewcomerRequest, work: Work) -> Outcome:
        return Outcome({"text": request.wish})


def _square(size: tuple[int, int]) -> tuple[int, int, int, int]:
    side = min(size)
    left = (size[0] - side) // 2
    return left, 0, left + side, side


def _mask(size: tuple[int, int]) -> Image.Image:
    """Where the mug is: body and handle."""
    w, h = size
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)
    draw.rounded_rectangle((w * 0.36, h * 0.26, w * 0.6, h * 0.8), radius=int(h * 0.05), fill=255)
    draw.ellipse((w * 0.55, h * 0.36, w * 0.7, h * 0.66), outline=255, width=int(h * 0.045))
    return mask


def _mug(size: tuple[int, int]) -> Image.Image:
    light = Image.linear_gradient("L").rotate(90).resize(size)
    return Image.merge("RGB", [light.point(lambda v, k=k: int(60 + v * k)) for k in (0.35, 0.6, 0.55)])


def _encoded(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()
