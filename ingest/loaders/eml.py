"""EML: an Internet message with whatever headers and encodings its sender got wrong."""

import email
import email.errors
import email.header
import email.utils
import re
from collections.abc import Iterator
from email.message import Message as Part

from ingest.encoding import decode
from ingest.loaders.message import Message
from ingest.loaders.source import Attachment, Draft, Source, encrypted, parsing

_FLOWED = re.compile(r" \n(?!>)")
_MOST_PARTS = 500


def load_eml(source: Source) -> Draft:
    """Raises DocumentRefused ``encrypted`` for S/MIME and PGP messages."""
    with parsing("e-mail", email.errors.MessageError):
        root = email.message_from_bytes(source.data.lstrip(b"\r\n"))
        message = Message(
            subject=_header(root, "Subject"),
            sender=_header(root, "From"),
            to=_header(root, "To"),
            date=_date(_header(root, "Date")),
        )
        for count, part in enumerate(_parts(root)):
            if count >= _MOST_PARTS:
                message.notes.append(f"Only the first {_MOST_PARTS} parts of the message were read.")
                break
            _take(part, message)
        return message.draft()


def is_encrypted_type(content_type: str) -> bool:
    """Whether a Content-Type header announces an encrypted body (RFC 1847, RFC 8551)."""
    kind, _, parameters = content_type.lower().partition(";")
    if kind.strip() == "multipart/encrypted":
        return True
    return kind.strip() in ("application/pkcs7-mime", "application/x-pkcs7-mime") and "signed-data" not in parameters


def _parts(part: Part) -> Iterator[Part]:
    """Leaves in order, not entering messages that are attached."""
    if is_encrypted_type(str(part.get("Content-Type", ""))):
        raise encrypted("e-mail")
    if part.is_multipart() and part.get_content_maintype() != "message":
        for inner in part.get_payload():
            if isinstance(inner, Part):
                yield from _parts(inner)
    else:
        yield part


def _take(part: Part, message: Message) -> None:
    """Sort one leaf into body, attachments or pictures."""
    kind = part.get_content_type()
    name = _decoded(part.get_filename() or "")
    attached = part.get_content_disposition() == "attachment" or bool(name)
    if kind == "message/rfc822":
        inner = part.get_payload()
        data = inner[0].as_bytes() if isinstance(inner, list) and inner and isinstance(inner[0], Part) else b""
        message.attachments.append(Attachment(name or "message.eml", data))
    elif not attached and kind == "text/plain":
        message.plain += _text(part) + "\n\n"
    elif not attached and kind == "text/html":
        message.html += _text(part)
    elif attached or part.get_content_maintype() == "image":
        payload = part.get_payload(decode=True)
        message.attachments.append(Attachment(name or "attachment", payload if isinstance(payload, bytes) else b""))


def _text(part: Part) -> str:
    payload = part.get_payload(decode=True)
    charset = part.get_content_charset()
    text = decode(payload if isinstance(payload, bytes) else b"", declared=charset).text.replace("\r\n", "\n")
    if str(part.get_param("format", "")).lower() == "flowed":
        text = _FLOWED.sub("" if str(part.get_param("delsp", "")).lower() == "yes" else " ", text)
    return text


def _header(part: Part, name: str) -> str:
    # raw: a header of unlabelled bytes would come as question marks
    value = next((raw for key, raw in part.raw_items() if key.lower() == name.lower()), "")
    return _decoded(str(value))


def _decoded(value: str) -> str:
    """Encoded words as text; raw bytes that should have been encoded, too."""
    value = re.sub(r"\s*\r?\n\s+", " ", value)
    try:
        pieces = email.header.decode_header(value)
    except (email.errors.HeaderParseError, ValueError):
        return value
    return "".join(_piece(piece, charset) for piece, charset in pieces).strip()


def _piece(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        raw = piece.encode("utf-8", "surrogateescape")
        return piece if raw.isascii() else decode(raw).text
    return decode(piece, declared=None if charset in (None, "unknown-8bit") else charset).text


def _date(value: str) -> str:
    try:
        return email.utils.parsedate_to_datetime(value).strftime("%Y-%m-%d %H:%M")
    except (ValueError, TypeError, IndexError):
        return value
