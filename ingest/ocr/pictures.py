"""Bytes of a picture → what a recogniser is given: upright by its own marks, on white, neither tiny nor huge."""

import io
import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps

from ingest.ocr.ports import Picture, TooLarge, Unreadable

LONG_SIDE = 2000  # pixels; 170 to the inch of a page of A4
SHORT_SIDE = 1400  # of what is much higher than wide, such as a screenshot of a whole shop page; it is read in strips
_HIGHEST = 20_000  # pixels of such a one
_SMALL = 900  # pixels of the longer side; what has less is enlarged, three times at most
_MOST_PIXELS = 80_000_000  # 240 MB when unpacked; a JPEG can be unpacked smaller than it is
_MOST_FRAMES = 1_000
# What Pillow lets out when bytes are not what they should be.
_MALFORMED = (
    *(
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        OSError,
        RuntimeError,
        SyntaxError,
        TypeError,
        ValueError,
    ),
    *(struct.error, zlib.error),
)
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")


def frame_count(data: bytes) -> int:
    """The pages of a TIFF; 1 for anything else. Raises Unreadable."""
    with _opened(data) as image:
        return min(getattr(image, "n_frames", 1), _MOST_FRAMES) if image.format == "TIFF" else 1


def frame(data: bytes, index: int = 0) -> Picture:
    """One page, ready to be read. Raises Unreadable or TooLarge."""
    with _opened(data) as image:
        image.seek(index)
        wanted = _size_to_read(*image.size)
        image.draft("RGB", wanted)
        if image.width * image.height > _MOST_PIXELS:
            raise TooLarge
        return np.asarray(ImageOps.exif_transpose(_on_white(image).resize(wanted, reducing_gap=2.0)))


def size_of(data: bytes) -> tuple[int, int]:
    """(width, height). Raises Unreadable."""
    with _opened(data) as image:
        return image.size


def scale_to_read(width: float, height: float) -> float:
    """What a page's sides are multiplied by to have the pixels that reading needs."""
    if height <= width:
        return LONG_SIDE / width
    return max(LONG_SIDE / height, min(SHORT_SIDE / width, _HIGHEST / height))


def strips(picture: Picture) -> Iterator[tuple[int, Picture]]:
    """(row it begins at, part) of a picture much higher than a page, cut where its rows are emptiest."""
    top, height = 0, len(picture)
    while height - top > 1.3 * LONG_SIDE:
        latest = top + LONG_SIDE
        unrest = picture[latest - LONG_SIDE // 4 : latest].std(axis=(1, 2))
        cut = latest - LONG_SIDE // 4 + int(unrest.argmin())
        yield top, picture[top:cut]
        top = cut
    yield top, picture[top:]


@contextmanager
def _opened(data: bytes) -> Generator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            yield image
    except (Image.DecompressionBombError, MemoryError) as exc:
        raise TooLarge from exc
    except _MALFORMED as exc:
        raise Unreadable from exc


def _size_to_read(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, scale_to_read(width, height))
    if max(width, height) < _SMALL:
        scale = min(3.0, _SMALL / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):  # 16 bits of grey would be cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    with_alpha = image.convert("RGBA")
    paper = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(paper, with_alpha).convert("RGB")
