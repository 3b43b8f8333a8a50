"""From the size that is asked for to one that the model draws well, and back."""

import math

from PIL import Image, ImageOps

from app.imaging.engines.diffusion.recipes import STEP, Recipe, Size


def drawn_size(asked: Size, recipe: Recipe) -> Size:
    """The bucket whose shape is nearest; without buckets, what is asked for, rounded up to whole cells."""
    if not recipe.buckets:
        width, height = (math.ceil(pixels / STEP) * STEP for pixels in asked)
        return width, height
    return min(recipe.buckets, key=lambda bucket: (abs(math.log(_shape(bucket) / _shape(asked))), -math.prod(bucket)))


def working_size(picture: Size, side: int) -> Size:
    """The shape of a picture with the area of ``side``², in whole cells: what is drawn lies over it pixel by pixel."""
    scale = side / math.sqrt(math.prod(picture))
    width, height = (max(round(pixels * scale / STEP), 1) * STEP for pixels in picture)
    return width, height


def bounded(picture: Image.Image, longest: int) -> Image.Image:
    """The picture itself, or smaller so that no side is longer than ``longest`` pixels."""
    if max(picture.size) <= longest:
        return picture
    return ImageOps.contain(picture, (longest, longest), Image.Resampling.LANCZOS)


def fitted(picture: Image.Image, asked: Size) -> Image.Image:
    """Scaled to cover what is asked for, and cropped around the middle; a few pixels too many are only cropped."""
    width, height = asked
    more_x, more_y = picture.width - width, picture.height - height
    if 0 <= more_x < STEP and 0 <= more_y < STEP:
        left, top = more_x // 2, more_y // 2
        return picture.crop((left, top, left + width, top + height))
    return ImageOps.fit(picture, asked, Image.Resampling.LANCZOS)


def _shape(size: Size) -> float:
    return size[0] / size[1]
