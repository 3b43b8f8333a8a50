// Markdown as the bot sends it, made safe by the chat page's renderer; media ids become pictures of the sandbox's own.

import { h } from "/widget/dom.js";
import { MarkdownView, Renderer } from "/widget/markdown.js";
import { enlarge } from "./lightbox.js";
import { t } from "./words.js";

const renderer = new Renderer(`${location.origin}/media/`);
renderer.marked.use({ breaks: false }); // DingTalk breaks a line only at two spaces, and so it shows who forgot them

/** A growing text. */
export class Prose {
  #view = new MarkdownView(renderer);
  element = this.#view.element;

  /** `at` are the people who are mentioned in it. */
  update(text, { growing = false, at = [] } = {}) {
    this.#view.update(text, { streaming: false, finish: (fragment) => finish(fragment, at) });
    this.element.classList.toggle("streaming", growing);
  }
}

function finish(fragment, at) {
  for (const image of fragment.querySelectorAll("img")) {
    image.removeAttribute("loading");
    image.alt ||= t("picture.made");
    const button = h("button", { type: "button", class: "picture", title: t("picture.large") });
    image.replaceWith(button);
    button.append(image);
  }
  for (const table of fragment.querySelectorAll("table")) {
    const scroller = h("div", { class: "table-scroll", tabindex: "0" });
    table.replaceWith(scroller);
    scroller.append(table);
  }
  mention(fragment, at);
}

// One listener for all pictures: blocks are morphed, and nodes come and go.
document.addEventListener("click", ({ target }) => {
  const image = target.closest?.(".picture")?.querySelector("img");
  if (image) enlarge(image.src, image.alt);
});

/** `@u1` becomes a name, where u1 was mentioned: DingTalk shows it so too. */
export function mention(root, at) {
  if (!at.length) return;
  const names = new Map(at.map(({ id, name }) => [`@${id}`, `@${name}`]));
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const texts = [];
  while (walker.nextNode()) texts.push(walker.currentNode);
  const pattern = new RegExp(`(${[...names.keys()].map(escaped).join("|")})(?![\\w-])`);
  for (const node of texts) {
    const parts = node.data.split(pattern);
    if (parts.length > 1)
      node.replaceWith(
        ...parts
          .filter(Boolean)
          .map((part) => (names.has(part) ? h("span", { class: "mention" }, names.get(part)) : part)),
      );
  }
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
