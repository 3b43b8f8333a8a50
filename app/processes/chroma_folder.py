"""What our own Chroma leaves in its folder: it forgets a collection that is dropped, and keeps its vectors' files.

So says chromadb 1.5.9: a collection's row goes at once, its segment's folder never. A folder is made after its row, so
one without a row is of no collection any more; a server that still has it open goes on reading what it has.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import UUID

CHROMA = "chroma"  # in the data folder


def drop_left_segments(folder: Path) -> int:
    """Remove the folders of dropped collections; → how many. Nothing where there is no Chroma of ours."""
    file = folder / "chroma.sqlite3"
    if not file.exists():
        return 0
    there = [path for path in folder.iterdir() if path.is_dir() and _is_uuid(path.name)]
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        known = {row[0] for row in connection.execute("SELECT id FROM segments")}
    left = [path for path in there if path.name not in known]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _is_uuid(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
