// Asks for an API key where the service wants one and the page has none.

import { h } from "./dom.js";
import { icon } from "./icons.js";

export class KeyForm {
  #app;
  #field;
  #problem;

  constructor(app, use) {
    this.#app = app;
    const { t } = app;
    this.#field = h("input", {
      type: "password",
      id: "mc-key",
      autocomplete: "off",
      spellcheck: "false",
      required: true,
      "aria-describedby": "mc-key-problem",
    });
    this.#problem = h("p", { class: "problem", id: "mc-key-problem", role: "alert", hidden: true });
    const submit = (event) => {
      event.preventDefault();
      const key = this.#field.value.trim();
      if (key) use(key);
    };
    this.element = h(
      "form",
      { class: "keyform", hidden: true, on: { submit } },
      h("span", { class: "keyform-icon" }, icon("key", 22)),
      h("h2", {}, t("key.title")),
      h("p", {}, t("key.text")),
      h("label", { class: "sr", for: "mc-key" }, t("key.label")),
      h(
        "div",
        { class: "keyform-row" },
        this.#field,
        h("button", { type: "submit", class: "primary" }, t("key.submit")),
      ),
      this.#problem,
    );
  }

  show(shown, invalid) {
    this.element.hidden = !shown;
    this.#problem.hidden = !invalid;
    this.#problem.textContent = invalid ? this.#app.t("key.invalid") : "";
    if (invalid) this.#field.value = "";
  }

  focus() {
    this.#field.focus();
  }
}
