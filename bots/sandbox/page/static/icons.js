// Icons that the chat page does not have, beside those that it has.

import { svg } from "/widget/dom.js";
import { icon as known } from "/widget/icons.js";

const MORE = {
  mic: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM6 11.5a6 6 0 0 0 12 0M12 17.5v3",
  reply: "M9.5 6 4 11.5 9.5 17M4.5 11.5H14a6 6 0 0 1 6 6v1",
  chats:
    "M4 6.5A2.5 2.5 0 0 1 6.5 4h11A2.5 2.5 0 0 1 20 6.5v7a2.5 2.5 0 0 1-2.5 2.5H11l-4.5 4v-4A2.5 2.5 0 0 1 4 13.5z",
  people:
    "M9 5a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM3.5 19c0-3 2.4-5 5.5-5s5.5 2 5.5 5M15.5 5.4a3 3 0 0 1 0 5.2M17 14.4c2.1.6 3.5 2.3 3.5 4.6",
  gauge: "M4.5 18a8.5 8.5 0 1 1 15 0M12 14.5l3.5-5M12 13.5a1.2 1.2 0 1 1 0 2.4 1.2 1.2 0 0 1 0-2.4z",
  wave: "M5 10v4M8.5 7.5v9M12 5v14M15.5 8.5v7M19 10.5v3",
  bolt: "M13 3.5 5.5 13.5H11l-1 7 7.5-10H12z",
};

/** A decorative icon: whoever uses it names the button. */
export function icon(name, size = 20) {
  if (!(name in MORE)) return known(name, size);
  const box = {
    viewBox: "0 0 24 24",
    width: size,
    height: size,
    fill: "none",
    stroke: "currentColor",
    "aria-hidden": "true",
  };
  const line = { "stroke-width": "1.7", "stroke-linecap": "round", "stroke-linejoin": "round" };
  return svg("svg", { ...box, ...line }, svg("path", { d: MORE[name] }));
}
