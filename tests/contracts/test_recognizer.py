"""What every recogniser of text does: the scripted one and the real one."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.ocr.choice import recognizer_named
from ingest.ocr.memory import ScriptedRecognizer
from ingest.ocr.pictures import frame
from ingest.ocr.ports import Picture, Recognizer, SeenLine

WIDTH, HEIGHT = 640, 200
LINES = ("ORDER NUMBER 20488", "Total 129.00")
REAL = recognizer_named("auto")


def written() -> Picture:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(LINES):
        draw.text((30, 30 + 80 * row), line, fill="black", font=ImageFont.load_default(36))
    return np.asarray(image)


def scripted() -> Recognizer:
    return ScriptedRecognizer([SeenLine(text, 30, 30 + 80 * row, 400, 70 + 80 * row) for row, text in enumerate(LINES)])


@pytest.fixture(
    params=["scripted", pytest.param("real", marks=pytest.mark.skipif(REAL is None, reason="needs the extra ocr"))]
)
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    return REAL if request.param == "real" and REAL is not None else scripted()


def test_lines_have_their_text_and_lie_inside_the_picture(recognizer: Recognizer) -> None:
    page = recognizer.read(written())
    lines = sorted(page.lines, key=lambda line: line.middle)
    assert [line.text for line in lines] == list(LINES)
    assert (page.width, page.height) == (WIDTH, HEIGHT)
    for line in lines:
        assert 0 <= line.left < line.right <= WIDTH
        assert 0 <= line.top < line.bottom <= HEIGHT
        assert 0.9 < line.confidence <= 1


def test_whoever_waits_is_told_that_it_goes_on_and_may_end_it(recognizer: Recognizer) -> None:
    class Unwanted(Exception):
        pass

    def stop() -> None:
        raise Unwanted

    with pytest.raises(Unwanted):
        recognizer.read(written(), alive=stop)
    assert recognizer.read(np.full((60, 60, 3), 255, np.uint8)).lines is not None


@pytest.mark.skipif(REAL is None, reason="needs the extra ocr")
@pytest.mark.parametrize("turn", [90, 180, 270, 3])
def test_a_picture_may_lie_on_its_side_upside_down_or_askew(turn: float) -> None:
    assert REAL is not None
    upright = Path(__file__).parents[1] / "ingest/loaders/fixtures/prices_zh.png"
    buffer = io.BytesIO()
    last_lines = Image.open(upright).convert("L").crop((0, 360, 760, 560))
    last_lines.rotate(turn, expand=True, fillcolor=255).save(buffer, "PNG")
    page = REAL.read(frame(buffer.getvalue()))
    texts = [line.text for line in sorted(page.lines, key=lambda line: line.middle)]
    assert texts == ["以上价格自六月一日起执行，满两百元包邮；", "质量问题七天内可退换。"]
