"""Surfaces drawn from noise: wood, marble, linen, concrete, stone, plaster and blurred greenery.

Each function returns float32 RGB, (size, size, 3), 0–1, display-referred (sRGB); the same seed gives the same picture.
"""

from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]


def noise(shape: tuple[int, int], cells: tuple[float, float], seed: int) -> Field:
    """Smooth noise about 0 with ``cells`` (down, across) bumps over the picture, standard deviation 1."""
    generator = np.random.default_rng(seed)
    grid = generator.standard_normal((int(cells[0]) + 4, int(cells[1]) + 4)).astype(np.float32)
    height, width = shape
    ys = (np.arange(height, dtype=np.float32) * (cells[0] / height) + 1)[:, None].repeat(width, 1)
    xs = (np.arange(width, dtype=np.float32) * (cells[1] / width) + 1)[None, :].repeat(height, 0)
    field: Field = cv2.remap(
        grid, xs.astype(np.float32), ys.astype(np.float32), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return field / max(float(field.std()), 1e-6)


def fractal(
    shape: tuple[int, int], cells: tuple[float, float], seed: int, *, octaves: int = 5, gain: float = 0.5
) -> Field:
    """Sum of noises, each twice as fine as the last and ``gain`` times as strong; standard deviation 1."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += gain**octave * noise(shape, (cells[0] * 2**octave, cells[1] * 2**octave), seed + 101 * octave)
    return total / max(float(total.std()), 1e-6)


def blend(low: tuple[int, int, int], high: tuple[int, int, int], amount: Field) -> Field:
    """From the colour ``low`` to ``high`` (0–255) as ``amount`` goes from 0 to 1."""
    share = np.clip(amount, 0, 1)[..., None]
    first, second = np.array(low, np.float32) / 255, np.array(high, np.float32) / 255
    return (first * (1 - share) + second * share).astype(np.float32)


def wood(
    size: int,
    *,
    seed: int,
    dark: tuple[int, int, int],
    light: tuple[int, int, int],
    boards: int = 4,
    gap: float = 0.003,
) -> Field:
    """Boards that run across the picture, each sawn from another place of the log."""
    edges = np.linspace(0, size, boards + 1).astype(int)
    picture = np.zeros((size, size, 3), np.float32)
    for number, (top, bottom) in enumerate(pairwise(edges)):
        picture[top:bottom] = _board((bottom - top, size), seed + 977 * number, dark, light)
    seam = np.zeros((size, size), np.float32)
    for edge in edges[1:-1]:
        distance = np.abs(np.arange(size) - edge) / (gap * size)
        seam = np.maximum(seam, np.exp(-(distance**2))[:, None].astype(np.float32))
    return (picture * (1 - 0.72 * seam[..., None])).astype(np.float32)


def _board(shape: tuple[int, int], seed: int, dark: tuple[int, int, int], light: tuple[int, int, int]) -> Field:
    """Growth rings cut along the log: wide cathedral arches, fine fibres, short pores."""
    height, width = shape
    generator = np.random.default_rng(seed)
    across = np.linspace(-1, 1, height, dtype=np.float32)[:, None] + float(generator.uniform(-0.5, 0.5))
    along = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    bend = noise(shape, (1.2, 2.5), seed + 1) * 0.22 + fractal(shape, (3, 6), seed + 2, octaves=3) * 0.035
    depth = np.sqrt((across + bend) ** 2 + (0.25 + 0.9 * np.abs(along - float(generator.uniform(0.2, 0.8)))) ** 2)
    phase = depth * float(generator.uniform(9, 13))
    ring = (phase - np.floor(phase)) ** 2.2
    fibre = fractal(shape, (height / 3, 6), seed + 3, octaves=3, gain=0.7)
    pores = np.clip(noise(shape, (height / 2.2, width / 60), seed + 4) - 1.9, 0, 1)
    tone = 0.62 + float(generator.uniform(-0.08, 0.08)) - 0.34 * ring + 0.075 * fibre + 0.05 * bend
    tint = blend(dark, light, tone - 0.35 * pores)
    return (tint * (1 + 0.02 * noise(shape, (2, 3), seed + 5))[..., None]).astype(np.float32)


def marble(size: int, *, seed: int, base: tuple[int, int, int], vein: tuple[int, int, int]) -> Field:
    """Clouded stone with few broad veins and many hair-thin ones, all running the same rough way."""
    shape = (size, size)
    warp = fractal(shape, (2, 2), seed, octaves=5, gain=0.55)
    lean = np.linspace(0, 1, size, dtype=np.float32)
    run = lean[:, None] * 0.8 + lean[None, :] * 1.1
    cloud = np.clip(0.5 + 0.28 * fractal(shape, (2, 2), seed + 7, octaves=6), 0, 1)
    strength = np.zeros(shape, np.float32)
    for number, (count, width, weight) in enumerate([(1.6, 0.035, 0.75), (3.2, 0.014, 0.55), (7.0, 0.006, 0.4)]):
        field = run * count + warp * 0.24 * count**0.5 + fractal(shape, (3, 3), seed + 31 * number, gain=0.6) * 0.12
        distance = np.abs(field - np.round(field))
        presence = np.clip(0.5 + 0.8 * noise(shape, (4, 4), seed + 57 * number), 0, 1)
        strength = np.maximum(strength, weight * presence * np.exp(-((distance / (width * count)) ** 1.1)))
    picture = blend(base, vein, strength * 0.9 + 0.10 * (1 - cloud))
    return (picture * (1 + 0.008 * noise(shape, (size / 3, size / 3), seed + 99))[..., None]).astype(np.float32)


def linen(size: int, *, seed: int, colour: tuple[int, int, int], threads: int = 260) -> Field:
    """A plain weave with slubs: threads of uneven thickness over and under each other."""
    shape = (size, size)
    position = np.linspace(0, threads * np.pi, size, dtype=np.float32)
    wander = noise(shape, (5, 5), seed) * 0.8
    warp = np.sin(position[None, :] + wander)
    weft = np.sin(position[:, None] + wander.T)
    weave = np.where(warp * weft > 0, np.abs(warp), np.abs(weft)) ** 0.6
    slub = 0.5 * noise(shape, (threads, 9), seed + 1) + 0.5 * noise(shape, (9, threads), seed + 2)
    tone = 0.90 + 0.10 * weave + 0.035 * slub + 0.015 * noise(shape, (3, 3), seed + 3)
    return _tinted(colour, tone)


def concrete(size: int, *, seed: int, colour: tuple[int, int, int], contrast: float = 1.0) -> Field:
    """Cast concrete: cloudy, faintly streaked by the trowel, with pinholes."""
    shape = (size, size)
    cloud = 0.045 * fractal(shape, (3, 3), seed, octaves=6, gain=0.6)
    trowel = 0.015 * fractal(shape, (40, 5), seed + 1, octaves=3)
    grain = 0.018 * noise(shape, (size / 2, size / 2), seed + 2)
    holes = np.clip(noise(shape, (size / 14, size / 14), seed + 3) - 3.1, 0, 1) * 0.5
    tone = 1 + contrast * (cloud + trowel + grain) - holes
    return _tinted(colour, tone)


def stone(size: int, *, seed: int, colour: tuple[int, int, int]) -> Field:
    """Weathered slate: layered, speckled, with lighter worn spots."""
    shape = (size, size)
    layers = 0.09 * fractal(shape, (9, 3), seed, octaves=6, gain=0.62)
    worn = 0.10 * np.clip(fractal(shape, (5, 5), seed + 1, octaves=5), 0, 2)
    speckle = 0.06 * noise(shape, (size / 3, size / 3), seed + 2)
    return _tinted(colour, (0.92 + layers + worn + speckle))


def plain(size: int, *, colour: tuple[int, int, int], seed: int, mottle: float = 0.012) -> Field:
    """Painted wall or paper: one colour, very slightly uneven."""
    tone = 1 + mottle * fractal((size, size), (4, 4), seed, octaves=5)
    return _tinted(colour, tone)


def greenery(size: int, *, seed: int) -> Field:
    """Sunlit leaves far out of focus: soft discs of light on shades of green."""
    generator = np.random.default_rng(seed)
    base = blend((38, 66, 34), (150, 182, 96), 0.42 + 0.22 * fractal((size, size), (4, 5), seed, octaves=3))
    for _ in range(150):
        centre = (int(generator.uniform(0, size)), int(generator.uniform(0, size)))
        radius = int(size * generator.uniform(0.012, 0.05))
        disc = np.zeros((size, size), np.float32)
        cv2.circle(disc, centre, radius, 1.0, -1, cv2.LINE_AA)
        disc = cv2.GaussianBlur(disc, (0, 0), radius * 0.18)
        colour = np.array(generator.uniform([0.55, 0.68, 0.25], [1.0, 0.98, 0.62]), np.float32)
        base += disc[..., None] * (colour - base) * float(generator.uniform(0.06, 0.34))
    leaves: Field = np.clip(cv2.GaussianBlur(base, (0, 0), size * 0.006), 0, 1)
    return leaves


def height_map(kind: str, size: int, *, seed: int) -> Field:
    """Bumps for a surface, 0–1 grey in three channels."""
    shape = (size, size)
    fields = {
        "plaster": (0.10, (30, 30), 5, 0.7),
        "leather": (0.16, (90, 90), 2, 0.5),
        "stone": (0.14, (12, 8), 7, 0.62),
    }
    strength, cells, octaves, gain = fields[kind]
    raised = fractal(shape, cells, seed, octaves=octaves, gain=gain)
    field = np.clip(0.5 + strength * (-np.abs(raised) if kind == "leather" else raised), 0, 1).astype(np.float32)
    return np.repeat(field[..., None], 3, 2)


def _tinted(colour: tuple[int, int, int], tone: Field) -> Field:
    tinted: Field = np.clip(np.array(colour, np.float32) / 255 * tone[..., None], 0, 1).astype(np.float32)
    return tinted
