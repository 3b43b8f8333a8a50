"""Pictures compared by their numbers."""

import numpy as np
from PIL.Image import Image


def difference(one: Image | None, other: Image | None) -> int:
    """The largest difference of any channel of any pixel, 0–255."""
    assert one is not None
    assert other is not None
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())
