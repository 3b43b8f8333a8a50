"""What kind of file this is, from its bytes. The name only decides between kinds of plain text.

``.txt`` may hold a PDF, ``.xls`` an HTML page, ``.docx`` a password-protected container: each is met daily, so a name
is a hint and never an answer.
"""

import csv
import io
import json
import re
import struct
import zipfile
import zlib

from ingest.encoding import decode, is_text

PDF = "application/pdf"
RTF = "application/rtf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
XLS = "application/vnd.ms-excel"
MSG = "application/vnd.ms-outlook"
ENCRYPTED_OFFICE = "application/x-encrypted-office"
DAMAGED = "application/x-damaged-container"  # a ZIP or OLE container that does not tell what it holds
EML = "message/rfc822"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/x-ndjson"
YAML = "application/yaml"
XML = "application/xml"
ZIP = "application/zip"
UNKNOWN = "application/octet-stream"

_HEAD = 64 * 1024  # bytes looked at to tell kinds of text apart
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/bmp", "image/tiff", "image/webp")  # that can be read
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("Workbook", XLS),
    ("Book", XLS),
    ("__properties_version1.0", MSG),
)
_ZIP_PARTS = (("word/", DOCX), ("xl/", XLSX), ("ppt/", PPTX))
_BY_SUFFIX = {
    **dict.fromkeys((".md", ".markdown", ".mdown", ".mdx", ".mkd"), MARKDOWN),
    **dict.fromkeys((".txt", ".text", ".log", ".py", ".js", ".ini", ".toml", ".sql", ".srt"), PLAIN),
    **dict.fromkeys((".html", ".htm", ".xhtml", ".shtml"), HTML),
    **dict.fromkeys((".jsonl", ".ndjson"), JSONL),
    **dict.fromkeys((".eml", ".mht", ".mhtml"), EML),
    **dict.fromkeys((".tsv", ".tab"), TSV),
    **dict.fromkeys((".yaml", ".yml"), YAML),
    **dict.fromkeys((".xml", ".svg"), XML),
    ".csv": CSV,
    ".json": JSON,
}
_HTML = re.compile(
    r"\s*(<!--.*?-->\s*)*(<\?xml[^>]*>\s*)?(<!doctype html|<html|<head|<body|<table|<div|<meta\b)", re.I | re.S
)
_XML = re.compile(r"\s*<\?xml|\s*<[A-Za-z][\w:.-]*[^<>]*>\s*<[A-Za-z]")
_MAIL_HEADER = re.compile(r"(?:From |[A-Za-z][A-Za-z0-9-]*:)")
_MAIL_ROUTE = re.compile(r"^(received|return-path|message-id|mime-version|delivered-to):", re.I | re.M)
_MAIL_PEOPLE = re.compile(r"^(from|to|subject|date):", re.I | re.M)
_MARKDOWN_SIGNS = re.compile(r"^(#{1,6} \S|```|\|.*\|\s*$|[-*] \S|> |\d+\. \S|!?\[[^\]]+\]\()", re.M)
_MARKDOWN_HEADING = re.compile(r"^#{1,6} \S", re.M)


def sniff(data: bytes, name: str) -> str:
    """The media type of ``data``; ``application/octet-stream`` where nothing is recognised."""
    if b"%PDF-" in data[:1024]:
        return PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_kind(data)
    if data.startswith(_OLE):
        return _ole_kind(data)
    if data.lstrip()[:5] == b"{\\rtf":
        return RTF
    if image := _image_kind(data):
        return image
    return _text_kind(data, name) if is_text(data) else UNKNOWN


def _image_kind(data: bytes) -> str | None:
    for mark, kind in _IMAGES:
        if data.startswith(mark):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        return "image/heic"
    return None


def _zip_kind(data: bytes) -> str:
    damaged = False
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            kind = archive.read("mimetype")[:100].decode("ascii", "replace").strip() if "mimetype" in names else ""
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        # cut off or damaged: the local headers still tell what it was, and its loader what is wrong
        damaged = True
        names = re.findall(r"PK\x03\x04.{26}([\w/.\[\]-]{1,80})", data[: 1 << 20].decode("latin-1"), re.S)
        kind = ""
    if kind in (ODT, ODS):
        return kind
    for folder, office in _ZIP_PARTS:
        if any(part.lower().startswith(folder) for part in names):
            return office if not any(part.lower().endswith("workbook.bin") for part in names) else UNKNOWN
    return DAMAGED if damaged else ZIP


def _ole_kind(data: bytes) -> str:
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            streams = {entry[0].lower() for entry in container.listdir(streams=True, storages=False)}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error):
        streams = set()
    for stream, kind in _OLE_STREAMS:
        if stream.lower() in streams or (not streams and stream.encode("utf-16-le") in data):
            return kind
    return UNKNOWN if streams else DAMAGED


def _text_kind(data: bytes, name: str) -> str:
    text = decode(data[:_HEAD]).text.replace("\r\n", "\n")
    ending = name.lower().rpartition(".")[2] if "." in name else ""
    named = _BY_SUFFIX.get(f".{ending}")
    if _HTML.match(text) and named not in (MARKDOWN, XML):
        return HTML
    if _is_mail(text, named):
        return EML
    if named not in (None, PLAIN):
        return _confirmed(named, text, whole=len(data) <= _HEAD)
    if kind := _json_kind(text, whole=len(data) <= _HEAD):
        return kind
    if named is PLAIN and ending not in ("txt", "text"):
        return PLAIN
    return _guess(text, named)


def _confirmed(named: str, text: str, *, whole: bool) -> str:
    """What the name says, as far as the first characters allow it."""
    start = text.lstrip()[:1]
    if named in (JSON, JSONL) and start not in ("{", "["):
        return PLAIN
    if named == JSON and _json_kind(text, whole=whole) == JSONL:
        return JSONL
    return named


def _guess(text: str, named: str | None) -> str:
    """Text without a telling name: tabs in every line are a sheet, headings with ``#`` are Markdown."""
    if named is None and _XML.match(text):
        return XML
    if _columns(text, "\t") > 1:
        return TSV
    if len(_MARKDOWN_HEADING.findall(text)) > 1 or (named is None and len(_MARKDOWN_SIGNS.findall(text)) > 5):
        return MARKDOWN
    if named is None and any(_columns(text, delimiter) > 1 for delimiter in ",;|"):
        return CSV
    return PLAIN


def _columns(text: str, delimiter: str) -> int:
    """In how many columns the delimiter cuts every one of the first lines; 0 if they disagree."""
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip()][:30]
    if len(lines) < 2:
        return 0
    try:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0


def _is_mail(text: str, named: str | None) -> bool:
    """The name says so, or header lines do from the first line on: one of the post's and one of the writer's."""
    head = text.lstrip("\n").split("\n\n", 1)[0][:8192]
    if named is EML:
        return True
    if named not in (None, PLAIN) or not _MAIL_HEADER.match(head):
        return False
    return bool(_MAIL_ROUTE.search(head) and _MAIL_PEOPLE.search(head))


def _json_kind(text: str, *, whole: bool) -> str | None:
    start = text.lstrip("\ufeff \t\r\n")
    if start[:1] not in ("{", "["):
        return None
    lines = [line for line in start.splitlines() if line.strip()]
    complete = lines if whole else lines[:-1]
    if len(complete) > 1 and all(_is_json(line) for line in complete[:3]):
        return JSONL
    if whole:
        return JSON if _is_json(start) else None
    return JSON if re.match(r'[\[{]\s*("[^"\n]*"\s*[:,]|[\[{\]}]|-?\d)', start) else None


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
