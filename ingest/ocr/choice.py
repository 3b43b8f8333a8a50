"""Which recogniser there is, by name: a process that reads documents makes its own."""

from functools import cache
from importlib.util import find_spec
from typing import Literal, TypeAlias

from ingest.ocr.ports import Alive, Picture, Recognizer, SeenPage, nobody

RecognizerName: TypeAlias = Literal["auto", "off"]


def recognizer_named(name: RecognizerName) -> Recognizer | None:
    """None where it is switched off or the extra ``ocr`` is not installed. Imports and loads nothing yet."""
    return None if name == "off" or find_spec("rapidocr") is None else _AtFirstPicture()


class _AtFirstPicture:
    """One recogniser for the process, made when there is something to read."""

    def read(self, picture: Picture, *, alive: Alive = nobody) -> SeenPage:
        return _rapid().read(picture, alive=alive)


@cache
def _rapid() -> Recognizer:
    from ingest.ocr.rapid import RapidRecognizer

    return RapidRecognizer()
