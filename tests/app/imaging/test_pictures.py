"""What people send: read right, or refused with a reason and before it costs anything."""

import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from app.imaging.pictures import read
from app.jobs.ports import JobFailed
from tests.app.imaging.made import bomb, cut_vase, file_of, vase
from tests.conftest import ROOT

# In a process of its own, because memory once taken does not go back.
MEASURE = r"""
import re, sys
from pathlib import Path
from app.imaging.pictures import read
from app.jobs.ports import JobFailed
try:
    print(*read(Path(sys.argv[1]).read_bytes()).size)
except JobFailed as refused:
    print(refused.error_code)
print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""


def refusal(data: bytes) -> JobFailed:
    with pytest.raises(JobFailed) as refused:
        read(data)
    return refused.value


@pytest.mark.parametrize("size", [(10_000, 5_000), (60_000, 60_000)])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    assert refusal(bomb(*size)).error_code == "image_too_large"


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_largest_picture_that_is_read_stays_under_a_gigabyte(mode: str, tmp_path: object) -> None:
    path = ROOT.joinpath(str(tmp_path), "large.png")
    Image.new(mode, (7_800, 6_400), 128).save(path, compress_level=1)
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    size, megabytes = said.stdout.splitlines()
    assert size == "7800 6400"
    assert float(megabytes) < 1024


def test_a_real_bomb_of_fifty_megapixels_costs_no_memory(tmp_path: object) -> None:
    path = ROOT.joinpath(str(tmp_path), "bomb.png")
    Image.new("L", (10_000, 5_000)).save(path)
    said = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    code, megabytes = said.stdout.splitlines()
    assert code == "image_too_large"
    assert float(megabytes) < 200


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><rect/></svg>', "svg"),
        (b"\xef\xbb\xbf  <SVG width='9'></SVG>", "svg"),
        ("这是一份说明，不是图片。".encode(), "text"),
        (b"just words in a file called picture.png", "text"),
        (b"%PDF-1.7\n", "pdf"),
        (b"PK\x03\x04rest of an archive", "zip"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "heic"),
        (b"", "empty"),
    ],
)
def test_what_is_no_picture_is_said_to_be_what_it_is(data: bytes, kind: str) -> None:
    refused = refusal(data)
    assert (refused.error_code, refused.params["kind"]) == ("image_unsupported", kind)


def test_a_jpeg_that_breaks_off_is_refused_as_truncated() -> None:
    whole = file_of(vase())
    assert refusal(whole[: len(whole) // 2]).error_code == "image_truncated"


def test_a_png_that_breaks_off_is_refused() -> None:
    whole = file_of(vase((300, 300)), "PNG")
    assert refusal(whole[: len(whole) // 2]).error_code in {"image_truncated", "image_unreadable"}


def test_a_damaged_header_is_unreadable() -> None:
    assert refusal(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4).error_code == "image_unreadable"


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_a_picture_that_moves_is_refused_with_its_number_of_frames(format_: str) -> None:
    frames = [Image.new("RGB", (300, 300), colour) for colour in ("red", "green", "blue")]
    refused = refusal(file_of(frames[0], format_, save_all=True, append_images=frames[1:]))
    assert (refused.error_code, refused.params["frames"]) == ("image_animated", 3)


def test_a_gif_that_stands_still_is_read() -> None:
    assert read(file_of(vase((300, 240)), "GIF")).pixels.shape == (240, 300, 3)


def test_exif_rotation_is_applied() -> None:
    upright = Image.new("RGB", (400, 300), "white")
    upright.paste((200, 30, 30), (0, 0, 400, 60))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side: turn clockwise to look at it
    picture = read(file_of(upright.rotate(90, expand=True), exif=exif))
    assert picture.size == (400, 300)
    assert picture.pixels[20, 200, 0] > 150 > picture.pixels[20, 200, 1]
    assert picture.pixels[280, 200].min() > 240


def test_cmyk_becomes_rgb_and_says_that_its_colours_are_approximate() -> None:
    picture = read(file_of(Image.new("CMYK", (300, 300), (0, 200, 200, 0))))
    assert picture.pixels.shape == (300, 300, 3)
    red, green, blue = (int(value) for value in picture.pixels[150, 150])
    assert red > 200
    assert green < 120
    assert abs(green - blue) < 30
    assert [note.code for note in picture.notes] == ["image_cmyk_plain"]


def test_a_colour_profile_is_brought_to_srgb() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    shown = ImageCms.profileToProfile(
        Image.new("RGB", (50, 50), (10, 200, 40)), ImageCms.createProfile("sRGB"), lab, outputMode="LAB"
    )
    assert shown is not None
    picture = read(file_of(shown, "TIFF", icc_profile=lab.tobytes()))
    np.testing.assert_allclose(picture.pixels[25, 25], (10, 200, 40), atol=12)  # by way of eight bits of LAB


def test_a_broken_profile_is_noted_and_the_picture_read_all_the_same() -> None:
    picture = read(file_of(vase((300, 300)), icc_profile=b"no profile at all"))
    assert [note.code for note in picture.notes] == ["image_profile_unreadable"]


def test_sixteen_bits_are_scaled_down_and_not_cut_off() -> None:
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16)[None, :].repeat(64, 0)
    pixels = read(file_of(Image.fromarray(ramp), "PNG")).pixels
    np.testing.assert_allclose(pixels[10, :, 0], np.arange(256), atol=1)


def test_transparency_is_kept_as_the_mask() -> None:
    picture = read(file_of(cut_vase((300, 300)), "PNG"))
    assert picture.alpha is not None
    assert picture.alpha[150, 150] == 1
    assert picture.alpha[5, 5] == 0


def test_a_palette_with_a_transparent_colour_is_transparent() -> None:
    image = Image.new("P", (300, 300), 0)
    image.putpalette([255, 255, 255, 200, 0, 0])
    image.paste(1, (100, 100, 200, 200))
    picture = read(file_of(image, "PNG", transparency=0))
    assert picture.alpha is not None
    assert (picture.alpha[0, 0], picture.alpha[150, 150]) == (0, 1)
    assert tuple(picture.pixels[150, 150]) == (200, 0, 0)


def test_an_opaque_alpha_channel_is_no_mask() -> None:
    assert read(file_of(vase((300, 300)).convert("RGBA"), "PNG")).alpha is None


def test_more_pixels_than_anybody_needs_are_averaged_away() -> None:
    picture = read(file_of(vase((2400, 1800))), longest=800)
    assert picture.size == (2400, 1800)
    assert picture.pixels.shape == (600, 800, 3)


def test_the_same_bytes_have_the_same_name() -> None:
    one, other = file_of(vase((300, 300))), file_of(vase((301, 300)))
    assert read(one).digest == read(BytesIO(one).getvalue()).digest != read(other).digest
