"""What a server sends → bytes of at most so many, whatever they were packed into."""

import codecs
import zlib
from collections.abc import AsyncIterator, Iterator

from knowledge.errors import DocumentRefused

_STEP = 1 << 18  # unpacked at a time: a bomb is noticed after one step too many


def too_large(limit: int) -> DocumentRefused:
    return DocumentRefused("too_large", f"What this address sends is larger than {max(1, limit >> 20)} MB.")


async def whole(pieces: AsyncIterator[bytes], *, packing: str, limit: int) -> bytes:
    """``packing`` is the Content-Encoding. Raises DocumentRefused ``too_large``, ``corrupt``."""
    body = bytearray()
    unpack = _Unpacked(packing)
    async for piece in pieces:
        for part in unpack.feed(piece):
            body += part
            if len(body) > limit:
                raise too_large(limit)
    return bytes(body)


def gunzipped(data: bytes, *, limit: int) -> bytes:
    """A ``.gz`` file's content; anything else as it is. Raises DocumentRefused ``too_large``, ``corrupt``."""
    if not data.startswith(b"\x1f\x8b"):
        return data
    body = bytearray()
    for part in _Unpacked("gzip").feed(data):
        body += part
        if len(body) > limit:
            raise too_large(limit)
    return bytes(body)


def as_utf8(body: bytes, charset: str | None) -> bytes:
    """Text whose encoding only the server's headers tell, so that the file tells it too; other bytes as they are."""
    try:
        codec = codecs.lookup(charset or "utf-8").name
        if codec in ("utf-8", "ascii") or body.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return body
        return codecs.BOM_UTF8 + body.decode(codec).encode()
    except (LookupError, UnicodeError):
        return body  # the server is mistaken; the bytes are looked at later


class _Unpacked:
    def __init__(self, packing: str) -> None:
        kinds = [kind for each in packing.lower().split(",") if (kind := each.strip()) not in ("", "identity")]
        if len(kinds) > 1 or any(kind not in ("gzip", "x-gzip", "deflate") for kind in kinds):
            raise DocumentRefused("corrupt", "This address sends its page packed in a way nobody asked for.")
        self._kind = kinds[0] if kinds else ""
        self._stream = None if not kinds else zlib.decompressobj(zlib.MAX_WBITS | 32)

    def feed(self, piece: bytes) -> Iterator[bytes]:
        if self._stream is None:
            yield piece
            return
        try:
            part = self._first(piece)
            while part or self._stream.unconsumed_tail:
                yield part
                part = self._stream.decompress(self._stream.unconsumed_tail, _STEP)
        except zlib.error as error:
            raise DocumentRefused("corrupt", "What this address sends is damaged.") from error

    def _first(self, piece: bytes) -> bytes:
        if self._stream is None:
            return piece
        try:
            return self._stream.decompress(piece, _STEP)
        except zlib.error:
            if self._kind != "deflate":
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)  # many servers send it without its head
            self._kind = "raw"
            return self._stream.decompress(piece, _STEP)
