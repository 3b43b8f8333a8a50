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
    "application/yaml": "YAML",
    "application/zip": "ZIP",
}

_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "HKD": "HK$"}


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


def money(amount: float, currency: str) -> str:
    """With as many places as it takes to show two figures of a small amount: ¥12.50, ¥0.0034."""
    places = 2
    while amount and places < 6 and round(amount, places) < 9.5 * 10**-places:
        places += 1
    shown = f"{amount:,.{places}f}"
    if places > 2:
        whole, _, fraction = shown.partition(".")
        shown = f"{whole}.{fraction.rstrip('0'):0<2}"
    sign = _SIGNS.get(currency)
    return f"{sign}{shown}" if sign else f"{shown} {currency}"


def money_range(low: float, high: float, currency: str) -> str:
    """¥0.01–¥0.03, or one amount where both are the same as shown."""
    ends = [money(low, currency), money(high, currency)]
    return "–".join(dict.fromkeys(ends))
