"""Pictures in and out, where the caller brings nothing better, and the product pasted back."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from PIL import Image, ImageOps, UnidentifiedImageError

from app.imaging.engines.diffusion.recipes import Size
from app.imaging.engines.diffusion.requests import Format
from app.jobs.ports import JobFailed

MOST_PIXELS = 50_000_000
QUALITY = 92
BLANK_SPREAD = 3  # of 255: less than this in every channel is one flat colour
PRODUCT = 128  # of 255: from here on a pixel belongs to the product and is not drawn anew


@dataclass(frozen=True, slots=True)
class Finish:
    """How a drawn picture leaves, and what its label says. ``kind``: text_to_image, variation or inpaint."""

    format: Format
    mark: bool
    model: str
    job_id: str
    kind: str


Label: TypeAlias = Callable[[Image.Image, Finish], bytes]
OpenPicture: TypeAlias = Callable[[bytes], Image.Image]
# The bytes of a picture → "L", as large as what OpenPicture makes of them; 255 is product. Or "RGBA", with that as
# alpha, and colours that have nothing of the old background in them.
Mask: TypeAlias = Callable[[bytes], Image.Image]


def open_picture(data: bytes) -> Image.Image:
    """RGB, upright, transparency over white. Raises JobFailed ``image_unreadable``."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise _unreadable()
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise _unreadable() from None
    white = Image.new("RGBA", upright.size, "white")
    return Image.alpha_composite(white, upright).convert("RGB")


def encode(picture: Image.Image, finish: Finish) -> bytes:
    """The bare file, without a label: for tests and benchmarks."""
    written = io.BytesIO()
    picture.save(written, finish.format.upper(), quality=QUALITY)
    return written.getvalue()


def to_redraw(product: Image.Image, size: Size) -> Image.Image:
    """The mask for inpainting, in its size: 255 wherever the product is not."""
    around = alpha_of(product).point(lambda alpha: 0 if alpha >= PRODUCT else 255)
    return around.resize(size, Image.Resampling.NEAREST)


def pasted_back(photo: Image.Image, product: Image.Image, drawn: Image.Image) -> Image.Image:
    """The drawn surroundings with the product over them. Where it is opaque, the pixels are the photo's, exactly:
    inpainting itself changes them, because all of the picture goes through the decoder. Its soft rim takes the
    product's own colours, if they are given."""
    alpha = alpha_of(product)
    opaque = alpha.point(lambda value: 255 if value == 255 else 0)
    front = Image.composite(photo, product.convert("RGB"), opaque) if product.mode == "RGBA" else photo
    return Image.composite(front, drawn.resize(photo.size, Image.Resampling.LANCZOS), alpha)


def alpha_of(product: Image.Image) -> Image.Image:
    """ "L", of either kind of mask."""
    return product.getchannel("A") if product.mode == "RGBA" else product


def is_blank(picture: Image.Image) -> bool:
    """One flat colour, as an overflow in the decoder leaves it."""
    extrema = picture.convert("RGB").getextrema()
    return all(high - low < BLANK_SPREAD for low, high in extrema)  # type: ignore[misc]


def _unreadable() -> JobFailed:
    return JobFailed("This file is no picture that can be read; send a JPEG, PNG or WebP.", code="image_unreadable")
