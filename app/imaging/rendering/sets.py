"""The backdrops as small sets: what stands where, and where the light comes from. The product's base belongs at
(0, 0, 0), or on a podium of height ``stand``; :mod:`app.imaging.rendering.__main__` photographs them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import mitsuba as mi  # type: ignore[import-not-found, unused-ignore]
import numpy as np

from app.imaging.rendering import textures
from app.imaging.rendering.solids import (
    block,
    bumped,
    coated,
    floor,
    lamp,
    matte,
    metal,
    paint,
    place,
    printed,
    sky,
    sweep,
    turned,
    wall,
)

TEXTURE = 2400


@dataclass(frozen=True, slots=True)
class Shot:
    """A dressed set. ``pitch``: degrees down; ``stand``: the height the product stands at; ``blur``: lens opening."""

    things: list[Any]
    pitch: float
    stand: float = 0.0
    exposure: float = 0.8
    blur: float = 0.05


Maker: TypeAlias = Callable[[], Shot]


def key_light(side: float, *, power: float = 34, size: float = 1.5, height: float = 5.0) -> Any:
    """A soft box on the left (-1) or right (+1), a little in front."""
    return lamp(origin=[4.6 * side, -3.2, height], target=[0, 0.6, 0.4], size=size, power=power)


def studio_grey() -> Shot:
    """Light grey paper roll."""
    paper = matte(printed(textures.plain(600, colour=(206, 208, 211), seed=1, mottle=0.004)))
    lights = [key_light(-1, power=30, size=2.2), sky(0.3)]
    return Shot([sweep(paper), *lights], pitch=9, exposure=0.92)


def studio_sand() -> Shot:
    """Sand paper, with the shadow of a palm leaf across it."""
    paper = matte(paint((232, 212, 188)))
    return Shot([sweep(paper, start=1.6, bend=1.2), *_leaf_light(), sky(0.38, (255, 248, 240))], pitch=9, exposure=0.78)


def _leaf_light() -> list[Any]:
    transform = mi.ScalarTransform4f
    source = [-6.0, -5.5, 6.2]
    aim = transform().look_at(origin=[-2.2, -1.2, 3.0], target=[0.9, 2.4, 1.0], up=[0, 0, 1])
    leaves: list[Any] = [lamp(origin=source, target=[0.9, 2.4, 1.0], size=0.13, power=6400, colour=(255, 243, 224))]
    for stem, (x, y, lean) in enumerate([(-0.5, -0.75, 58), (1.15, -0.8, 112)]):
        for number in range(9):
            share = number / 8
            for side in (-1, 1):
                leaf = transform().translate([x, y, 0]) @ transform().rotate([0, 0, 1], lean)
                leaf = leaf @ transform().translate([0.1 + share * 1.9, 0, 0.01 * stem])
                leaf = leaf @ transform().rotate([0, 0, 1], side * (58 - 34 * share))
                length = 0.46 * (1 - 0.55 * abs(share - 0.35))
                leaf = leaf @ transform().translate([length * 0.9, 0, 0]) @ transform().scale([length, 0.05, 1])
                leaves.append({"type": "disk", "to_world": aim @ leaf, "bsdf": matte(paint((40, 60, 40)))})
    return leaves


def window_plaster() -> Shot:
    """White plaster wall and ledge in the light of a window."""
    rough = textures.height_map("plaster", 1200, seed=4)
    plaster = bumped(matte(paint((240, 236, 228))), rough, scale=0.05, repeat=2)
    transform = mi.ScalarTransform4f
    aim = transform().look_at(origin=[3.3, -2.7, 3.6], target=[-0.9, 2.2, 1.2], up=[0, 0, 1])
    frame = [
        (-2.35, 0, 1.6, 4),
        (2.35, 0, 1.6, 4),
        (0, 2.45, 4, 1.6),
        (0, -2.35, 4, 1.6),
        (0, 0, 0.05, 1),
        (0, 0.2, 1, 0.05),
    ]
    bars = [
        {
            "type": "rectangle",
            "to_world": aim @ transform().translate([x, y, 0]) @ transform().scale([w, h, 1]),
            "bsdf": matte(paint((200, 200, 200))),
        }
        for x, y, w, h in frame
    ]
    sun = lamp(origin=[6.2, -6.2, 6.4], target=[-0.9, 2.2, 1.2], size=0.16, power=5200, colour=(255, 240, 214))
    return Shot([floor(plaster), wall(plaster, y=2.2), *bars, sun, sky(0.8, (240, 245, 255))], pitch=9, exposure=0.9)


def oak_table(pitch: float = 11) -> Shot:
    """Oak boards, a bright kitchen far behind."""
    boards = textures.wood(TEXTURE, seed=3, dark=(132, 88, 52), light=(226, 186, 138), boards=7)
    table = coated(printed(boards), roughness=0.32)
    back = [
        wall(matte(paint((238, 232, 222))), y=9.5),
        block((3.2, 1, 2.6), matte(paint((196, 202, 190))), place(x=-3.4, y=8.2, z=-1)),
        block((2.4, 1, 4.4), matte(paint((222, 205, 178))), place(x=3.4, y=8.4, z=-1)),
        turned([(0, 0), (0.5, 0), (0.62, 0.8), (0, 0.8)], matte(paint((206, 120, 84))), place(x=2.7, y=6.6, z=0)),
        turned(
            [(0, 0.7), (0.9, 0.9), (1.1, 1.6), (0.5, 2.2), (0, 2.3)], matte(paint((92, 128, 76))), place(x=2.7, y=6.6)
        ),
        turned([(0, 0), (0.34, 0), (0.36, 1.4), (0, 1.4)], matte(paint((250, 248, 244))), place(x=-3.2, y=6.4)),
        lamp(origin=[-5.5, 6, 4], target=[0, 9, 1], size=1.4, power=26, colour=(255, 244, 226)),
    ]
    return Shot(
        [floor(table, size=4.2, y=1.2), *back, key_light(-1, power=36), sky(0.6, (255, 250, 244))],
        pitch,
        exposure=1.2,
        blur=0.16,
    )


def walnut_desk() -> Shot:
    """Walnut and a deep teal wall."""
    boards = textures.wood(TEXTURE, seed=8, dark=(58, 34, 22), light=(140, 94, 62), boards=5)
    desk = coated(printed(boards), roughness=0.3)
    rough = textures.height_map("plaster", 1000, seed=7)
    paintwork = bumped(matte(paint((46, 82, 84))), rough, scale=0.03, repeat=2)
    return Shot(
        [floor(desk, size=5, y=1), wall(paintwork, y=3.6), key_light(1, power=52), sky(0.36)],
        10,
        exposure=0.24,
        blur=0.08,
    )


def marble_counter() -> Shot:
    """White marble before a pale grey wall."""
    slab = textures.marble(TEXTURE, seed=5, base=(244, 243, 241), vein=(128, 128, 134))
    stone = coated(printed(slab), roughness=0.12)
    back = wall(matte(paint((204, 205, 206))), y=4.2)
    return Shot(
        [floor(stone, size=4, y=1), back, key_light(-1, power=30, size=1.8), sky(0.48)], 12, exposure=0.95, blur=0.07
    )


def concrete_loft() -> Shot:
    """A concrete slab before a concrete wall."""
    cast = printed(textures.concrete(TEXTURE, seed=2, colour=(182, 180, 176)))
    back = printed(textures.concrete(TEXTURE, seed=12, colour=(164, 163, 161), contrast=1.3))
    slab = block((9, 3.4, 0.5), matte(cast), place(y=0.3, z=-0.5), edge=0.02)
    return Shot(
        [slab, wall(matte(back), y=3.0, size=5, z=1.5), key_light(1, power=40), sky(0.42, (240, 246, 255))],
        9,
        blur=0.06,
    )


def podium_blush() -> Shot:
    """Round podium and an arch, all in one pink."""
    pink = matte(paint((244, 206, 204)))
    deep = matte(paint((236, 186, 186)))
    arch = turned(_drum(1.75, 0.16), deep, _upright(y=2.5, z=1.05), sides=160)
    foot = block((3.5, 0.16, 2.2), deep, place(y=2.42, z=-1.1), edge=0.01)
    podium = turned(_drum(1.15, 0.32), pink)
    ball = turned(_ball(0.34), matte(paint((250, 228, 222))), place(x=1.62, y=0.85))
    return Shot(
        [
            sweep(pink, start=1.8, bend=1.2),
            arch,
            foot,
            podium,
            ball,
            key_light(-1, power=32),
            sky(0.5, (255, 246, 246)),
        ],
        9,
        0.32,
    )


def podium_cream() -> Shot:
    """Two cream steps and a gold ring."""
    cream, warm = matte(paint((244, 232, 212))), matte(paint((234, 216, 190)))
    ring = turned(
        [(1.32, 0), (1.32, 0.07), (1.25, 0.07), (1.25, 0), (1.32, 0)],
        metal((236, 196, 124), roughness=0.25),
        _upright(y=1.6, z=1.75),
        sides=200,
    )
    steps = [turned(_drum(1.7, 0.22), warm, place(y=0.3)), turned(_drum(1.1, 0.22), cream, place(z=0.22))]
    small = [turned(_drum(0.42, 0.95), cream, place(x=-1.95, y=1.2)), turned(_ball(0.27), warm, place(x=1.75, y=-0.25))]
    return Shot(
        [sweep(cream, start=2.4, bend=1.4), ring, *steps, *small, key_light(1, power=32), sky(0.46, (255, 250, 240))],
        9,
        0.44,
    )


def wall_shelf() -> Shot:
    """An oak shelf on a sage green wall."""
    boards = textures.wood(TEXTURE, seed=21, dark=(138, 94, 58), light=(224, 184, 138), boards=3)
    plank = block((7.5, 1.6, 0.16), coated(printed(boards), roughness=0.35), place(y=0.25, z=-0.16), edge=0.03)
    rough = textures.height_map("plaster", 1200, seed=9)
    back = wall(bumped(matte(paint((178, 190, 168))), rough, scale=0.035, repeat=2.5), y=1.06)
    vase = turned(
        [(0, 0), (0.2, 0), (0.34, 0.3), (0.3, 0.62), (0.11, 0.85), (0.13, 1.0), (0.1, 1.0)],
        matte(paint((242, 238, 228))),
        place(x=1.75, y=0.35),
    )
    books = [
        block((0.17, 0.75, h), matte(paint(c)), place(x=x, y=0.4), edge=0.015)
        for x, h, c in [(-2.0, 1.05, (206, 142, 100)), (-1.8, 0.95, (240, 232, 216)), (-1.6, 1.12, (96, 112, 104))]
    ]
    return Shot([plank, back, vase, *books, key_light(-1, power=34), sky(0.5, (255, 250, 242))], 7, blur=0.05)


def festive_red() -> Shot:
    """Red and gold for 双11 and 春节: podium with a gold rim, gold moon, lanterns out of focus."""
    red, deep = matte(paint((196, 32, 36))), coated(paint((168, 20, 28)), roughness=0.3)
    gold = metal((246, 200, 110), roughness=0.28)
    moon = turned(
        [(0, 0), (1.5, 0), (1.5, 0.08), (0, 0.08)],
        metal((244, 196, 116), roughness=0.42),
        _upright(y=2.6, z=1.75),
        sides=180,
    )
    podium = [turned(_drum(1.3, 0.26), deep), turned([(1.3, 0.2), (1.33, 0.2), (1.33, 0.26), (1.29, 0.265)], gold)]
    lanterns = [thing for x, z in [(-2.15, 2.55), (2.2, 2.75), (2.75, 1.9)] for thing in _lantern(x, 1.9, z, gold)]
    coins = [
        turned([(0, 0), (0.17, 0), (0.17, 0.035), (0, 0.035)], gold, place(x=x, y=y, turn=10))
        for x, y in [(-1.7, -0.5), (-1.95, -0.15), (1.65, -0.35), (1.9, 0.2), (1.45, -0.85)]
    ]
    return Shot(
        [
            sweep(red, start=2.6, bend=1.4),
            moon,
            *podium,
            *lanterns,
            *coins,
            key_light(-1, power=46, size=2),
            sky(0.5, (255, 238, 224)),
        ],
        9,
        0.26,
        0.5,
        blur=0.09,
    )


def _lantern(x: float, y: float, z: float, gold: Any) -> list[Any]:
    body = [(0, 0), (0.2, 0.02), (0.42, 0.2), (0.46, 0.36), (0.42, 0.52), (0.2, 0.7), (0, 0.72)]
    cap = [(0, 0), (0.17, 0), (0.17, 0.07), (0, 0.07)]
    string = [(0.012, 0), (0.012, 2.0), (0, 2.0)]
    tassel = [(0, 0), (0.05, 0), (0.03, 0.42), (0, 0.42)]
    return [
        turned(body, coated(paint((214, 40, 36)), roughness=0.3), place(x=x, y=y, z=z)),
        turned(cap, gold, place(x=x, y=y, z=z - 0.05)),
        turned(cap, gold, place(x=x, y=y, z=z + 0.68)),
        turned(string, gold, place(x=x, y=y, z=z + 0.72)),
        turned(tassel, gold, place(x=x, y=y, z=z - 0.46)),
    ]


def dark_gloss() -> Shot:
    """Black acrylic and a pool of cold light on the wall."""
    acrylic = coated(paint((16, 17, 20)), roughness=0.1)
    back = matte(paint((44, 47, 54)))
    glow = lamp(origin=[0, 2.2, 5.6], target=[0, 4.6, 1.0], size=0.5, power=170, colour=(206, 222, 255))
    rim = lamp(origin=[-3.6, 1.6, 2.6], target=[0, 0, 0.5], size=0.9, power=16, colour=(255, 236, 214))
    return Shot(
        [floor(acrylic, size=9), wall(back, y=4.6), glow, rim, key_light(-1, power=9), sky(0.05)],
        8,
        exposure=0.11,
        blur=0.05,
    )


def garden_stone() -> Shot:
    """A weathered stone in the sun, leaves far behind."""
    relief = textures.height_map("stone", 1600, seed=3)
    rock = bumped(matte(printed(textures.stone(TEXTURE, seed=2, colour=(150, 146, 136)))), relief, scale=0.5)
    slab = block((6.4, 3.0, 0.6), rock, place(y=0.2, z=-0.6, turn=3), edge=0.08)
    leaves = printed(textures.greenery(1400, seed=3))
    back = wall({"type": "diffuse", "reflectance": {"type": "rgb", "value": 0}}, y=6, size=5, z=1.2)
    back["emitter"] = {"type": "area", "radiance": leaves}
    sun = lamp(origin=[6, -3.5, 8], target=[0, 0, 0], size=0.5, power=420, colour=(255, 238, 206))
    return Shot([slab, back, sun, sky(0.55, (214, 232, 255))], 10, exposure=0.66, blur=0.06)


def paper_mint() -> Shot:
    """Mint paper with a white step."""
    mint, step = matte(paint((190, 226, 214))), matte(paint((246, 248, 244)))
    slab = block((3.3, 2.2, 0.26), step, place(y=0.15), edge=0.03)
    cubes = [
        block((0.5, 0.5, 0.5), matte(paint((250, 214, 150))), place(x=1.95, y=1.1, turn=24), edge=0.03),
        turned(_ball(0.3), matte(paint((244, 150, 128))), place(x=-2.0, y=0.9)),
    ]
    return Shot([sweep(mint, start=2.2, bend=1.4), slab, *cubes, key_light(1, power=30), sky(0.52)], 10, 0.26)


def linen_table() -> Shot:
    """Natural linen over a table, seen from above at an angle."""
    cloth = printed(textures.linen(TEXTURE, seed=4, colour=(226, 216, 200), threads=420), repeat=1.8)
    return Shot([floor(matte(cloth), size=9), key_light(-1, power=34), sky(0.5, (255, 250, 242))], 32)


def oak_high() -> Shot:
    """The oak table, seen from above at an angle."""
    return oak_table(30)


def marble_flat() -> Shot:
    """White marble from straight above."""
    slab = textures.marble(TEXTURE, seed=15, base=(246, 245, 243), vein=(150, 140, 130))
    return Shot(
        [floor(coated(printed(slab), roughness=0.2), size=3.2), key_light(-1, power=34, height=4.2), sky(0.8)],
        90,
        exposure=0.92,
    )


def linen_flat() -> Shot:
    """Warm linen from straight above."""
    cloth = printed(textures.linen(TEXTURE, seed=14, colour=(214, 200, 180), threads=420))
    return Shot([floor(matte(cloth), size=3), key_light(1, power=34, height=4.2), sky(0.8)], 90, exposure=0.8)


def pine_flat() -> Shot:
    """Whitewashed pine from straight above."""
    boards = textures.wood(TEXTURE, seed=31, dark=(186, 164, 138), light=(238, 226, 208), boards=6)
    return Shot(
        [floor(coated(printed(boards), roughness=0.5), size=3), key_light(-1, power=34, height=4.2), sky(0.8)],
        90,
        exposure=0.92,
    )


def _upright(*, y: float, z: float) -> Any:
    transform = mi.ScalarTransform4f
    return transform().translate([0, y, z]) @ transform().rotate([1, 0, 0], 90)


def _drum(radius: float, height: float) -> list[tuple[float, float]]:
    edge = 0.03
    return [
        (0, 0),
        (radius, 0),
        (radius, edge),
        (radius, height - edge),
        (radius, height),
        (radius - edge, height),
        (0, height),
    ]


def _ball(radius: float) -> list[tuple[float, float]]:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 24)
    return [(float(radius * np.cos(angle)), float(radius * (1 + np.sin(angle)))) for angle in angles]


SETS: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        studio_grey, studio_sand, window_plaster, oak_table, walnut_desk, marble_counter, concrete_loft, podium_blush,
        podium_cream, wall_shelf, festive_red, dark_gloss, garden_stone, paper_mint, linen_table, oak_high,
        marble_flat, linen_flat, pine_flat,
    )
}  # fmt: skip
