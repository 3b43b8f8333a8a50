// Our own line icons on a 24 × 24 grid. Strings are path data; `fill` marks shapes that are filled.

import { svg } from "./dom.js";

const THUMB =
  "M7 11v9m0-9 3.6-7.2a.8.8 0 0 1 .7-.4 2.2 2.2 0 0 1 2.2 2.6L13 9h5.4a2 2 0 0 1 2 2.3l-1 7a2 2 0 0 1-2 1.7H7m0-9H4.2a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1H7";

const ICONS = {
  brand: [
    { d: "M4.4 11.5v4.2a3 3 0 0 0 3 3h1.1v2a.7.7 0 0 0 1.2.5l2.6-2.5h4.3a3 3 0 0 0 3-3v-4.2" },
    {
      d: "M5.3 4.1A1.8 1.8 0 0 1 7 2.8h10a1.8 1.8 0 0 1 1.7 1.3l1.9 4.7a2.2 2.2 0 0 1-4.3.9 2.2 2.2 0 0 1-4.3 0 2.2 2.2 0 0 1-4.3 0 2.2 2.2 0 0 1-4.3-.9z",
      fill: true,
    },
  ],
  send: [{ d: "M12 19V5.5M6 11l6-6 6 6" }],
  stop: [
    {
      d: "M8.5 7h7A1.5 1.5 0 0 1 17 8.5v7a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 7 15.5v-7A1.5 1.5 0 0 1 8.5 7z",
      fill: true,
    },
  ],
  copy: [
    {
      d: "M9.5 8.5h9a1.5 1.5 0 0 1 1.5 1.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 8 19v-9a1.5 1.5 0 0 1 1.5-1.5zM4.5 15.5A1.5 1.5 0 0 1 4 14.3V5.5A1.5 1.5 0 0 1 5.5 4h8.8a1.5 1.5 0 0 1 1.2.5",
    },
  ],
  check: [{ d: "m5 12.5 4.5 4.5L19 7.5" }],
  refresh: [{ d: "M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4.5V9H15" }],
  up: [{ d: THUMB }],
  down: [{ d: THUMB, transform: "rotate(180 12 12)" }],
  close: [{ d: "m6 6 12 12M18 6 6 18" }],
  compose: [
    {
      d: "M12.5 5H6.5A2.5 2.5 0 0 0 4 7.5v10A2.5 2.5 0 0 0 6.5 20h10a2.5 2.5 0 0 0 2.5-2.5v-6M17.8 3.7a1.8 1.8 0 0 1 2.5 2.5L13 13.5l-3.3.8.8-3.3z",
    },
  ],
  sun: [
    {
      d: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1",
    },
  ],
  moon: [{ d: "M19.8 14.3A8 8 0 0 1 9.7 4.2a8 8 0 1 0 10.1 10.1z" }],
  auto: [{ d: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16z" }, { d: "M12 4a8 8 0 0 1 0 16z", fill: true }],
  doc: [
    {
      d: "M7 3.5h6.5L18.5 8.5V19a1.5 1.5 0 0 1-1.5 1.5H7A1.5 1.5 0 0 1 5.5 19V5A1.5 1.5 0 0 1 7 3.5zM13.5 3.5v5h5M9 13h6M9 16.5h4",
    },
  ],
  sheet: [
    {
      d: "M5.5 4h13A1.5 1.5 0 0 1 20 5.5v13a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18.5v-13A1.5 1.5 0 0 1 5.5 4zM4 9.5h16M4 14.7h16M10 9.5V20",
    },
  ],
  book: [
    { d: "M12 6.5C10.3 5.2 8 4.7 4 4.7v13.6c4 0 6.3.5 8 1.8 1.7-1.3 4-1.8 8-1.8V4.7c-4 0-6.3.5-8 1.8zM12 6.5v13.6" },
  ],
  chevron: [{ d: "m6 9.5 6 6 6-6" }],
  left: [{ d: "m14.5 6-6 6 6 6" }],
  right: [{ d: "m9.5 6 6 6-6 6" }],
  arrowdown: [{ d: "M12 5v13.5M6 13l6 6 6-6" }],
  alert: [{ d: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 8v4.5M12 15.9v.1" }],
  unknown: [{ d: "M10.5 4.5a6 6 0 1 1 0 12 6 6 0 0 1 0-12zM15 15l5 5M8.3 10.5h4.4" }],
  info: [{ d: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 11.5V16M12 8.1V8" }],
  key: [{ d: "M8 11.5a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM11 13l8.5-8.5M16 8l2.5 2.5M13.5 10.5l1.5 1.5" }],
  think: [{ d: "M12 3.5c.6 4.5 3.5 7.4 8 8-4.5.6-7.4 3.5-8 8-.6-4.5-3.5-7.4-8-8 4.5-.6 7.4-3.5 8-8z" }],
  picture: [
    {
      d: "M5.5 4.5h13A1.5 1.5 0 0 1 20 6v12a1.5 1.5 0 0 1-1.5 1.5h-13A1.5 1.5 0 0 1 4 18V6a1.5 1.5 0 0 1 1.5-1.5zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15.5 8a1 1 0 1 1 0 2 1 1 0 0 1 0-2z",
    },
  ],
  download: [{ d: "M12 4.5v11M7.5 11 12 15.5l4.5-4.5M4.5 19.5h15" }],
  table: [{ d: "M4 6.5h16M4 12h16M4 17.5h16" }],
};

/** A decorative icon: whoever uses it names the button. */
export function icon(name, size = 20) {
  const paths = ICONS[name].map(({ d, fill, transform }) =>
    svg("path", { d, ...(transform ? { transform } : {}), ...(fill ? { fill: "currentColor", stroke: "none" } : {}) }),
  );
  return svg(
    "svg",
    {
      viewBox: "0 0 24 24",
      width: size,
      height: size,
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.7",
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      "aria-hidden": "true",
      focusable: "false",
    },
    ...paths,
  );
}
