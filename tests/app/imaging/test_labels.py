"""The label in the file and the mark in the corner: always there on what was made, never on crops."""

import json
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from app.imaging.engines.diffusion.pictures import Finish
from app.imaging.handlers import Desk
from app.imaging.labels import read_label
from app.imaging.marks import HEIGHT, marked
from app.jobs.ports import Outcome
from tests.app.imaging.conftest import Run
from tests.app.imaging.made import file_of, vase


def bytes_of(outcome: Outcome) -> bytes:
    return outcome.artifacts[0].data


@pytest.mark.parametrize("format_", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("kind", ["white_background", "scene"])
async def test_what_was_made_says_so_in_its_file(run: Run, mug: bytes, kind: str, format_: str) -> None:
    outcome = await run(kind, mug, format=format_, width=300, height=300)
    found = read_label(bytes_of(outcome))
    assert found is not None
    assert found.aigc == {
        "Label": "1", "ContentProducer": "测试店铺", "ProduceID": "job-7",
        "ReservedCode1": "", "ContentPropagator": "", "PropagateID": "", "ReservedCode2": "",
    }  # fmt: skip
    assert found.ours == {"job": "job-7", "engine": "compositor", "model": "u2netp", "kind": kind}
    assert outcome.result["labelled"] is True


async def test_the_packet_is_xmp_in_the_namespace_of_the_practice_guide(run: Run, mug: bytes) -> None:
    data = bytes_of(await run("white_background", mug, format="jpeg", width=300, height=300))
    assert b"http://www.tc260.org.cn/ns/AIGC/1.0/" in data
    assert b"digitalsourcetype/composite<" in data
    description = Image.open(BytesIO(data)).getexif()[0x010E]
    assert json.loads(description)["AIGC"]["ContentProducer"] == "测试店铺"


async def test_png_carries_the_fields_under_their_own_name_too(run: Run, mug: bytes) -> None:
    image = Image.open(BytesIO(bytes_of(await run("transparent", mug, width=300, height=300))))
    assert json.loads(image.info["AIGC"])["Label"] == "1"


@pytest.mark.parametrize("format_", ["jpeg", "png", "webp"])
async def test_a_mere_crop_carries_no_label_and_nothing_else(run: Run, format_: str) -> None:
    exif = Image.Exif()
    exif[0x013B] = "the photographer"
    sent = file_of(vase(), exif=exif, comment=b"taken at home")
    outcome = await run("crop", sent, format=format_, width=300, height=300)
    assert read_label(bytes_of(outcome)) is None
    assert outcome.result["labelled"] is False
    assert b"photographer" not in bytes_of(outcome)
    assert b"taken at home" not in bytes_of(outcome)


def test_a_label_of_another_service_is_read() -> None:
    fields = '{"Label":"2","ContentProducer":"other & co"}'
    escaped = fields.replace('"', "&quot;").replace("&q", "&q").replace(" & ", " &amp; ")
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta><TC260:AIGC>{escaped}</TC260:AIGC></x:xmpmeta>")
    found = read_label(file_of(vase((64, 64)), "PNG", pnginfo=info))
    assert found is not None
    assert found.aigc == {"Label": "2", "ContentProducer": "other & co"}
    assert found.ours == {}


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0broken"])
def test_what_is_no_picture_has_no_label(data: bytes) -> None:
    assert read_label(data) is None


def test_a_label_that_is_no_json_is_none() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("AIGC", "[1, 2")
    assert read_label(file_of(vase((64, 64)), "PNG", pnginfo=info)) is None


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_visible_mark_is_large_and_legible_in_the_lower_right_corner(language: str, ground: int) -> None:
    plain = np.full((1000, 800, 3), ground, np.uint8)
    seen = marked(plain, language)  # type: ignore[arg-type]
    rows, columns = np.nonzero((seen != plain).any(-1))
    assert rows.min() > 880
    assert columns.min() > 400
    letters = (
        np.nonzero((seen > 230).all(-1) & (plain < 230).all(-1)) if ground < 255 else np.nonzero(seen.min(-1) > 250)
    )
    if ground < 255:
        assert np.ptp(letters[0]) + 1 >= 0.05 * 800 - 1 and HEIGHT >= 0.05  # noqa: PT018 (one rule of the standard)
    plate = seen[rows.min() : rows.max(), columns.min() : columns.max()].astype(int)
    assert plate.max() - np.percentile(plate, 5) > 90, "white on dark enough"


async def test_the_mark_comes_by_request_or_by_setting_and_can_be_declined(desk: Desk, run: Run, mug: bytes) -> None:
    bare = await run("white_background", mug, width=300, height=300, format="png")
    asked = await run("white_background", mug, width=300, height=300, format="png", mark="zh")
    assert (bare.result["marked"], asked.result["marked"]) == (False, True)
    corner = [np.asarray(Image.open(BytesIO(bytes_of(each))))[-30:, -60:] for each in (bare, asked)]
    assert corner[0].min() == 255
    assert corner[1].min() < 200


async def test_a_shop_that_always_marks(mug: bytes, desk: Desk) -> None:
    from app.imaging.handlers import image_handlers
    from app.jobs.working import MemoryWork
    from app.settings import Settings

    always = Desk(Settings().cache_folder, threads=2, mark="zh")
    handler = image_handlers(always)[0]
    for mark, expected in ((None, True), ("none", False)):
        request = handler.request(image="a", width=300, height=300, mark=mark)  # type: ignore[call-arg]
        outcome = await handler.run(request, MemoryWork({"a": mug}))
        assert outcome.result["marked"] is expected


@pytest.mark.parametrize(
    ("kind", "source"), [("text_to_image", "trainedAlgorithmicMedia"), ("inpaint", "compositeWith")]
)
def test_drawn_pictures_get_the_same_label(desk: Desk, kind: str, source: str) -> None:
    data = desk.label_drawn(vase((200, 200)), Finish("webp", mark=False, model="sd", job_id="j9", kind=kind))
    found = read_label(data)
    assert found is not None
    assert found.ours == {"job": "j9", "engine": "diffusion", "model": "sd", "kind": kind}
    assert source.encode() in data
