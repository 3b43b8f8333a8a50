// Who somebody is, in one sign or two.

import { h } from "/widget/dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

/** Of a person; of the bot where there is none. */
export function avatar(person, size = "") {
  if (!person)
    return h("span", { class: `avatar bot ${size}`, "aria-hidden": "true" }, icon("brand", size === "small" ? 14 : 20));
  return h(
    "span",
    { class: `avatar ${size}`, "data-hue": person.hue, "aria-hidden": "true" },
    [...person.name].slice(size === "small" ? -1 : -2).join(""),
  );
}

/** Of a conversation. */
export function crest(conversation, people) {
  if (conversation.kind === "single") return avatar(people.get(conversation.members[0]));
  return h(
    "span",
    { class: "avatar group", "aria-hidden": "true" },
    icon(conversation.operators ? "people" : "chats", 20),
  );
}

export function roleTag(person) {
  if (!person) return h("span", { class: "tag bot" }, t("robot.tag"));
  const says = t(`role.${person.role}`);
  return person.role === "viewer" || says === person.name ? null : h("span", { class: `tag ${person.role}` }, says);
}

export const nameOf = (person) => person?.name ?? t("robot");
