"""Cutting the product out: u2netp says where it is, the edge is treated, the old background leaves the colours.

What an edge needs was measured: soften by a Gaussian of 1.2 px per 1000 px, harden by a smoothstep from .45 to .85,
drop loose pieces, and estimate the foreground by blur fusion (M. Forte, Approximate Fast Foreground Colour
Estimation, 2021).
"""

from collections import OrderedDict
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.imaging.onnx_sessions import session
from app.imaging.ports import Alpha, Cutout, Picture, Pixels
from app.imaging.weights import MATTING, Weights

MODEL = "u2netp"
SIDE = 320  # pixels that the network sees
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as it was trained
SOFTEN = 1.2 / 1000
EDGE = (0.45, 0.85)
LOOSE = 0.03  # pieces smaller than this share of the largest go
BESIDE = 0.4  # … and those up to this share that the border cuts, if it does not cut the largest
NOTHING = 0.5  # the network's highest value when there is no product at all stays below this
CLOSER = 0.55  # a product whose box is narrower than this share of the picture is looked at again from near
REMEMBERED_BYTES = 160_000_000


class Matting:
    """Thread-safe. Cut-outs of the pictures seen last are kept in memory, by content."""

    def __init__(self, weights: Weights, *, threads: int) -> None:
        self._weights = weights
        self._threads = threads
        self._session: Any = None
        self._lock = Lock()
        self._seen: OrderedDict[tuple[str, tuple[int, ...]], Cutout] = OrderedDict()

    def cut(self, picture: Picture) -> Cutout:
        """The product of a picture; by its own mask if it has one. Raises Unavailable ``image_weights_missing``."""
        key = picture.digest, picture.pixels.shape
        with self._lock:
            if key in self._seen:
                self._seen.move_to_end(key)
                return self._seen[key]
        if picture.alpha is not None:
            cutout = Cutout(bled(picture.pixels, picture.alpha), picture.alpha, None, "own mask")
        else:
            saliency = self._saliency(picture.pixels)
            alpha = edge(saliency)
            cutout = Cutout(foreground(picture.pixels, alpha), alpha, saliency, MODEL)
        self._remember(key, cutout)
        return cutout

    def _saliency(self, pixels: Pixels) -> Alpha:
        """The whole picture first; a small product is then looked at from near, if both looks agree."""
        whole = self._look(pixels)
        box = box_of(whole, 0.5)
        height, width = whole.shape
        if box is None:
            return whole
        left, top, right, bottom = box
        size = max(right - left, bottom - top)
        if size > CLOSER * max(height, width):
            return whole
        margin = int(0.35 * size)
        rows = slice(max(0, top - margin), min(height, bottom + margin))
        columns = slice(max(0, left - margin), min(width, right + margin))
        near = np.zeros_like(whole)
        near[rows, columns] = self._look(np.ascontiguousarray(pixels[rows, columns]))
        shared = np.minimum(near, whole).sum() / max(float(np.maximum(near, whole).sum()), 1.0)
        return near if shared > 0.85 else whole

    def _look(self, pixels: Pixels) -> Alpha:
        small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        small = (small / max(float(small.max()), 1.0) - np.array(MEAN, np.float32)) / np.array(SPREAD, np.float32)
        run = self._network()
        (out,) = run.run([run.get_outputs()[0].name], {run.get_inputs()[0].name: small.transpose(2, 0, 1)[None]})
        values = np.asarray(out[0, 0], np.float32)
        top = float(values.max())
        # Stretched to 0–1 as its authors do, but not out of nothing: a blank picture would become all product.
        if top >= NOTHING:
            values = (values - values.min()) / max(top - float(values.min()), 1e-6)
        height, width = pixels.shape[:2]
        large = cv2.resize(values, (width, height), interpolation=cv2.INTER_CUBIC)
        clipped: Alpha = np.clip(large, 0, 1).astype(np.float32)
        return clipped

    def _network(self) -> Any:
        with self._lock:
            if self._session is None:
                self._session = session(self._weights.path(MATTING), threads=self._threads)
            return self._session

    def _remember(self, key: tuple[str, tuple[int, ...]], cutout: Cutout) -> None:
        with self._lock:
            self._seen[key] = cutout
            while len(self._seen) > 1 and sum(map(_bytes, self._seen.values())) > REMEMBERED_BYTES:
                self._seen.popitem(last=False)


def _bytes(cutout: Cutout) -> int:
    saliency = 0 if cutout.saliency is None else cutout.saliency.nbytes
    return cutout.pixels.nbytes + cutout.alpha.nbytes + saliency


def edge(saliency: Alpha, *, low: float = EDGE[0], high: float = EDGE[1]) -> Alpha:
    """A clean alpha out of what the network said: product inside, nothing outside, about two pixels between."""
    sigma = max(0.6, SOFTEN * max(saliency.shape))
    soft = cv2.GaussianBlur(saliency, (0, 0), sigma)
    share = np.clip((soft - low) / (high - low), 0, 1)
    alpha = share * share * (3 - 2 * share)
    cleaned: Alpha = alpha.astype(np.float32)
    cleaned[_loose(cleaned)] = 0
    return cleaned


def _loose(alpha: Alpha) -> NDArray[np.bool_]:
    """Crumbs, and things that the border cuts while the product is whole: they belong to the surroundings."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.05).astype(np.uint8), connectivity=8)
    if count <= 2:
        return np.zeros(alpha.shape, bool)
    areas = stats[1:, cv2.CC_STAT_AREA]
    height, width = alpha.shape
    first, last = stats[1:, :2], stats[1:, :2] + stats[1:, 2:4]
    cut = (first <= 1).any(1) | (last >= np.array([width, height]) - 1).any(1)
    beside = cut & (areas < BESIDE * areas.max()) & ~cut[areas.argmax()]
    loose: NDArray[np.bool_] = np.isin(parts, 1 + np.flatnonzero((areas < LOOSE * areas.max()) | beside))
    return loose


def foreground(pixels: Pixels, alpha: Alpha) -> Pixels:
    """The product's own colours, also where it is half transparent. Blur fusion, twice: far, then near."""
    box = box_of(alpha, 0.01)
    if box is None:
        return pixels
    pad = 8
    left, top, right, bottom = box
    rows = slice(max(0, top - pad), min(alpha.shape[0], bottom + pad))
    columns = slice(max(0, left - pad), min(alpha.shape[1], right + pad))
    seen = pixels[rows, columns].astype(np.float32)
    share = alpha[rows, columns][..., None]
    scale = max(alpha.shape) / 1000
    first, behind = _fused(seen, share, seen, seen, max(3, int(60 * scale)))
    first, _ = _fused(seen, share, first, behind, max(3, int(6 * scale)))
    result = pixels.copy()
    solid = np.clip((share - 0.9) / 0.1, 0, 1)  # where all is product, its pixels stay as they are
    result[rows, columns] = np.round(np.clip(seen * solid + first * (1 - solid), 0, 255)).astype(np.uint8)
    return result


def _fused(seen: Any, alpha: Any, front: Any, back: Any, radius: int) -> tuple[Any, Any]:
    size = (radius | 1, radius | 1)
    mean = cv2.blur(alpha, size)[..., None]
    front = cv2.blur(front * alpha, size) / (mean + 1e-5)
    back = cv2.blur(back * (1 - alpha), size) / (1 - mean + 1e-5)
    return np.clip(front + alpha * (seen - alpha * front - (1 - alpha) * back), 0, 255), back


def bled(pixels: Pixels, alpha: Alpha) -> Pixels:
    """Colours carried outwards past the mask, so that enlarging does not pull in what is hidden there."""
    share = alpha[..., None]
    size = (max(3, int(0.01 * max(alpha.shape))) | 1,) * 2
    carried = cv2.blur(pixels.astype(np.float32) * share, size) / (cv2.blur(share, size)[..., None] + 1e-5)
    mixed = np.where(share > 0.02, pixels, np.clip(carried, 0, 255))
    result: Pixels = np.round(mixed).astype(np.uint8)
    return result


def box_of(alpha: Alpha, least: float) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of what is above ``least``; None when nothing is."""
    there = alpha > least
    columns, rows = np.flatnonzero(there.any(0)), np.flatnonzero(there.any(1))
    if not len(columns):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
