// The menu of commands that opens when a message begins with a slash. Commands are plain text to the service.

import { h } from "./dom.js";
import { catalogs } from "./strings.js";

const PICTURES = /^\/(图|image)/;

export class CommandMenu {
  #app;
  #field;
  #shown = [];
  #at = 0;
  #dismissed = null; // the text at which the menu was closed

  constructor(app, field) {
    this.#app = app;
    this.#field = field;
    this.element = h("ul", {
      class: "popover commands",
      id: "mc-commands",
      role: "listbox",
      "aria-label": app.t("commands.label"),
      hidden: true,
    });
    this.element.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
    this.element.addEventListener("click", (event) => this.#pick(event.target.closest("[role=option]")));
    field.setAttribute("aria-controls", this.element.id);
    field.setAttribute("aria-autocomplete", "list");
  }

  get open() {
    return !this.element.hidden;
  }

  /** Shows what the text may become; nothing for a whole command and for everything that is none. */
  refresh() {
    const text = this.#field.value.replace(/^／/, "/");
    const wanted = text.startsWith("/") && !text.includes("\n") && text !== this.#dismissed ? this.#matching(text) : [];
    if (!text.startsWith("/")) this.#dismissed = null;
    this.#shown = wanted.length === 1 && wanted[0].command === text.trim() ? [] : wanted;
    this.#at = 0;
    this.#draw();
  }

  /** True if it was open. */
  close() {
    if (!this.open) return false;
    this.#dismissed = this.#field.value;
    this.#shown = [];
    this.#draw();
    return true;
  }

  /** True when the key was the menu's. */
  onKey(event) {
    if (!this.open) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.#at = (this.#at + step + this.#shown.length) % this.#shown.length;
      this.#draw();
    } else if (event.key === "Enter" || event.key === "Tab") this.#pick(this.element.children[this.#at]);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  #matching(text) {
    const own = catalogs[this.#app.lang].commands;
    const other = catalogs[this.#app.lang === "zh" ? "en" : "zh"].commands;
    const fits = ([command]) =>
      command.startsWith(text.toLowerCase()) && (this.#app.pictures || !PICTURES.test(command));
    const found = own.filter(fits);
    return (found.length ? found : other.filter(fits)).map(([command, about]) => ({ command, about }));
  }

  #pick(option) {
    if (!option) return;
    this.#field.value = `${option.dataset.command} `;
    this.#field.dispatchEvent(new Event("input"));
    this.#field.focus();
  }

  #draw() {
    this.element.hidden = !this.#shown.length;
    this.element.replaceChildren(
      ...this.#shown.map(({ command, about }, index) =>
        h(
          "li",
          {
            id: `mc-command-${index}`,
            role: "option",
            "aria-selected": String(index === this.#at),
            "data-command": command,
          },
          h("code", {}, command),
          h("span", {}, about),
        ),
      ),
    );
    const current = this.element.children[this.#at];
    if (current) this.#field.setAttribute("aria-activedescendant", current.id);
    else this.#field.removeAttribute("aria-activedescendant");
    current?.scrollIntoView({ block: "nearest" });
  }
}
