"""A recogniser that says what it was told to: for tests, which need no model then."""

from collections.abc import Iterable

from ingest.ocr.ports import Alive, Picture, SeenLine, SeenPage, nobody


class ScriptedRecognizer:
    """Answers with one script after the other, each a picture's lines; pictures beyond them are without text."""

    def __init__(self, *scripts: Iterable[SeenLine]) -> None:
        self._scripts = iter(scripts)
        self.sizes: list[tuple[int, int]] = []  # (width, height) of every picture seen

    def read(self, picture: Picture, *, alive: Alive = nobody) -> SeenPage:
        alive()
        height, width = picture.shape[:2]
        self.sizes.append((width, height))
        return SeenPage(width, height, tuple(next(self._scripts, ())))
