"""A last look at what was made, before anybody else sees it."""

import numpy as np

from app.imaging.ports import Alpha, Pixels, Size
from app.jobs.ports import JobFailed

BLANK_SPREAD = 3  # of 255: less than this in every channel is one flat colour
LEAST_PRODUCT = 0.005  # of the frame


def check_made(pixels: Pixels, alpha: Alpha | None, size: Size, *, product: Alpha | None = None) -> None:
    """Right size, not blank, the product inside the frame. Raises JobFailed ``image_size``, ``image_blank`` or
    ``image_subject_outside``."""
    height, width = pixels.shape[:2]
    if (width, height) != size:
        raise JobFailed(
            f"The picture came out as {width}×{height} instead of {size[0]}×{size[1]}.",
            code="image_size",
            made=f"{width}×{height}",
            asked=f"{size[0]}×{size[1]}",
        )
    spread = pixels.reshape(-1, 3).max(0).astype(int) - pixels.reshape(-1, 3).min(0)
    empty = alpha is not None and float(alpha.max(initial=0)) < 0.5
    if empty or (alpha is None and int(spread.max()) < BLANK_SPREAD):
        raise JobFailed("The picture came out blank; try another source picture.", code="image_blank")
    if product is not None:
        _check_inside(product)


def _check_inside(product: Alpha) -> None:
    if float(product.mean()) < LEAST_PRODUCT:
        raise JobFailed("The product is hardly to be seen in the result.", code="image_subject_outside", side="all")
    sides = {"top": product[0], "bottom": product[-1], "left": product[:, 0], "right": product[:, -1]}
    for side, line in sides.items():
        if float(np.max(line)) > 0.5:
            raise JobFailed(
                f"The product runs out of the frame ({side}); ask for a smaller fill or scale.",
                code="image_subject_outside",
                side=side,
            )
