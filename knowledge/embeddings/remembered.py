"""The vectors of the questions asked last: one turn needs that of its question several times."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from knowledge.ports import Vector

MOST = 1024  # 1.5 MB of 384 dimensions


class RememberedQuestions:
    """Thread-safe. Gives copies, so that a caller cannot spoil what is kept."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._vectors: OrderedDict[str, Vector] = OrderedDict()
        self._lock = threading.Lock()

    def vector(self, text: str, embed: Callable[[str], Vector]) -> Vector:
        """The question's vector, made by ``embed`` if it is not known."""
        with self._lock:
            if text in self._vectors:
                self._vectors.move_to_end(text)
                return self._vectors[text].copy()
        vector = embed(text)
        with self._lock:
            self._vectors[text] = vector
            if len(self._vectors) > self._most:
                self._vectors.popitem(last=False)
        return vector.copy()
