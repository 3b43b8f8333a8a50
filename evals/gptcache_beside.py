"""GPTCache's hits, found by the real package in an environment of its own (:mod:`evals.gptcache_pairs`)."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

from evals.suites.cache import Pair
from knowledge.errors import Unavailable
from knowledge.ports import Embedder

SCRIPT = Path(__file__).with_name("gptcache_pairs.py")


def gptcache_hits(python: Path, pairs: Sequence[Pair], embedder: Embedder) -> tuple[str, list[bool]]:
    """→ (its version and what it embeds with, a hit or not a pair). Raises Unavailable ``gptcache_failed``."""
    told = {
        "pairs": [[pair.one, pair.other] for pair in pairs],
        "vectors": [[embedder.embed_query(text).tolist() for text in (pair.one, pair.other)] for pair in pairs],
    }
    done = subprocess.run(  # noqa: S603 (the interpreter that whoever measures has named)
        [python, SCRIPT], input=json.dumps(told), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"GPTCache did not run: {done.stderr[-500:]}", code="gptcache_failed")
    answer = json.loads(done.stdout)
    return answer["by"], answer["hits"]
