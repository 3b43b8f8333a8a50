"""Is this picture worth working on? Each reason is typed, with the number found, the limit, and what to do about it.

image_too_small         a side of less than 200 pixels                          final
image_no_subject        no product stands out, or it takes less than 4 %        final
image_blurred           the product, its outline included, has no sharp edges
image_too_dark          hardly any light
image_overexposed       the product is burnt out
image_several_subjects  the largest piece is less than 70 % of all that stands out
image_subject_cropped   the product runs out of the picture
image_subject_too_large it takes more than 85 % of the picture: a detail, not a product
image_subject_unclear   the network does not know where the product ends
image_has_text          promotional text lies over the picture (with the ``ocr`` extra only)

The limits come from 16 pictures and their spoilt versions; tune them on the merchant's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from app.imaging import overlaid_text
from app.imaging.matting import NOTHING, box_of
from app.imaging.ports import Cutout, Note, Picture
from app.jobs.ports import JobFailed

SMALLEST_SIDE = 200
# 99th percentile of the Laplacian in and around the product, at 512 pixels: sharp ones 24–105, blurred by 3 pixels of
# 1200 or enlarged from 100: 7–18. The variance over the product (25) would refuse plain mugs and pass spotted blurs.
LEAST_SHARPNESS = 20.0
LEAST_MEAN, MOST_DARK = 30.0, 40.0
MOST_BLOWN = 35.0
LEAST_AREA, MOST_AREA = 4.0, 85.0
LEAST_LARGEST = 70.0
MOST_TOUCH = 25.0
MOST_UNSURE, WATCH_UNSURE = 25.0, 5.0
MOST_TEXT = 3.0
VIEW = 512  # pixels; sharpness depends on size, so it is measured at one


@dataclass(frozen=True, slots=True)
class Measures:
    """What was found, in percent of the picture or of the product, unless said otherwise."""

    smallest_side: int  # pixels
    sharpness: float  # grey levels
    mean: float  # brightness, 0–255
    dark: float
    blown: float
    area: float
    largest: float
    touch: float
    unsure: float
    text: float | None  # None: OCR is not installed


@dataclass(frozen=True, slots=True)
class Reason:
    """Why not. ``final``: going on by force makes no sense."""

    code: str
    message: str
    found: float
    limit: float
    final: bool = False

    def note(self) -> Note:
        return Note(self.code, self.message)


def check_size(picture: Picture) -> None:
    """Before any work. Raises JobFailed ``image_too_small``."""
    side = min(picture.size)
    if side < SMALLEST_SIDE:
        raise _failed(
            [
                Reason(
                    "image_too_small",
                    f"The picture is too small: its shorter side has {side} pixels, {SMALLEST_SIDE} are needed. "
                    "Send the original file, not a thumbnail or a screenshot.",
                    side,
                    SMALLEST_SIDE,
                    final=True,
                )
            ]
        )


def screen(picture: Picture, cutout: Cutout, *, force: bool) -> tuple[Measures, tuple[Note, ...]]:
    """Raises JobFailed with the first reason's code, and all of them in ``params["reasons"]``.

    By ``force`` all but the final ones become notes.
    """
    found = measure(picture, cutout)
    reasons = list(judge(found))
    if any(reason.final for reason in reasons) or (reasons and not force):
        raise _failed(reasons)
    notes = [reason.note() for reason in reasons]
    if found.unsure > WATCH_UNSURE:
        told = f"The edge of the product is unsure ({found.unsure:.0f} %): look at it closely before publishing."
        notes.append(Note("image_edge_unsure", told))
    return found, tuple(notes)


def measure(picture: Picture, cutout: Cutout) -> Measures:
    """The numbers that :func:`judge` judges by."""
    scale = VIEW / max(picture.pixels.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    pixels = cv2.resize(picture.pixels, None, fx=scale, fy=scale, interpolation=how)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    alpha = cv2.resize(cutout.alpha, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_AREA)
    product = alpha > 0.5
    own_mask = cutout.saliency is None
    if own_mask:  # what is hidden under the transparency is not looked at
        grey = np.round(grey * alpha + 255 * (1 - alpha)).astype(np.uint8)
    saliency = alpha if own_mask else cv2.resize(cutout.saliency, (grey.shape[1], grey.shape[0]))
    seen = product if own_mask else np.ones_like(product)
    text = overlaid_text.share_of_text(picture.pixels, cutout.alpha) * 100 if overlaid_text.installed() else None
    return Measures(
        smallest_side=min(picture.size),
        sharpness=_sharpness(grey, product),
        mean=_mean(grey, seen),
        dark=100 * _mean(grey < 20, seen),
        blown=100 * _mean(pixels.min(-1) >= 254, product),
        area=100 * float(product.mean()) if saliency.max() >= NOTHING else 0.0,
        largest=100 * _largest(product),
        touch=0.0 if own_mask else 100 * _touch(product),
        unsure=0.0 if own_mask else 100 * float(((saliency > 0.15) & (saliency < 0.85)).mean()),
        text=text,
    )


def judge(found: Measures) -> Iterable[Reason]:
    """What speaks against it, the gravest first."""
    if found.area < LEAST_AREA:
        yield Reason(
            "image_no_subject",
            f"No product stands out: what does takes {found.area:.1f} % of the picture, {LEAST_AREA:.0f} % are needed. "
            "Photograph one product from nearer, before a plain background.",
            found.area,
            LEAST_AREA,
            final=True,
        )
        return
    if found.mean < LEAST_MEAN or (found.dark > MOST_DARK and found.mean < 2 * LEAST_MEAN):
        yield Reason(
            "image_too_dark",
            f"The picture is too dark (brightness {found.mean:.0f} of 255, at least {LEAST_MEAN:.0f}). "
            "Photograph it by a window or with a lamp.",
            found.mean,
            LEAST_MEAN,
        )
    if found.blown > MOST_BLOWN:
        yield Reason(
            "image_overexposed",
            f"The product is burnt out: {found.blown:.0f} % of it is pure white, at most {MOST_BLOWN:.0f} %. "
            "Photograph it with less light or a shorter exposure.",
            found.blown,
            MOST_BLOWN,
        )
    if found.sharpness < LEAST_SHARPNESS:
        yield Reason(
            "image_blurred",
            f"The product is blurred (sharpness {found.sharpness:.0f}, at least {LEAST_SHARPNESS:.0f}). "
            "Hold the camera still, tap the product to focus, and send the original file.",
            found.sharpness,
            LEAST_SHARPNESS,
        )
    yield from _outline(found)


def _outline(found: Measures) -> Iterable[Reason]:
    if found.unsure > MOST_UNSURE:
        yield Reason(
            "image_subject_unclear",
            f"Where the product ends is unclear ({found.unsure:.0f} % unsure, at most {MOST_UNSURE:.0f} %). "
            "Photograph all of it before a background of another colour.",
            found.unsure,
            MOST_UNSURE,
        )
    if found.area > MOST_AREA:
        yield Reason(
            "image_subject_too_large",
            f"The product fills {found.area:.0f} % of the picture, at most {MOST_AREA:.0f} %. Step back a little.",
            found.area,
            MOST_AREA,
        )
    if found.touch > MOST_TOUCH:
        yield Reason(
            "image_subject_cropped",
            f"The product runs out of the picture: it covers {found.touch:.0f} % of one border, at most "
            f"{MOST_TOUCH:.0f} %. Photograph all of it.",
            found.touch,
            MOST_TOUCH,
        )
    if found.largest < LEAST_LARGEST:
        yield Reason(
            "image_several_subjects",
            f"There seem to be several products: the largest is {found.largest:.0f} % of what stands out, "
            f"{LEAST_LARGEST:.0f} % are needed. Photograph them one by one.",
            found.largest,
            LEAST_LARGEST,
        )
    if found.text is not None and found.text > MOST_TEXT:
        yield Reason(
            "image_has_text",
            f"Text lies over {found.text:.0f} % of the picture, at most {MOST_TEXT:.0f} %. "
            "Send the photo without slogans and prices.",
            found.text,
            MOST_TEXT,
        )


def _failed(reasons: list[Reason]) -> JobFailed:
    first = reasons[0]
    return JobFailed(
        first.message,
        code=first.code,
        found=f"{first.found:.1f}".removesuffix(".0"),
        limit=f"{first.limit:.1f}".removesuffix(".0"),
        reasons=",".join(reason.code for reason in reasons),
        forceable="no" if any(reason.final for reason in reasons) else "yes",
    )


def _sharpness(grey: np.ndarray, product: np.ndarray) -> float:
    """A plain product has no edges but its outline, so the outline counts too, and only the sharpest edges do."""
    around = cv2.dilate(product.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    values = np.abs(cv2.Laplacian(grey, cv2.CV_32F)[around])
    return float(np.percentile(values, 99)) if len(values) else 0.0


def _mean(values: np.ndarray, where: np.ndarray) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _largest(product: np.ndarray) -> float:
    """Of everything that stands out, before loose pieces were dropped there may have been more; 3 % do not count."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(product.astype(np.uint8), connectivity=8)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    return float(areas.max() / areas.sum()) if len(areas) else 0.0


def _touch(product: np.ndarray) -> float:
    return max(float(line.mean()) for line in (product[0], product[-1], product[:, 0], product[:, -1]))


def product_box(cutout: Cutout) -> tuple[int, int, int, int]:
    """(left, top, right, bottom). Raises JobFailed ``image_no_subject`` when there is nothing."""
    box = box_of(cutout.alpha, 0.1)
    if box is None:
        reason = next(iter(judge(Measures(0, 0, 0, 0, 0, 0.0, 0, 0, 0, None))))
        raise _failed([reason])
    return box
