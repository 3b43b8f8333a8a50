"""Pictures made for tests: good, spoilt, and hostile."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def file_of(image: Image.Image, format_: str = "JPEG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, format_, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def vase(size: tuple[int, int] = (900, 900), *, colour: tuple[int, int, int] = (60, 120, 200)) -> Image.Image:
    """A plain product on a light wall, with a little shading and noise; RGB."""
    return Image.alpha_composite(_wall(size).convert("RGBA"), cut_vase(size, colour=colour)).convert("RGB")


def cut_vase(size: tuple[int, int] = (900, 900), *, colour: tuple[int, int, int] = (60, 120, 200)) -> Image.Image:
    """The same product on nothing; RGBA."""
    width, height = size
    mask = Image.new("L", (width * 2, height * 2), 0)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((width * 0.6, height * 0.7, width * 1.4, height * 1.5), fill=255)
    draw.rectangle((width * 0.85, height * 0.45, width * 1.15, height * 0.9), fill=255)
    draw.rectangle((width * 0.75, height * 1.35, width * 1.25, height * 1.55), fill=255)
    mask = mask.resize(size, Image.Resampling.LANCZOS)
    across = np.linspace(1.25, 0.65, width)[None, :, None]
    pixels = np.clip(np.array(colour)[None, None, :] * across, 0, 255) * np.ones((height, 1, 1))
    body = Image.fromarray(pixels.astype(np.uint8))
    body.putalpha(mask)
    return body


def _wall(size: tuple[int, int]) -> Image.Image:
    generator = np.random.default_rng(3)
    down = np.linspace(225, 200, size[1])[:, None, None]
    return Image.fromarray((down + generator.normal(0, 3, (size[1], size[0], 3))).clip(0, 255).astype(np.uint8))


def blurred(data: bytes, radius: float) -> bytes:
    return file_of(opened(data).filter(ImageFilter.GaussianBlur(radius)))


def brightened(data: bytes, factor: float) -> bytes:
    return file_of(opened(data).point(lambda value: min(255, value * factor)))


def collage(data: bytes) -> bytes:
    """Four of it, two by two."""
    small = opened(data).resize((500, 400))
    sheet = Image.new("RGB", (1000, 800), "white")
    for x, y in [(0, 0), (500, 0), (0, 400), (500, 400)]:
        sheet.paste(small, (x, y))
    return file_of(sheet)


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than it holds; a few hundred bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
