// An empty chat: what it is for, and things to try in it.

import { h } from "/widget/dom.js";
import { icon } from "./icons.js";
import { t, words } from "./words.js";

/** `onTry({text, photo})`: `photo` is the name of a sample photograph to send along. */
export function empty(store, onTry) {
  const { place, questions, photos } = store;
  const kind = place.operators ? "operators" : place.kind;
  const starter = (text, wish, sign) =>
    h(
      "button",
      { type: "button", class: "starter", on: { click: () => onTry(wish) } },
      icon(sign, 18),
      h("span", {}, text),
      icon("right", 16),
    );
  const asked = (questions[words.lang] ?? []).slice(0, kind === "group" ? 3 : 2);
  const tries = asked.map((text) => starter(text, { text }, "chats"));
  if (photos.length)
    tries.push(starter(t("try.picture"), { text: t("try.picture.text"), photo: photos[0] }, "picture"));
  tries.push(
    starter(
      t(kind === "single" ? "try.status" : "try.help"),
      { text: t(kind === "single" ? "try.status" : "try.help") },
      "info",
    ),
  );
  return h(
    "div",
    { class: "empty" },
    h("span", { class: "empty-mark" }, icon(kind === "operators" ? "people" : "brand", 26)),
    h("h2", {}, t(`empty.${kind}`, { name: place.title })),
    h("p", {}, t(`empty.${kind}.text`)),
    kind === "operators" ? null : h("div", { class: "starters" }, ...tries),
  );
}
