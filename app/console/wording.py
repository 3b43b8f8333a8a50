"""Figures and formats as a person says them."""

from pathlib import PurePosixPath

from knowledge.models import Document

_KINDS = {
    "application/pdf": "PDF",
    "application/rtf": "RTF",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
    "application/msword": "Word",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PPT",
    "application/vnd.ms-powerpoint": "PPT",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "application/vnd.ms-excel": "Excel",
    "application/vnd.ms-outlook": "Outlook",
    "message/rfc822": "EML",
    "text/html": "HTML",
    "text/markdown": "Markdown",
    "text/plain": "TXT",
    "text/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "application/json": "JSON",
    "application/x-ndjson": "JSONL",
}


def size(count: int) -> str:
    """Bytes, in the unit that leaves one to three digits (1 KB = 1,024 B, as file managers count)."""
    if count < 1024:
        return f"{count} B"
    amount = count / 1024
    for unit in ("KB", "MB"):
        if amount < 1000:
            return f"{amount:.1f} {unit}" if amount < 10 else f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GB"


def kind(document: Document) -> str:
    """What a document is: by its bytes once it was read, by its name until then."""
    known = _KINDS.get(document.media_type or "")
    return known or PurePosixPath(document.name).suffix.lstrip(".").upper()[:8] or "—"
