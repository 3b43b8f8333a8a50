// What stands around code and tables in an answer: a button that copies, a frame that lets wide ones scroll.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const SHORT_CELL = 8; // characters: prices and names are not broken, the table scrolls instead

export function addFrames(fragment, t) {
  for (const pre of fragment.querySelectorAll("pre")) frameCode(pre, t);
  for (const table of fragment.querySelectorAll("table")) frameTable(table, t);
}

function frameCode(pre, t) {
  const language = /^language-(.+)$/.exec(pre.firstElementChild?.className ?? "")?.[1] ?? "";
  const frame = h("div", { class: "code" }, h("span", { class: "code-language tool" }, language));
  pre.replaceWith(frame);
  pre.tabIndex = 0;
  frame.append(tool("copy-code", t("copy.code")), pre);
}

function frameTable(table, t) {
  const frame = h("div", { class: "table" });
  const scroll = h("div", { class: "table-scroll", tabindex: "0" });
  table.replaceWith(frame);
  scroll.append(table);
  frame.append(scroll, tool("copy-table", t("copy.table")));
  for (const cell of table.querySelectorAll("td")) {
    cell.classList.toggle("short", cell.textContent.length <= SHORT_CELL);
  }
}

function tool(action, label) {
  const attributes = { type: "button", class: "tool", "data-action": action, "aria-label": label, title: label };
  return h("button", attributes, icon("copy", 16));
}
