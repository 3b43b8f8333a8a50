// One item of a chat: who, when, and what they said.

import { h } from "/widget/dom.js";
import { avatar, nameOf, roleTag } from "./avatar.js";
import { Card } from "./card.js";
import { plain } from "./conversations.js";
import { icon } from "./icons.js";
import { enlarge } from "./lightbox.js";
import { mention, Prose } from "./prose.js";
import { clockTime, t } from "./words.js";

export class Item {
  #store;
  #card = null;
  #key = "";
  #meta = h("span", { class: "meta" });

  constructor(store, item, { onReply, onQuote }) {
    this.#store = store;
    this.#card = item.type === "card" ? new Card(store) : null;
    const person = store.people.get(item.user);
    const mine = person && person === store.speaker;
    const reply = h(
      "button",
      {
        type: "button",
        class: "icon-button small reply",
        "aria-label": t("reply"),
        title: t("reply"),
        on: { click: () => onReply(item.number) },
      },
      icon("reply", 17),
    );
    const body = this.#card ? this.#card.element : bubble(store, item, onQuote);
    this.element = h(
      "article",
      { class: `item ${mine ? "mine" : person ? "theirs" : "robot"}`, "data-number": item.number },
      avatar(person),
      h(
        "header",
        { class: "who" },
        h("span", { class: "name" }, nameOf(person)),
        roleTag(person),
        h("time", {}, clockTime(item.time)),
      ),
      h("div", { class: "said" }, body, reply),
      h("footer", {}, this.#meta),
    );
    this.update(item);
  }

  update(item) {
    const key = JSON.stringify([item, this.#store.speaker?.id]);
    if (key === this.#key) return;
    this.#key = key;
    this.#card?.update(item);
    this.#meta.textContent = meta(item);
  }
}

function meta(item) {
  if (item.type !== "card") return item.way === "user" ? "" : t(`way.${item.way}`);
  const frames = item.streams ? t("card.frames", { count: item.frames }) : t("card.plain");
  return item.streams ? `${frames} · ${t(`card.${item.state}`)}` : frames;
}

function bubble(store, item, onQuote) {
  const parts = [
    item.quote ? quote(store, item.quote, onQuote) : null,
    ...(item.pictures ?? []).map((code) => picture(code, t("picture.sent"))),
    item.image ? picture(item.image, t("picture.made")) : null,
    item.file ? h("p", { class: "file" }, icon("doc", 22), h("span", {}, item.file)) : null,
    item.kind === "audio" ? voice(item) : null,
    item.kind !== "audio" && !item.file && item.text ? text(store, item) : null,
  ];
  const bare = parts.filter(Boolean).every((part) => part.classList.contains("picture"));
  return h("div", { class: `bubble${bare ? " bare" : ""}` }, ...parts);
}

function text(store, item) {
  if (item.way !== "user" && item.kind !== "text") {
    const prose = new Prose();
    prose.update(item.text, { at: item.at });
    return prose.element;
  }
  const group = store.conversations.find(({ id }) => id === item.conversation)?.kind === "group";
  const robot = item.way === "user" && group ? h("span", { class: "mention" }, `@${t("robot")}`) : null;
  const line = h("p", { class: "words" }, robot, robot ? " " : null, item.text);
  mention(line, item.at);
  return line;
}

function quote(store, { user, text: said, number }, onQuote) {
  const name = nameOf(store.people.get(user));
  return h(
    "button",
    { type: "button", class: "quote", on: { click: () => onQuote(number) } },
    h("span", { class: "quote-who" }, name),
    h("span", { class: "quote-text" }, plain(said)),
  );
}

function picture(code, about) {
  const source = /^https?:/.test(code) ? code : `/media/${encodeURIComponent(code)}`;
  const image = h("img", { src: source, alt: about });
  return h(
    "button",
    {
      type: "button",
      class: "picture sent",
      title: t("picture.large"),
      on: { click: (event) => (event.stopPropagation(), enlarge(source, about)) },
    },
    image,
  );
}

function voice({ seconds, recognition }) {
  return h(
    "div",
    { class: "voice" },
    h("span", { class: "voice-bar" }, icon("wave", 20), t("audio.seconds", { count: seconds })),
    h("span", { class: "voice-words" }, h("span", { class: "voice-label" }, t("audio.says")), " ", recognition),
  );
}
