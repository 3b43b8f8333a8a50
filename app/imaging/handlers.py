"""The kinds of jobs on pictures. Importing this loads no network and no picture library: the API only estimates."""

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from app.imaging.engines.diffusion.requests import SceneInpaint
from app.imaging.presets import preset_of, size_of
from app.imaging.requests import Crop, Format, Mark, PictureRequest, Scene, Transparent, Upscale, WhiteBackground
from app.imaging.templates import choose
from app.imaging.weights import MATTING, UPSCALING, Weights
from app.jobs.ports import Handler, JobFailed, JobRequest, NewArtifact, Outcome, Quantities, Work

if TYPE_CHECKING:
    from app.imaging.engines.diffusion.pictures import Finish
    from app.imaging.ports import Made, Report, ScenePainter
    from app.imaging.studio import Studio

Kind: TypeAlias = Literal["white_background", "transparent", "scene", "upscale", "crop"]
Request = TypeVar("Request", bound=JobRequest)
PRODUCER = "Merchant Copilot"
# Upper bounds on two cores with AVX2. A 1000×1000 picture was measured at 0.8–1.2; Real-ESRGAN makes 2100 source pixels
# a second, and gets at most 500×500 of a product, or a million of a picture.
SECONDS, SECONDS_ENHANCED, SECONDS_UPSCALED = 3.0, 130.0, 500.0
AT_ONCE = 2  # pictures that are computed at a time: more would not be quicker on the CPU, and each takes 200–400 MB
QUALITIES = (92, 85, 78, 70, 60, 50)


class Desk:
    """What all handlers share: the studio, made at its first use, and whose name is on the pictures.

    ``mark`` is what a request that says nothing about a visible mark gets.
    """

    def __init__(self, cache_folder: Path, *, threads: int, producer: str = PRODUCER, mark: Mark = "none") -> None:
        self._cache_folder = cache_folder
        self._threads = threads
        self.producer = producer
        self.mark = mark
        self.weights = Weights(cache_folder)
        self.turns = asyncio.Semaphore(AT_ONCE)

    @cached_property
    def studio(self) -> "Studio":
        from app.imaging.studio import Studio

        return Studio(self._cache_folder, threads=self._threads)

    def require(self, *names: str) -> None:
        """Raises Unavailable ``image_weights_missing``. Does not read the files: that is done when they are used."""
        for name in names:
            if not self.weights.present(name):
                self.weights.path(name)

    def label_drawn(self, picture: Any, finish: "Finish") -> bytes:
        """The diffusion engine's ``label``: the file of a picture that a model drew, with its label and mark."""
        import numpy as np
        from PIL import Image

        from app.imaging import labels, marks

        mark = self.mark if self.mark != "none" else "zh" if finish.mark else "none"
        if mark != "none":
            picture = Image.fromarray(marks.marked(np.asarray(picture.convert("RGB")), mark))
        origin: labels.Origin = "inpainted" if finish.kind == "inpaint" else "drawn"
        label = labels.Label(self.producer, finish.job_id, "diffusion", finish.model, finish.kind, origin)
        return labels.written(picture, finish.format, label)

    def open_picture(self, data: bytes) -> Any:
        """The diffusion engine's ``open_picture``: RGB, upright, transparency over white."""
        import numpy as np
        from PIL import Image

        from app.imaging import pictures

        picture = pictures.read(data)
        pixels: Any = picture.pixels
        if picture.alpha is not None:
            share = picture.alpha[..., None]
            pixels = np.round(pixels * share + 255 * (1 - share)).astype(np.uint8)
        return Image.fromarray(pixels)

    def mask(self, data: bytes) -> Any:
        """The diffusion engine's ``mask``: "L", 255 is product; as large as :meth:`open_picture` makes it."""
        import numpy as np
        from PIL import Image

        return Image.fromarray(np.round(self.studio.mask(data) * 255).astype(np.uint8))


class PictureHandler(Generic[Request]):
    """One kind of picture. ``make`` does the work in a thread; ``check`` refuses what cannot run at all."""

    queue: Literal["image"] = "image"

    def __init__(
        self,
        desk: Desk,
        kind: Kind,
        request: type[Request],
        make: "Callable[[Studio, Request, bytes, Report], Made]",
        check: Callable[[Request], Quantities],
    ) -> None:
        self._desk = desk
        self.kind: Kind = kind
        self.request: type[JobRequest] = request
        self._make = make
        self._check = check

    def estimate(self, request: Request) -> Quantities:
        """Raises NotFound for an unknown preset, template or category; Unavailable ``image_weights_missing``."""
        return self._check(request)

    async def run(self, request: Request, work: Work) -> Outcome:
        """Raises JobFailed with the reason of screening or checks; JobCancelled within a tile or a stage."""
        self._check(request)
        asked = self._with_mark(request)
        data = await work.read(str(asked.image))  # type: ignore[attr-defined]
        work.report(0, "waiting")
        async with self._desk.turns:
            started = time.perf_counter()
            made = await asyncio.to_thread(self._make, self._desk.studio, asked, data, work.report)
            work.report(95, "finishing")
            return await asyncio.to_thread(self._outcome, asked, made, work.job_id, started)

    def _with_mark(self, request: Request) -> Request:
        if getattr(request, "mark", "none") is None:
            return request.model_copy(update={"mark": self._desk.mark})
        return request

    def _outcome(self, request: Request, made: "Made", job_id: str, started: float) -> Outcome:
        size = made.pixels.shape[1], made.pixels.shape[0]
        format_ = _format(self.kind, request, made)
        data, label = _file(self._desk.producer, self.kind, request, made, format_, job_id)
        seconds = time.perf_counter() - started
        models = made.told.get("models", [])
        about = {"width": size[0], "height": size[1], "engine": made.told["engine"], "labelled": label}
        about |= {key: made.told[key] for key in ("template",) if key in made.told}
        result = dict(made.told) | {
            "kind": self.kind,
            "size": list(size),
            "format": format_,
            "bytes": len(data),
            "labelled": label,
            "marked": getattr(request, "mark", None) not in {None, "none"},
            "notes": [note.json() for note in made.notes],
        }
        suffix = "jpg" if format_ == "jpeg" else format_
        name = f"{self.kind.replace('_', '-')}-{size[0]}x{size[1]}.{suffix}"
        return Outcome(
            result=result,
            artifacts=(NewArtifact(data, f"image/{format_}", name, about),),
            used=Quantities(images=1, seconds=round(seconds, 3), model="+".join(models) or None),
        )


class SceneHandler:
    """On a backdrop here; drawn by another engine where the request asks for it and there is one."""

    kind: Literal["scene"] = "scene"
    queue: Literal["image"] = "image"
    request: type[JobRequest] = Scene

    def __init__(self, compositor: PictureHandler[Scene], painter: "ScenePainter | None" = None) -> None:
        self._compositor = compositor
        self._painter = painter

    def estimate(self, request: Scene) -> Quantities:
        """Raises as :meth:`PictureHandler.estimate`, and JobFailed ``image_engine_missing``."""
        if request.engine == "compositor":
            return self._compositor.estimate(request)
        return self._drawing().estimate(_inpaint(request))

    async def run(self, request: Scene, work: Work) -> Outcome:
        """By the engine that the request names."""
        if request.engine == "compositor":
            return await self._compositor.run(request, work)
        return await self._drawing().run(_inpaint(request), work)

    def _drawing(self) -> "ScenePainter":
        if self._painter is None:
            raise JobFailed(
                "There is no diffusion engine here; choose a backdrop instead, or install the gpu extra and a model.",
                code="image_engine_missing",
            )
        return self._painter


def image_handlers(desk: Desk, *, painter: "ScenePainter | None" = None) -> list[Handler[Any]]:
    """Every kind the compositor does. ``painter`` is the engine for scenes that are drawn."""

    def composed(request: PictureRequest) -> Quantities:
        preset_of(request)
        if not isinstance(request, Crop):
            desk.require(MATTING)
        slow = bool(getattr(request, "enhance", None))
        megapixels = size_of(request)[0] * size_of(request)[1] / 1e6
        return Quantities(images=1, seconds=SECONDS_ENHANCED if slow else SECONDS * max(1.0, megapixels))

    def scene(request: Scene) -> Quantities:
        choose(request.template, category=request.category, pitch=request.pitch)
        return composed(request)

    def upscaled(_: Upscale) -> Quantities:
        desk.require(UPSCALING)
        return Quantities(images=1, seconds=SECONDS_UPSCALED)

    def with_studio(name: str) -> Any:
        return lambda studio, request, data, report: getattr(studio, name)(request, data, report)

    def handler(kind: Kind, request: type[Any], check: Callable[[Any], Quantities]) -> PictureHandler[Any]:
        return PictureHandler(desk, kind, request, with_studio(kind), check)

    return [
        handler("white_background", WhiteBackground, composed),
        handler("transparent", Transparent, composed),
        SceneHandler(handler("scene", Scene, scene), painter),
        handler("upscale", Upscale, upscaled),
        handler("crop", Crop, composed),
    ]


def _inpaint(request: Scene) -> SceneInpaint:
    """The same wish in the words of the diffusion engine."""
    shared = {"image", "prompt", "negative", "model", "loras", "seed", "steps", "guidance", "count"}
    marked = request.mark is not None and request.mark != "none"
    return SceneInpaint(**request.model_dump(include=shared), format=request.format or "jpeg", mark=marked)


def _format(kind: Kind, request: JobRequest, made: "Made") -> Format:
    asked: Format | None = getattr(request, "format", None)
    preset = preset_of(request) if isinstance(request, PictureRequest) else None
    if made.alpha is not None:
        return asked if asked in {"png", "webp"} else "png"  # JPEG would lose what is transparent
    if asked is not None or preset is None:
        return asked or ("png" if kind == "transparent" else "jpeg")
    return preset.format


def _file(
    producer: str, kind: Kind, request: JobRequest, made: "Made", format_: Format, job_id: str
) -> tuple[bytes, bool]:
    """The file, small enough for the preset, and whether it carries a label: crops do not."""
    import numpy as np
    from PIL import Image

    from app.imaging import labels

    image = Image.fromarray(made.pixels)
    if made.alpha is not None:
        image.putalpha(Image.fromarray(np.round(made.alpha * 255).astype(np.uint8)))
    label = None
    if kind != "crop":
        models = "+".join(made.told.get("models", []))
        origin: labels.Origin = "enhanced" if kind == "upscale" else "composed"
        label = labels.Label(producer, job_id, str(made.told["engine"]), models, kind, origin)
    preset = preset_of(request) if isinstance(request, PictureRequest) else None
    data = b""
    for quality in QUALITIES:
        data = labels.written(image, format_, label, quality=quality)
        if preset is None or format_ == "png" or len(data) <= preset.max_kb * 1000:
            break
    return data, label is not None
