// From “[1]” in an answer to a chip one can press, and from a chip back to the sentence it stands for.

import { h } from "./dom.js";

const MARK = /\[(\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)\]/g;
const SENTENCE_END = /[。！？!?；;\n]|\.(?=\s)/;

/** Replaces `[1]`, `[1, 2]` in text (not in code or links) by chips, where `passages` knows all the numbers. */
export function addChips(fragment, passages, label) {
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (node.data.includes("[") && !node.parentElement?.closest("code, pre, a")) texts.push(node);
  }
  for (const node of texts) node.replaceWith(...split(node.data, passages, label));
}

function split(text, passages, label) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(MARK)) {
    const found = match[1].split(/[,，、]/).map((n) => passages.find((passage) => passage.n === Number(n)));
    if (found.includes(undefined)) continue;
    // The end of the word stays with its chip, so that no line starts with a chip.
    const before = text.slice(from, match.index).replace(/ $/, "");
    const end = /(?:[\w.%/-]{1,12}|\S{0,2})$/.exec(before)[0];
    const chips = found.map((passage) => chip(passage, label(passage)));
    parts.push(before.slice(0, before.length - end.length), h("span", { class: "keep" }, end, ...chips));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

function chip({ n }, label) {
  return h(
    "button",
    { type: "button", class: "chip", "data-action": "source", "data-n": n, "aria-label": label, title: label },
    String(n),
  );
}

/** The sentence of the answer that this chip supports: the one that ends just before it. */
export function sentenceBefore(chipNode) {
  const block = chipNode.closest("tr") ?? chipNode.closest("li, p, td, th, blockquote, h3, h4, h5, h6");
  if (!block) return "";
  if (block.tagName === "TR") return plain(block);
  const before = textUntil(block, chipNode).replace(/[\s。！？!?；;.]+$/, "");
  const sentence = before.split(SENTENCE_END).at(-1).trim();
  return sentence || before.trim();
}

/** All sentences of an answer that cite passage `n`. */
export function sentencesCiting(answer, n) {
  const chips = [...answer.querySelectorAll(`.chip[data-n="${n}"]`)];
  return [...new Set(chips.map(sentenceBefore))].filter(Boolean);
}

/** An answer's text as one would paste it: without chips and buttons. */
export function plain(node) {
  const copy = node.cloneNode(true);
  for (const extra of copy.querySelectorAll(".chip, .tool")) extra.remove();
  for (const blank of blanks(copy)) blank.remove();
  for (const cell of copy.querySelectorAll("td, th")) cell.append("\t");
  for (const item of copy.querySelectorAll("ol > li"))
    item.prepend(`${[...item.parentNode.children].indexOf(item) + 1}. `);
  for (const item of copy.querySelectorAll("ul > li")) item.prepend("- ");
  for (const line of copy.querySelectorAll("p, li, tr, pre, h3, h4, h5, h6, br")) line.after("\n");
  for (const block of copy.querySelectorAll(".block")) block.append("\n");
  return copy.textContent
    .replace(/\t\n/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** The line breaks that stand between the tags of tables and lists, as Markdown renderers write them. */
function blanks(node) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (!text.data.trim() && text.parentElement.matches("table, thead, tbody, tr, ul, ol")) found.push(text);
  }
  return found;
}

function textUntil(block, end) {
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  let text = "";
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (end.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING) break;
    if (!node.parentElement.closest(".chip, .tool")) text += node.data;
  }
  return text;
}
