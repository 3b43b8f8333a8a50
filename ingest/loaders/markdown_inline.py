"""One line of Markdown → its text: links without targets, emphasis without marks, dialects without their syntax."""

import html
import re

# What must come through untouched (code, escaped characters) waits behind a mark while the rest is rewritten.
_LITERAL = re.compile(r"(`+)|\\([\\`*_{}\[\]()#+\-.!|<>~])")
_MARK = re.compile("\x02(\\d+)\x03")
_COMMENT = re.compile(r"<!--.*?-->", re.S)
# Experience League dialect: [!DNL Live Search] is a name not to be translated, [!NOTE] a kind of box
_MEDIA_TAG = re.compile(r"\[!(?:VIDEO|IMAGE)[^\]]*\]\([^)]*\)")
_NAMED_TAG = re.compile(r"\[![A-Z]+\s+((?:[^\[\]]|\[[^\[\]]*\])*)\]")
_BARE_TAG = re.compile(r"\[![A-Za-z]+\]")
_IMAGE = re.compile(r"!\[((?:[^\[\]]|\[[^\[\]]*\])*)\](?:\([^()\s]*(?:\([^()]*\)[^()]*)*[^()]*\)|\[[^\]]*\])")
_LINK = re.compile(
    r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]"
    r"\(\s*(?:<[^<>]*>|[^()\s]*(?:\([^()]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?\s*\)"
)
_REFERENCE_LINK = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
_AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+)>")
# machine translation moves brackets: 设置](settings.md)中的[3DS
_LOST_TARGET = re.compile(r"\]\((?:https?:|[\w./-]+\.md|#)[^()\s]*\)")
_ATTRIBUTES = re.compile(r"\{(?:[:#.][^{}\n]*|[\w-]+\s*=[^{}\n]*)\}")
_BREAK = re.compile(r"</?br\s*/?>", re.I)
_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|center|cite|code|dd|del|details|dfn|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i"
    r"|img|ins|kbd|li|mark|ol|p|pre|q|s|samp|section|small|span|strike|strong|sub|summary|sup|u|ul|var|video|source"
    r"|iframe|Tabs|TabItem|Admonition|Image|Link|Badge|Card|CardGrid)(?:\s[^<>]*)?/?>",
    re.I,
)
_STRONG = re.compile(r"(\*\*\*|\*\*)(?=\S)(.+?)(?<=\S)\1")
_STRONG_LINE = re.compile(r"(?<![A-Za-z0-9_])__(?=\S)(.+?)(?<=\S)__(?![A-Za-z0-9_])")
_ITALIC = re.compile(
    r"(?<![\w*])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?!\*)|(?<=[\u4e00-\u9fff])\*(?=[^\s*])([^*\n]+?)\*(?!\*)"
)
_ITALIC_LINE = re.compile(r"(?<![A-Za-z0-9_])_(?=[^\s_])([^_\n]+?)(?<=[^\s_])_(?![A-Za-z0-9_])")
_STRUCK = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_FILE_NAME = re.compile(r"[\w\-. %()]*\.(png|jpe?g|gif|svg|webp|bmp)|image\S*|img\S*|alt|截图|图片\d*", re.I)


def inline(text: str, *, line_break: str = "\n") -> str:
    """The text of a paragraph, heading or cell. ``line_break`` stands for ``<br>``."""
    text, kept = _without_literals(_COMMENT.sub("", text.replace("\x02", "").replace("\x03", "")))
    if "[" in text:
        text = _without_links(text)
    if "{" in text:
        text = _ATTRIBUTES.sub("", text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub(line_break, _AUTOLINK.sub(r"\1", text)))
    if "*" in text or "_" in text or "~" in text:
        text = _without_emphasis(text)
    return _MARK.sub(lambda match: kept[int(match[1])], html.unescape(text))


def _without_literals(text: str) -> tuple[str, list[str]]:
    """Code and escaped characters taken out, each replaced by a numbered mark. One pass, whatever the backticks."""
    found = list(_LITERAL.finditer(text))
    closing: dict[str | None, list[int]] = {}
    for index in range(len(found) - 1, -1, -1):
        closing.setdefault(found[index][1], []).append(index)
    parts: list[str] = []
    kept: list[str] = []
    at = index = 0
    while index < len(found):
        match = found[index]
        literal, end = match[2], match.end()
        if match[1]:
            later = closing[match[1]]
            while later and later[-1] <= index:
                later.pop()
            if later:
                index = later[-1]
                literal = _NAMED_TAG.sub(r"\1", text[match.end() : found[index].start()].strip())
                end = found[index].end()
        if literal is not None:
            parts += [text[at : match.start()], f"\x02{len(kept)}\x03"]
            kept.append(literal)
            at = end
        index += 1
    return "".join(parts) + text[at:], kept


def count_images(text: str) -> int:
    return len(_IMAGE.findall(text)) + text.lower().count("<img")


def _without_links(text: str) -> str:
    for _ in range(2):  # [!UICONTROL [!DNL Payment Services]]
        text = _BARE_TAG.sub("", _NAMED_TAG.sub(r"\1", _MEDIA_TAG.sub("", text)))
    text = _IMAGE.sub(_described, text)
    text = _REFERENCE_LINK.sub(r"\1", _LINK.sub(r"\1", text))
    text, lost = _LOST_TARGET.subn("", text)
    return text.replace("[", "", lost)


def _described(match: re.Match[str]) -> str:
    """An image's description, unless it is only a file's name."""
    return "" if _FILE_NAME.fullmatch(match[1].strip()) else match[1]


def _without_emphasis(text: str) -> str:
    for _ in range(2):  # strong inside italic and the other way round
        text = _STRONG.sub(r"\2", text)
        text = _STRONG_LINE.sub(r"\1", text)
        text = _ITALIC.sub(lambda match: match[1] or match[2], text)
        text = _ITALIC_LINE.sub(r"\1", text)
    return _STRUCK.sub(r"\1", text)
