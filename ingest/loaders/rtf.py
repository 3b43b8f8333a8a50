"""RTF: its own small language of groups, control words and hex bytes; Chinese files mix code pages in one paragraph."""

import re
from dataclasses import dataclass, replace

from ingest.blocks import Block, Heading, Text
from ingest.loaders.flow import titled
from ingest.loaders.grid import blocks_of, grid_of
from ingest.loaders.plain import plain_blocks
from ingest.loaders.source import Draft, Source, corrupt, parsing

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|[\r\n]+|([^\\{}\r\n]+)", re.DOTALL
)
_NOT_TEXT = frozenset(
    b"fonttbl colortbl stylesheet info pict object header headerl headerr headerf footer footerl footerr footerf "
    b"listtable listoverridetable revtbl generator themedata datastore fldinst xe tc rsidtbl latentstyles".split()
)
_SPECIAL = {b"tab": "\t", b"line": "\n", b"emdash": "—", b"endash": "–", b"bullet": "•", b"lquote": "‘", b"rquote": "’"}
_SPECIAL |= {b"ldblquote": "“", b"rdblquote": "”", b"emspace": " ", b"enspace": " ", b"~": "\u00a0", b"_": "-"}
# \fcharset of a font → the code page of its bytes (RTF specification 1.9.1)
_CHARSETS = {0: "cp1252", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950", 161: "cp1253", 162: "cp1254"}
_CHARSETS |= {177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250"}
_PAGES = {936: "gb18030", 950: "cp950", 932: "cp932", 949: "cp949", 65001: "utf-8", 10000: "mac-roman"}


def load_rtf(source: Source) -> Draft:
    """Paragraphs and tables; headings from outline levels where the file has them."""
    with parsing("RTF"):
        reader = _Reader()
        reader.read(source.data.lstrip())
        if not reader.closed and not reader.blocks:
            raise corrupt("RTF")
        blocks, title = titled(reader.blocks)
        return Draft(blocks=blocks, title=title, pictures=reader.pictures)


@dataclass(frozen=True, slots=True)
class _State:
    """What a group inherits and gives back when it ends."""

    skipped: bool = False
    hidden: bool = False
    encoding: str | None = None
    unicode_skip: int = 1


class _Reader:
    """Reads tokens in order. Bytes gather until their encoding is known to end, texts until a paragraph ends."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.pictures = 0
        self.closed = False
        self._stack: list[_State] = []
        self._state = _State()
        self._page = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0  # the font being defined
        self._bytes = bytearray()
        self._text: list[str] = []
        self._skip = 0  # characters that stand for one given in Unicode just before
        self._level: int | None = None
        self._in_table = False
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._in_fonts = False

    def read(self, data: bytes) -> None:
        starred = False
        at = 0
        while at < len(data) and not self.closed:
            token = _TOKEN.match(data, at)
            if token is None:
                at += 1
                continue
            at = token.end()
            word, number, hexadecimal, symbol, brace, plain = token.groups()
            if word == b"bin":
                at += max(int(number or 0), 0)
            elif word:
                self._word(word, int(number) if number else None, starred=starred)
            elif hexadecimal:
                self._byte(bytes((int(hexadecimal, 16),)))
            elif brace:
                self._group(opens=brace == b"{")
            elif plain:
                self._plain(plain)
            elif symbol and symbol != b"*":
                self._symbol(symbol)
            starred = symbol == b"*"
        self._paragraph()
        self._end_table()

    def _group(self, *, opens: bool) -> None:
        self._decode()
        self._skip = 0
        if opens:
            self._stack.append(self._state)
        elif self._stack:
            self._state = self._stack.pop()
            self.closed = not self._stack
            self._in_fonts = self._in_fonts and self._state.skipped

    def _word(self, word: bytes, number: int | None, *, starred: bool) -> None:  # noqa: C901, PLR0912 - one case a word
        if word in _NOT_TEXT or (starred and word not in (b"shptxt", b"shpinst", b"ud", b"upr")):
            self.pictures += word == b"pict"
            self._in_fonts = self._in_fonts or word == b"fonttbl"
            self._state = replace(self._state, skipped=True)
        elif word == b"ansicpg" and number:
            self._page = _PAGES.get(number, f"cp{number}")
        elif word == b"f" and number is not None:
            self._decode()
            self._font = number
            if not self._in_fonts:
                self._state = replace(self._state, encoding=self._fonts.get(number))
        elif word == b"fcharset" and number is not None and self._in_fonts:
            if number in _CHARSETS and number:
                self._fonts[self._font] = _CHARSETS[number]
        elif word == b"uc" and number is not None:
            self._state = replace(self._state, unicode_skip=max(number, 0))
        elif word == b"u" and number is not None:
            self._decode()
            self._append(chr(number % 65536))
            self._skip = self._state.unicode_skip
        elif word == b"v":
            self._state = replace(self._state, hidden=number != 0)
        elif word in (b"par", b"sect", b"page"):
            self._paragraph()
        elif word == b"pard":
            self._level, self._in_table = None, False
        elif word == b"plain":
            self._state = replace(self._state, hidden=False)
        elif word == b"outlinelevel" and number is not None:
            self._level = number + 1
        elif word == b"intbl":
            self._in_table = True
        elif word in (b"cell", b"nestcell"):
            self._cells.append(self._take())
        elif word in (b"row", b"nestrow"):
            self._rows.append(self._cells)
            self._cells = []
        elif word in _SPECIAL:
            self._decode()
            self._append(_SPECIAL[word])

    def _symbol(self, symbol: bytes) -> None:
        if symbol in (b"\r", b"\n"):
            self._paragraph()
        elif symbol in _SPECIAL:
            self._decode()
            self._append(_SPECIAL[symbol])
        elif symbol in (b"\\", b"{", b"}"):
            self._byte(symbol)

    def _plain(self, text: bytes) -> None:
        skipped = min(self._skip, len(text))
        self._skip -= skipped
        if not self._state.skipped:
            self._bytes += text[skipped:]

    def _byte(self, byte: bytes) -> None:
        if self._skip:
            self._skip -= 1
        elif not self._state.skipped:
            self._bytes += byte

    def _append(self, text: str) -> None:
        if not self._state.skipped and not self._state.hidden:
            self._text.append(text)

    def _decode(self) -> None:
        if self._bytes:
            try:
                text = self._bytes.decode(self._state.encoding or self._page)
            except (LookupError, UnicodeDecodeError):  # é in a document that is Chinese otherwise
                text = self._bytes.decode(self._state.encoding or "cp1252", errors="replace")
            self._bytes.clear()
            self._append(text)

    def _take(self) -> str:
        self._decode()
        # characters beyond the first plane come as two halves
        text = "".join(self._text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self._text = []
        return text.strip()

    def _paragraph(self) -> None:
        if self._in_table:
            self._decode()
            self._text.append("\n")
            return
        self._end_table()
        text = self._take()
        if not text:
            return
        if self._level and "\n" not in text:
            self.blocks.append(Heading(min(self._level, 6), text))
        else:
            self.blocks.extend(plain_blocks(text) or [Text(text)])

    def _end_table(self) -> None:
        if self._rows:
            self.blocks.extend(blocks_of(grid_of(self._rows)))
            self._rows = []
