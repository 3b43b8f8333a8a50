"""The files of a dropped collection go; those of the others stay, and answer after the server has started again."""

from pathlib import Path

import numpy as np
import pytest

from app.processes.chroma_folder import drop_left_segments
from app.processes.embedded import embedded_services
from knowledge.ports import Vector
from knowledge.vectors import ChromaVectors
from tests.products import settings_for

ROWS = 1100  # Chroma writes its index to disk after a thousand


def rows(seed: int) -> Vector:
    made = np.random.default_rng(seed).normal(size=(ROWS, 8)).astype(np.float32)
    unit: Vector = made / np.linalg.norm(made, axis=1, keepdims=True)
    return unit


@pytest.mark.processes
async def test_files_of_a_dropped_collection_are_removed_and_no_others(tmp_path: Path) -> None:
    settings, ids = settings_for(tmp_path), [f"chunk-{number}" for number in range(ROWS)]
    chroma = tmp_path / "chroma"
    assert drop_left_segments(chroma) == 0
    for again in (False, True):
        async with embedded_services(settings, redis=False, chroma=True) as started:
            assert started.chroma_url is not None
            vectors = ChromaVectors(started.chroma_url)
            if not again:
                await vectors.upsert("kept", ids, rows(1))
                await vectors.upsert("dropped", ids, rows(2))
                (chroma / "notes").mkdir()
                assert drop_left_segments(chroma) == 0
                await vectors.drop("dropped")
                assert drop_left_segments(chroma) == 1
            assert (await vectors.query("kept", rows(1)[7], 1))[0].chunk_id == "chunk-7"
            assert await vectors.query("dropped", rows(2)[7], 1) == []
            await vectors.close()
    assert (chroma / "notes").exists()
    assert drop_left_segments(chroma) == 0
