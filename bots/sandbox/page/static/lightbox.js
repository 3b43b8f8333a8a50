// A picture as large as the window.

import { h } from "/widget/dom.js";
import { icon } from "./icons.js";
import { t } from "./words.js";

export function enlarge(source, about) {
  const close = h(
    "button",
    { type: "button", class: "icon-button", "aria-label": t("close"), on: { click: () => box.close() } },
    icon("close"),
  );
  const box = h("dialog", { class: "lightbox", "aria-label": about }, h("img", { src: source, alt: about }), close);
  box.addEventListener("click", ({ target }) => target === box && box.close());
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}
