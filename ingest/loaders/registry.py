"""Which loader reads which kind of file, and what every document must pass whatever its kind.

Adding a kind: one file with a ``load_…`` function, one line in ``LOADERS``, and its mark in ``ingest/sniff.py``.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ingest import sniff
from ingest.blocks import Block, Faq, Heading, LoadedDocument, Table, Text
from ingest.clean import clean, clean_line
from ingest.loaders.delimited import load_delimited
from ingest.loaders.doc import load_doc
from ingest.loaders.docx import load_docx
from ingest.loaders.eml import load_eml
from ingest.loaders.faq import pair_up
from ingest.loaders.html_page import load_html
from ingest.loaders.json_records import load_json
from ingest.loaders.markdown import load_markdown
from ingest.loaders.msg import load_msg
from ingest.loaders.opendocument import load_opendocument
from ingest.loaders.pdf import load_pdf
from ingest.loaders.plain import load_plain
from ingest.loaders.ppt import load_ppt
from ingest.loaders.pptx import load_pptx
from ingest.loaders.rtf import load_rtf
from ingest.loaders.source import Attachment, Draft, Loader, Source, corrupt, encrypted, parsing
from ingest.loaders.xls import load_xls
from ingest.loaders.xlsx import load_xlsx
from knowledge.errors import DocumentRefused

LOADERS: dict[str, Loader] = {
    sniff.PDF: load_pdf,
    sniff.DOCX: load_docx,
    sniff.DOC: load_doc,
    sniff.PPTX: load_pptx,
    sniff.PPT: load_ppt,
    sniff.XLSX: load_xlsx,
    sniff.XLS: load_xls,
    sniff.ODT: load_opendocument,
    sniff.ODS: load_opendocument,
    sniff.RTF: load_rtf,
    sniff.EML: load_eml,
    sniff.MSG: load_msg,
    sniff.HTML: load_html,
    sniff.MARKDOWN: load_markdown,
    sniff.PLAIN: load_plain,
    sniff.CSV: load_delimited,
    sniff.TSV: load_delimited,
    sniff.JSON: load_json,
    sniff.JSONL: load_json,
}
_MOST_ATTACHMENTS = 50
_LONGEST_TITLE = 200


def load(path: Path, *, name: str, max_bytes: int) -> LoadedDocument:
    """Read one file. Blocking and bound to the processor: call it in a thread or a process.

    ``name`` is what the operator knows the file by. Raises DocumentRefused with its typed reason and a sentence that
    says what to do. A document returned has text in it, always.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise DocumentRefused(
            "too_large",
            f"This file has {size / 1e6:.1f} MB; the limit is {max_bytes / 1e6:.1f} MB. Split it and upload the parts.",
        )
    return load_bytes(path.read_bytes(), name=name)


def load_bytes(data: bytes, *, name: str, attached: bool = False) -> LoadedDocument:
    """The same for bytes in memory; ``attached`` marks a file inside a file, whose own attachments are not read."""
    if not data.strip():
        raise DocumentRefused("empty", "This file has nothing in it. Check that the right file was chosen.")
    with parsing("uploaded"):
        media_type = sniff.sniff(data, name)
    if media_type.startswith("image/"):
        raise _needs_ocr("This is a picture.")
    if media_type == sniff.ENCRYPTED_OFFICE:
        raise encrypted("Office")
    if media_type == sniff.DAMAGED:
        raise corrupt("Office or ZIP")
    loader = LOADERS.get(media_type)
    if loader is None:
        raise DocumentRefused(
            "unsupported",
            f"This kind of file ({media_type}) cannot be read. Save it as PDF, Word, Excel, PowerPoint, HTML, "
            "Markdown, CSV or plain text and upload that.",
        )
    draft = loader(Source(data, name, media_type))
    blocks = [cleaned for block in draft.blocks if (cleaned := _cleaned(block)) is not None]
    blocks = pair_up(blocks)
    if draft.attachments:
        blocks += _attached_blocks(draft, read=not attached)
    _require_text(blocks, draft)
    title = clean_line(draft.title or "")[:_LONGEST_TITLE]
    return LoadedDocument(media_type, tuple(blocks), title=title or None, notes=tuple(_notes(draft)))


def _attached_blocks(draft: Draft, *, read: bool) -> list[Block]:
    blocks: list[Block] = []
    for attachment in draft.attachments[:_MOST_ATTACHMENTS]:
        if not read:
            draft.notes.append(f"Attachment {attachment.name} was left out: it is inside another attachment.")
            continue
        blocks += _attachment(attachment, draft)
    if len(draft.attachments) > _MOST_ATTACHMENTS:
        draft.notes.append(f"Only the first {_MOST_ATTACHMENTS} attachments were read.")
    return blocks


def _attachment(attachment: Attachment, draft: Draft) -> list[Block]:
    """The attachment as a section under its name; why not, if it can't be, becomes a note."""
    try:
        loaded = load_bytes(attachment.data, name=attachment.name, attached=True)
    except DocumentRefused as refusal:
        draft.pictures += refusal.reason == "needs_ocr"
        draft.notes.append(f"Attachment {attachment.name} was left out ({refusal.reason}): {refusal.message}")
        return []
    draft.notes.extend(f"{attachment.name}: {note}" for note in loaded.notes)
    deeper = (
        replace(block, level=min(block.level + 1, 6)) if isinstance(block, Heading) else block
        for block in loaded.blocks
    )
    return [Heading(1, attachment.name), *deeper]


def _cleaned(block: Block) -> Block | None:
    """The block with clean texts; None if nothing is left of it."""
    if isinstance(block, Heading):
        text = clean_line(block.text)
        return replace(block, text=text, level=min(max(block.level, 1), 6)) if text else None
    if isinstance(block, Text):
        text = clean(block.text)
        return replace(block, text=text) if text.strip() else None
    if isinstance(block, Faq):
        question, answer = clean(block.question), clean(block.answer)
        return replace(block, question=question, answer=answer) if question and answer else None
    return _cleaned_table(block)


def _cleaned_table(table: Table) -> Table | None:
    header = tuple(clean_line(cell) for cell in table.header)
    rows = tuple(tuple(clean_line(cell) for cell in row) for row in table.rows)
    return replace(table, header=header, rows=rows) if any(map(any, rows)) else None


def _require_text(blocks: Iterable[Block], draft: Draft) -> None:
    """Raises DocumentRefused ``needs_ocr`` or ``empty`` where no letter and no digit is."""
    if any(char.isalnum() for block in blocks for text in _texts(block) for char in text):
        return
    if draft.pictures:
        raise _needs_ocr("This document has pictures of text but no text.")
    hint = f" {draft.notes[0]}" if draft.notes else " Check that the right file was chosen."
    raise DocumentRefused("empty", f"This document has no text.{hint}")


def _texts(block: Block) -> Iterable[str]:
    if isinstance(block, Table):
        return (cell for row in block.rows for cell in row)
    if isinstance(block, Faq):
        return (block.question, block.answer)
    return (block.text,)


def _notes(draft: Draft) -> list[str]:
    pictures = "1 picture was" if draft.pictures == 1 else f"{draft.pictures} pictures were"
    found = [f"{pictures} not read; text in pictures is not found."] if draft.pictures else []
    return [clean_line(note) for note in (*draft.notes, *found)]


def _needs_ocr(what: str) -> DocumentRefused:
    return DocumentRefused(
        "needs_ocr",
        f"{what} Text recognition is not available for it: upload a version whose text can be selected and copied.",
    )
