"""``python -m app.imaging.rendering FOLDER [NAME…]`` photographs the backdrops and the sample products.

A tool of the project's makers, not of the service: it needs ``pip install mitsuba`` (BSD) and an LLVM library, and
takes minutes a picture. What it made is committed: ``app/imaging/backdrops/*.jpg`` and ``app/imaging/samples/*.jpg``.
"""

import argparse
import math
import sys
from pathlib import Path

import cv2
import mitsuba as mi  # type: ignore[import-not-found, unused-ignore]
import numpy as np

DISTANCE, LENS = 8.0, 26.0  # camera to product, and its angle of view in degrees
PRODUCT_CENTRE = 0.95  # height that the camera looks at, above what the product stands on


def main(arguments: list[str]) -> int:
    """Render what is named, or everything."""
    parser = argparse.ArgumentParser(prog="python -m app.imaging.rendering")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--size", type=int, default=1200)
    parser.add_argument("--samples", type=int, default=24)
    options = parser.parse_args(arguments)
    mi.set_variant("llvm_ad_rgb")
    from app.imaging.rendering.products import PRODUCTS
    from app.imaging.rendering.sets import SETS
    from app.imaging.rendering.solids import camera, photograph

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names or [*SETS, *PRODUCTS]:
        if name in SETS:
            shot = SETS[name]()
            origin, target = viewpoint(shot.pitch, shot.stand)
            angle, width, height, things = LENS, options.size, options.size, shot.things
            exposure, blur = shot.exposure, shot.blur
        else:
            product = PRODUCTS[name]()
            origin, target = list(product.origin), list(product.target)
            angle, exposure, blur, things = product.angle, product.exposure, product.blur, product.things
            width, height = options.size, options.size * 4 // 5
        view = camera(origin=origin, target=target, angle=angle, size=(width, height), blur=blur)
        picture = photograph(things, view, samples=options.samples, exposure=exposure)
        cv2.imwrite(str(options.folder / f"{name}.png"), np.round(picture[..., ::-1] * 255).astype(np.uint8))
        develop(options.folder / f"{name}.png")
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
    return 0


def develop(raw: Path) -> None:
    """Beside the raw picture the one that is kept: its grain taken out, as JPEG."""
    picture = cv2.imread(str(raw))
    clean = cv2.fastNlMeansDenoisingColored(picture, None, 4, 8, 5, 15)
    cv2.imwrite(str(raw.with_suffix(".jpg")), clean, [cv2.IMWRITE_JPEG_QUALITY, 88])


def viewpoint(pitch: float, stand: float) -> tuple[list[float], list[float]]:
    """Where the camera is and what it looks at: what stands at ``stand`` fills the frame alike at every pitch."""
    if pitch >= 80:
        return [0.0, -0.001, DISTANCE], [0.0, 0.0, 0.0]
    look = stand + PRODUCT_CENTRE * math.cos(math.radians(pitch))
    down = math.radians(pitch)
    return [0.0, -DISTANCE * math.cos(down), look + DISTANCE * math.sin(down)], [0.0, 0.0, look]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
