"""Does every file of a mixed folder end where it should, in time and memory, and with the right text?

The folder has a ``MANIFEST.tsv`` whose columns ``file`` and ``expected`` name the outcome class of each file (PARSE,
OCR, REFUSE, EMPTY, REJECT) or that it holds the GOLD text of another. Each file is loaded in a process of its own, so
that a crash or a hang is a result and not the end of the run.

    python -m evals.suites.parsing FOLDER
"""

import csv
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

from ingest.blocks import Block, Faq, Table
from ingest.loaders import load
from ingest.ocr.choice import recognizer_named
from knowledge.errors import DocumentRefused

SECONDS = 30.0  # a file; again for every page or picture that was read by text recognition
LONGEST = 600.0  # where there is text recognition
MEGABYTES = 1024
MAX_BYTES = 200 << 20
LEAST_SIMILARITY = 0.9  # of the gold text's words, in order

_ACCEPTED = {
    "PARSE": frozenset(("loaded",)),
    "OCR": frozenset(("needs_ocr",)),  # "loaded" with text recognition
    "REFUSE": frozenset(("encrypted",)),
    "EMPTY": frozenset(("empty",)),
    "REJECT": frozenset(("unsupported", "corrupt")),
}
# A page that has 31 pictures and shows none of them: there is nothing to read.
_BLANK = "onyx/shredded_strips.pdf"
# Two lists of names and values stand side by side there: the gold text takes them line by line, across both; we read
# one list and then the other. All words are the same, so they are compared without their order.
_SIDE_BY_SIDE = "markitdown/movie-theater-booking-2024.pdf"
_HOME = Path(__file__).resolve().parents[2]  # so that the child finds our packages, installed or not
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What loading one file came to. ``got`` is ``loaded``, a typed reason, ``crash``, ``timeout`` or ``memory``."""

    file: str
    expected: str
    got: str
    detail: str
    seconds: float
    megabytes: float
    blocks: int = 0
    characters: int = 0
    similarity: float | None = None
    recognising: bool = False
    recognised: int = 0  # pages and pictures

    @property
    def passed(self) -> bool:
        accepted = set(_ACCEPTED.get(self.expected.split()[0], ()))
        if "safe-unpack" in self.expected:
            accepted.add("loaded")
        if self.recognising and "needs_ocr" in accepted:
            accepted = {"empty" if self.file == _BLANK else "loaded"}
        in_bounds = self.seconds <= SECONDS * (1 + self.recognised) and self.megabytes <= MEGABYTES
        return self.got in accepted and in_bounds and (self.similarity is None or self.similarity >= LEAST_SIMILARITY)


@dataclass(frozen=True, slots=True)
class ParsingReport:
    """``missing`` files are named by the manifest and not in the folder."""

    outcomes: tuple[Outcome, ...]
    missing: int

    @property
    def failures(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)

    def as_dict(self) -> dict[str, object]:
        return {
            "files": len(self.outcomes),
            "passed": len(self.outcomes) - len(self.failures),
            "missing": self.missing,
            "slowest_s": max((outcome.seconds for outcome in self.outcomes), default=0.0),
            "largest_mb": max((outcome.megabytes for outcome in self.outcomes), default=0.0),
            "outcomes": [asdict(outcome) | {"passed": outcome.passed} for outcome in self.outcomes],
        }

    def table(self) -> str:
        """A line a file, failures marked, and a summary."""
        lines = [f"{'':4} {'expected':8} {'got':11} {'s':>5} {'MB':>5} {'chars':>8} {'gold':>5}  file"]
        for out in self.outcomes:
            gold = f"{out.similarity:.2f}" if out.similarity is not None else ""
            figures = f"{out.seconds:5.2f} {out.megabytes:5.0f} {out.characters:8d} {gold:>5}"
            mark = "ok" if out.passed else "FAIL"
            lines.append(
                f"{mark:4} {out.expected.split()[0]:8} {out.got:11} {figures}  {out.file}  {out.detail}".rstrip()
            )
        passed = len(self.outcomes) - len(self.failures)
        lines.append(f"{passed} of {len(self.outcomes)} files as expected; {self.missing} named files are not here.")
        return "\n".join(lines)


def evaluate(root: Path, *, recognise: bool = True) -> ParsingReport:
    """Load every file of ``root`` that its manifest names and that is there.

    Takes about a third of a second a file, and some five for each page or picture whose text is recognised.
    """
    recognise = recognise and recognizer_named("auto") is not None
    with (root / "MANIFEST.tsv").open(encoding="utf-8", newline="") as stream:
        entries = [(row["file"], row["expected"]) for row in csv.DictReader(stream, delimiter="\t")]
    gold = _gold_texts(root, entries)
    wanted = [(name, expected) for name, expected in entries if expected.split()[0] in _ACCEPTED]
    present = [(name, expected) for name, expected in wanted if (root / name).is_file()]
    outcomes = tuple(_outcome(root, name, expected, gold.get(name), recognise=recognise) for name, expected in present)
    return ParsingReport(outcomes, missing=len(wanted) - len(present))


def similarity(text: str, gold: str, *, in_order: bool = True) -> float:
    """2·matching / total of the two sequences of words (a Chinese character is a word), 0 to 1."""
    ours, theirs = (_WORD.findall(part.lower()) for part in (text, gold))
    if not in_order:
        ours, theirs = sorted(ours), sorted(theirs)
    return SequenceMatcher(None, ours, theirs, autojunk=False).ratio() if ours or theirs else 1.0


def text_of(blocks: Sequence[Block]) -> str:
    """All text of a document, a line a block or row."""
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Table):
            lines += [" ".join(row) for row in (block.header, *block.rows)]
        elif isinstance(block, Faq):
            lines += [block.question, block.answer]
        else:
            lines.append(block.text)
    return "\n".join(lines)


def _gold_texts(root: Path, entries: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Name of a document → its gold text, matched by the stem of its file name where exactly one has it."""
    found: dict[str, str] = {}
    for name, expected in entries:
        if expected.startswith("GOLD text") and (root / name).is_file():
            stem = Path(name).stem
            owners = [other for other, kind in entries if Path(other).stem == stem and kind.startswith("PARSE")]
            pdfs = [owner for owner in owners if owner.endswith(".pdf")]
            for owner in owners if len(owners) == 1 else pdfs[:1]:
                found[owner] = (root / name).read_text(encoding="utf-8")
    return found


def _outcome(root: Path, name: str, expected: str, gold: str | None, *, recognise: bool) -> Outcome:
    started = time.monotonic()
    command = [sys.executable, "-m", "evals.suites.parsing", "--one", str((root / name).resolve())]
    command += ["--recognise"] if recognise else []
    patience = LONGEST if recognise else SECONDS + 5
    try:
        done = subprocess.run(command, capture_output=True, timeout=patience, check=False, cwd=_HOME)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        return Outcome(name, expected, "timeout", "", time.monotonic() - started, 0.0)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        error = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return Outcome(name, expected, "crash", f"exit {done.returncode}: {error}", time.monotonic() - started, 0.0)
    text = str(result["text"])
    compared = gold is not None and result["got"] == "loaded"
    likeness = similarity(text, gold or "", in_order=name != _SIDE_BY_SIDE) if compared else None
    figures = (float(result["seconds"]), float(result["megabytes"]), int(result["blocks"]), len(text))
    return Outcome(
        name,
        expected,
        str(result["got"]),
        str(result["detail"]),
        *figures,
        likeness,
        recognise,
        int(result["recognised"]),
    )


def _load_one(path: Path, *, recognise: bool) -> dict[str, object]:
    """In the child: load, and tell what came of it, in what time and with how much memory."""
    hard = 4 * MEGABYTES << 20  # address space; what is resident is measured and judged
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    started = time.monotonic()
    recognised = 0
    recognizer = recognizer_named("auto") if recognise else None

    def progress(done: int, total: int) -> None:  # noqa: ARG001 - as loaders call it
        nonlocal recognised
        recognised = max(recognised, done)

    try:
        document = load(path, name=path.name, max_bytes=MAX_BYTES, progress=progress, recognizer=recognizer)
    except DocumentRefused as refusal:
        found: dict[str, object] = {"got": refusal.reason, "detail": refusal.message, "text": "", "blocks": 0}
    else:
        text, notes = text_of(document.blocks), "; ".join(document.notes)
        found = {"got": "loaded", "detail": notes, "text": text, "blocks": len(document.blocks)}
    return {**found, "recognised": recognised, "seconds": time.monotonic() - started, "megabytes": _peak_mb()}


def _peak_mb() -> float:
    """Most memory this process had resident. Not ``ru_maxrss``: that starts from the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if peak:
            return int(peak[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str]) -> int:
    if len(arguments) > 1 and arguments[0] == "--one":
        print(json.dumps(_load_one(Path(arguments[1]), recognise="--recognise" in arguments)))
        return 0
    if len(arguments) != 1:
        print("usage: python -m evals.suites.parsing FOLDER", file=sys.stderr)
        return 2
    report = evaluate(Path(arguments[0]))
    print(report.table())
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
