"""Text as it should be stored: one form for every character, nothing invisible, no runs of blanks."""

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BLANKS = re.compile("[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
# Controls, the soft hyphen, zero-width and direction marks, tags, lone surrogates, non-characters. A lone surrogate
# would end the process later: it cannot be written as UTF-8.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
# Joiners mean something inside emoji and Indic words, and nothing beside Latin or Chinese characters.
_STRAY_JOINER = re.compile("(?:(?<=[\x00-\u08ff\u2e80-\u9fff\uff00-\uffef])|^)[\u200c\u200d]+", re.MULTILINE)
_WORD_BULLETS = re.compile("[\uf06c-\uf06f\uf071\uf075-\uf077\uf09f\uf0a7\uf0a8\uf0b7\uf0d8\uf0e0\uf0fc]")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
# PDFs of Chinese texts often map glyphs to radicals and ligatures; they look right and are never found.
_COMPATIBLE = re.compile("[\u2f00-\u2fd5\ufb00-\ufb06]")
_RADICALS = str.maketrans(
    "⺟⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰⻳",
    "母民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙龟",
)
# Nearly all texts have none of these, and need nothing but this one look.
_SUSPECT = re.compile(
    "  |[\x00-\x1f\x7f-\xa0\u00ad\u0300-\u036f\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f"
    "\u2e80-\u2fdf\u3000\u3164\ud800-\uf8ff\ufb00-\ufb06\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U0010ffff]"
)
_INNER_RUN = re.compile(r"(?<=\S) {2,}")
_TRAILING = re.compile(r" +$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_SPACES = re.compile(r"\s+")


def clean(text: str) -> str:
    """Normalise ``text`` for storing and finding.

    NFC, not NFKC: full-width Chinese punctuation stays. Blanks are folded to one, at most one empty line is kept,
    and the indentation of a line survives (lists and code need it).
    """
    if _SUSPECT.search(text) is None and unicodedata.is_normalized("NFC", text):
        return text.strip()
    text = _LINE_ENDS.sub("\n", text)
    text = text.replace("\t", "    ") if "\n" in text or text.startswith("\t") else text
    text = _INVISIBLE.sub("", _BLANKS.sub(" ", text))
    text = _STRAY_JOINER.sub("", _PRIVATE.sub("", _WORD_BULLETS.sub("•", text)))
    text = _COMPATIBLE.sub(_compatible, text).translate(_RADICALS)
    text = unicodedata.normalize("NFC", text)
    text = _TRAILING.sub("", _INNER_RUN.sub(" ", text))
    text = _BLANK_LINES.sub("\n\n", text).strip("\n").rstrip()
    return text if "\n" in text else text.strip()


def clean_line(text: str) -> str:
    """The same, on one line: for headings, cells and questions."""
    if _SUSPECT.search(text) is None:  # has no line ends and no runs of blanks either
        return clean(text)
    return _SPACES.sub(" ", clean(text)).strip()


def _compatible(match: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", match.group())
