// The pictures that will go with the next question: sent to the service as soon as they are chosen, shown meanwhile.

import { ApiError } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { errorSentence } from "./strings.js";
import { thumbnail } from "./thumbnail.js";

const MOST = 4; // the service takes no more with a question
const SIDE_PX = 144;

export class Attachments {
  #app;
  #changed;
  #items = []; // {file, element, state: sending | ready | failed, share, picture: {id, link, name}, abort}

  constructor(app, changed) {
    this.#app = app;
    this.#changed = changed;
    this.element = h("ul", { class: "tray", "aria-label": app.t("pictures"), hidden: true });
  }

  get busy() {
    return this.#items.some(({ state }) => state === "sending");
  }

  get ready() {
    return this.#items.filter(({ state }) => state === "ready").map(({ picture }) => picture);
  }

  add(files) {
    const pictures = [...files].filter(({ type }) => type.startsWith("image/"));
    if (!pictures.length && files.length) this.#app.toast(this.#app.t("pictures.only"));
    const room = MOST - this.#items.length;
    if (pictures.length > room) this.#app.toast(this.#app.t("pictures.most", { n: MOST }));
    for (const file of pictures.slice(0, room)) this.#begin(file);
  }

  clear() {
    for (const item of this.#items) item.abort.abort();
    this.#items = [];
    this.#draw();
  }

  /** Moves what is here to the tray of a page that was built anew. */
  moveTo(other) {
    for (const item of this.#items) {
      item.abort.abort();
      if (item.state === "ready") other.#keep(item);
      else other.#begin(item.file);
    }
    this.#items = [];
  }

  #keep({ file, picture }) {
    const item = this.#item(file);
    Object.assign(item, { state: "ready", picture });
    this.#draw();
  }

  #begin(file) {
    const item = this.#item(file);
    this.#send(item);
  }

  #item(file) {
    const { t } = this.#app;
    const name = file.name || t("picture");
    const item = { file, name, state: "sending", share: 0, picture: null, abort: new AbortController() };
    item.bar = h("progress", { max: 1, value: 0, "aria-label": t("picture.sending", { name }) });
    item.again = h(
      "button",
      {
        type: "button",
        class: "tray-again",
        "aria-label": t("picture.again", { name }),
        title: t("retry"),
        on: { click: () => this.#send(item) },
      },
      icon("refresh", 18),
    );
    const remove = h(
      "button",
      {
        type: "button",
        class: "tray-remove",
        "aria-label": t("picture.remove", { name }),
        title: t("picture.remove", { name }),
        on: { click: () => this.#remove(item) },
      },
      icon("close", 13),
    );
    item.face = h("span", { class: "tray-face" }, icon("picture", 22));
    item.element = h("li", { class: "tray-item", title: name }, item.face, item.bar, item.again, remove);
    thumbnail(file, SIDE_PX, { role: "img", "aria-label": name }).then(
      (canvas) => canvas && item.face.replaceChildren(canvas),
    );
    this.#items.push(item);
    this.#draw();
    return item;
  }

  async #send(item) {
    Object.assign(item, { state: "sending", share: 0 });
    this.#draw();
    const progress = (share) => {
      item.share = share;
      item.bar.value = share;
    };
    try {
      const { id, link, name } = await this.#app.upload(item.file, progress, item.abort.signal);
      Object.assign(item, { state: "ready", picture: { id, link, name } });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      item.state = "failed";
      this.#app.toast(this.#app.words.error(error.code) ?? errorSentence(this.#app.lang, error));
    }
    this.#draw();
  }

  #remove(item) {
    item.abort.abort();
    this.#items = this.#items.filter((other) => other !== item);
    this.#draw();
    this.#app.composer.focus();
  }

  #draw() {
    for (const { element, state, share, bar, again } of this.#items) {
      element.dataset.state = state;
      bar.hidden = state !== "sending";
      bar.value = share;
      again.hidden = state !== "failed";
    }
    this.element.replaceChildren(...this.#items.map(({ element }) => element));
    this.element.hidden = !this.#items.length;
    this.#changed();
  }
}

/** Listeners for whatever takes pictures that are dragged onto it. */
export function dropping(app) {
  let depth = 0;
  const over = (change) => (event) => {
    if (!app.pictures || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    depth = Math.max(0, change(depth));
    event.currentTarget.toggleAttribute("data-over", depth > 0);
    if (event.type === "drop") app.composer.attachments.add(event.dataTransfer.files);
  };
  return {
    dragenter: over((n) => n + 1),
    dragleave: over((n) => n - 1),
    dragover: over((n) => n),
    drop: over(() => 0),
  };
}
