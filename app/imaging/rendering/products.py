"""Sample products as a merchant would snap them at home: a mug, a bottle, a bag and a jar, each among clutter."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.imaging.rendering import textures
from app.imaging.rendering.solids import (
    arc,
    block,
    bumped,
    coated,
    floor,
    lamp,
    matte,
    metal,
    paint,
    pipe,
    place,
    printed,
    sky,
    turned,
    wall,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A product in its surroundings, and the camera."""

    things: list[Any]
    origin: tuple[float, float, float]
    target: tuple[float, float, float]
    angle: float = 24.0
    exposure: float = 0.72
    blur: float = 0.05


def mug() -> Snapshot:
    """A glazed stoneware mug on a wooden table with breakfast behind it."""
    speckle = textures.plain(1000, colour=(66, 128, 132), seed=3, mottle=0.05)
    dots = np.clip(textures.noise((1000, 1000), (150, 150), 9) - 2.6, 0, 1)[..., None]
    glaze = coated(printed(speckle * (1 - 0.8 * dots)), roughness=0.08)
    cup = [
        (0, 0),
        (0.40, 0),
        (0.43, 0.03),
        (0.47, 0.3),
        (0.48, 0.7),
        (0.47, 1.05),
        (0.45, 1.07),
        (0.43, 1.05),
        (0.43, 0.6),
        (0.40, 0.12),
        (0, 0.10),
    ]
    handle = pipe(arc((0.42, 0.54), (0.36, 0.31), -98, 98), 0.062, glaze)
    boards = textures.wood(1800, seed=41, dark=(112, 74, 44), light=(206, 164, 118), boards=6)
    clutter = [
        block((1.3, 0.9, 0.16), matte(paint((180, 74, 62))), place(x=-1.7, y=2.0, turn=14), edge=0.02),
        block((1.2, 0.85, 0.14), matte(paint((232, 224, 206))), place(x=-1.66, y=2.0, z=0.16, turn=4), edge=0.02),
        turned(
            [(0, 0), (0.36, 0), (0.42, 0.5), (0.36, 0.5), (0, 0.4)], matte(paint((222, 214, 200))), place(x=1.7, y=2.6)
        ),
        turned(
            [(0, 0.4), (0.55, 0.6), (0.7, 1.1), (0.3, 1.5), (0, 1.5)], matte(paint((86, 122, 70))), place(x=1.7, y=2.6)
        ),
        turned(
            [(0, 0), (0.7, 0.0), (0.95, 0.1), (0.93, 0.12), (0.65, 0.03), (0, 0.03)],
            coated(paint((240, 238, 232))),
            place(x=2.0, y=0.75),
        ),
    ]
    lights = [lamp(origin=[-4, -2.5, 4], target=[0, 0, 0.5], size=1.2, power=42), sky(0.45, (255, 246, 236))]
    table = floor(coated(printed(boards), roughness=0.35), size=4, y=1)
    return Snapshot(
        [turned(cup, glaze), handle, table, wall(matte(paint((206, 198, 184))), y=5), *clutter, *lights],
        (0.5, -4.9, 1.7),
        (0.12, 0, 0.5),
        blur=0.05,
    )


def bottle() -> Snapshot:
    """A steel vacuum bottle with a matt blue coat on a desk."""
    coat, steel = coated(paint((52, 92, 168)), roughness=0.32), metal((196, 198, 202), roughness=0.22)
    body = [(0, 0.07), (0.40, 0.07), (0.41, 0.1), (0.41, 1.62), (0.40, 1.74), (0.32, 1.86), (0.3, 1.9), (0, 1.9)]
    cap = [(0, 1.9), (0.315, 1.9), (0.32, 1.93), (0.32, 2.26), (0.3, 2.3), (0, 2.3)]
    parts = [
        turned(body, coat),
        turned([(0, 0), (0.39, 0), (0.405, 0.02), (0.405, 0.09), (0, 0.09)], steel),
        turned(cap, steel),
    ]
    parts.append(turned([(0.31, 1.87), (0.335, 1.88), (0.335, 1.91), (0.31, 1.92)], coated(paint((28, 30, 34)))))
    boards = textures.wood(1800, seed=51, dark=(150, 118, 86), light=(226, 200, 164), boards=5)
    clutter = [
        block((1.9, 1.3, 0.09), coated(paint((60, 62, 66)), roughness=0.3), place(x=-2.0, y=1.7, turn=-8), edge=0.03),
        block((1.1, 0.8, 0.2), matte(paint((216, 168, 70))), place(x=1.9, y=2.0, turn=20), edge=0.02),
        turned(
            [(0, 0), (0.33, 0), (0.33, 0.85), (0.3, 0.85), (0.3, 0.1), (0, 0.1)],
            matte(paint((120, 134, 124))),
            place(x=2.1, y=3.2),
        ),
        block((2.4, 0.3, 2.2), matte(paint((112, 104, 98))), place(x=-1.2, y=4.3), edge=0.03),
    ]
    lights = [lamp(origin=[4, -3, 4.4], target=[0, 0, 1], size=1.3, power=46), sky(0.5, (244, 248, 255))]
    desk = floor(coated(printed(boards), roughness=0.4), size=4.5, y=1)
    return Snapshot(
        [*parts, desk, wall(matte(paint((196, 202, 206))), y=5.4), *clutter, *lights],
        (-0.5, -6.6, 2.0),
        (0, 0, 1.12),
        31,
        blur=0.06,
    )


def bag() -> Snapshot:
    """A tan leather handbag on a wooden floor before a sofa."""
    grain = textures.height_map("leather", 1400, seed=6)
    hide = printed(textures.plain(900, colour=(176, 108, 62), seed=6, mottle=0.05))
    leather = bumped(coated(hide, roughness=0.36), grain, scale=0.03, repeat=3)
    dark = bumped(coated(paint((140, 82, 46)), roughness=0.36), grain, scale=0.025, repeat=3)
    gold = metal((232, 190, 112), roughness=0.2)
    body = block((1.9, 0.62, 1.25), leather, edge=0.11, pinch=0.22)
    flap = block((1.74, 0.1, 0.66), dark, place(y=-0.292, z=0.60), edge=0.05, pinch=-0.1)
    strap = pipe(arc((0, 1.15), (0.56, 0.62), 2, 178), 0.055, dark, place(y=0.0), flat=0.55)
    rings = [
        turned([(0.05, 0), (0.075, 0.02), (0.075, 0.06), (0.05, 0.08)], gold, place(x=x, z=1.16)) for x in (-0.56, 0.56)
    ]
    clasp = block((0.26, 0.06, 0.17), gold, place(y=-0.36, z=0.60), edge=0.025)
    feet = [
        turned([(0, 0), (0.06, 0), (0.06, 0.04), (0, 0.04)], gold, place(x=x, y=-0.1, z=-0.02)) for x in (-0.7, 0.7)
    ]
    boards = textures.wood(1800, seed=61, dark=(84, 54, 34), light=(160, 114, 76), boards=7)
    cloth = printed(textures.linen(1400, seed=7, colour=(168, 172, 176), threads=260))
    sofa = [
        block((7, 1.6, 1.0), matte(cloth), place(y=2.4), edge=0.18),
        block((7, 0.7, 2.4), matte(cloth), place(y=3.3), edge=0.2),
        block((1.1, 0.4, 1.0), matte(paint((214, 176, 84))), place(x=-1.5, y=2.3, z=0.98, turn=12), edge=0.18),
    ]
    lights = [lamp(origin=[-4, -3.4, 4], target=[0, 0, 0.7], size=1.5, power=40), sky(0.5)]
    return Snapshot(
        [
            body,
            flap,
            strap,
            *rings,
            clasp,
            *feet,
            floor(coated(printed(boards), roughness=0.3), size=4.5, y=1),
            *sofa,
            *lights,
        ],
        (-0.9, -6.2, 1.8),
        (0, 0, 0.86),
        27,
        blur=0.05,
    )


def jar() -> Snapshot:
    """A face-cream jar with a gold lid on a bathroom shelf."""
    glass = coated(paint((246, 240, 236)), roughness=0.06)
    body = [(0, 0), (0.56, 0), (0.62, 0.03), (0.64, 0.1), (0.64, 0.44), (0.62, 0.5), (0.5, 0.53), (0, 0.53)]
    lid = [(0, 0.53), (0.585, 0.53), (0.6, 0.55), (0.6, 0.83), (0.585, 0.86), (0, 0.86)]
    band = [(0.641, 0.2), (0.646, 0.2), (0.646, 0.345), (0.641, 0.345)]
    tiles = [block((0.96, 0.1, 0.96), coated(paint((150, 176, 178)), roughness=0.1), place(x=x, y=2.4, z=z), edge=0.02)
             for x in np.arange(-4, 4.1, 1.0) for z in np.arange(-1, 4, 1.0)]  # fmt: skip
    towel = printed(textures.linen(1200, seed=17, colour=(206, 150, 130), threads=200))
    clutter = [
        block((1.5, 0.9, 0.28), matte(towel), place(x=-1.9, y=1.0, turn=10), edge=0.13),
        block((1.45, 0.85, 0.26), matte(paint((236, 228, 216))), place(x=-1.9, y=1.0, z=0.27, turn=6), edge=0.12),
        turned(
            [(0, 0), (0.26, 0), (0.27, 0.9), (0.1, 1.05), (0.1, 1.25), (0, 1.25)],
            coated(paint((112, 72, 44))),
            place(x=1.8, y=1.3),
        ),
    ]
    slab = textures.stone(1600, seed=12, colour=(122, 118, 112))
    lights = [lamp(origin=[3.6, -2.6, 3.6], target=[0, 0, 0.4], size=1.2, power=40), sky(0.5, (255, 250, 246))]
    parts = [
        turned(body, glass),
        turned(lid, metal((236, 196, 128), roughness=0.2)),
        turned(band, coated(paint((94, 122, 110)), roughness=0.3)),
    ]
    shelf = floor(coated(printed(slab), roughness=0.4), size=4, y=1)
    return Snapshot([*parts, shelf, *tiles, *clutter, *lights], (0.4, -5.0, 1.8), (0, 0, 0.42), 24, blur=0.05)


PRODUCTS: dict[str, Callable[[], Snapshot]] = {"mug": mug, "bottle": bottle, "bag": bag, "jar": jar}
