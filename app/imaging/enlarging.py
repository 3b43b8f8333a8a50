"""Making pictures larger: Lanczos for a little, Real-ESRGAN in tiles for a lot."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from app.imaging.onnx_sessions import session
from app.imaging.ports import Alpha, Pixels, Size
from app.imaging.weights import UPSCALING, Weights

MODEL = "realesrgan-x4plus"
FACTOR = 4
TILE, OVERLAP = 64, 8  # pixels of the source; smaller wastes more on overlaps, larger takes longer to cancel
BY_DEFAULT_BELOW = 500  # pixels of the shorter side: Lanczos shows its limits there
UNSHARP = 0.35

# How much is done, 0–1; raises JobCancelled.
Progress: TypeAlias = Callable[[float], None]


class Enlarger:
    """Thread-safe; the network is loaded at its first use. ``network`` stands in for it in tests."""

    def __init__(self, weights: Weights, *, threads: int, network: Any = None) -> None:
        self._weights = weights
        self._threads = threads
        self._network = network
        self._lock = Lock()

    def available(self) -> bool:
        """Whether its weights are there."""
        return self._network is not None or self._weights.present(UPSCALING)

    def enlarge(self, pixels: Pixels, progress: Progress) -> Pixels:
        """Four times as large, (4 h, 4 w, 3). ``progress`` is called before every tile.

        Raises Unavailable ``image_weights_missing``, and what ``progress`` raises.
        """
        network = self._loaded()
        height, width = pixels.shape[:2]
        result: Pixels = np.zeros((height * FACTOR, width * FACTOR, 3), np.uint8)
        padded = np.pad(
            pixels,
            ((OVERLAP, OVERLAP), (OVERLAP, OVERLAP), (0, 0)),
            mode="reflect" if min(height, width) > OVERLAP else "edge",
        )
        spots = list(_spots(height, width))
        for number, (top, left) in enumerate(spots):
            progress(number / len(spots))
            bottom, right = min(top + TILE, height), min(left + TILE, width)
            given = padded[top : bottom + 2 * OVERLAP, left : right + 2 * OVERLAP]
            made = _run(network, given)[OVERLAP * FACTOR : -OVERLAP * FACTOR, OVERLAP * FACTOR : -OVERLAP * FACTOR]
            result[top * FACTOR : bottom * FACTOR, left * FACTOR : right * FACTOR] = made
        return result

    def _loaded(self) -> Any:
        with self._lock:
            if self._network is None:
                self._network = session(self._weights.path(UPSCALING), threads=self._threads)
            return self._network


def _spots(height: int, width: int) -> Iterator[tuple[int, int]]:
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield top, left


def _run(network: Any, tile: NDArray[np.uint8]) -> NDArray[np.uint8]:
    given = (tile.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    (out,) = network.run(None, {"input": np.ascontiguousarray(given)})
    made: NDArray[np.uint8] = np.round(np.clip(out[0].transpose(1, 2, 0), 0, 1) * 255).astype(np.uint8)
    return made


def resized(pixels: Pixels, size: Size) -> Pixels:
    """Averaged when it gets smaller, Lanczos and a little unsharp masking when it gets larger."""
    height, width = pixels.shape[:2]
    if size == (width, height):
        return pixels
    if size[0] <= width and size[1] <= height:
        made: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return made
    large = cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4)
    if max(size[0] / width, size[1] / height) < 1.15:
        return np.asarray(large, np.uint8)
    soft = cv2.GaussianBlur(large, (0, 0), max(size) / 1000)
    sharp: Pixels = cv2.addWeighted(large, 1 + UNSHARP, soft, -UNSHARP, 0)
    return sharp


def resized_alpha(alpha: Alpha, size: Size) -> Alpha:
    """A mask in another size, 0–1."""
    larger = size[0] > alpha.shape[1] or size[1] > alpha.shape[0]
    made = cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC if larger else cv2.INTER_AREA)
    clipped: Alpha = np.clip(made, 0, 1).astype(np.float32)
    return clipped
