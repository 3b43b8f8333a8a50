// The passages under a finished answer: those it cites, and, folded away, what else was found.

import { h, section } from "./dom.js";
import { icon } from "./icons.js";
import { place } from "./place.js";

export class SourceList {
  #app;
  #turn;
  #showAll = false;

  constructor(app, turn) {
    this.#app = app;
    this.#turn = turn;
    this.element = h("div", { class: "sources", hidden: true });
  }

  update() {
    const { state, passages, citations, ms } = this.#turn;
    const cited = passages.filter(({ n }) => citations.includes(n));
    const others = passages.filter(({ n }) => !citations.includes(n));
    const finished = state === "done" && passages.length > 0;
    section(this.element, [finished, citations, passages.length, this.#showAll, ms], () =>
      finished ? this.#build(cited, others) : null,
    );
  }

  #build(cited, others) {
    const { t } = this.#app;
    const shown = this.#showAll ? [...cited, ...others] : cited;
    const list = shown.map((passage) => h("li", {}, this.#source(passage)));
    return [
      cited.length > 0 && h("p", { class: "label" }, t("sources")),
      shown.length > 0 && h("ul", { class: "source-list" }, ...list),
      others.length > 0 && this.#more(others.length),
    ].filter(Boolean);
  }

  #more(n) {
    const { t } = this.#app;
    const flip = () => {
      this.#showAll = !this.#showAll;
      this.update();
      this.element.querySelector(".more").focus();
    };
    return h(
      "button",
      { type: "button", class: "more", "aria-expanded": String(this.#showAll), on: { click: flip } },
      h("span", {}, this.#showAll ? t("sources.less") : t("sources.more", { n })),
      icon("chevron", 14),
    );
  }

  #source(passage) {
    const { t } = this.#app;
    const also = passage.also_in?.length ? t("source.also_n", { n: passage.also_in.length }) : "";
    const detail = [passage.heading, place(passage, t), also].filter(Boolean).join(" · ");
    return h(
      "button",
      { type: "button", class: "source", "data-action": "source", "data-n": passage.n },
      h("span", { class: "source-n" }, String(passage.n)),
      icon(passage.sheet ? "sheet" : "doc", 18),
      h("span", { class: "source-name" }, passage.document),
      h("span", { class: "source-place" }, detail),
    );
  }
}
