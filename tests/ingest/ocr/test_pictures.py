"""What a recogniser is given of a picture, and what is kept of what it read."""

import io

import numpy as np
import pytest
from PIL import Image

from ingest.ocr.choice import recognizer_named
from ingest.ocr.memory import ScriptedRecognizer
from ingest.ocr.pictures import LONG_SIDE, frame, frame_count, scale_to_read, strips
from ingest.ocr.ports import SeenLine, TooLarge, Unreadable, nobody
from ingest.ocr.reading import read_page


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def striped(width: int, height: int) -> np.ndarray:
    """A white picture with a line of noise every 100 rows."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[::100, ::2] = 0
    picture[1::100, ::2] = 0
    return picture


@pytest.mark.parametrize(
    ("size", "expected"), [((3000, 2000), (2000, 1333)), ((300, 210), (900, 630)), ((100, 40), (300, 120))]
)
def test_large_pictures_are_made_smaller_and_small_ones_larger(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    height, width, depth = frame(encoded(Image.new("RGB", size, "white"), "JPEG")).shape
    assert (width, height, depth) == (*expected, 3)


def test_what_is_transparent_lies_on_white() -> None:
    assert frame(encoded(Image.new("RGBA", (1000, 50), (0, 0, 0, 0)))).min() == 255


def test_deep_grey_and_turned_photos_are_understood() -> None:
    deep = Image.fromarray(np.full((1000, 500), 40_000, np.uint16))
    assert abs(int(frame(encoded(deep)).mean()) - 156) <= 1
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    assert frame(encoded(Image.new("RGB", (1000, 500), "white"), "JPEG", exif=exif)).shape == (1000, 500, 3)


def test_pages_of_a_tiff_are_counted_and_frames_of_a_gif_are_not() -> None:
    pages = [Image.new("L", (1000, 800), grey) for grey in (0, 255)]
    tiff = encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert frame_count(tiff) == 2
    assert [int(frame(tiff, at).mean()) for at in (0, 1)] == [0, 255]
    assert frame_count(encoded(pages[0], "GIF", save_all=True, append_images=pages[1:])) == 1


def test_what_is_no_picture_or_too_large_is_told_apart() -> None:
    with pytest.raises(Unreadable):
        frame(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(TooLarge):
        frame(encoded(Image.new("1", (10_000, 8_100))))


def test_a_long_screenshot_keeps_its_width_and_is_cut_between_its_lines() -> None:
    assert scale_to_read(1080, 9000) * 1080 > 1000
    assert round(scale_to_read(595, 842) * 842) == LONG_SIDE
    picture = striped(200, 5050)
    cuts = list(strips(picture))
    assert sum(len(part) for _, part in cuts) == len(picture)
    assert all(len(part) <= 1.3 * LONG_SIDE for _, part in cuts)
    assert all(picture[top].min() == 255 for top, _ in cuts[1:])


def test_lines_of_all_strips_count_from_the_top_of_the_picture() -> None:
    line = SeenLine("text", 10, 20, 100, 40)
    twin = ScriptedRecognizer([line], [line], [line])
    tops = [line.top for line in read_page(twin, striped(200, 5050), alive=nobody).lines]
    assert len(tops) == 3
    assert [size for _, size in twin.sizes] == [
        int(after - top) for top, after in zip(tops, [*tops[1:], 5070], strict=True)
    ]


def test_what_is_doubtful_or_no_letter_is_dropped_and_empty_pictures_are_not_even_read() -> None:
    sure, doubtful, mark = (SeenLine("sure", 0, 0, 9, 9), SeenLine("drawn", 0, 0, 9, 9, 0.4), SeenLine("—", 0, 0, 9, 9))
    twin = ScriptedRecognizer([sure, doubtful, mark])
    assert not read_page(twin, np.full((300, 300, 3), 250, np.uint8), alive=nobody).lines
    assert not read_page(twin, striped(300, 12), alive=nobody).lines
    assert not twin.sizes
    assert read_page(twin, striped(300, 300), alive=nobody).lines == (sure,)


def test_switched_off_there_is_no_recogniser() -> None:
    assert recognizer_named("off") is None
