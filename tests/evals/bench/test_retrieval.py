"""``copilot bench retrieval`` on the smallest real thing: Chroma, tantivy and SQL with a few hundred chunks."""

import pytest

from evals.bench.retrieval import run


@pytest.mark.processes
async def test_a_size_is_filled_searched_and_told() -> None:
    (size,) = await run([300], per_second=10, seconds=0.5)
    assert size.chunks == 300
    assert 0 < size.p50_ms <= size.p95_ms
    assert 0 < size.plain_p50_ms <= size.plain_p95_ms
    assert {"embed", "dense", "lexical", "total"} <= size.stages_ms.keys()
    assert size.visible_s > 0
    assert size.footprint.chroma_mb > 0
