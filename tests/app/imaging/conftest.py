"""The studio with its real weights, and jobs run on it without a ledger."""

from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from PIL import Image

from app.imaging.handlers import Desk, image_handlers
from app.imaging.weights import MATTING, UPSCALING, Weights
from app.jobs.ports import Outcome
from app.jobs.working import MemoryWork
from app.settings import Settings
from tests.conftest import ROOT

Run: TypeAlias = Callable[..., Awaitable[Outcome]]
SAMPLES = ROOT / "app" / "imaging" / "samples"


@pytest.fixture(scope="session")
def weights() -> Weights:
    """The real ones, where ``make install`` puts them."""
    folder = Settings().cache_folder
    found = Weights(folder)
    if not (found.present(MATTING) and found.present(UPSCALING)):
        pytest.fail(f"weights are missing; run: make install (or: python -m app.imaging.weights {folder})")
    return found


@pytest.fixture(scope="session")
def desk(weights: Weights) -> Desk:
    return Desk(Settings().cache_folder, threads=2, producer="测试店铺")


@pytest.fixture(scope="session")
def run(desk: Desk) -> Run:
    """``await run(kind, picture, **fields)``: one job of that kind on the bytes of a picture."""
    handlers: dict[str, Any] = {handler.kind: handler for handler in image_handlers(desk)}

    async def one(kind: str, picture: bytes, *, work: MemoryWork | None = None, **fields: Any) -> Outcome:
        handler = handlers[kind]
        under_way = work or MemoryWork(job_id="job-7")
        under_way.artifacts["picture"] = picture
        outcome: Outcome = await handler.run(handler.request(image="picture", **fields), under_way)
        return outcome

    return one


@pytest.fixture(scope="session")
def mug() -> bytes:
    return (SAMPLES / "mug.jpg").read_bytes()


def opened(outcome: Outcome) -> Image.Image:
    """The picture that a job made."""
    (made,) = outcome.artifacts
    image = Image.open(BytesIO(made.data))
    assert image.get_format_mimetype() == made.media_type
    return image


def sample(name: str) -> Path:
    """A product photo that comes with the project."""
    return SAMPLES / f"{name}.jpg"
