"""Markdown as DingTalk shows it: what models and documents write, translated, repaired while it grows, and in parts.

DingTalk's messages know headings, quotes, bold, italics, links, images and lists; its cards tables and code as well
(reports differ by the client's version, so :func:`dialect` can turn tables into lists). A line break needs two
spaces before it, lists, tables and headings a blank line; there is no HTML, and a rule is shown as dashes. A picture is
a media id (``![](@lA…)``) or a link. Frames of a growing card are ``dialect(repaired(text))``, the last one is
``dialect(text)``.
"""

import re
from collections.abc import Callable
from itertools import groupby

from bots.dingtalk.blocks import IN_CODE, IN_TABLE, Line, cells, lines
from bots.dingtalk.repairing import repaired, spaced
from bots.dingtalk.splitting import shortened, split_bytes, split_points
from knowledge.language import language_of

__all__ = ["dialect", "repaired", "shortened", "split_bytes", "split_points"]

_TAGS = (
    "a|abbr|b|big|blockquote|br|center|cite|code|col|colgroup|dd|del|details|div|dl|dt|em|figcaption|figure|font|"
    "h[1-6]|hr|i|img|iframe|ins|kbd|li|mark|ol|p|pre|q|s|script|section|small|span|strong|style|sub|summary|sup|"
    "table|tbody|td|tfoot|th|thead|tr|u|ul"
)
_TAG = re.compile(rf"</?(?:{_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_BREAK = re.compile(r"[ \t]*<br\s*/?>[ \t]*", re.IGNORECASE)
_STRONG = re.compile(r"<(b|strong)>([^<>\n*]+)</\1>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_AUTOLINK = re.compile(r"<(https?://[^\s<>]+)>")
_TITLED = re.compile(r"(\]\(\s*[^\s()]+)\s+(?:\"[^\"\n]*\"|'[^'\n]*')\s*\)")
_IMAGE = re.compile(r"!\[([^\[\]\n]*)\]\(([^()\s]*)\)")
_SHOWABLE = re.compile(r"@|\$|https?://")  # media ids begin with @ or $
_BULLET = re.compile(r"^([ \t]*)[*+]([ \t]+)(?=\S)")
_TASK = re.compile(r"^([ \t]*(?:-|\d{1,3}[.)])[ \t]+)\[([ xX])\][ \t]+")
_CLOSED_HEADING = re.compile(r"^( {0,3}#{1,6}[ \t].*?)[ \t]+#+[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}=+[ \t]*$")
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
# Bold that ends in a mark and is followed by a letter is no bold to CommonMark: **注意：**请 needs a space.
_TIGHT_END = re.compile(r"(\*\*[^\s*][^*\n]*[^\w\s*]\*\*)(?=[^\W_])")
_TIGHT_START = re.compile(r"(?<=[^\W_])(\*\*[^\w\s*][^*\n]*[^\s*]\*\*)")


def dialect(markdown: str, *, tables: bool = True) -> str:
    """CommonMark and GFM as DingTalk shows it; citations such as [1] stay text. ``tables`` False makes them lists."""
    text = markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    text = _without_html(text)
    if not tables:
        text = _with_lists_for_tables(text)
    return spaced("\n".join(_translated(lines(text)))).strip("\n")


def _without_html(text: str) -> str:
    """Tags taken out where they are not code: their text stays, a ``<br>`` is a line break (a space in tables)."""
    runs = groupby(lines(text), lambda line: line.kind in IN_CODE)
    shown = []
    for code, run in runs:
        run_lines = list(run)
        if not code:
            run_lines = lines(_COMMENT.sub("", "\n".join(line.text for line in run_lines)))
        shown += [line.text if code else _line_without_html(line) for line in run_lines]
    return "\n".join(shown)


def _line_without_html(line: Line) -> str:
    gap = " " if line.kind in IN_TABLE else "\n"

    def change(text: str) -> str:
        text = _STRONG.sub(r"**\2**", _BREAK.sub(gap, text.replace("&nbsp;", " ")))
        while (stripped := _TAG.sub("", text)) != text:
            text = stripped
        return text

    return _outside_spans(line.text, change)


def _with_lists_for_tables(text: str) -> str:
    shown: list[str] = []
    for head, run in groupby(lines(text), lambda line: line.head):
        rows = list(run)
        shown += _as_list(rows[0].text, [cells(row.text) for row in rows[2:]]) if head else [row.text for row in rows]
    return "\n".join(shown)


def _as_list(header: str, rows: list[list[str]]) -> list[str]:
    names = cells(header)
    if not rows:
        return [" · ".join(filter(None, names))]
    chinese = language_of(header) == "zh"
    colon, gap = ("：", "；") if chinese else (": ", "; ")
    found = [""]
    for first, *rest in rows:
        said = [f"{name}{colon}{cell}" for name, cell in zip(names[1:], rest, strict=False) if cell]
        if len(names) == 2 and said:
            said = [rest[0]]
        lead = f"**{first.replace('**', '')}**" if first.strip("* ") else ""
        found.append(f"- {colon.join(filter(None, (lead, gap.join(said))))}")
    return [*found, ""]


def _translated(found: list[Line]) -> list[str]:
    shown: list[str] = []
    for line, after in zip(found, [*found[1:], None], strict=True):
        if line.kind == "text" and shown and _UNDERLINE.match(line.text) and shown[-1].strip():
            shown[-1] = f"# {shown[-1].strip()}"
        elif line.kind in ("rule", "blank"):
            shown += [""] if shown and shown[-1] else []
        elif line.kind in IN_CODE:
            shown.append(line.text)
        else:
            shown.append(_line(line) + ("  " if _is_broken(line, after) else ""))
    return shown


def _line(line: Line) -> str:
    text = line.text.rstrip()
    if line.kind == "heading":
        text = _CLOSED_HEADING.sub(r"\1", text)
    if line.kind == "item":
        text = _TASK.sub(lambda match: f"{match[1]}{'☐' if match[2] == ' ' else '☑'} ", _BULLET.sub(r"\1-\2", text))
    return _outside_spans(text, _inline)


def _inline(text: str) -> str:
    text = _TITLED.sub(r"\1)", _AUTOLINK.sub(r"[\1](\1)", text))
    text = _IMAGE.sub(lambda match: match[0] if _SHOWABLE.match(match[2]) else match[1], text)
    return _TIGHT_START.sub(r" \1", _TIGHT_END.sub(r"\1 ", text))


def _is_broken(line: Line, after: Line | None) -> bool:
    """Whether a line ends where its writer ended it: models break lines where they mean it."""
    return after is not None and line.kind == after.kind and line.kind in ("text", "quote") and line.text.strip() != ""


def _outside_spans(text: str, change: Callable[[str], str]) -> str:
    """A change to everything but the code in a line."""
    shown, end = "", 0
    for span in _CODE_SPAN.finditer(text):
        shown, end = shown + change(text[end : span.start()]) + span[0], span.end()
    return shown + change(text[end:])
