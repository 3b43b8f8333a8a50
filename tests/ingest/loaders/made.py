"""Documents made for the tests: small, of our own words, in the formats that people send."""

import gzip
import io
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ingest.blocks import Block, Faq, Heading, LoadedDocument, Table, Text
from ingest.loaders import load_bytes

FIXTURES = Path(__file__).parent / "fixtures"


def loaded(data: bytes | str, name: str) -> LoadedDocument:
    return load_bytes(data.encode() if isinstance(data, str) else data, name=name)


def blocks(data: bytes | str, name: str) -> list[Block]:
    return list(loaded(data, name).blocks)


def tables(data: bytes | str, name: str) -> list[Table]:
    return [block for block in blocks(data, name) if isinstance(block, Table)]


def outline(found: Iterable[Block]) -> list[str]:
    """One short line a block, to compare documents at a glance: ``# heading``, ``text``, ``[a | b] 3``, ``Q? A``."""
    lines = []
    for block in found:
        if isinstance(block, Heading):
            lines.append(f"{'#' * block.level} {block.text}")
        elif isinstance(block, Text):
            lines.append(block.text)
        elif isinstance(block, Table):
            lines.append(f"[{' | '.join(block.header)}] {len(block.rows)}")
        elif isinstance(block, Faq):
            lines.append(f"{block.question}? {block.answer}")
    return lines


def fixture(name: str) -> bytes:
    """A file written by LibreOffice from a document of ours, kept compressed."""
    return gzip.decompress((FIXTURES / f"{name}.gz").read_bytes())


def workbook(
    sheets: Mapping[str, Sequence[Sequence[object]]], merges: Mapping[str, Sequence[str]] | None = None
) -> bytes:
    """An XLSX with these rows; ``merges`` lists merged ranges of a sheet."""
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
        for reference in (merges or {}).get(name, ()):
            sheet.merge_cells(reference)
    return saved(book)


def saved(document: object) -> bytes:
    buffer = io.BytesIO()
    document.save(buffer)  # type: ignore[attr-defined]
    return buffer.getvalue()


def rezipped(data: bytes, change: Mapping[str, bytes]) -> bytes:
    """The same ZIP with members replaced or added."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change.get(name, old.read(name)))
        for name in change.keys() - set(old.namelist()):
            new.writestr(name, change[name])
    return buffer.getvalue()


def member(data: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(name)


def pdf(
    pages: Sequence[Sequence[str]], *, size: int = 12, heads: Sequence[str] = (), password: str | None = None
) -> bytes:
    """A PDF with these lines on its pages, Chinese in a font every reader knows; ``heads`` run on top of each page."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    buffer = io.BytesIO()
    encryption = StandardEncryption(password, ownerPassword="owner") if password is not None else None
    canvas = Canvas(buffer, pagesize=A4, encrypt=encryption)
    for number, lines in enumerate(pages, start=1):
        canvas.setFont("STSong-Light", 9)
        for offset, head in enumerate(heads):
            canvas.drawString(60, 810 - 12 * offset, head.format(page=number))
        y = 740
        for line in lines:
            big = line.startswith("# ")
            canvas.setFont("STSong-Light", 20 if big else size)
            canvas.drawString(60, y, line.removeprefix("# "))
            y -= 34 if big else (30 if not line else 16)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def picture_pdf() -> bytes:
    """A PDF of one page with a picture and no text, as a scanner makes it."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    canvas.drawImage(ImageReader(Image.new("RGB", (60, 40), "navy")), 100, 400, 300, 200)
    canvas.save()
    return buffer.getvalue()


def ole(streams: Mapping[str, bytes]) -> bytes:
    """A compound file ([MS-CFB] version 3) with these streams (``folder/stream`` for one in a storage).

    Streams are padded with zeros to 4,096 bytes, so that none lies in the mini stream.
    """
    entries: list[tuple[str, int, bytes]] = [("Root Entry", 5, b"")]
    children: dict[int, list[int]] = {0: []}
    folders: dict[str, int] = {}
    for path, data in streams.items():
        folder, _, name = path.rpartition("/")
        parent = 0
        if folder:
            if folder not in folders:
                folders[folder] = len(entries)
                children[0].append(len(entries))
                children[len(entries)] = []
                entries.append((folder, 1, b""))
            parent = folders[folder]
        children[parent].append(len(entries))
        entries.append((name, 2, data.ljust(4096, b"\0")))
    return _compound_file(entries, children)


def _compound_file(entries: list[tuple[str, int, bytes]], children: dict[int, list[int]]) -> bytes:
    end_of_chain, free, fat_sector = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    directory_sectors = -(-len(entries) // 4)
    sectors = [-(-len(data) // 512) for _, _, data in entries]
    fat_sectors = -(-(sum(sectors) + directory_sectors + 8) // 128)
    fat = [fat_sector] * fat_sectors
    first_directory = len(fat)
    fat += [*range(first_directory + 1, first_directory + directory_sectors), end_of_chain]
    directory, body = b"", b""
    siblings = {child: after for kids in children.values() for child, after in pairwise(kids)}
    for index, (name, kind, data) in enumerate(entries):
        start = len(fat) if data else end_of_chain
        if data:
            fat += [*range(start + 1, start + sectors[index]), end_of_chain]
            body += data.ljust(sectors[index] * 512, b"\0")
        encoded = (name + "\0").encode("utf-16-le")
        below = children.get(index) or [free]
        directory += encoded.ljust(64, b"\0") + struct.pack(
            "<HBBIII16x4x8x8xIQ", len(encoded), kind, 1, free, siblings.get(index, free), below[0], start, len(data)
        )
    directory = directory.ljust(directory_sectors * 512, b"\0")
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(fat_sectors * 512, b"\xff")
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 0x3E, 3, 0xFFFE, 9, 6, 0, fat_sectors, first_directory),
        *(0, 4096, end_of_chain, 0, end_of_chain, 0),
    )
    difat = struct.pack("<109I", *([*range(fat_sectors)] + [free] * (109 - fat_sectors)))
    return header + difat + table + directory + body
