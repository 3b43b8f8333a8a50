// Who somebody is, in one sign.

import { h } from "/widget/dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

const HUES = 5;

/** Of a person; of the bot where there is none. */
export function avatar(person, size = "") {
  if (!person) return h("span", { class: `avatar bot ${size}`, "aria-hidden": "true" }, icon("brand", size === "small" ? 14 : 20));
  return h("span", { class: `avatar ${size}`, "data-hue": hue(person.id), "aria-hidden": "true" }, [...person.name].at(-1));
}

/** Of a conversation. */
export function crest(conversation, people) {
  if (conversation.kind === "single") return avatar(people.get(conversation.members[0]));
  return h("span", { class: "avatar group", "aria-hidden": "true" }, icon(conversation.operators ? "people" : "chats", 20));
}

export function roleTag(person) {
  if (!person) return h("span", { class: "tag bot" }, t("robot.tag"));
  return person.role === "viewer" ? null : h("span", { class: `tag ${person.role}` }, t(`role.${person.role}`));
}

export const nameOf = (person) => person?.name ?? t("robot");

function hue(id) {
  return [...id].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % HUES;
}
