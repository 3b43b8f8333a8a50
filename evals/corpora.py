"""Data with expected results, brought to one shape. Public sets are read from a folder that is given; none is shipped.

A question's ``documents`` are the names under which documents with the answer are found; ``answers`` are strings of
which the answer must contain one, ``facts`` strings of which it must contain each (white space apart).
"""

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from knowledge.errors import InvalidInput
from knowledge.snapshot_file import SnapshotFile

T = TypeVar("T")

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.S)
_DESCRIPTION = re.compile(r"^description:\s*(.+)$", re.M)
_RGB_NEGATIVES = 12  # of up to 40 per question: enough to mislead, a third of the embedding time


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A file of the corpus: its name (path below the folder, with ``/``) and its bytes; of a snapshot its chunks."""

    name: str
    data: bytes = b""
    chunks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    id: str
    text: str
    documents: frozenset[str]
    answers: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    answerable: bool = True
    kind: str = ""

    def answered_by(self, text: str) -> bool:
        """Whether ``text`` holds the gold: one of the answers, or all facts."""
        said = _spaceless(text)
        if self.answers:
            return any(_spaceless(answer) in said for answer in self.answers)
        return bool(self.facts) and all(_spaceless(fact) in said for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Corpus:
    name: str
    documents: tuple[CorpusDocument, ...]
    questions: tuple[Question, ...]
    snapshot: Path | None = None  # what its knowledge base is made from, instead of from files

    def write(self, folder: Path) -> None:
        """As files, to be ingested like anyone's."""
        for document in self.documents:
            path = folder / document.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(document.data)


def read(name: str, path: Path, *, documents: Path | None = None) -> Corpus:
    """``cmrc``, ``adobe``, ``rgb`` or ``afqmc`` from the set's folder; ``samples`` from its .jsonl and ``documents``.

    Raises InvalidInput ``corpus_unknown`` or ``corpus_missing``.
    """
    if name == "samples":
        return _existing(samples, name, path, documents or path.parent)
    readers: dict[str, Callable[[Path], Corpus]] = {"cmrc": cmrc, "adobe": adobe, "rgb": rgb, "afqmc": afqmc}
    if name not in readers:
        raise InvalidInput(f"There is no corpus “{name}”. Known: samples, {', '.join(readers)}.", code="corpus_unknown")
    return _existing(readers[name], name, path)


def cmrc(folder: Path) -> Corpus:
    """CMRC 2018 (CC BY-SA 4.0), SQuAD style: one document a paragraph; questions without text are left out."""
    data = json.loads(_only(folder, "cmrc2018_*.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in data for paragraph in article["paragraphs"]]
    documents = tuple(CorpusDocument(f"{item['id']}.txt", item["context"].encode()) for item in paragraphs)
    questions = tuple(
        Question(
            id=asked["id"],
            text=asked["question"],
            documents=frozenset((f"{item['id']}.txt",)),
            answers=tuple(answer["text"] for answer in asked["answers"]),
        )
        for item in paragraphs
        for asked in item["qas"]
        if asked["question"].strip()
    )
    return Corpus("cmrc", documents, questions)


def adobe(folder: Path) -> Corpus:
    """Commerce guides in Markdown (MIT): a page's ``description`` → the page, which is indexed without front matter.

    Tables of contents have no description: they are indexed and not asked for. The licence file is left out.
    """
    documents, questions = [], []
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).as_posix()
        if name.startswith("_"):
            continue
        text = path.read_text(encoding="utf-8")
        front = _FRONT_MATTER.match(text)
        documents.append(CorpusDocument(name, text[front.end() if front else 0 :].encode()))
        if front and (description := _DESCRIPTION.search(front[1])):
            asked = description[1].strip().strip("'\"“”").strip()
            questions.append(Question(name, asked, frozenset((name,)), kind="description"))
    return Corpus("adobe", tuple(documents), tuple(questions))


def rgb(folder: Path) -> Corpus:
    """RGB zh_refine (CC BY-NC-SA 4.0): one document a passage; negatives speak of the same thing without the answer."""
    documents: list[CorpusDocument] = []
    questions = []
    for line in _only(folder, "zh_refine.json").read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        positive = _numbered(f"{item['id']}-positive", item["positive"])
        documents += [*positive, *_numbered(f"{item['id']}-negative", item["negative"][:_RGB_NEGATIVES])]
        gold = item["answer"] if isinstance(item["answer"], list) else [item["answer"]]
        alternatives = [one for answer in gold for one in (answer if isinstance(answer, list) else [answer])]
        names = frozenset(document.name for document in positive)
        questions.append(Question(str(item["id"]), item["query"], names, answers=tuple(map(str, alternatives))))
    return Corpus("rgb", tuple(documents), tuple(questions))


def afqmc(folder: Path) -> Corpus:
    """AFQMC pairs as FAQ retrieval (research use): the second questions are the documents, equal pairs are asked."""
    with _only(folder, "afqmc_*.txt").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) == 3]
    names = {text: f"{number:05}.txt" for number, text in enumerate(dict.fromkeys(row[1] for row in rows))}
    documents = tuple(CorpusDocument(name, text.encode()) for text, name in names.items())
    questions = tuple(
        Question(str(number), asked, frozenset((names[same],)))
        for number, (asked, same, label) in enumerate(rows)
        if label == "1"
    )
    return Corpus("afqmc", documents, questions)


def samples(questions: Path, documents: Path) -> Corpus:
    """Our own questions (.jsonl, described in ``evals/datasets/README.md``) about our own sample documents."""
    files = tuple(
        CorpusDocument(path.relative_to(documents).as_posix(), path.read_bytes())
        for path in sorted(documents.rglob("*"))
        if path.is_file() and not path.name.startswith((".", "__"))
    )
    return Corpus("samples", files, _questions(questions))


def snapshot(path: Path, questions: Path) -> Corpus:
    """A knowledge base as it was, and questions (.jsonl) about it.

    Raises InvalidInput ``corpus_missing``, ``questions_invalid``, ``snapshot_…``.
    """
    file = _existing(SnapshotFile.open, "snapshot", path)
    texts: defaultdict[int, list[str]] = defaultdict(list)
    for chunk in file.chunks():
        texts[chunk["document"]].append(f"{chunk['heading']}\n{chunk['text']}")
    documents = [CorpusDocument(document.name, chunks=tuple(texts[at])) for at, document in enumerate(file.documents())]
    file.close()
    asked = _existing(_questions, "questions", questions)
    return Corpus(file.manifest.name, tuple(documents), asked, snapshot=path)


def _questions(path: Path) -> tuple[Question, ...]:
    """Raises InvalidInput ``questions_invalid``."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        return tuple(map(_question, map(json.loads, lines)))
    except (ValueError, KeyError, TypeError) as exc:
        raise InvalidInput(f"{path} has a line that is no question ({exc}).", code="questions_invalid") from exc


def _question(item: Mapping[str, Any]) -> Question:
    return Question(
        id=item["id"],
        text=item["question"],
        documents=frozenset(item["documents"]),
        facts=tuple(item.get("facts", ())),
        answerable=item.get("answerable", True),
        kind=item.get("kind", ""),
    )


def _existing(reader: Callable[..., T], name: str, *paths: Path) -> T:
    try:
        return reader(*paths)
    except OSError as exc:
        raise InvalidInput(f"The corpus “{name}” is not at {paths[0]} ({exc}).", code="corpus_missing") from exc


def _only(path: Path, pattern: str) -> Path:
    """The file itself, or the first of the folder that matches."""
    if path.is_file():
        return path
    found = sorted(path.glob(pattern))
    if not found:
        raise FileNotFoundError(f"no {pattern} in it")
    return found[0]


def _numbered(prefix: str, texts: Iterable[str]) -> list[CorpusDocument]:
    return [CorpusDocument(f"{prefix}-{number}.txt", text.encode()) for number, text in enumerate(texts)]


def _spaceless(text: str) -> str:
    return "".join(text.split())
