// Pictures that will be sent with the next message, where they come from, and files, which are sent at once.

import { h, section } from "/widget/dom.js";
import { icon } from "./icons.js";
import { attempt, notice } from "./notices.js";
import { post, upload } from "./remote.js";
import { t, words } from "./words.js";

const MOST = 9;

export class Attachments {
  #store;
  #changed;
  #pictures = []; // {code, name, url}
  #open = false;
  #input = h("input", {
    type: "file",
    accept: "image/*",
    multiple: true,
    class: "sr",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  #fileInput = h("input", { type: "file", class: "sr", tabindex: "-1", "aria-hidden": "true", "data-file": true });

  constructor(store, changed) {
    this.#store = store;
    this.#changed = changed;
    this.element = h("div", { class: "attached" });
    this.picker = h("div", { class: "picker", role: "dialog" });
    this.picker.hidden = true;
    this.element.hidden = true;
    this.inputs = h("span", {}, this.#input, this.#fileInput);
    this.#input.addEventListener("change", () => this.take([...this.#input.files]));
    this.#fileInput.addEventListener("change", () => this.#sendFile([...this.#fileInput.files][0]));
    document.addEventListener(
      "pointerdown",
      ({ target }) => !target.closest?.(".picker, [data-tool=picture]") && this.togglePicker(false),
    );
    document.addEventListener("keydown", ({ key }) => key === "Escape" && this.togglePicker(false));
  }

  get pictures() {
    return this.#pictures.map(({ code, name }) => ({ code, name }));
  }

  get any() {
    return this.#pictures.length > 0;
  }

  clear() {
    this.#pictures = [];
    this.#show();
  }

  /** Files that were chosen, dropped or pasted; `event` is stopped when they are taken. */
  async take(files, event = null) {
    const pictures = [...files].filter(({ type }) => type.startsWith("image/"));
    if (files.length && !pictures.length) notice(t("error.no_picture"), "bad");
    if (pictures.length) event?.preventDefault();
    this.togglePicker(false);
    for (const file of pictures.slice(0, MOST - this.#pictures.length)) await attempt(() => this.#add(file, file.name));
    this.#input.value = "";
    this.#show();
  }

  async takePhoto(name) {
    this.togglePicker(false);
    const photo = await (await fetch(`/photos/${encodeURIComponent(name)}`)).blob();
    await attempt(() => this.#add(photo, name));
    this.#show();
  }

  togglePicker(open = !this.#open) {
    this.#open = open;
    this.picker.setAttribute("aria-label", t("attach.picture"));
    section(this.picker, [open, words.lang, this.#store.photos], () => (open ? this.#choices() : null));
    if (open) this.picker.querySelector("button")?.focus();
  }

  chooseFile() {
    this.#fileInput.click();
  }

  #choices() {
    const own = { type: "button", class: "own", on: { click: () => this.#input.click() } };
    const photo = (name) =>
      h(
        "button",
        {
          type: "button",
          class: "photo",
          "data-photo": name,
          "aria-label": name,
          on: { click: () => this.takePhoto(name) },
        },
        h("img", { src: `/photos/${name}`, alt: "" }),
      );
    return [
      h("button", own, icon("picture", 18), t("attach.own")),
      h("p", {}, t("attach.samples")),
      h("div", { class: "photos" }, ...this.#store.photos.map(photo)),
    ];
  }

  async #add(file, name) {
    const { code } = await upload(file, name);
    this.#pictures.push({ code, name });
  }

  /** At once: a file takes no words along. */
  async #sendFile(file) {
    this.#fileInput.value = "";
    if (!file || !this.#store.place) return;
    const { place, speaker } = this.#store;
    await attempt(async () => {
      const kept = await upload(file);
      await post("/api/say", { conversation: place.id, user: speaker.id, file: kept });
    });
  }

  #show() {
    section(this.element, [words.lang, this.#pictures], () =>
      this.#pictures.length ? this.#pictures.map((one) => this.#thumbnail(one)) : null,
    );
    this.#changed();
  }

  #thumbnail(picture) {
    const remove = () => {
      this.#pictures = this.#pictures.filter((one) => one !== picture);
      this.#show();
    };
    const label = t("attach.remove", { name: picture.name });
    return h(
      "span",
      { class: "thumbnail" },
      h("img", { src: `/media/${picture.code}`, alt: picture.name }),
      h("button", { type: "button", "aria-label": label, title: label, on: { click: remove } }, icon("close", 14)),
    );
  }
}
