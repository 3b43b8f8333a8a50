"""The beginning of an answer, made fit to be shown while the rest is still being written.

What has begun and is not yet clear (a link, an image, a table row, a marker) is held back; what is clear and still open
(code, bold) is closed. So a card grows, and what it once showed stays as it was.
"""

import re

from bots.dingtalk.blocks import IN_CODE, Line, lines

_BARE = re.compile(r"^[\s>]*(?:[-+*#=_~`|:]+|\d{1,3}[.)]?|[-*+] \[.?)?[\s|:-]*$")
_UNFINISHED = (
    re.compile(r"!?\[[^\[\]\n]*\]\([^\n()]*(?:\([^\n()]*\)[^\n()]*)*$"),  # [label](addr
    re.compile(r"!?\[[^\]\n]{0,200}$"),  # [lab
    re.compile(r"!?\[(?!\d+(?:\s*[,，、]\s*\d+)*\])[^\[\]\n]*\]$"),  # [label] that may become a link; [1] is a citation
    re.compile(r"</?[A-Za-z][^<>\n]*$|<!?-{0,2}$|<!--[^\n]*(?<!-->)$"),
    re.compile(r"https?://[^\s，。；、）】》”)]*$|(?<![A-Za-z])h(?:tt?(?:ps?)?:?/?)?$"),
    re.compile(r"[!\\]$"),
)
_CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)")
_OPEN_CODE = re.compile(r"(?<!`)(`+)([^`]*)$")
_EMPHASIS = re.compile(r"\*\*|~~|\*")


def repaired(partial: str) -> str:
    """A prefix of a Markdown text as it can be shown: longer by closing marks and blank lines at the most."""
    text = partial.replace("\r\n", "\n").removesuffix("\r")
    if lines(text)[-1].kind not in IN_CODE:
        text = _with_end_repaired(text)
    found = lines(text)
    return spaced(text if found[-1].kind not in ("open", "code") else _with_code_closed(text, found))


def spaced(text: str) -> str:
    """With the blank lines that DingTalk needs before lists, tables, headings, quotes and code, and after tables."""
    shown: list[str] = []
    before: Line | None = None
    for line in lines(text):
        if before is not None and _needs_blank(before, line):
            shown.append("")
        shown.append(line.text)
        before = line
    return "\n".join(shown)


def _with_end_repaired(text: str) -> str:
    text = _without_half_table(text, lines(text))
    head, newline, last = text.rpartition("\n")
    if last.strip() and lines(text)[-1].kind != "delimiter":
        last = "" if _BARE.match(last) else _with_inline_closed(last)
    return f"{head}{newline}{last}".rstrip()


def _needs_blank(before: Line, line: Line) -> bool:
    if before.kind == "blank" or (before.fence is not None and before.kind != "close"):
        return False
    plain = before.kind == "text" and not before.indented
    match line.kind:
        case "heading" | "header":
            return True
        case "item" | "open" | "quote":
            return (plain and not line.indented) or before.kind in ("row", "delimiter")
        case "text":
            return before.kind in ("row", "delimiter")
        case _:
            return False


def _with_code_closed(text: str, found: list[Line]) -> str:
    opened = max(number for number, line in enumerate(found) if line.kind == "open")
    fence, last = found[opened].fence, found[-1]
    half = last.text.strip()
    if fence and last.kind == "code" and half and not half.strip(fence.marks[0]):
        text = text[: last.start]  # the beginning of the closing marks
    if fence is None or not text[found[opened].start + len(found[opened].text) :].strip():
        return text[: found[opened].start].rstrip()  # no code yet
    return f"{text.rstrip()}\n{fence.closer}"


def _without_half_table(text: str, found: list[Line]) -> str:
    """Without a row that is being written, and without a header whose delimiter row is."""
    last = found[-1]
    if last.kind == "row":
        whole = last.text.rstrip().endswith("|") and last.text.count("|") >= last.head.partition("\n")[0].count("|")
        return text if whole else text[: last.start]
    written = [line for line in found if line.text.strip() or line is not last]
    cut = len(text)
    for line in reversed(written[-2:]):
        if line.kind != "text" or not _may_be_table(line, below=cut < len(text)):
            break
        cut = line.start
    return text[:cut]


def _may_be_table(line: Line, *, below: bool) -> bool:
    """Whether a line may turn out to be a header; ``below``: what follows it looks like the beginning of a table."""
    text = line.text.strip()
    return text.startswith("|") or (below and "|" in text) or bool(re.fullmatch(r":?-+:?\s*\|[\s|:-]*", text))


def _with_inline_closed(line: str) -> str:
    masked = _CODE_SPAN.sub(lambda match: "\0" * len(match[0]), line)
    if code := _OPEN_CODE.search(masked):
        return line.rstrip() + code[1] if code[2].strip() else line[: code.start()].rstrip()
    for unfinished in _UNFINISHED:
        if match := unfinished.search(masked):
            masked = masked[: match.start()]
    line, masked = line[: len(masked)].rstrip(), masked.rstrip()
    stack: list[tuple[str, int]] = []
    for match in _EMPHASIS.finditer(masked):
        if stack and stack[-1][0] == match[0] and masked[match.start() - 1 : match.start()].strip():
            stack.pop()
        elif match.end() == len(masked) or _opens(masked, match):
            stack.append((match[0], match.start()))
    while stack and stack[-1][1] + len(stack[-1][0]) >= len(line):  # a mark with nothing after it yet
        line = line[: stack.pop()[1]].rstrip()
    return line + "".join(mark for mark, _ in reversed(stack))


def _opens(masked: str, match: re.Match[str]) -> bool:
    """Whether a mark can open emphasis; a lone asterisk in the middle of a word (2*3) or as a bullet can't."""
    before, after = masked[match.start() - 1 : match.start()] if match.start() else "", masked[match.end()]
    if after.isspace():
        return False
    return match[0] != "*" or not before.isalnum()
