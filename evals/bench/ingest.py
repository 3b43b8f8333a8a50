"""How fast documents are read: text PDFs beside PDFium alone, and what a process of its own costs a small document.

    copilot bench ingest [--pdf FILE…] [--pages 200] [--documents 100] [--folder FOLDER]

Pages a second and core are pages by processor time, the best of the rounds: a busy neighbour slows both sides, and they
take turns. The PDF that is made has one column of 45 lines and no rules, hence nothing but the text path; PDFs of your
own may have tables, which are read by pdfplumber and take ten times as long. PDFium alone is what
``pypdfium2``'s ``get_text_range`` takes a page, without places, sizes, headings or paragraphs. With documents,
:mod:`evals.bench.ingest_overhead` says what all the rest takes beside embedding.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated

import pypdfium2 as pdfium
import typer

from evals.bench.ingest_overhead import overheads
from ingest.loaders import load_bytes
from ingest.parsing import DirectParser, IsolatedParser, Parser

GOAL = 100  # text-PDF pages a second and core
ROUNDS = 5
READS = 200  # of the small document
LINES = 45
_NOTE = "# 退货\n\n签收后七天内可以申请无理由退货，运费由买家承担。\n\n" * 5


@dataclass(frozen=True, slots=True)
class Pages:
    """Pages a second and core of one PDF, ours and PDFium's alone."""

    file: str
    pages: int
    ours: float
    alone: float


@dataclass(frozen=True, slots=True)
class Small:
    """Milliseconds for a Markdown file of 300 characters: here, in a warm process, and in one that must be started."""

    here: float
    warm: float
    cold: float


def main(
    pdf: Annotated[list[Path] | None, typer.Option(help="Measure these PDFs, too; may be repeated.")] = None,
    pages: Annotated[int, typer.Option(min=1, help="Pages of the PDF that is made.")] = 200,
    documents: Annotated[int, typer.Option(min=0, help="Of the samples’, taken in beside embedding alone.")] = 100,
    folder: Annotated[Path | None, typer.Option(help="Take in the documents of a folder, too.", exists=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Text-PDF pages a second and core beside PDFium alone, a process of its own, all of it beside embedding."""
    files = [("made", text_pdf(pages)), *((path.name, path.read_bytes()) for path in pdf or ())]
    read = [measured(name, data) for name, data in files]
    small = small_document()
    whole = asyncio.run(overheads(documents, yours=folder)) if documents else []
    if as_json:
        shares = {"overhead": [{**asdict(of), "share": round(of.share, 3)} for of in whole]}
        typer.echo(json.dumps({"pages": [asdict(of) for of in read], "small_ms": asdict(small), **shares}))
        return
    typer.echo(f"{'pages/s/core':>14}{'PDFium alone':>14}{'share':>7}  file")
    for of in read:
        typer.echo(f"{of.ours:14.0f}{of.alone:14.0f}{of.ours / of.alone:7.2f}  {of.file} ({of.pages} pages)")
    typer.echo(f"goal on the text path: {GOAL}")
    typer.echo(f"small document: here {small.here:.2f} ms, warm process {small.warm:.2f} ms, cold {small.cold:.0f} ms")
    for one in whole:
        taken = f"{one.corpus}: {one.chunks} chunks of {one.documents} documents taken in in {one.ingested_s:.2f} s"
        typer.echo(f"{taken}, embedded alone in {one.embedded_s:.2f} s: {one.share:+.1%} (goal: below 10 %)")


def measured(name: str, data: bytes, *, rounds: int = ROUNDS) -> Pages:
    """The best of the rounds, in which the two sides take turns."""
    pages = _text_alone(data)
    load_bytes(data, name="warm-up.pdf")
    alone, ours = [], []
    for _ in range(rounds):
        alone.append(_processor_time(lambda: _text_alone(data)))
        ours.append(_processor_time(lambda: load_bytes(data, name="a.pdf")))
    return Pages(name, pages, pages / min(ours), pages / min(alone))


def small_document(*, reads: int = READS) -> Small:
    """Medians; a cold process is started and ended three times."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "a.md"
        file.write_text(_NOTE, encoding="utf-8")
        cold = []
        for _ in range(3):
            cold.append(_read_ms(parser := IsolatedParser(slots=1), file))
            parser.close()
        warm = IsolatedParser(slots=1)
        try:
            here, there = ([_read_ms(parser, file) for _ in range(reads + 1)][1:] for parser in (DirectParser(), warm))
        finally:
            warm.close()
    return Small(median(here), median(there), median(cold))


def text_pdf(pages: int) -> bytes:
    """A PDF of running text, written by hand: 45 lines of 80 letters a page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]
    kids = []
    for page in range(pages):
        text = "\n".join(f"({_sentence(page, line)}) Tj T*" for line in range(LINES))
        stream = f"BT /F1 10 Tf 15 TL 60 770 Td\n{text}\nET".encode()
        kids.append(f"{len(objects) + 1} 0 R")
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {len(objects) + 2} 0 R>>".encode(),
            b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        ]
    objects[1] = f"<</Type/Pages/Count {pages}/Kids[{' '.join(kids)}]>>".encode()
    return _assembled(objects)


def _sentence(page: int, line: int) -> str:
    price = (page * LINES + line) % 997
    return f"Item {page:04d}-{line:02d} is sold at {price} yuan and may be returned within seven days of its arrival"


def _assembled(objects: list[bytes]) -> bytes:
    data, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    data += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(data)


def _text_alone(data: bytes) -> int:
    document = pdfium.PdfDocument(data)
    try:
        for index in range(len(document)):
            page = document[index]
            text = page.get_textpage()
            text.get_text_range()
            text.close()
            page.close()
        return len(document)
    finally:
        document.close()


def _processor_time(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _read_ms(parser: Parser, file: Path) -> float:
    started = time.perf_counter()
    parser.load(file, name=file.name, max_bytes=1 << 20)
    return (time.perf_counter() - started) * 1000
