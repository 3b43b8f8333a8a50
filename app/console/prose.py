"""An answer's Markdown → HTML that runs nothing, loads nothing, and whose marks [1] lead to its sources."""

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

_MARK = re.compile(r"\[(\d{1,2})\](?!\()")
_LINK = re.compile(r"(https?|mailto):", re.IGNORECASE)


def html_of(markdown: str, *, cited: Collection[int] = ()) -> Markup:
    """``cited`` are the numbers that have a source on the page, at ``#source-1``."""
    html = _renderer().render(markdown, {"cited": frozenset(cited)})
    return Markup(html)  # noqa: S704 (HTML in the text was escaped by the renderer, which has it switched off)


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    made.validateLink = lambda url: _LINK.match(url) is not None  # type: ignore[method-assign]
    made.inline.ruler.before("link", "citation", _citation)
    made.add_render_rule("citation", _show_citation)
    made.add_render_rule("image", _show_image)
    made.add_render_rule("link_open", _open_link)
    made.add_render_rule("th_open", _open_cell)
    made.add_render_rule("td_open", _open_cell)
    made.add_render_rule("table_open", lambda *_: '<div class="table-scroll" tabindex="0"><table>')
    made.add_render_rule("table_close", lambda *_: "</table></div>")
    return made


def _citation(state: StateInline, silent: bool) -> bool:
    match = _MARK.match(state.src, state.pos)
    if match is None or int(match[1]) not in state.env["cited"]:
        return False
    if not silent:
        state.push("citation", "", 0).content = match[1]
    state.pos = match.end()
    return True


def _show_citation(_: RendererHTML, tokens: list[Token], index: int, *__: Any) -> str:
    number = tokens[index].content
    return f'<a class="cite" href="#source-{number}">{number}</a>'


def _show_image(_: RendererHTML, tokens: list[Token], index: int, *__: Any) -> str:
    """Its description: a picture of elsewhere would tell its owner who reads this."""
    return str(Markup.escape(tokens[index].content))


def _open_link(renderer: RendererHTML, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    return renderer.renderToken(tokens, index, options, env)


def _open_cell(renderer: RendererHTML, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """Numbers stand to the right; said without a style, which the page's policy forbids."""
    style = tokens[index].attrs.pop("style", None)
    if style:
        tokens[index].attrSet("align", str(style).removeprefix("text-align:"))
    return renderer.renderToken(tokens, index, options, env)
