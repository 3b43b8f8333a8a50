"""``copilot eval …``: reads corpora, fills a workspace, runs a suite, prints its report."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app.samples import FOLDER
from app.settings import Settings
from evals import corpora
from evals.corpora import Corpus
from evals.gptcache_beside import gptcache_hits
from evals.suites import answers as answers_suite
from evals.suites import retrieval as retrieval_suite
from evals.workspace import Workspace, workspace
from knowledge.errors import InvalidInput
from knowledge.wiring import make_embedder

QUESTIONS = Path(__file__).parent / "datasets" / "samples_zh.jsonl"
BASELINE = Path(__file__).parent / "baselines" / "retrieval.json"
CONTRADICTIONS = Path(__file__).parent / "datasets" / "conflicts.jsonl"
PAIRS = Path(__file__).parent / "datasets" / "cache_dev.jsonl"
FOLDERS = {"cmrc": "cmrc2018", "adobe": "merchant_docs_adobe_zh", "rgb": "rgb", "afqmc": "paraphrase_zh"}

DataPath = Annotated[Path | None, typer.Option(help="Folder with the public sets; their questions are asked too.")]
CorpusOption = Annotated[list[str] | None, typer.Option("--corpus", help="Only this corpus; may be repeated.")]
SnapshotOption = Annotated[Path | None, typer.Option(help="Only this snapshot of a knowledge base; with --questions.")]
QuestionsOption = Annotated[Path | None, typer.Option(help="Questions about it: JSON lines as in evals/datasets.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def retrieval(
    data_path: DataPath = None,
    corpus: CorpusOption = None,
    snapshot: SnapshotOption = None,
    questions: QuestionsOption = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Make these figures the baseline that later runs must hold.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Are the right documents found? R@1, R@5, R@10 and MRR, what each step adds, BM25 beside.

    Ends with 1 where more than two questions fewer are found than in the committed baseline.
    """
    kept = json.loads(BASELINE.read_text(encoding="utf-8"))

    async def measure(filled: Workspace, of: Corpus) -> Any:
        return await retrieval_suite.evaluate(of, filled.search, baseline=kept)

    chosen = _snapshot(snapshot, questions) or _chosen(
        corpus or _all(data_path, ("adobe", "cmrc", "rgb", "afqmc")), data_path
    )
    reports = _run(measure, chosen, as_json=as_json)
    if keep:
        kept |= {report.corpus: report.kept() for report in reports}
        BASELINE.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    elif any(report.regressions for report in reports):
        raise typer.Exit(1)


def answers(
    data_path: DataPath = None,
    corpus: CorpusOption = None,
    snapshot: SnapshotOption = None,
    questions: QuestionsOption = None,
    as_json: Json = False,
) -> None:
    """Do answers hold the gold, is what has no answer refused, how long does it take? Without a language model."""

    async def measure(filled: Workspace, of: Corpus) -> Any:
        return await answers_suite.evaluate(of, filled.search, embedder=filled.services.parts.embedder)

    chosen = _snapshot(snapshot, questions) or _chosen(corpus or _all(data_path, ("cmrc", "rgb")), data_path)
    _run(measure, chosen, as_json=as_json)


def parsing(folder: Annotated[Path, typer.Argument(help="Folder with a MANIFEST.tsv.")], as_json: Json = False) -> None:
    """Does every file end as its manifest says, in time and memory?"""
    from evals.suites.parsing import evaluate

    report = evaluate(folder)
    typer.echo(json.dumps(report.as_dict(), ensure_ascii=False) if as_json else report.table())
    raise typer.Exit(1 if report.failures else 0)


def sheets(as_json: Json = False) -> None:
    """Are rows of a price list of 10,000 found by their code, and cells under merged cells and two header rows?"""
    from evals.suites.sheets import corpus, evaluate

    async def measure(filled: Workspace, of: Corpus) -> Any:
        return await evaluate(of, filled.search)

    _run(measure, [corpus()], as_json=as_json)


def cache(
    data_path: DataPath = None,
    gptcache: Annotated[
        Path | None, typer.Option(help="Python of an environment with gptcache, faiss-cpu and sqlalchemy.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Are kept answers given to the right questions only? True and false hits on pairs, GPTCache beside."""
    from evals.suites.cache import evaluate, subsets

    embedder = make_embedder(Settings())
    beside = None if gptcache is None else partial(gptcache_hits, gptcache)
    folder = None if data_path is None else data_path / FOLDERS["afqmc"]
    reports = []
    for subset in subsets(PAIRS, folder):
        reports.append(evaluate(subset, embedder, beside))
        if not as_json:
            typer.echo("\n".join(reports[-1].lines()))
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in reports], ensure_ascii=False))
    raise typer.Exit(0 if all(report.holds for report in reports) else 1)


def conflicts(data_path: DataPath = None, as_json: Json = False) -> None:
    """Does the conflict radar find what contradicts, and nothing else? In folders that agree, changed copies, pairs."""
    from evals.suites import conflicts as suite

    reports = [suite.folder("samples", FOLDER), suite.pairs(CONTRADICTIONS)]
    if data_path is not None:
        reports.append(suite.folder("adobe", data_path / FOLDERS["adobe"]))
    lines = [line for report in reports for line in report.lines()]
    typer.echo(json.dumps([asdict(report) for report in reports], ensure_ascii=False) if as_json else "\n".join(lines))


def _snapshot(snapshot: Path | None, questions: Path | None) -> list[Corpus]:
    if snapshot is None:
        return []
    if questions is None:
        raise InvalidInput("Say what is asked of it: --questions FILE.", code="corpus_missing")
    return [corpora.snapshot(snapshot, questions)]


def _all(data_path: Path | None, public: tuple[str, ...]) -> list[str]:
    return ["samples", *(public if data_path else ())]


def _chosen(names: list[str], data_path: Path | None) -> list[Corpus]:
    return [_read(name, data_path) for name in names]


def _read(name: str, data_path: Path | None) -> Corpus:
    if name == "samples":
        return corpora.read("samples", QUESTIONS, documents=FOLDER)
    if data_path is None:
        raise InvalidInput("Say where the public sets are: --data-path FOLDER.", code="corpus_missing")
    return corpora.read(name, data_path / FOLDERS.get(name, name))


def _run(measure: Callable[[Workspace, Corpus], Awaitable[Any]], chosen: list[Corpus], *, as_json: bool) -> list[Any]:
    console = Console(stderr=True, quiet=as_json)
    reports = asyncio.run(_measure(measure, chosen, console, quiet=as_json))
    if as_json:
        typer.echo(json.dumps([asdict(report) for report in reports], ensure_ascii=False))
    return reports


async def _measure(
    measure: Callable[[Workspace, Corpus], Awaitable[Any]], chosen: list[Corpus], console: Console, *, quiet: bool
) -> list[Any]:
    reports = []
    for corpus in chosen:
        async with workspace(corpus, console) as filled:
            reports.append(await measure(filled, corpus))
        if not quiet:
            typer.echo("\n".join(reports[-1].lines()))
    return reports
