"""Which loader reads which kind of file, and what every document must pass whatever its kind.

Adding a kind: one file with a ``load_…`` function, one line in ``LOADERS``, and its mark in ``ingest/sniff.py``.
"""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from ingest import sniff
from ingest.blocks import Block, Faq, Heading, LoadedDocument, Table, Text
from ingest.clean import clean, clean_line
from ingest.loaders.faq import pair_up
from ingest.loaders.source import (
    ArchiveFound,
    Attachment,
    Draft,
    Loader,
    Progress,
    Source,
    corrupt,
    encrypted,
    heard,
    needs_ocr,
    parsing,
    silent,
)
from ingest.ocr.ports import Recognizer
from knowledge.errors import DocumentRefused

# media type → module and function: a process that reads documents imports only what it meets
LOADERS: dict[str, tuple[str, str]] = {
    sniff.PDF: ("pdf", "load_pdf"),
    sniff.DOCX: ("docx", "load_docx"),
    sniff.DOC: ("doc", "load_doc"),
    sniff.PPTX: ("pptx", "load_pptx"),
    sniff.PPT: ("ppt", "load_ppt"),
    sniff.XLSX: ("xlsx", "load_xlsx"),
    sniff.XLS: ("xls", "load_xls"),
    sniff.ODT: ("opendocument", "load_opendocument"),
    sniff.ODS: ("opendocument", "load_opendocument"),
    sniff.RTF: ("rtf", "load_rtf"),
    sniff.EML: ("eml", "load_eml"),
    sniff.MSG: ("msg", "load_msg"),
    sniff.HTML: ("html_page", "load_html"),
    sniff.MARKDOWN: ("markdown", "load_markdown"),
    sniff.PLAIN: ("plain", "load_plain"),
    sniff.CSV: ("delimited", "load_delimited"),
    sniff.TSV: ("delimited", "load_delimited"),
    sniff.JSON: ("json_records", "load_json"),
    sniff.JSONL: ("json_records", "load_json"),
    sniff.YAML: ("yaml_records", "load_yaml"),
    **dict.fromkeys(sniff.PICTURES, ("picture", "load_picture")),
}
_MOST_ATTACHMENTS = 50
_LONGEST_TITLE = 200


def loader_of(media_type: str) -> Loader | None:
    """The loader that reads this kind of file."""
    if media_type not in LOADERS:
        return None
    module, function = LOADERS[media_type]
    loader: Loader = getattr(import_module(f"ingest.loaders.{module}"), function)
    return loader


def load(
    path: Path,
    *,
    name: str,
    max_bytes: int,
    progress: Progress = silent,
    soffice: Path | None = None,
    recognizer: Recognizer | None = None,
) -> LoadedDocument:
    """Read one file. Blocking and bound to the processor: call it in a thread or a process.

    ``name`` is what the operator knows the file by; ``soffice`` is LibreOffice's program, if it is there; without a
    ``recognizer`` pictures are not read. Raises DocumentRefused with its typed reason and a sentence that says what to
    do; it is an ArchiveFound for a ZIP of documents. A document returned has text in it, always.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise DocumentRefused(
            "too_large",
            f"This file has {size / 1e6:.1f} MB; the limit is {max_bytes / 1e6:.1f} MB. Split it and upload the parts.",
        )
    return load_bytes(path.read_bytes(), name=name, progress=progress, soffice=soffice, recognizer=recognizer)


def load_bytes(
    data: bytes,
    *,
    name: str,
    attached: bool = False,
    progress: Progress = silent,
    soffice: Path | None = None,
    recognizer: Recognizer | None = None,
) -> LoadedDocument:
    """The same for bytes in memory; ``attached`` marks a file inside a file, whose own attachments are not read."""
    if not data.strip():
        raise DocumentRefused("empty", "This file has nothing in it. Check that the right file was chosen.")
    with parsing("uploaded"):
        media_type = sniff.sniff(data, name)
    if media_type == sniff.ENCRYPTED_OFFICE:
        raise encrypted("Office")
    if media_type == sniff.DAMAGED:
        raise corrupt("Office or ZIP")
    if media_type == sniff.ZIP:
        raise ArchiveFound
    loader = loader_of(media_type)
    if loader is None:
        raise DocumentRefused(
            "unsupported",
            f"This kind of file ({media_type}) cannot be read. Save it as PDF, Word, Excel, PowerPoint, HTML, "
            "Markdown, CSV, plain text, PNG or JPEG and upload that.",
        )
    source = Source(data, name, media_type, progress=progress, soffice=soffice, recognizer=recognizer)
    draft = _draft(loader, source)
    blocks = [cleaned for block in heard(draft.blocks, progress) if (cleaned := _cleaned(block)) is not None]
    blocks = pair_up(blocks)
    if draft.attachments:
        blocks += _attached_blocks(draft, source, read=not attached)
    _require_text(blocks, draft)
    title = clean_line(draft.title or "")[:_LONGEST_TITLE]
    notes = tuple(_notes(draft))
    return LoadedDocument(media_type, tuple(blocks), title=title or None, notes=notes, window=draft.window)


def _draft(loader: Loader, source: Source) -> Draft:
    """What the loader finds; what it cannot read of Office 97–2003, LibreOffice may."""
    try:
        return loader(source)
    except DocumentRefused as refusal:
        if source.soffice is None or refusal.reason not in ("corrupt", "unsupported"):
            raise
        from ingest.loaders.libreoffice import converted

        modern = converted(source, source.soffice)
        read = loader_of(modern.media_type) if modern is not None else None
        if modern is None or read is None:
            raise
        return read(modern)


def _attached_blocks(draft: Draft, source: Source, *, read: bool) -> list[Block]:
    blocks: list[Block] = []
    for attachment in draft.attachments[:_MOST_ATTACHMENTS]:
        if not read:
            draft.notes.append(f"Attachment {attachment.name} was left out: it is inside another attachment.")
            continue
        blocks += _attachment(attachment, draft, source)
    if len(draft.attachments) > _MOST_ATTACHMENTS:
        draft.notes.append(f"Only the first {_MOST_ATTACHMENTS} attachments were read.")
    return blocks


def _attachment(attachment: Attachment, draft: Draft, source: Source) -> list[Block]:
    """The attachment as a section under its name; why not, if it can't be, becomes a note."""
    try:
        loaded = load_bytes(
            attachment.data,
            name=attachment.name,
            attached=True,
            progress=source.progress,
            soffice=source.soffice,
            recognizer=source.recognizer,
        )
    except DocumentRefused as refusal:
        draft.pictures += refusal.reason == "needs_ocr"
        if sniff.sniff(attachment.data, attachment.name) in sniff.PICTURES and refusal.reason in ("needs_ocr", "empty"):
            return []  # a logo, say; those not read are counted
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
        raise needs_ocr("This document has pictures of text but no text.")
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
