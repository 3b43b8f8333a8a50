"""Pictures as people send them, read safely: judged by their bytes, refused with a reason, turned upright and to sRGB.

Refusals are JobFailed with one of these codes:

image_unsupported  SVG, text, HEIC, PDF, …: ``params["kind"]``
image_too_large    50 megapixels or more, read from the header before anything is decoded
image_animated     several frames: which one is meant?
image_truncated    the end is missing
image_unreadable   damaged in another way

Memory: no more than about 4 bytes for each of 50 million pixels while decoding, and 16 million pixels afterwards.
"""

import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from app.imaging.ports import Alpha, Note, Picture, Pixels, Size
from app.jobs.ports import JobFailed

MOST_PIXELS = 50_000_000
LONGEST = 4000  # pixels a side that anything here can use
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
OPAQUE = 0.99  # alpha above this over all of the picture is none

# First bytes of what people send by mistake.
_OTHERS = {
    b"%PDF": "pdf",
    b"PK\x03\x04": "zip",
    b"8BPS": "psd",
    b"\x00\x00\x01\x00": "ico",
    b"\x1f\x8b": "gzip",
    b"\x7fELF": "program",
}


def read(data: bytes, *, longest: int = LONGEST) -> Picture:
    """The first and only frame, with sides of at most ``longest`` pixels. Raises JobFailed, see above."""
    kind = _sniff(data)
    if kind is not None:
        raise JobFailed(
            f"This is no picture that can be used ({kind}); send a JPEG, PNG or WebP file.",
            code="image_unsupported",
            kind=kind,
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _refuse_by_header(image)
            return _decoded(image, hashlib.sha256(data).hexdigest(), longest)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(None) from None
    except UnidentifiedImageError:
        raise _unreadable() from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError) as exc:
        raise (_truncated() if "truncated" in str(exc).lower() else _unreadable()) from None


def _sniff(data: bytes) -> str | None:
    """What it is, when it is none of the formats that are read."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return "empty"
    if b"<svg" in head.lower() or (head.startswith(b"<?xml") and b"svg" in data[:4096].lower()):
        return "svg"
    if data[4:8] == b"ftyp" and data[8:12] in {b"heic", b"heix", b"hevc", b"mif1", b"msf1"}:
        return "heic"
    for first, kind in _OTHERS.items():
        if data.startswith(first):
            return kind
    return "text" if _is_text(data[:512]) else None


def _is_text(head: bytes) -> bool:
    try:
        shown = head.decode("utf-8", errors="strict" if len(head) < 512 else "ignore")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n" for character in shown)


def _refuse_by_header(image: Image.Image) -> None:
    if image.width * image.height >= MOST_PIXELS:
        raise _too_large(image.size)
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "TIFF":  # further pages of a TIFF are thumbnails or scans
        raise JobFailed(
            f"This picture moves: it has {frames} frames. Send the one you want as JPEG or PNG.",
            code="image_animated",
            frames=frames,
        )


def _decoded(image: Image.Image, digest: str, longest: int) -> Picture:
    kind, sent, profile = image.format or "", image.size, image.info.get("icc_profile")
    if image.format == "JPEG":
        image.draft(image.mode, (longest, longest))  # decodes at a half or a quarter where that is still enough
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    if (image.width > image.height) != (sent[0] > sent[1]):
        sent = sent[1], sent[0]
    reduced = _reduced(_eight_bits(image), longest)
    colours, alpha = _split(reduced)
    colours, notes = _to_srgb(colours, profile)
    pixels: Pixels = np.asarray(colours.convert("RGB"))
    return Picture(pixels, alpha, kind.lower(), sent, digest, notes)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit and floating-point greys scaled down; Pillow would cut them off at 255."""
    if image.mode not in {"I;16", "I;16B", "I;16L", "I", "F"}:
        return image
    values = np.asarray(image, np.float32)
    top = float(values.max(initial=0))
    scale = 1.0 if image.mode == "F" and top <= 1 else 255.0 if top <= 255 else 65535.0
    return Image.fromarray(np.round(np.clip(values / scale, 0, 1) * 255).astype(np.uint8))


def _reduced(image: Image.Image, longest: int) -> Image.Image:
    if max(image.size) <= longest:
        return image
    share = longest / max(image.size)
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    smooth = image if image.mode in {"L", "RGB", "RGBA", "CMYK", "LA"} else _expanded(image)
    # Premultiplied, or the colour under transparent pixels would bleed into the edge.
    if smooth.mode == "RGBA":
        return smooth.convert("RGBa").resize(size, Image.Resampling.BOX, reducing_gap=2).convert("RGBA")
    return smooth.resize(size, Image.Resampling.BOX, reducing_gap=2)


def _expanded(image: Image.Image) -> Image.Image:
    see_through = "transparency" in image.info or image.mode in {"PA", "La", "RGBa"}
    return image.convert("RGBA" if see_through else "RGB")


def _split(image: Image.Image) -> tuple[Image.Image, Alpha | None]:
    """Colours, and alpha if any of it is really transparent."""
    if image.mode not in {"RGB", "L", "CMYK", "RGBA", "LA", "LAB"}:
        image = _expanded(image)
    if image.mode not in {"RGBA", "LA"}:
        return image, None
    alpha: Alpha = np.asarray(image.getchannel("A"), np.float32) / np.float32(255)
    return image.convert("RGB"), None if alpha.min(initial=1) > OPAQUE else alpha


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[Note, ...]]:
    """By the embedded profile; without one RGB is taken for sRGB, and CMYK is turned over plainly."""
    if not profile:
        plain = (Note("image_cmyk_plain", "This CMYK picture has no colour profile; its colours are approximate."),)
        return image, plain if image.mode == "CMYK" else ()
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        shown: Any = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image, (Note("image_profile_unreadable", "The picture's colour profile could not be used."),)
    return shown, ()


def _too_large(size: Size | None) -> JobFailed:
    shown = f"{size[0]}×{size[1]}" if size else "more than 89 million"
    return JobFailed(
        f"This picture is too large ({shown} pixels); send one of less than 50 megapixels.",
        code="image_too_large",
        pixels=shown,
        limit=MOST_PIXELS,
    )


def _truncated() -> JobFailed:
    return JobFailed("The end of this picture is missing; send the file again.", code="image_truncated")


def _unreadable() -> JobFailed:
    return JobFailed(
        "This file is no picture that can be read; send a JPEG, PNG or WebP file.", code="image_unreadable"
    )
