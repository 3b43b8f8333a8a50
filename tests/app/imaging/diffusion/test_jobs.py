"""The jobs themselves: from a request to labelled files."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pydantic import ValidationError

from app.imaging.engines.diffusion.engine import DiffusionEngine
from app.imaging.engines.diffusion.handlers import (
    SceneInpainter,
    TextToImageHandler,
    VariationHandler,
)
from app.imaging.engines.diffusion.loras import LoraShelf
from app.imaging.engines.diffusion.models import ModelShelf
from app.imaging.engines.diffusion.pictures import Finish, encode, pasted_back
from app.imaging.engines.diffusion.requests import LoraChoice, SceneInpaint, TextToImage, Variation
from app.imaging.engines.diffusion.service import GpuService
from app.imaging.ports import ScenePainter
from app.jobs.ports import Handler, JobCancelled, JobFailed, NewArtifact
from app.jobs.working import MemoryWork
from knowledge.errors import InvalidInput
from tests.app.imaging.diffusion.pixels import difference


@pytest.fixture
def engine(models: ModelShelf, loras: LoraShelf, service: GpuService) -> DiffusionEngine:
    return DiffusionEngine(models, loras, service)


@pytest.fixture
def photo() -> Image.Image:
    """A product on a noisy table, of an odd size."""
    noise = np.random.default_rng(0).integers(90, 160, (75, 101, 3), np.uint8)
    picture = Image.fromarray(noise)
    picture.paste(Image.fromarray(noise[::-1, :, ::-1].copy() // 2), mask=product(picture))
    return picture


def product(picture: Image.Image) -> Image.Image:
    """A disc, with a soft rim of some pixels."""
    large = Image.new("L", (picture.width * 4, picture.height * 4))
    ImageDraw.Draw(large).ellipse((120, 80, 280, 240), fill=255)
    return large.resize(picture.size, Image.Resampling.BOX)


def png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG")
    return written.getvalue()


def opened(artifact: NewArtifact) -> Image.Image:
    return Image.open(io.BytesIO(artifact.data)).convert("RGB")


async def test_words_become_pictures_of_the_size_asked_for(engine: DiffusionEngine) -> None:
    handler: Handler[TextToImage] = TextToImageHandler(engine)
    work = MemoryWork()
    request = TextToImage(prompt="a red cup", width=100, height=70, count=2, seed=9, format="png")
    outcome = await handler.run(request, work)
    assert [opened(artifact).size for artifact in outcome.artifacts] == [(100, 70)] * 2
    first = outcome.artifacts[0]
    assert (first.name, first.media_type) == ("text_to_image-9.png", "image/png")
    assert first.about == {"engine": "diffusion", "model": "tiny", "seed": 9, "width": 100, "height": 70}
    assert outcome.result == {
        "engine": "diffusion",
        "model": "tiny",
        "seeds": [9, 10],
        "steps": 4,
        "guidance": 3.0,
        "scheduler": "dpm++",
        "loras": [],
        "drawn_at": [104, 72],
        "size": [100, 70],
        "batch": 2,
        "notes": [
            {
                "code": "image_unscreened",
                "message": "This model has no safety checker; look at the picture before using it.",
            }
        ],
    }
    assert (outcome.used.images, outcome.used.model) == (2, "tiny")
    assert outcome.used.gpu_seconds > 0
    percents = [percent for percent, _, _ in work.reports]
    assert percents == sorted(percents)
    assert percents[0] < 5
    assert percents[-1] > 90
    assert {stage for _, stage, _ in work.reports} >= {"waiting", "drawing", "finishing"}
    assert any(preview is not None and preview.image for _, _, preview in work.reports)


async def test_without_a_seed_a_job_that_runs_twice_draws_the_same(engine: DiffusionEngine) -> None:
    handler = TextToImageHandler(engine)
    request = TextToImage(prompt="a red cup", width=64, height=64, format="png")
    once, again, other = [
        (await handler.run(request, MemoryWork(job_id=job_id))).artifacts[0] for job_id in ("one", "one", "two")
    ]
    assert once.data == again.data
    assert difference(opened(once), opened(other)) > 10


async def test_a_style_by_name_with_its_usual_weight(engine: DiffusionEngine) -> None:
    handler = TextToImageHandler(engine)
    plain = TextToImage(prompt="a red cup", width=64, height=64, seed=1, format="png")
    styled = plain.model_copy(update={"loras": (LoraChoice(name="matte"), LoraChoice(name="glaze", weight=0.3))})
    bare, outcome = [await handler.run(request, MemoryWork()) for request in (plain, styled)]
    assert outcome.result["loras"] == [{"name": "matte", "weight": 0.5}, {"name": "glaze", "weight": 0.3}]
    assert difference(opened(bare.artifacts[0]), opened(outcome.artifacts[0])) > 5
    with pytest.raises(InvalidInput, match="no style named gloss"):
        handler.estimate(plain.model_copy(update={"loras": (LoraChoice(name="gloss"),)}))


def test_requests_are_checked_at_the_edge() -> None:
    for wrong in (
        {"prompt": ""},
        {"prompt": "x", "width": 4096},
        {"prompt": "x", "count": 5},
        {"prompt": "x", "loras": [{"name": "a"}, {"name": "a"}]},
        {"prompt": "x", "unknown": 1},
    ):
        with pytest.raises(ValidationError):
            TextToImage.model_validate(wrong)


@pytest.mark.parametrize(
    ("prompt", "code"), [("红色的杯子", "prompt_chinese"), ("a very long story " * 20, "prompt_cut")]
)
async def test_a_prompt_that_the_model_cannot_take_in_is_noted(engine: DiffusionEngine, prompt: str, code: str) -> None:
    outcome = await TextToImageHandler(engine).run(TextToImage(prompt=prompt, width=64, height=64), MemoryWork())
    assert code in [note["code"] for note in outcome.result["notes"]]


async def test_a_variation_has_the_pictures_own_size_and_more_strength_changes_more(
    engine: DiffusionEngine, photo: Image.Image
) -> None:
    handler: Handler[Variation] = VariationHandler(engine)
    work = MemoryWork({"photo": png(photo)})
    outcomes = [
        await handler.run(
            Variation(image="photo", prompt="a cup", strength=strength, seed=1, steps=10, format="png"), work
        )
        for strength in (0.1, 0.9)
    ]
    slight, strong = (opened(outcome.artifacts[0]) for outcome in outcomes)
    assert slight.size == strong.size == photo.size
    assert outcomes[0].result["drawn_at"] == [72, 56]
    assert difference(slight, strong) > 10


@pytest.mark.parametrize("model", ["tiny", "inpainter", "tiny_xl"])
async def test_a_scene_keeps_the_products_pixels_exactly_and_draws_the_rest_anew(
    engine: DiffusionEngine, photo: Image.Image, model: str
) -> None:
    scene: ScenePainter = SceneInpainter(engine, lambda _: product(photo))
    request = SceneInpaint(image="photo", prompt="on a beach", model=model, seed=1, count=2, format="png")
    assert scene.estimate(request).images == 2
    outcome = await scene.run(request, MemoryWork({"photo": png(photo)}))
    before, kept = np.asarray(photo, np.int16), np.asarray(product(photo)) == 255
    assert kept.sum() > 1000
    assert [artifact.name for artifact in outcome.artifacts] == ["scene-1.png", "scene-2.png"]
    for artifact in outcome.artifacts:
        after = np.asarray(opened(artifact), np.int16)
        assert (after[kept] == before[kept]).all()
        around = np.asarray(product(photo)) == 0
        assert np.abs(after[around] - before[around]).mean() > 10


def test_a_soft_rim_takes_the_products_own_colours() -> None:
    """Half-transparent, over black, with the old background (white) taken out: no white is left in it."""
    photo, drawn = Image.new("RGB", (2, 1), "white"), Image.new("RGB", (2, 1), "black")
    cut = Image.new("RGBA", (2, 1))
    cut.putdata([(200, 0, 0, 255), (200, 0, 0, 128)])
    assert [pasted_back(photo, cut, drawn).getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (100, 0, 0)]
    assert pasted_back(photo, cut.getchannel("A"), drawn).getpixel((1, 0)) == (128, 128, 128)


async def test_a_picture_without_a_product_is_refused(engine: DiffusionEngine, photo: Image.Image) -> None:
    scene = SceneInpainter(engine, lambda _: Image.new("L", photo.size))
    with pytest.raises(JobFailed) as failed:
        await scene.run(SceneInpaint(image="photo", prompt="on a beach"), MemoryWork({"photo": png(photo)}))
    assert failed.value.error_code == "image_no_subject"


async def test_what_is_no_picture_is_refused(engine: DiffusionEngine) -> None:
    work = MemoryWork({"text": b"hello", "cut": png(Image.new("RGB", (50, 50)))[:60]})
    for artifact in ("text", "cut"):
        with pytest.raises(JobFailed) as failed:
            await VariationHandler(engine).run(Variation(image=artifact, prompt="a cup"), work)
        assert failed.value.error_code == "image_unreadable"


async def test_the_label_is_asked_with_what_it_must_say(
    models: ModelShelf, loras: LoraShelf, service: GpuService
) -> None:
    asked: list[Finish] = []

    def label(picture: Image.Image, finish: Finish) -> bytes:
        asked.append(finish)
        return encode(picture, finish)

    handler = TextToImageHandler(DiffusionEngine(models, loras, service, label=label))
    request = TextToImage(prompt="a cup", width=64, height=64, format="webp", mark=True)
    outcome = await handler.run(request, MemoryWork(job_id="42"))
    assert asked == [Finish("webp", True, "tiny", "42", "text_to_image")]
    assert opened(outcome.artifacts[0]).size == (64, 64)


async def test_jobs_that_run_at_once_share_a_batch_and_one_is_cancelled_alone(
    models: ModelShelf, loras: LoraShelf, new_service: Callable[..., GpuService]
) -> None:
    handler = TextToImageHandler(DiffusionEngine(models, loras, new_service(company=3)))
    works = [MemoryWork(job_id=str(number)) for number in range(3)]
    plain = works[1].report

    def giving_up(percent: int, stage: str, preview: Any = None) -> None:
        plain(percent, stage, preview)
        if percent > 40:
            works[1].cancel.set()

    works[1].report = giving_up  # type: ignore[method-assign]
    request = TextToImage(prompt="a red cup", width=64, height=64, steps=6)
    first, second, third = await asyncio.gather(*(handler.run(request, work) for work in works), return_exceptions=True)
    assert isinstance(second, JobCancelled)
    assert len(works[1].reports) < len(works[0].reports)
    assert first.result["batch"] == third.result["batch"] == 3  # type: ignore[union-attr]


async def test_an_estimate_names_the_model_and_learns_from_what_was_measured(
    models: ModelShelf, loras: LoraShelf, new_service: Callable[..., GpuService]
) -> None:
    handler = TextToImageHandler(DiffusionEngine(models, loras, new_service()))
    request = TextToImage(prompt="a cup", width=64, height=64, count=2)
    before = handler.estimate(request)
    assert (before.images, before.model) == (2, "tiny")
    dearer = handler.estimate(request.model_copy(update={"steps": 40}))
    assert dearer.gpu_seconds > 5 * before.gpu_seconds
    outcome = await handler.run(request, MemoryWork())
    after = handler.estimate(request)
    assert after.gpu_seconds == pytest.approx(outcome.used.gpu_seconds, abs=0.01)
    assert after.gpu_seconds != pytest.approx(before.gpu_seconds, abs=0.001)


async def test_a_blank_picture_fails_the_job(
    models: ModelShelf, loras: LoraShelf, new_service: Callable[..., GpuService]
) -> None:
    """A decoder that overflows gives NaN, which comes out black."""
    from app.imaging.engines.diffusion.loading import load

    def overflowing(entry: Any, device: Any) -> Any:
        resident = load(entry, device)
        resident._pipe.vae.decoder.conv_out.bias.data.fill_(float("nan"))
        return resident

    handler = TextToImageHandler(DiffusionEngine(models, loras, new_service(load=overflowing)))
    with pytest.raises(JobFailed) as failed:
        await handler.run(TextToImage(prompt="a cup", width=64, height=64), MemoryWork())
    assert failed.value.error_code == "image_blank"
