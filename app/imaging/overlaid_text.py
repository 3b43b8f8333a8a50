"""Text laid over a picture (prices, slogans, shop names), found where the ``ocr`` extra is installed."""

from functools import cache
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np

from app.imaging.ports import Alpha, Pixels

LONGEST = 960  # pixels; smaller text is no promotion
SHORTEST, SURE = 2, 0.7  # letters; how sure the reader must be of them


def installed() -> bool:
    """Whether OCR can be asked at all."""
    return find_spec("rapidocr") is not None


@cache
def _reader() -> Any:
    from ingest.ocr.rapid import engine

    return engine(threads=1)


def share_of_text(pixels: Pixels, product: Alpha) -> float:
    """Share of the picture covered by text outside the product; what is printed on a label is the product's own."""
    scale = min(1.0, LONGEST / max(pixels.shape[:2]))
    small = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = _reader()(np.ascontiguousarray(small[..., ::-1]), use_det=True, use_cls=False, use_rec=True)
    covered = np.zeros(small.shape[:2], np.uint8)
    for box, text, score in zip(found.boxes, found.txts, found.scores, strict=True) if found.txts else ():
        # Finding alone takes edges and handles for letters; what can be read is text.
        if len(text.strip()) >= SHORTEST and float(score) >= SURE:
            cv2.fillPoly(covered, [np.array(box, np.int32)], 1)
    outside = cv2.resize(product, (small.shape[1], small.shape[0])) < 0.5
    return float((covered * outside).mean())
