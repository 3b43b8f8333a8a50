"""Every reason for refusing a photo, provoked; and what force changes."""

import numpy as np
import pytest
from PIL import Image

from app.imaging import overlaid_text
from app.imaging.screening import Measures, judge
from app.jobs.ports import JobFailed
from tests.app.imaging.conftest import Run, sample
from tests.app.imaging.made import blurred, brightened, collage, cut_vase, file_of, opened, vase


async def refusal(run: Run, picture: bytes, **fields: object) -> JobFailed:
    with pytest.raises(JobFailed) as refused:
        await run("white_background", picture, width=400, height=400, **fields)
    return refused.value


@pytest.mark.parametrize("name", ["mug", "bottle", "bag", "jar"])
async def test_the_samples_are_good_enough(run: Run, name: str) -> None:
    outcome = await run("white_background", sample(name).read_bytes(), width=400, height=400)
    assert outcome.result["notes"] == []
    assert outcome.result["screening"]["unsure"] < 3


async def test_too_small(run: Run) -> None:
    refused = await refusal(run, file_of(vase((320, 180))), force=True)
    assert refused.error_code == "image_too_small"
    assert (refused.params["found"], refused.params["limit"]) == ("180", "200")
    assert "original" in refused.message


async def test_blurred(run: Run, mug: bytes) -> None:
    refused = await refusal(run, blurred(mug, 9))
    assert refused.error_code == "image_blurred"
    assert float(refused.params["found"]) < 20


async def test_an_enlarged_thumbnail_is_blurred(run: Run, mug: bytes) -> None:
    small = opened(mug).resize((100, 80), Image.Resampling.LANCZOS).resize((1200, 960), Image.Resampling.BICUBIC)
    assert (await refusal(run, file_of(small))).error_code == "image_blurred"


async def test_too_dark(run: Run, mug: bytes) -> None:
    refused = await refusal(run, brightened(mug, 0.12))
    assert refused.error_code == "image_too_dark"
    assert refused.params["forceable"] == "yes"


async def test_burnt_out(run: Run) -> None:
    pixels = np.asarray(vase(colour=(190, 190, 190))).astype(float) * 1.6
    wall = np.asarray(vase()).astype(float)
    product = np.asarray(cut_vase().getchannel("A"))[..., None] > 128
    spoilt = np.where(product, pixels, wall * 0.5).clip(0, 255).astype(np.uint8)
    refused = await refusal(run, file_of(Image.fromarray(spoilt)))
    assert "image_overexposed" in str(refused.params["reasons"])


async def test_no_subject(run: Run) -> None:
    blank = Image.fromarray(np.full((600, 600, 3), 180, np.uint8))
    refused = await refusal(run, file_of(blank), force=True)
    assert refused.error_code == "image_no_subject"
    assert refused.params["forceable"] == "no"


async def test_several_subjects(run: Run, mug: bytes) -> None:
    refused = await refusal(run, collage(mug))
    assert "image_several_subjects" in str(refused.params["reasons"])


async def test_cropped(run: Run, mug: bytes) -> None:
    refused = await refusal(run, file_of(opened(mug).crop((400, 60, 1200, 760))))
    assert "image_subject_cropped" in str(refused.params["reasons"])


async def test_all_but_the_final_reasons_become_notes_by_force(run: Run, mug: bytes) -> None:
    outcome = await run("white_background", blurred(mug, 9), force=True, width=400, height=400)
    assert "image_blurred" in [note["code"] for note in outcome.result["notes"]]


def measures(**changes: float | None) -> Measures:
    good = {
        "sharpness": 90.0,
        "mean": 130.0,
        "dark": 1.0,
        "blown": 0.0,
        "area": 30.0,
        "largest": 100.0,
        "touch": 0.0,
        "unsure": 1.0,
        "text": None,
    }
    return Measures(smallest_side=900, **(good | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"area": 3.9}, "image_no_subject"),
        ({"area": 86.0}, "image_subject_too_large"),
        ({"dark": 60.0, "mean": 50.0}, "image_too_dark"),
        ({"unsure": 26.0}, "image_subject_unclear"),
        ({"text": 3.5}, "image_has_text"),
    ],
)
def test_the_limits(changes: dict[str, float], code: str) -> None:
    (reason,) = judge(measures(**changes))
    assert reason.code == code
    assert f"{reason.limit:.0f}" in reason.message


def test_a_black_product_on_white_is_not_too_dark() -> None:
    assert list(judge(measures(dark=45.0, mean=140.0))) == []


@pytest.mark.skipif(not overlaid_text.installed(), reason="the ocr extra is not installed: pip install '.[ocr]'")
async def test_a_slogan_over_the_picture_is_found(run: Run, mug: bytes) -> None:
    from PIL import ImageDraw, ImageFont

    shouting = opened(mug)
    ImageDraw.Draw(shouting).text((30, 20), "SUPER SALE 50 % OFF", font=ImageFont.load_default(size=100), fill="red")
    assert (await refusal(run, file_of(shouting))).error_code == "image_has_text"
