// The list of conversations.

import { h, section } from "/widget/dom.js";
import { crest } from "./avatar.js";
import { clockTime, t, words } from "./words.js";

export class Conversations {
  #store;
  #onEnter;

  /** `onEnter()` is called when one was chosen. */
  constructor(store, onEnter) {
    this.#store = store;
    this.#onEnter = onEnter;
    this.element = h("nav", { class: "conversations", "aria-label": t("tab.conversations") });
  }

  update() {
    const store = this.#store;
    this.element.setAttribute("aria-label", t("tab.conversations"));
    const rows = store.conversations.map((one) => this.#row(one));
    section(this.element, [words.lang, store.place?.id, rows], () => [
      h("h2", {}, t("groups")),
      this.#list(rows.filter(({ kind }) => kind === "group")),
      h("h2", {}, t("singles")),
      this.#list(rows.filter(({ kind }) => kind === "single")),
    ]);
  }

  #row(one) {
    const store = this.#store;
    const last = store.itemsOf(one.id).at(-1);
    const unread = store.unread.get(one.id) ?? 0;
    return { ...one, last: last ? this.#summary(last, one) : null, time: last?.time ?? null, unread };
  }

  #summary(item, { kind }) {
    const person = this.#store.people.get(item.user);
    return (kind === "group" && person ? `${person.name}：` : "") + summary(item);
  }

  #list(rows) {
    return h("ul", {}, ...rows.map((row) => this.#entry(row)));
  }

  #entry(row) {
    const current = row.id === this.#store.place.id;
    const badge = row.unread
      ? h(
          "span",
          { class: "badge", "aria-label": t("unread", { count: row.unread }) },
          String(Math.min(row.unread, 99)),
        )
      : null;
    const enter = () => {
      this.#store.enter(row.id);
      this.#onEnter();
    };
    const button = h(
      "button",
      {
        type: "button",
        class: "conversation",
        "data-title": row.title,
        "aria-current": current ? "true" : null,
        on: { click: enter },
      },
      crest(row, this.#store.people),
      h("span", { class: "conversation-name" }, row.title),
      h("span", { class: "conversation-time" }, row.time ? clockTime(row.time) : ""),
      h("span", { class: "conversation-last" }, row.last ?? t("nothing_yet")),
      badge,
    );
    return h("li", {}, button);
  }
}

/** An item in one line. */
export function summary(item) {
  if (item.type === "card") {
    const text = item.streams ? item.values[item.streams] || item.values.status : item.values.title;
    return `${t("kind.card")} ${plain(text ?? "")}`;
  }
  if (item.file) return t("kind.file", { name: item.file });
  if (item.kind === "audio") return `${t("kind.audio")} ${item.recognition ?? ""}`;
  const picture = item.pictures?.length || item.image ? `${t("kind.picture")} ` : "";
  return picture + plain(item.text ?? "");
}

/** Markdown without its marks. */
export function plain(text) {
  return text
    .replace(/!\[[^\]]*\]\([^)]*\)/g, t("kind.picture"))
    .replace(/[*#`>|]+/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 80);
}
