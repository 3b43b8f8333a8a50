// Markdown that a model writes, token by token, made into safe DOM.
//
// Safety: raw HTML is shown as text, links and images pass an allowlist here, and DOMPurify has the last word.
// Calm: text is split into top-level blocks; a block that did not change is not touched, the last one is morphed in
// place, and constructs that are still half open (fences, tables, emphasis, links, citations) are settled first.

import { h, morph } from "./dom.js";
import { Marked } from "./vendor/marked.esm.js";
import createPurify from "./vendor/purify.es.js";

const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escape = (text) => text.replace(/[&<>"']/g, (character) => escapes[character]);

// A bare address ends where Chinese text goes on: “见https://a.cn/b。谢谢” links a.cn/b only.
const BARE_URL = /^https?:\/\/[^\s<>"'`‘-”\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]+/i;

function tokenizers() {
  return {
    // “3~5天，10~20元” is two ranges, not struck-out text.
    del(source) {
      const match = /^~~(?=\S)([\s\S]*?\S)~~(?!~)/.exec(source);
      return match
        ? { type: "del", raw: match[0], text: match[1], tokens: this.lexer.inlineTokens(match[1]) }
        : undefined;
    },
    url(source) {
      const raw = BARE_URL.exec(source)?.[0].replace(/[.,;:!?)\]*_~]+$/, "");
      return raw ? { type: "link", raw, text: raw, href: raw, tokens: [{ type: "text", raw, text: raw }] } : undefined;
    },
    // “价格\n---” is a paragraph and a rule; while “- ” is being typed, the line above must not become a heading.
    lheading: () => undefined,
    // “[1]: 来源” is a citation with a remark, not a link definition that vanishes.
    def: () => undefined,
  };
}

// CommonMark does not close “**注意：**请” (punctuation inside, a letter outside), which Chinese text needs all the time.
const strong = {
  name: "strong",
  level: "inline",
  start: (source) => source.indexOf("**"),
  tokenizer(source) {
    const match = /^\*\*(?![\s*])((?:[^*\n]|\n(?!\n)|\*(?!\*))*?[^\s*])\*\*(?!\*)/.exec(source);
    return match
      ? { type: "strong", raw: match[0], text: match[1], tokens: this.lexer.inlineTokens(match[1]) }
      : undefined;
  },
};

function renderers(base) {
  return {
    html: ({ text, block }) => {
      if (/^\s*<br\s*\/?>\s*$/i.test(text)) return "<br>";
      return block ? `<p>${escape(text.trim())}</p>` : escape(text);
    },
    heading({ tokens, depth }) {
      const level = Math.min(6, depth + 2); // below the page's own headings
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    link({ href, title, tokens }) {
      const text = this.parser.parseInline(tokens);
      const safe = /^(https?:|mailto:|tel:)/i.test(href) ? href : null;
      if (!safe) return text;
      const tip = title ? ` title="${escape(title)}"` : "";
      return `<a href="${escape(safe)}"${tip} target="_blank" rel="noopener noreferrer nofollow">${text}</a>`;
    },
    // An image from elsewhere would tell its host what was asked; it becomes a link that one has to click.
    image({ href, text }) {
      const url = address(href, base);
      if (url?.origin === new URL(base).origin)
        return `<img src="${escape(url.href)}" alt="${escape(text)}" loading="lazy">`;
      if (!url || !/^https?:$/.test(url.protocol)) return escape(text);
      return `<a href="${escape(url.href)}" target="_blank" rel="noopener noreferrer nofollow">${escape(text || url.host)}</a>`;
    },
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  };
}

function address(href, base) {
  try {
    return new URL(href, base);
  } catch {
    return null;
  }
}

const ALLOWED = {
  ALLOWED_TAGS: [
    "p",
    "br",
    "h3",
    "h4",
    "h5",
    "h6",
    "strong",
    "em",
    "del",
    "code",
    "pre",
    "blockquote",
    "ul",
    "ol",
    "li",
    "hr",
    "a",
    "img",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
  ],
  ALLOWED_ATTR: ["href", "title", "target", "rel", "src", "alt", "loading", "start", "align", "class"],
  ALLOW_DATA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** Turns Markdown into fragments of safe DOM. `base` is the service's address: images from there are shown. */
export class Renderer {
  constructor(base) {
    this.marked = new Marked({ gfm: true, breaks: true });
    this.marked.use({ tokenizer: tokenizers(), renderer: renderers(base), extensions: [strong] });
    this.purify = createPurify(window);
    this.purify.addHook("uponSanitizeAttribute", (node, data) => {
      if (data.attrName === "class")
        data.keepAttr = node.nodeName === "CODE" && /^language-[\w+#-]+$/.test(data.attrValue);
      if (data.attrName === "target") data.forceKeepAttr = data.attrValue === "_blank";
    });
  }

  tokens(text) {
    return this.marked.lexer(text);
  }

  fragment(token) {
    return this.purify.sanitize(this.marked.parser([token]), ALLOWED);
  }
}

const OPEN_BLOCKS = 2; // at the end of a growing text, still subject to change

/** One answer on the page. */
export class MarkdownView {
  #renderer;
  #raw = [];
  #settled = { text: "", blocks: [] }; // what later tokens cannot change any more

  constructor(renderer) {
    this.#renderer = renderer;
    this.element = h("div", { class: "md" });
  }

  /** `finish(fragment)` adds what is ours to each new block: citation chips, copy buttons. */
  update(text, { streaming, finish }) {
    const blocks = this.#blocks(streaming ? settle(text) : text, streaming);
    blocks.forEach((token, index) => {
      if (this.#raw[index] === token.raw) return;
      const holder = this.element.children[index] ?? this.element.appendChild(h("div", { class: "block" }));
      const fragment = this.#renderer.fragment(token);
      finish(fragment);
      morph(holder, fragment);
      this.#raw[index] = token.raw;
    });
    while (this.element.children.length > blocks.length) this.element.lastElementChild.remove();
    this.#raw.length = blocks.length;
    this.element.classList.toggle("streaming", streaming);
  }

  /** Top-level blocks. While a text only grows, all but the last two are known and are not read again. */
  #blocks(text, streaming) {
    const known = streaming && text.startsWith(this.#settled.text) ? this.#settled : { text: "", blocks: [] };
    const tokens = this.#renderer.tokens(text.slice(known.text.length));
    const isBlock = (token) => token.type !== "space";
    const blocks = [...known.blocks, ...tokens.filter(isBlock)];
    const open = tokens.findLastIndex(
      (token, index) => isBlock(token) && tokens.slice(index).filter(isBlock).length === OPEN_BLOCKS,
    );
    const closed = tokens.slice(0, Math.max(0, open));
    this.#settled = {
      text: known.text + closed.map(({ raw }) => raw).join(""),
      blocks: [...known.blocks, ...closed.filter(isBlock)],
    };
    return blocks;
  }
}

/** Completes or holds back what a cut-off text has left open, so that nothing on screen has to be taken back. */
export function settle(text) {
  if (insideFence(text)) return text.replace(/\n[ \t]*[`~]{1,2}$/, "\n");
  // A line of only markers says nothing yet: “-”, “1.”, “##”, “>”, “|”, the first ticks of a fence.
  let settled = text.replace(/(^|\n)[ \t]*(?:[-+*_=#>|~`]+|\d{1,3}[.)]?)[ \t]*$/, "$1");
  settled = settled.replace(/<\/?[a-z]*$/i, "");
  return settleInline(settleTable(settled));
}

function insideFence(text) {
  let fence = null;
  for (const line of text.split("\n")) {
    const mark = /^\s*(`{3,}|~{3,})(.*)$/.exec(line);
    if (!mark) continue;
    if (fence === null) fence = mark[1];
    else if (mark[1][0] === fence[0] && mark[1].length >= fence.length && !mark[2].trim()) fence = null;
  }
  return fence !== null;
}

/** A table's first line is shown as its header at once, not as text with bars that turns into a table later. */
function settleTable(text) {
  const lines = text.replace(/\n$/, "").split("\n");
  let first = lines.length;
  while (first > 0 && /^\s*\|/.test(lines[first - 1])) first -= 1;
  const rows = lines.slice(first);
  if (rows.length === 0 || rows.length > 2 || (rows.length === 2 && !/^[\s|:-]+$/.test(rows[1]))) return text;
  const header = rows[0].trim().replace(/^\||\|$/g, "");
  const columns = header.split(/(?<!\\)\|/).length;
  return [...lines.slice(0, first), `| ${header} |`, `|${" --- |".repeat(columns)}`].join("\n");
}

function settleInline(text) {
  const start = Math.max(text.lastIndexOf("\n\n"), text.lastIndexOf("\n|"), text.lastIndexOf("\n- ")) + 1;
  let tail = settleMark(text.slice(start), "`");
  if (tail === text.slice(start)) {
    tail = tail.replace(/!?\[[^\]\n]*\]\([^)\s]*$/, (link) =>
      link[0] === "!" ? "" : link.slice(1, link.indexOf("]")),
    );
    tail = tail
      .replace(/!\[[^\]\n]*\]?$/, "")
      .replace(/\[[\d,，、 ]*$/, "")
      .replace(/\[([^\]\n]*)$/, "$1");
    tail = settleMark(settleMark(tail, "**"), "~~");
  }
  return text.slice(0, start) + tail;
}

/** `**词` → `**词**`, `**词*` → `**词**`; an opener with nothing after it is held back. */
function settleMark(tail, mark) {
  let bare = tail.trimEnd();
  const half = mark.length === 2 && bare.endsWith(mark[0]) && !bare.endsWith(mark);
  if (half) bare = bare.slice(0, -1);
  const prose = mark === "`" ? bare : bare.replace(/`[^`]*`/g, "");
  const open = prose.split(mark).length % 2 === 0;
  if (!open) return half ? bare : tail;
  return bare.endsWith(mark) ? bare.slice(0, -mark.length) : bare + mark;
}
