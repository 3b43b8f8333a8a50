"""The visible mark in the corner: «AI生成», or AI-generated.

GB 45438-2025 asks for words at an edge or corner, at least 5 % of the picture's shorter side high. The two Chinese
characters are drawn here as strokes, so that no font need be installed.
"""

from typing import Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.imaging.ports import Pixels

Language: TypeAlias = Literal["zh", "en"]
HEIGHT = 0.052  # of the shorter side
OVERSAMPLED = 4

# Strokes on a square of 100, top left first.
_SHENG = [
    [(30, 8), (26, 24), (12, 44)],
    [(24, 30), (88, 30)],
    [(51, 4), (51, 92)],
    [(22, 60), (82, 60)],
    [(6, 92), (95, 92)],
]
_CHENG = [
    [(20, 26), (92, 26)],
    [(20, 26), (20, 56), (16, 76), (6, 95)],
    [(22, 50), (47, 50), (46, 78), (42, 84), (32, 80)],
    [(58, 4), (61, 34), (68, 62), (78, 82), (90, 94), (95, 92), (97, 76)],
    [(85, 42), (76, 64), (64, 80), (48, 93)],
    [(72, 6), (85, 17)],
]


def marked(pixels: Pixels, language: Language) -> Pixels:
    """With the words in the lower right corner, on a dark translucent plate, legible on any ground."""
    height, width = pixels.shape[:2]
    tall = max(10, round(HEIGHT * min(height, width)))
    words = _words(tall * OVERSAMPLED, language)
    pad = round(0.45 * tall)
    plate = Image.new("L", (words.width // OVERSAMPLED + 2 * pad, tall + 2 * pad), 0)
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, plate.width - 1, plate.height - 1), pad, fill=110)
    letters = Image.new("L", plate.size, 0)
    small = words.resize((words.width // OVERSAMPLED, tall), Image.Resampling.LANCZOS)
    letters.paste(small, (pad, pad))
    image = Image.fromarray(pixels)
    margin = round(0.02 * min(height, width))
    spot = max(0, width - plate.width - margin), max(0, height - plate.height - margin)
    image.paste((20, 20, 22), spot, plate)
    image.paste((255, 255, 255), spot, letters)
    return np.array(image)


def _words(tall: int, language: Language) -> Image.Image:
    """White on black, cropped to the letters' height, which becomes ``tall``."""
    if language == "en":
        return _latin("AI-generated", tall)
    latin = _latin("AI", tall)
    gap, size = tall // 8, round(tall * 1.0)
    image = Image.new("L", (latin.width + 2 * size + 2 * gap, tall), 0)
    image.paste(latin, (0, 0))
    for number, strokes in enumerate((_SHENG, _CHENG)):
        _draw(image, strokes, left=latin.width + gap + number * (size + gap // 2), size=size)
    return image


def _draw(image: Image.Image, strokes: list[list[tuple[int, int]]], *, left: int, size: int) -> None:
    pen, draw = max(2, round(size * 0.085)), ImageDraw.Draw(image)
    for stroke in strokes:
        points = [(left + x * size / 100, y * size / 100) for x, y in stroke]
        draw.line(points, fill=255, width=pen, joint="curve")
        for x, y in (points[0], points[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)


def _latin(text: str, tall: int) -> Image.Image:
    """In the font that comes with Pillow, scaled so that capitals are ``tall``."""
    font = ImageFont.load_default(size=tall * 1.3)
    _, top, _, bottom = font.getbbox("A")
    left, _, right, low = font.getbbox(text)
    scale = tall / (bottom - top)
    drawn = Image.new("L", (round(right - left) + 4, round(low - top)), 0)
    ImageDraw.Draw(drawn).text((-left, -top), text, font=font, fill=255)
    drawn = drawn.resize((max(1, round(drawn.width * scale)), max(1, round(drawn.height * scale))))
    if drawn.height <= tall:
        return drawn
    # Letters with descenders: all of it fits into the height.
    return drawn.resize((max(1, round(drawn.width * tall / drawn.height)), tall), Image.Resampling.LANCZOS)
