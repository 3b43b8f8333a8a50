// A source, opened: the passage with the sentence marked that the answer relies on. Beside the conversation where
// there is room, a sheet from below where there is not (the styles decide by the panel's width).

import { focusable, h } from "./dom.js";
import { locate } from "./highlight.js";
import { icon } from "./icons.js";
import { place } from "./place.js";

const SWIPE_CLOSE_PX = 72;

export class SourcePane {
  #app;
  #panel;
  #shown = null; // {turn, n, sentencesFor, opener}

  constructor(app, panel) {
    this.#app = app;
    this.#panel = panel;
    this.element = h("aside", { class: "pane", hidden: true, on: { keydown: (event) => this.#onKey(event) } });
    this.scrim = h("div", { class: "scrim", hidden: true, on: { click: () => this.close() } });
    this.#swipe();
  }

  open(shown) {
    this.#shown = shown;
    this.element.hidden = false;
    this.scrim.hidden = false;
    this.#panel.setAttribute("data-pane", "");
    this.#draw();
    this.element.querySelector("[data-tool='close-source']").focus({ preventScroll: true });
  }

  /** True if it was open. Focus goes back to what opened it. */
  close() {
    if (this.element.hidden) return false;
    this.element.hidden = true;
    this.scrim.hidden = true;
    this.element.style.transform = "";
    this.#panel.removeAttribute("data-pane");
    this.#mark(null);
    if (this.#shown.opener.isConnected) this.#shown.opener.focus({ preventScroll: true });
    this.#shown = null;
    return true;
  }

  #draw() {
    const { turn, n, sentencesFor } = this.#shown;
    const { t } = this.#app;
    const passage = turn.passages.find((one) => one.n === n);
    const claims = sentencesFor(n);
    const marked = this.#markedText(passage, claims);
    this.element.setAttribute("aria-label", t("source.chip", { n, document: passage.document }));
    const body = h(
      "div",
      { class: "pane-body", tabindex: "0" },
      h("div", { class: "pane-document" }, icon(passage.sheet ? "sheet" : "doc", 20), h("h2", {}, passage.document)),
      passage.heading && h("p", { class: "crumbs" }, passage.heading),
      place(passage, t) && h("p", { class: "place" }, place(passage, t)),
      claims.length > 0 &&
        h(
          "section",
          { class: "claim" },
          h("p", { class: "label" }, t("source.claim")),
          ...claims.map((claim) => h("p", {}, claim)),
        ),
      h("p", { class: "label" }, t("source.passage")),
      h("div", { class: "passage" }, ...marked.nodes),
      this.#alsoIn(passage),
      claims.length > 0 && !marked.found && h("p", { class: "hint" }, t("source.nomatch")),
    );
    this.element.replaceChildren(h("span", { class: "grip" }), this.#bar(passage), body);
    this.#mark(n);
    (body.querySelector("mark") ?? body.querySelector(".around + .hit"))?.scrollIntoView({ block: "center" });
  }

  #bar(passage) {
    const { t } = this.#app;
    const { passages } = this.#shown.turn;
    const at = passages.indexOf(passage);
    const tool = (name, label, face, press, disabled = false) =>
      h(
        "button",
        {
          type: "button",
          class: "icon-button",
          "data-tool": name,
          "aria-label": t(label),
          title: t(label),
          disabled,
          on: { click: press },
        },
        icon(face, 18),
      );
    const go = (step) => {
      this.#shown.n = passages[at + step].n;
      this.#draw();
      const again = this.element.querySelector(`[data-tool='${step < 0 ? "previous" : "next"}-source']`);
      (again.disabled ? this.element.querySelector("[data-tool='close-source']") : again).focus();
    };
    return h(
      "div",
      { class: "pane-bar" },
      h("p", { class: "pane-count" }, t("source.of", { n: passage.n, total: passages.length })),
      tool("previous-source", "source.previous", "left", () => go(-1), at === 0),
      tool("next-source", "source.next", "right", () => go(1), at === passages.length - 1),
      tool("close-source", "close", "close", () => this.close()),
    );
  }

  /** The passage with what stands around it in its section: the hit in full ink, the rest paler, claims marked. */
  #markedText({ before = "", text, after = "" }, claims) {
    const whole = before + text + after;
    const ranges = locate(whole, claims);
    const part = (kind, from, to) => from < to && h("span", { class: kind }, ...this.#pieces(whole, ranges, from, to));
    const [start, end] = [before.length, before.length + text.length];
    const nodes = [part("around", 0, start), part("hit", start, end), part("around", end, whole.length)];
    return { nodes: nodes.filter(Boolean), found: ranges.length > 0 };
  }

  /** What is between two places, with the part of each range that lies there marked. */
  #pieces(text, ranges, from, to) {
    const nodes = [];
    for (const [start, end] of ranges) {
      const [begin, until] = [Math.max(start, from), Math.min(end, to)];
      if (begin >= until) continue;
      nodes.push(text.slice(from, begin), h("mark", {}, text.slice(begin, until)));
      from = until;
    }
    return [...nodes, text.slice(from, to)];
  }

  /** Other documents that say the same, word for word. */
  #alsoIn({ also_in: copies = [] }) {
    const { t } = this.#app;
    if (!copies.length) return null;
    const line = (copy) => [copy.document, copy.heading, place(copy, t)].filter(Boolean).join(" · ");
    return h(
      "section",
      { class: "also-in" },
      h("p", { class: "label" }, t("source.also")),
      h("ul", {}, ...[...new Set(copies.map(line))].map((text) => h("li", {}, text))),
    );
  }

  /** Shows in the conversation which source is open. */
  #mark(n) {
    for (const node of this.#panel.querySelectorAll("[data-current]")) node.removeAttribute("data-current");
    if (n === null) return;
    const turn = this.#panel.querySelector(`.turn[data-key="${this.#shown.turn.key}"]`);
    for (const node of turn?.querySelectorAll(`[data-n="${n}"]`) ?? []) node.setAttribute("data-current", "");
  }

  /** As a sheet it covers the rest, so Tab stays inside. */
  #onKey(event) {
    if (event.key !== "Tab" || !this.scrim.getClientRects().length) return;
    const stops = focusable(this.element);
    const at = stops.indexOf(this.element.getRootNode().activeElement);
    if (at !== (event.shiftKey ? 0 : stops.length - 1)) return;
    event.preventDefault();
    event.stopPropagation();
    stops.at(event.shiftKey ? -1 : 0).focus();
  }

  #swipe() {
    let from = null;
    const isHandle = (node) => Boolean(node.closest(".grip, .pane-bar")) && this.scrim.getClientRects().length > 0;
    this.element.addEventListener(
      "touchstart",
      ({ target, touches }) => (from = isHandle(target) ? touches[0].clientY : null),
      { passive: true },
    );
    this.element.addEventListener(
      "touchmove",
      ({ touches }) => {
        if (from !== null) this.element.style.transform = `translateY(${Math.max(0, touches[0].clientY - from)}px)`;
      },
      { passive: true },
    );
    this.element.addEventListener("touchend", ({ changedTouches }) => {
      if (from === null) return;
      const moved = changedTouches[0].clientY - from;
      from = null;
      if (moved > SWIPE_CLOSE_PX) this.close();
      else this.element.style.transform = "";
    });
  }
}
