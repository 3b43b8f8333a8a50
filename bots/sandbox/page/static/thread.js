// The messages of a conversation, oldest first; stays at the newest while the reader is there.

import { h } from "/widget/dom.js";
import { crest } from "./avatar.js";
import { empty } from "./empty.js";
import { icon } from "./icons.js";
import { Item } from "./message.js";
import { moment, t, words } from "./words.js";

const NEAR = 80; // pixels from the end that still count as being there
const APART_MS = 5 * 60_000;

export class Thread {
  #store;
  #views = new Map();
  #key = "";
  #onTry;
  #atEnd = true;
  #size = "";
  #head = h("header", { class: "thread-head" });
  #column = h("div", { class: "column", role: "log" });
  #scroller = h("div", { class: "scroller", tabindex: "0" }, this.#column);
  #latest = h("button", { type: "button", class: "latest" }, icon("arrowdown", 18));

  /** `onTry(wish)` gets what somebody chose to try in an empty chat. */
  constructor(store, onTry) {
    this.#store = store;
    this.#onTry = onTry;
    this.element = h("section", { class: "thread" }, this.#head, this.#scroller, this.#latest);
    this.#scroller.addEventListener("scroll", () => this.#moved(), { passive: true });
    this.#latest.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.#column);
    new ResizeObserver(() => this.#atEnd && this.toEnd()).observe(this.#scroller);
  }

  update() {
    const { place, speaker } = this.#store;
    if (!place) return;
    const key = JSON.stringify([place.id, speaker?.id, words.lang]);
    const items = this.#store.itemsOf(place.id);
    const gone = [...this.#views.keys()].some((number) => !this.#store.items[number]);
    if (key !== this.#key || gone || (this.#views.size === 0 && items.length > 0)) this.#begin(key, items.length === 0);
    this.#latest.setAttribute("aria-label", t("latest"));
    for (const item of items) this.#show(item, items);
  }

  toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#moved();
  }

  /** Brings an item into view. */
  find(number) {
    const view = this.#views.get(number);
    view?.element.scrollIntoView({ block: "center" });
    view?.element.animate?.([{ background: "var(--accent-soft)" }, { background: "transparent" }], 1600);
  }

  #begin(key, isEmpty) {
    const other = JSON.parse(this.#key || "[]")[0] !== JSON.parse(key)[0];
    this.#key = key;
    this.#views.clear();
    this.#column.replaceChildren();
    this.#column.setAttribute("aria-label", this.#store.place.title);
    this.#title();
    if (isEmpty) this.#column.append(empty(this.#store, this.#onTry));
    this.element.classList.toggle("is-empty", isEmpty);
    if (other) this.#atEnd = true;
  }

  #title() {
    const { place, people } = this.#store;
    const group = place.kind === "group";
    const about = place.operators
      ? t("operators")
      : t(group ? "members" : "members.single", { count: place.members.length });
    this.#head.replaceChildren(crest(place, people), h("h1", {}, place.title), h("p", {}, about));
  }

  #show(item, items) {
    const known = this.#views.get(item.number);
    if (known) {
      known.update(item);
      return;
    }
    const before = items[items.indexOf(item) - 1];
    if (!before || item.time - before.time > APART_MS)
      this.#column.append(h("p", { class: "moment" }, moment(item.time, this.#now)));
    const view = new Item(this.#store, item, {
      onReply: (number) => this.#store.reply(this.#store.items[number]),
      onQuote: (number) => this.find(number),
    });
    this.#views.set(item.number, view);
    this.#column.append(view.element);
  }

  get #now() {
    return Date.now() + (this.#store.figures?.ahead ?? 0) * 1000;
  }

  /** What grew or shrank around the reader is not the reader's going away. */
  #moved() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const size = `${scrollHeight} ${clientHeight}`;
    const near = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#atEnd = near || (this.#atEnd && size !== this.#size);
    this.#size = size;
    this.element.classList.toggle("away", !this.#atEnd);
  }
}
