"""Meshes, materials and lamps for the renderer, as Mitsuba's dictionaries. A unit is about ten centimetres; z is up."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import cv2
import mitsuba as mi  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from numpy.typing import NDArray

from app.imaging.rendering.textures import Field

Thing: TypeAlias = dict[str, Any]
Colour: TypeAlias = tuple[int, int, int]
_SAMPLES_PER_PASS = 4  # a pass keeps every ray in memory at once


def linear(colour: Colour) -> list[float]:
    """sRGB 0–255 to the linear values that light is reckoned in."""
    share = np.array(colour) / 255
    return [float(value) for value in np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)]


def paint(colour: Colour) -> Thing:
    """One colour all over."""
    return {"type": "rgb", "value": linear(colour)}


def printed(picture: Field, *, raw: bool = False, repeat: float = 1.0) -> Thing:
    """A drawn surface as a texture; ``raw`` for heights."""
    bitmap = mi.Bitmap((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    return {
        "type": "bitmap",
        "bitmap": bitmap,
        "raw": raw,
        "to_uv": mi.ScalarTransform4f().scale([repeat, repeat, 1]),
        "wrap_mode": "mirror",  # a repeated picture would show its seams
    }


def matte(colour: Thing) -> Thing:
    """Paper, plaster, cloth."""
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": colour}}


def coated(colour: Thing, *, roughness: float = 0.15) -> Thing:
    """Glaze, lacquer, plastic: colour under a clear layer."""
    return {
        "type": "twosided",
        "bsdf": {"type": "roughplastic", "diffuse_reflectance": colour, "alpha": roughness, "nonlinear": True},
    }


def metal(colour: Colour, *, roughness: float = 0.15) -> Thing:
    """Brushed or polished, tinted."""
    return {
        "type": "twosided",
        "bsdf": {
            "type": "principled",
            "base_color": paint(colour),
            "metallic": 1.0,
            "roughness": roughness,
        },
    }


def bumped(material: Thing, heights: Field, *, scale: float, repeat: float = 1.0) -> Thing:
    """The same material with fine relief."""
    return {
        "type": "twosided",
        "bsdf": {
            "type": "bumpmap",
            "arbitrary": printed(heights, raw=True, repeat=repeat),
            "scale": scale,
            "bsdf": material["bsdf"],
        },
    }


def place(*, x: float = 0, y: float = 0, z: float = 0, turn: float = 0) -> Any:
    """Where a thing stands, turned about the vertical by ``turn`` degrees."""
    transform = mi.ScalarTransform4f
    return transform().translate([x, y, z]) @ transform().rotate([0, 0, 1], turn)


def mesh(points: NDArray[np.float64], faces: NDArray[np.int64], material: Thing, at: Any, uv: Any = None) -> Any:
    """A smooth mesh. ``points`` (n, 3), ``faces`` (m, 3), ``uv`` (n, 2)."""
    properties = mi.Properties()
    properties["mesh_bsdf"] = mi.load_dict(material)
    made = mi.Mesh(
        "solid", len(points), len(faces), has_vertex_normals=True, has_vertex_texcoords=uv is not None, props=properties
    )
    homogeneous = np.concatenate([points, np.ones((len(points), 1))], 1) @ np.array(at.matrix, dtype=float).T
    parameters = mi.traverse(made)
    parameters["vertex_positions"] = np.ravel(homogeneous[:, :3]).astype(np.float32)
    parameters["faces"] = np.ravel(faces).astype(np.uint32)
    if uv is not None:
        parameters["vertex_texcoords"] = np.ravel(uv).astype(np.float32)
    parameters.update()
    return made


def smooth(profile: Sequence[tuple[float, float]], *, steps: int = 160) -> NDArray[np.float64]:
    """A profile (radius, height) with its corners rounded (Chaikin's corner cutting)."""
    points = np.array(profile, float)
    for _ in range(4):
        low, high = points[:-1] * 0.75 + points[1:] * 0.25, points[:-1] * 0.25 + points[1:] * 0.75
        points = np.concatenate([points[:1], np.stack([low, high], 1).reshape(-1, 2), points[-1:]])
        if len(points) > steps:
            break
    return points


def turned(profile: Sequence[tuple[float, float]], material: Thing, at: Any = None, *, sides: int = 128) -> Any:
    """A solid of revolution: cup, jar, podium."""
    line = smooth(profile)
    angles = np.linspace(0, 2 * np.pi, sides + 1)
    radius, height = line[:, 0][:, None], line[:, 1][:, None]
    points = np.stack([radius * np.cos(angles), radius * np.sin(angles), height + 0 * angles], -1).reshape(-1, 3)
    along = np.linspace(0, 1, len(line))[:, None] + 0 * angles
    uv = np.stack([np.broadcast_to(angles / (2 * np.pi), along.shape), along], -1).reshape(-1, 2)
    return mesh(points, _grid(len(line), sides + 1), material, at or place(), uv)


def block(
    size: tuple[float, float, float], material: Thing, at: Any = None, *, edge: float = 0.03, pinch: float = 0.0
) -> Any:
    """A box with rounded edges, standing on z = 0. ``pinch`` narrows its top, as a bag's."""
    half = np.array(size) / 2
    theta, phi = np.meshgrid(np.linspace(0, np.pi, 97), np.linspace(0, 2 * np.pi, 193), indexing="ij")
    normal = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1)
    points = np.sign(np.round(normal, 9)) * (half - edge) + edge * normal
    points = points.reshape(-1, 3) + np.array([0, 0, half[2]])
    rise = points[:, 2:] / size[2]
    points = points * np.concatenate([1 - 0.4 * pinch * rise, 1 - pinch * rise, np.ones_like(rise)], 1)
    uv = np.stack([points[:, 0] / size[0] + 0.5, (points[:, 1] + points[:, 2]) / (size[1] + size[2]) + 0.5], 1)
    return mesh(points, _grid(97, 193), material, at or place(), uv)


def pipe(path: NDArray[np.float64], radius: float, material: Thing, at: Any = None, *, flat: float = 1.0) -> Any:
    """A rod along ``path`` (n, 3) lying in the x-z plane; ``flat`` < 1 makes it a strap."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.array([0.0, 1.0, 0.0])
    inward = np.cross(tangent, side)
    angles = np.linspace(0, 2 * np.pi, 33)
    ring = radius * (inward[:, None, :] * np.cos(angles)[None, :, None] * flat + side * np.sin(angles)[None, :, None])
    points = (path[:, None, :] + ring).reshape(-1, 3)
    return mesh(points, _grid(len(path), 33), material, at or place())


def arc(
    centre: tuple[float, float], radii: tuple[float, float], start: float, end: float, *, count: int = 60
) -> NDArray[np.float64]:
    """Points of an ellipse in the x-z plane, angles in degrees."""
    angle = np.radians(np.linspace(start, end, count))
    return np.stack([centre[0] + radii[0] * np.cos(angle), np.zeros(count), centre[1] + radii[1] * np.sin(angle)], 1)


def _grid(rows: int, columns: int) -> NDArray[np.int64]:
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    return np.concatenate(
        [
            np.stack([first, first + columns, first + columns + 1], 1),
            np.stack([first, first + columns + 1, first + 1], 1),
        ]
    )


def floor(material: Thing, *, size: float = 8.0, y: float = 0.0, z: float = 0.0) -> Thing:
    """A level surface around (0, y)."""
    transform = mi.ScalarTransform4f
    return {
        "type": "rectangle",
        "to_world": transform().translate([0, y, z]) @ transform().scale([size, size, 1]),
        "bsdf": material,
    }


def wall(material: Thing, *, y: float, size: float = 10.0, z: float = 0.0) -> Thing:
    """An upright surface behind the scene, facing the camera."""
    transform = mi.ScalarTransform4f
    turned_up = transform().translate([0, y, z]) @ transform().rotate([1, 0, 0], 90)
    return {"type": "rectangle", "to_world": turned_up @ transform().scale([size, size, 1]), "bsdf": material}


def sweep(material: Thing, *, start: float = 2.5, bend: float = 2.0, wide: float = 14.0) -> Any:
    """A studio's paper roll: floor and wall in one piece with a soft bend; no line between them."""
    angle = np.radians(np.linspace(0, 90, 40))
    ys = np.concatenate([[-14.0], start + bend * np.sin(angle), [start + bend]])
    zs = np.concatenate([[0.0], bend - bend * np.cos(angle), [16.0]])
    points = np.stack([np.stack([np.full_like(ys, x), ys, zs], 1) for x in (-wide, wide)], 1).reshape(-1, 3)
    return mesh(points, _grid(len(ys), 2), material, place())


def lamp(
    *, origin: Sequence[float], target: Sequence[float], size: float, power: float, colour: Colour = (255, 255, 255)
) -> Thing:
    """A square soft box. ``power`` is radiance."""
    transform = mi.ScalarTransform4f
    return {
        "type": "rectangle",
        "to_world": transform().look_at(origin=list(origin), target=list(target), up=[0, 0.01, 1])
        @ transform().scale([size, size, 1]),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [power * part for part in linear(colour)]}},
    }


def sky(power: float, colour: Colour = (255, 255, 255)) -> Thing:
    """Even light from everywhere."""
    return {"type": "constant", "radiance": {"type": "rgb", "value": [power * part for part in linear(colour)]}}


def camera(
    *, origin: Sequence[float], target: Sequence[float], angle: float, size: tuple[int, int], blur: float = 0.0
) -> Thing:
    """A lens with an opening of radius ``blur``, sharp at the target."""
    away = float(np.linalg.norm(np.subtract(origin, target)))
    return {
        "type": "thinlens" if blur else "perspective",
        **({"aperture_radius": blur, "focus_distance": away} if blur else {}),
        "fov": angle,
        "to_world": mi.ScalarTransform4f().look_at(origin=list(origin), target=list(target), up=[0, 0.001, 1]),
        "film": {"type": "hdrfilm", "width": size[0], "height": size[1], "rfilter": {"type": "gaussian"}},
        "sampler": {"type": "independent"},
    }


def photograph(things: Sequence[Any], view: Thing, *, samples: int, exposure: float = 0.8, depth: int = 7) -> Field:
    """Trace the light and develop: (height, width, 3) 0–1 sRGB, with highlights rolled off as film does.

    ``exposure`` is how bright the brightest twentieth of the picture comes out, 0–1 linear.
    """
    world: Thing = {"type": "scene", "integrator": {"type": "path", "max_depth": depth}, "view": view}
    world.update({f"thing{number}": thing for number, thing in enumerate(things)})
    scene = mi.load_dict(world)
    passes = max(1, samples // _SAMPLES_PER_PASS)
    light = sum(
        np.minimum(np.array(mi.render(scene, seed=seed, spp=_SAMPLES_PER_PASS))[..., :3], 12.0)
        for seed in range(passes)
    ) / np.float32(passes)
    even = cv2.GaussianBlur(light.mean(-1).astype(np.float32), (0, 0), light.shape[1] / 60)
    light = light * (exposure / np.percentile(even, 95))
    light = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    developed: Field = np.clip(shown, 0, 1).astype(np.float32)
    return developed
