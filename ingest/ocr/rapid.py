"""RapidOCR: PP-OCRv6 by onnxruntime, Chinese and English. Its models lie in its wheel; nothing is fetched.

Found once, then read line by line: together, the lines of a page take twice the memory and a fifth more time, for all
are as wide as the widest. Which way up a page lies is told by reading three of its lines both ways.
"""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.ports import Alive, Picture, SeenLine, SeenPage, Unreadable, nobody

_FINDING_SIDE = 1280  # pixels of the longer side when lines are looked for; at 2,000 it takes twice as long
_SAMPLE = 3  # lines that tell which way up a page lies
_SURE = 0.85  # mean confidence of those above which nobody asks whether it lies upside down
_ALIVE_LINES = 5

_Quad = NDArray[np.float32]  # 4 × (x, y): upper left, upper right, lower right, lower left


class RapidRecognizer:
    """Models are loaded at the first picture (1 s, 130 MB) and stay; one picture is read at a time."""

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()
        self._engine: Any = None

    def read(self, picture: Picture, *, alive: Alive = nobody) -> SeenPage:
        with self._lock, _vendor_errors():
            self._engine = self._engine or engine(threads=self._threads)
            picture, quads = self._upright(np.ascontiguousarray(picture[..., ::-1]), alive)  # models see blue first
            tilt = _tilt(quads)
            lines = []
            for count, quad in enumerate(quads):
                if count % _ALIVE_LINES == 0:
                    alive()
                text, confidence = self._text(picture, quad)
                if text.strip():
                    lines.append(_levelled(quad, tilt, text, confidence))
            return SeenPage(picture.shape[1], picture.shape[0], tuple(lines))

    def _upright(self, picture: Picture, alive: Alive) -> tuple[Picture, list[_Quad]]:
        """The picture as it is to be read, and where its lines are."""
        quads = self._found(picture)
        if sum(_is_tall(quad) for quad in quads) > len(quads) / 2:
            alive()
            picture = np.ascontiguousarray(np.rot90(picture))
            quads = self._found(picture)
        if not quads or self._confidence(picture, quads) >= _SURE:
            return picture, quads
        alive()
        turned = np.ascontiguousarray(np.rot90(picture, 2))
        turned_quads = self._found(turned)
        better = bool(turned_quads) and self._confidence(turned, turned_quads) > self._confidence(picture, quads)
        return (turned, turned_quads) if better else (picture, quads)

    def _found(self, picture: Picture) -> list[_Quad]:
        boxes = self._engine(picture, use_det=True, use_cls=False, use_rec=False).boxes
        return [] if boxes is None else [quad.astype(np.float32) for quad in boxes]

    def _confidence(self, picture: Picture, quads: Sequence[_Quad]) -> float:
        longest = sorted(quads, key=lambda quad: -max(_sides(quad)))
        return float(np.mean([self._text(picture, quad)[1] for quad in islice(longest, _SAMPLE)]))

    def _text(self, picture: Picture, quad: _Quad) -> tuple[str, float]:
        from rapidocr.utils.process_img import get_rotate_crop_image

        crop = get_rotate_crop_image(picture, quad.copy())
        if min(crop.shape[:2]) < 2:
            return "", 0.0
        read = self._engine(crop, use_det=False, use_cls=False, use_rec=True)
        return (read.txts[0], float(read.scores[0])) if read.txts else ("", 0.0)


@contextmanager
def _vendor_errors() -> Generator[None]:
    import cv2
    from rapidocr.inference_engine.onnxruntime.main import ONNXRuntimeError
    from rapidocr.utils.process_img import ResizeImgError

    try:
        yield
    except (cv2.error, ONNXRuntimeError, ResizeImgError) as exc:
        raise Unreadable from exc


def engine(*, threads: int) -> Any:
    """RapidOCR itself, with the models of its wheel; each call says which of its parts it uses."""
    import rapidocr

    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "error",
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Det.limit_type": "max",
            "Det.limit_side_len": _FINDING_SIDE,
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "EngineConfig.onnxruntime.intra_op_num_threads": threads,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _sides(quad: _Quad) -> tuple[float, float]:
    return float(np.linalg.norm(quad[1] - quad[0])), float(np.linalg.norm(quad[3] - quad[0]))


def _is_tall(quad: _Quad) -> bool:
    wide, high = _sides(quad)
    return high > 1.5 * wide


def _tilt(quads: Sequence[_Quad]) -> float:
    """How much the lines rise to the right, as a tangent; of the long ones, for short ones tell little."""
    long = [quad for quad in quads if _sides(quad)[0] > 5 * _sides(quad)[1]]
    slopes = [float((quad[1][1] - quad[0][1]) / (quad[1][0] - quad[0][0])) for quad in long]
    return float(np.median(slopes)) if slopes else 0.0


def _levelled(quad: _Quad, tilt: float, text: str, confidence: float) -> SeenLine:
    x, y = (float(value) for value in quad.mean(axis=0))
    wide, high = _sides(quad)
    y -= tilt * x
    return SeenLine(text, x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, confidence)
