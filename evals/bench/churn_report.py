"""What a knowledge base takes and gives after each hour of changes, and what is said of a day."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from sqlalchemy import func, select, text

from app.wiring import Services
from evals.bench.footprint import Footprint
from knowledge.models import KnowledgeBase
from knowledge.tables import chunk_removals, chunks, document_versions, past_chunks, vectors

LAST = 3  # hours that are set beside the first
SLOWER, SLOWER_P95 = 1.25, 1.5  # than at first: no more, at a median; a p95 of a hundred questions is one of five
LOST = 0.02  # of the nearest, beside the first hour


@dataclass(frozen=True, slots=True)
class Hour:
    """Hour 0 is before any change. Milliseconds of a search with nothing else going on; ``recall`` is how many of the
    50 nearest by vector are found, beside all of them compared. ``rows`` are counts; ``wrong`` what was found and must
    not be, or not found and must."""

    hour: int
    changes: int
    took_s: float
    p50_ms: float
    p95_ms: float
    stages_ms: dict[str, float]
    busy_p50_ms: float
    busy_p95_ms: float
    recall: float
    footprint: Footprint
    rows: dict[str, int]
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The median of the last hours over the first one."""

    p50: float
    p95: float
    recall: float
    wrong: int
    api_memory: float
    chroma_memory: float
    disk: dict[str, float]

    @property
    def good(self) -> bool:
        return self.p50 <= SLOWER and self.p95 <= SLOWER_P95 and self.recall >= -LOST and not self.wrong

    def line(self) -> str:
        disk = ", ".join(f"{name} × {ratio:.2f}" for name, ratio in self.disk.items())
        return (
            f"{'good' if self.good else 'NOT GOOD'}: the last hours over the first: p50 × {self.p50:.2f}, "
            f"p95 × {self.p95:.2f}, recall {self.recall:+.3f}, wrong {self.wrong}; memory × {self.api_memory:.2f}, of "
            f"Chroma × {self.chroma_memory:.2f}; disk: {disk}"
        )

    def json(self) -> dict[str, Any]:
        return {**asdict(self), "good": self.good}


def judged(hours: Sequence[Hour]) -> Verdict:
    """Disk and memory by what is live, as there may be more of it by then."""
    first, last = hours[0], hours[-LAST:] if len(hours) > LAST else hours[-1:]

    def by_live(hour: Hour, much: float) -> float:
        return max(much, 1) / max(hour.rows["chunks"], 1)

    def ratio(of: Sequence[float], at_first: float) -> float:
        return round(median(of) / max(at_first, 1e-9), 3)

    return Verdict(
        p50=ratio([hour.p50_ms for hour in last], first.p50_ms),
        p95=ratio([hour.p95_ms for hour in last], first.p95_ms),
        recall=round(median(hour.recall for hour in last) - first.recall, 3),
        wrong=sum(len(hour.wrong) for hour in hours),
        api_memory=ratio([by_live(h, h.footprint.ours_mb) for h in last], by_live(first, first.footprint.ours_mb)),
        chroma_memory=ratio(
            [by_live(h, h.footprint.chroma_mb) for h in last], by_live(first, first.footprint.chroma_mb)
        ),
        disk={
            name: ratio([by_live(hour, hour.footprint.disk_mb[name]) for hour in last], by_live(first, much))
            for name, much in first.footprint.disk_mb.items()
        },
    )


async def rows_of(services: Services, kb: KnowledgeBase, folder: Path) -> dict[str, int]:
    """What SQL has of a knowledge base and what lies in the index of words. ``free_kb``: of SQLite's file."""
    counts = {}
    async with services.parts.database.read() as connection:
        for table in (chunks, vectors, past_chunks, chunk_removals):
            query = select(func.count()).select_from(table).where(table.c.kb_id == kb.id)
            counts[f"{table.name}"] = int((await connection.execute(query)).scalar_one())
        query = select(func.count()).select_from(document_versions)
        counts["document_versions"] = int((await connection.execute(query)).scalar_one())
        if connection.dialect.name == "sqlite":
            free = (await connection.execute(text("PRAGMA freelist_count"))).scalar_one()
            counts["free_kb"] = (
                int(free) * int((await connection.execute(text("PRAGMA page_size"))).scalar_one()) // 1000
            )
    counts["orphans"] = len(await services.parts.vector_ledger.orphans())
    return counts | _postings(folder, kb)


def _postings(folder: Path, kb: KnowledgeBase) -> dict[str, int]:
    found = {}
    for meta in folder.glob(f"lexical/*/*/{kb.id}/meta.json"):
        segments = json.loads(meta.read_text())["segments"]
        dead = sum((segment["deletes"] or {"num_deleted_docs": 0})["num_deleted_docs"] for segment in segments)
        found = {"segments": len(segments), "postings_dead": dead}
    return found


COLUMNS = ("hour", "changes", "took", "p50", "p95", "stages", "while busy", "recall", "memory", "disk", "wrong")


def cells(hour: Hour) -> tuple[str, ...]:
    of = hour.footprint
    return (
        str(hour.hour),
        str(hour.changes),
        f"{hour.took_s:.0f} s",
        f"{hour.p50_ms:.1f}",
        f"{hour.p95_ms:.1f}",
        " ".join(f"{name} {ms:.1f}" for name, ms in hour.stages_ms.items()),
        f"{hour.busy_p50_ms:.0f}/{hour.busy_p95_ms:.0f}",
        f"{hour.recall:.3f}",
        f"{of.ours_mb} + Chroma {of.chroma_mb} MB",
        " ".join(f"{name} {much}" for name, much in of.disk_mb.items()) + " MB",
        str(len(hour.wrong)),
    )


def tables(hours: Sequence[Hour]) -> tuple[Table, Table]:
    """Times and sizes, and what is counted."""
    times = Table(*COLUMNS, box=SIMPLE, title="Milliseconds of a search after each hour of changes")
    counted = list(dict.fromkeys(name for hour in hours for name in hour.rows))
    counts = Table("hour", *counted, box=SIMPLE, title="Rows, postings and free space then")
    for hour in hours:
        times.add_row(*cells(hour))
        counts.add_row(str(hour.hour), *(f"{hour.rows.get(name, 0):,}" for name in counted))
    return times, counts
