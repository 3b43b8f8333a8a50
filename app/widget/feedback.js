// Why a thumb went down: a small popover under the thumbs. The rating itself has been sent when it opens.

import { h } from "./dom.js";

const REASONS = ["wrong", "outdated", "incomplete", "irrelevant", "other"];

export class Feedback {
  #app;
  #opener = null;

  constructor(app) {
    this.#app = app;
    this.element = h("div", { class: "popover feedback", role: "group", hidden: true });
  }

  toggle(opener, submit) {
    if (this.close()) return;
    this.#opener = opener.closest(".actions-line");
    this.#build(submit);
    this.element.hidden = false;
    this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    this.element.querySelector("input").focus({ preventScroll: true });
  }

  /** True if it was open. Focus goes back to the thumb. */
  close() {
    if (this.element.hidden) return false;
    this.element.hidden = true;
    this.#opener.querySelector("[data-action='down']")?.focus();
    return true;
  }

  #build(submit) {
    const { t } = this.#app;
    const comment = h("textarea", {
      rows: 2,
      maxlength: 1000,
      placeholder: t("feedback.comment"),
      "aria-label": t("feedback.comment"),
    });
    const form = h(
      "form",
      { on: { submit: (event) => this.#onSubmit(event, submit) } },
      h(
        "fieldset",
        {},
        h("legend", {}, t("feedback.title")),
        h("div", { class: "reasons" }, ...REASONS.map((reason) => this.#reason(reason))),
      ),
      comment,
      h(
        "div",
        { class: "popover-row" },
        h("button", { type: "button", class: "secondary", on: { click: () => this.close() } }, t("close")),
        h("button", { type: "submit", class: "primary" }, t("feedback.submit")),
      ),
    );
    this.element.setAttribute("aria-label", t("feedback.title"));
    this.element.replaceChildren(form);
  }

  #reason(reason) {
    return h(
      "label",
      { class: "reason" },
      h("input", { type: "radio", name: "reason", value: reason }),
      h("span", {}, this.#app.t(`feedback.${reason}`)),
    );
  }

  #onSubmit(event, submit) {
    event.preventDefault();
    const form = event.currentTarget;
    const reason = form.querySelector("input:checked")?.value;
    const comment = form.querySelector("textarea").value.trim();
    this.close();
    if (reason || comment) submit({ ...(reason ? { reason } : {}), ...(comment ? { comment } : {}) });
  }
}
