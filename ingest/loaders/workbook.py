"""What XLSX, XLS and ODS share: sheets of cells become headings, tables and question lists."""

import re
from dataclasses import dataclass, field

from ingest.blocks import Block, Heading
from ingest.loaders.grid import Grid, Merge, Row, blocks_of
from ingest.loaders.source import Draft, Progress, silent, too_large

MAX_CELLS = 2_000_000  # cells with a value in one workbook; half a minute and about 400 MB
MAX_COLUMNS = 2_000
_REPORT = 20_000  # cells between two reports
_UNNAMED = re.compile(r"(sheet|工作表|表)\s*\d*|sheet\d+\s*\(\d+\)", re.IGNORECASE)


@dataclass(slots=True)
class Sheet:
    """One worksheet as read: only rows with values, numbered as the source shows them."""

    name: str
    rows: list[Row] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    hidden: bool = False
    pictures: list[Block] = field(default_factory=list)  # what they say, after the rows


class CellBudget:
    """Counts cells with values over a whole workbook, and says so. Raises DocumentRefused ``too_large``."""

    def __init__(self, progress: Progress = silent) -> None:
        self._progress = progress
        self._taken = 0

    def take(self, cells: int) -> None:
        before, self._taken = self._taken, self._taken + cells
        if self._taken > MAX_CELLS:
            raise too_large("This workbook has more cells than a document may have.")
        if before // _REPORT != self._taken // _REPORT:
            self._progress(self._taken, 0)


def draft_of(sheets: list[Sheet]) -> Draft:
    """Hidden sheets are left out, with a note; a sheet that has a name of its own begins with it as a heading."""
    draft = Draft()
    hidden = [sheet.name for sheet in sheets if sheet.hidden]
    if hidden:
        draft.notes.append(f"Hidden sheets were left out: {', '.join(hidden)}.")
    for sheet in sheets:
        if sheet.hidden:
            continue
        blocks = blocks_of(Grid(sheet.rows, sheet.merges, sheet=sheet.name, title_level=2))
        draft.blocks.extend(_headed(sheet.name, blocks + sheet.pictures, alone=len(sheets) == 1))
    return draft


def _headed(name: str, blocks: list[Block], *, alone: bool) -> list[Block]:
    if not blocks or (alone and _UNNAMED.fullmatch(name.strip())):
        return blocks
    return [Heading(1, name), *blocks]
