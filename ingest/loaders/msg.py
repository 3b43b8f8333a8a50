"""MSG (Outlook): properties in streams of an OLE container, named by their tag ([MS-OXMSG])."""

import io
import struct
from datetime import UTC, datetime, timedelta

import olefile

from ingest.blocks import Block
from ingest.encoding import decode
from ingest.loaders.eml import is_encrypted_type
from ingest.loaders.message import Message
from ingest.loaders.rtf import load_rtf
from ingest.loaders.source import Attachment, Draft, Source, encrypted, parsing
from ingest.sniff import RTF
from knowledge.errors import DocumentRefused

_CLASS, _SUBJECT, _SENDER, _SENDER_MAIL, _TO = "001A", "0037", "0C1A", "0C1F", "0E04"
_BODY, _HTML, _RTF, _HEADERS = "1000", "1013", "1009", "007D"
_SENT, _DELIVERED, _CODE_PAGE = 0x0039, 0x0E06, 0x3FFD
_LONG_NAME, _SHORT_NAME, _DATA, _MIME_TYPE = "3707", "3704", "3701", "370E"
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def load_msg(source: Source) -> Draft:
    """Raises DocumentRefused ``encrypted`` for S/MIME and PGP messages."""
    with parsing("Outlook message"), olefile.OleFileIO(io.BytesIO(source.data)) as container:
        box = _Box(container)
        kind = box.text(_CLASS).lower()
        if ("smime" in kind and "signed" not in kind) or _announces_encryption(box.text(_HEADERS)):
            raise encrypted("Outlook message")
        sender, address = box.text(_SENDER), box.text(_SENDER_MAIL)
        message = Message(
            subject=box.text(_SUBJECT),
            sender=f"{sender} <{address}>" if "@" in address and address != sender else sender or address,
            to=box.text(_TO),
            date=box.date(),
            plain=box.text(_BODY),
            html=box.html(),
        )
        for folder in box.attachments():
            _attachment(box, folder, message)
        draft = message.draft()
        if not draft.blocks and (packed := box.raw(f"{_RTF}0102")):
            draft.blocks.extend(_rtf_blocks(packed))
        return draft


def _announces_encryption(headers: str) -> bool:
    unfolded = headers.replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ")
    lines = (line.partition(":") for line in unfolded.split("\n"))
    return any(is_encrypted_type(value.strip()) for name, _, value in lines if name.strip().lower() == "content-type")


class _Box:
    """Properties of the message and of its attachments (``folder``)."""

    def __init__(self, container: olefile.OleFileIO) -> None:
        self._container = container
        self._streams = {"/".join(path).lower(): path for path in container.listdir(streams=True, storages=False)}
        self._fixed = self._fixed_properties()

    def raw(self, tag: str, folder: str = "") -> bytes:
        path = self._streams.get(f"{folder}__substg1.0_{tag}".lower())
        if path is None:
            return b""
        with self._container.openstream(path) as stream:
            return bytes(stream.read())

    def text(self, tag: str, folder: str = "") -> str:
        """A text property, in Unicode (001F) or in the message's code page (001E)."""
        if wide := self.raw(f"{tag}001F", folder):
            return wide.decode("utf-16-le", errors="replace").rstrip("\0")
        page = int.from_bytes(self._fixed.get(_CODE_PAGE, b"")[:4], "little")
        return decode(self.raw(f"{tag}001E", folder).rstrip(b"\0"), declared=f"cp{page}" if page else None).text

    def html(self) -> str:
        return decode(self.raw(f"{_HTML}0102")).text or self.text(_HTML)

    def date(self) -> str:
        for tag in (_SENT, _DELIVERED):
            ticks = int.from_bytes(self._fixed.get(tag, b""), "little")
            if ticks:
                return (_FILETIME_EPOCH + timedelta(microseconds=ticks // 10)).strftime("%Y-%m-%d %H:%M")
        return ""

    def attachments(self) -> list[str]:
        folders = {path[0] for path in self._streams.values() if path[0].lower().startswith("__attach_version1.0_")}
        return sorted(f"{folder}/" for folder in folders)

    def names(self, folder: str) -> list[str]:
        return [name.rpartition("/")[2] for name in self._streams if name.startswith(folder.lower())]

    def _fixed_properties(self) -> dict[int, bytes]:
        """Properties of fixed size: 16 bytes each after a header of 32 (tag, flags, value)."""
        path = self._streams.get("__properties_version1.0")
        if path is None:
            return {}
        with self._container.openstream(path) as stream:
            data = stream.read()
        whole = data[32 : len(data) - (len(data) - 32) % 16]
        return {tag >> 16: value for tag, _, value in struct.iter_unpack("<II8s", whole)}


def _attachment(box: _Box, folder: str, message: Message) -> None:
    name = box.text(_LONG_NAME, folder) or box.text(_SHORT_NAME, folder) or "attachment"
    data = box.raw(f"{_DATA}0102", folder)
    kind = box.text(_MIME_TYPE, folder).lower()
    if name.lower().endswith(".p7m") or kind == "application/pgp-encrypted":
        raise encrypted("Outlook message")
    if data:
        message.attachments.append(Attachment(name, data))
    else:  # a message inside the message, or a link to a file elsewhere
        message.notes.append(f"Attachment {name} was left out: it is not a file.")


def _rtf_blocks(packed: bytes) -> list[Block]:
    try:
        return load_rtf(Source(unpack_rtf(packed), "body.rtf", RTF)).blocks
    except DocumentRefused:
        return []


_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor "
    b"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    b"\\b\\i\\u\\tab\\tx"
)


def unpack_rtf(packed: bytes) -> bytes:
    """Compressed RTF ([MS-OXRTFCP]): a sliding window of 4,096 bytes that starts with common RTF words."""
    size, raw_size, kind, _ = struct.unpack_from("<II4sI", packed)
    if kind == b"MELA":
        return packed[16 : 16 + raw_size]
    window = bytearray(_DICTIONARY + b" " * (4096 - len(_DICTIONARY)))
    write, out, at = len(_DICTIONARY), bytearray(), 16
    end = min(len(packed), size + 4)
    while at < end and len(out) < raw_size:
        control = packed[at]
        at += 1
        for bit in range(8):
            if at >= end or len(out) >= raw_size:
                break
            if control >> bit & 1:
                reference = int.from_bytes(packed[at : at + 2], "big")
                at += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write % 4096:
                    return bytes(out)
                sources = range(offset, offset + length)
            else:
                window[write % 4096] = packed[at]
                sources = range(write, write + 1)
                at += 1
            for place in sources:  # one byte at a time: a reference may reach into what it writes
                value = window[place % 4096]
                out.append(value)
                window[write % 4096] = value
                write += 1
    return bytes(out[:raw_size])
