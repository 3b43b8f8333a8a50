"""How a knowledge base's documents are cut into chunks: what its people may choose, and within which bounds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from knowledge.errors import InvalidInput

SMALLEST, LARGEST = 80, 1000
MOST_OVERLAP = 1 / 3  # of a chunk; more, and a chunk is mostly its neighbour


@dataclass(frozen=True, slots=True)
class Chunking:
    """``size`` and ``overlap`` are in CJK characters (:func:`knowledge.widths.width`).

    ``join_small``: small sections beside each other share a chunk. ``row_by_row``: each row of a table is a chunk.
    """

    size: int = 300
    overlap: int = 60
    join_small: bool = True
    row_by_row: bool = False

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """From :meth:`stored`; None is the default."""
        return cls(**(stored or {}))

    def stored(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def key(self) -> str:
        """Equal for what is cut equally."""
        return f"{self.size}/{self.overlap}/{self.join_small:d}/{self.row_by_row:d}"

    @property
    def most_overlap(self) -> int:
        return int(self.size * MOST_OVERLAP)

    def checked(self) -> Self:
        """Raises InvalidInput ``chunk_size_invalid`` or ``chunk_overlap_invalid``."""
        if not SMALLEST <= self.size <= LARGEST:
            raise InvalidInput(
                f"A chunk has {SMALLEST} to {LARGEST} characters.",
                code="chunk_size_invalid",
                least=SMALLEST,
                most=LARGEST,
            )
        if not 0 <= self.overlap <= self.most_overlap:
            raise InvalidInput(
                f"Chunks of {self.size} overlap by 0 to {self.most_overlap} characters.",
                code="chunk_overlap_invalid",
                most=self.most_overlap,
            )
        return self


DEFAULT = Chunking()
