"""Which part of a long list is on the page."""

from dataclasses import dataclass

CHUNKS_PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Pages:
    """A window onto ``total`` things, ``per_page`` at a time; ``number`` counts from 1."""

    number: int
    per_page: int
    total: int

    @classmethod
    def holding(cls, number: int, per_page: int, total: int) -> "Pages":
        """The window of this number, or the last one: the list may have become shorter since."""
        return cls(min(number, cls(1, per_page, total).last), per_page, total)

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.per_page))

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.per_page

    @property
    def first_shown(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last_shown(self) -> int:
        return min(self.offset + self.per_page, self.total)
