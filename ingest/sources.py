"""Local paths → files to take in, each under a stable name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowledge.errors import InvalidInput

MAX_NAME = 500
SKIPPED_FOLDERS = {"__pycache__", "node_modules"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """``name`` is the path below the ingested folder, with ``/``; a single file goes by its own name."""

    path: Path
    name: str


def expand(arguments: Sequence[str]) -> list[SourceFile]:
    """Files, folders (recursively, hidden ones left out) and globs.

    Raises InvalidInput ``path_not_found`` for an argument that matches nothing.
    """
    found: dict[str, SourceFile] = {}
    for argument in arguments:
        matched = list(_expand(argument))
        if not matched:
            raise InvalidInput(f"There is no file at “{argument}”.", code="path_not_found", path=argument)
        for source in matched:
            taken = found.get(source.name)
            clash = taken is not None and taken.path != source.path  # two files of one name: keep their paths apart
            name = source.path.as_posix().lstrip("./") if clash else source.name
            found[name] = SourceFile(source.path, name)
    return list(found.values())


def clean_name(name: str) -> str:
    """A document's name: a relative path with ``/``. Raises InvalidInput ``document_name_invalid``."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    cleaned = "/".join("".join(char for char in part if char.isprintable()).strip() for part in parts)
    if not cleaned or len(cleaned) > MAX_NAME:
        raise InvalidInput("A document needs a name of 1 to 500 characters.", code="document_name_invalid")
    return cleaned


def _expand(argument: str) -> Iterator[SourceFile]:
    path = Path(argument).expanduser()
    if path.is_dir():
        yield from _walk(path)
    elif path.is_file():
        yield SourceFile(path, path.name)
    elif any(mark in argument for mark in "*?["):
        root = Path(path.anchor) if path.is_absolute() else Path()
        pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
        for match in sorted(root.glob(pattern)):
            yield from _walk(match) if match.is_dir() else [SourceFile(match, match.name)]


def _walk(folder: Path) -> Iterator[SourceFile]:
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in below.parts):
            yield SourceFile(path, below.as_posix())
