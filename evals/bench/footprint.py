"""What a process and a folder take, for the benches' tables."""

from dataclasses import dataclass
from pathlib import Path

import psutil

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Footprint:
    """Megabytes: resident of this process and of Chroma's server, and on disk by store."""

    ours_mb: int
    chroma_mb: int
    disk_mb: dict[str, int]


def footprint(data: Path, chroma_port: int | None) -> Footprint:
    """Of this process, the Chroma server among its children that listens at ``chroma_port``, and a data folder."""
    children = psutil.Process().children(recursive=True)
    servers = [child for child in children if chroma_port and str(chroma_port) in child.cmdline()]
    return Footprint(
        ours_mb=psutil.Process().memory_info().rss // MB,
        chroma_mb=sum(server.memory_info().rss for server in servers) // MB,
        disk_mb={
            "sql": sum(_size(path) for path in data.glob("*.db*")) // MB,
            "chroma": _size(data / "chroma") // MB,
            "lexical": _size(data / "lexical") // MB,
        },
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
