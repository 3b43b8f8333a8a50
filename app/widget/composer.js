// Where a question is written and sent.

import { Attachments } from "./attachments.js";
import { CommandMenu } from "./commands.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";

const LIMIT = 2000; // characters; the service refuses longer questions
const NEAR = 200;
const IME_KEY = 229; // what a key press is while an input method handles it (Safari reports the last one only so)

export class Composer {
  #app;
  #field;
  #counter;
  #send;
  #picker;
  #list;
  #meta;
  #attach;
  #composing = false;

  constructor(app, { draft = "", chosen = [] } = {}) {
    this.#app = app;
    this.chosen = chosen;
    const { t } = app;
    this.#field = h("textarea", {
      rows: 1,
      "aria-label": t("composer.label"),
      placeholder: t("composer.placeholder"),
      enterkeyhint: "send",
      autocomplete: "off",
      on: {
        input: () => this.refresh(),
        keydown: (event) => this.#onKey(event),
        paste: (event) => this.#onPaste(event),
        compositionstart: () => (this.#composing = true),
        compositionend: () => (this.#composing = false),
      },
    });
    this.#field.value = draft;
    this.#counter = h("span", { class: "counter", "aria-live": "polite" });
    this.#send = h("button", { type: "submit", class: "send" });
    this.#list = h("div", { class: "popover picker-list", role: "group", "aria-label": t("kb.label"), hidden: true });
    this.#picker = h("button", {
      type: "button",
      class: "picker",
      "aria-expanded": "false",
      hidden: true,
      on: { click: () => this.#togglePicker() },
    });
    this.attachments = new Attachments(app, () => this.#send && this.refresh());
    this.menu = new CommandMenu(app, this.#field);
    this.#attach = this.#attachButton();
    this.#meta = h("div", { class: "box-meta" }, this.#picker, this.#list, this.#counter);
    this.element = h(
      "form",
      {
        class: "composer",
        on: { submit: (event) => this.#onSubmit(event), focusout: (event) => this.#onLeave(event) },
      },
      h(
        "div",
        { class: "box", on: { click: (event) => event.target === event.currentTarget && this.#field.focus() } },
        this.attachments.element,
        this.#attach,
        this.#field,
        this.#meta,
        this.#send,
        this.menu.element,
      ),
      h("p", { class: "disclaimer" }, t("composer.disclaimer")),
    );
    this.refresh();
  }

  get draft() {
    return this.#field.value;
  }

  focus() {
    this.#field.focus({ preventScroll: true });
  }

  get #left() {
    return LIMIT - [...this.#field.value].length;
  }

  refresh() {
    const { t } = this.#app;
    const left = this.#left;
    this.#counter.textContent =
      left < 0 ? t("composer.over", { n: -left }) : left <= NEAR ? t("composer.left", { n: left }) : "";
    this.#counter.classList.toggle("over", left < 0);
    this.refreshSend();
    this.#attach.hidden = !this.#app.pictures;
    this.menu.refresh();
    this.#refreshPicker();
    this.#meta.hidden = this.#picker.hidden && !this.#counter.textContent;
    this.#grow();
  }

  closePicker() {
    if (this.#list.hidden) return false;
    this.#togglePicker();
    this.#picker.focus();
    return true;
  }

  #grow() {
    this.#field.style.height = "auto";
    if (this.#field.scrollHeight) this.#field.style.height = `${this.#field.scrollHeight}px`;
  }

  /** Send or stop: asked with every token, so it must not make the browser lay out the page. */
  refreshSend() {
    const { t, conversation } = this.#app;
    const { busy, last } = conversation;
    const mode = busy ? "stop" : "send";
    if (this.#send.dataset.mode !== mode) {
      this.#send.dataset.mode = mode;
      this.#send.setAttribute("aria-label", t(mode));
      this.#send.title = t(mode);
      this.#send.replaceChildren(icon(mode, 20));
    }
    const unsendable = !this.#field.value.trim() || this.#left < 0 || this.attachments.busy;
    this.#send.disabled = busy ? Boolean(last?.stopping) : unsendable;
  }

  /** A button with the file input that it opens. */
  #attachButton() {
    const { t } = this.#app;
    const add = ({ target }) => {
      this.attachments.add(target.files);
      target.value = ""; // the same picture may be chosen again
      this.focus();
    };
    const input = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true, on: { change: add } });
    const press = () => input.click();
    const label = t("pictures.attach");
    return h(
      "span",
      { class: "attach", hidden: true },
      h(
        "button",
        { type: "button", class: "icon-button small", "aria-label": label, title: label, on: { click: press } },
        icon("picture"),
      ),
      input,
    );
  }

  #onPaste(event) {
    const pictures = [...event.clipboardData.files].filter(({ type }) => type.startsWith("image/"));
    if (!this.#app.pictures || !pictures.length) return;
    event.preventDefault();
    this.attachments.add(pictures);
  }

  #onKey(event) {
    if (event.isComposing || this.#composing || event.keyCode === IME_KEY) return;
    if (this.menu.onKey(event)) return;
    if (event.key === "ArrowUp" && !this.#field.value && this.#app.conversation.last) {
      this.#field.value = this.#app.conversation.last.question;
      this.refresh();
      event.preventDefault();
      return;
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    if (!this.#app.conversation.busy) this.#submit();
  }

  #onSubmit(event) {
    event.preventDefault();
    if (this.#app.conversation.busy) this.#app.conversation.stop();
    else this.#submit();
  }

  #submit() {
    if (this.#send.disabled || !this.#app.ask(this.#field.value, this.attachments.ready)) return;
    this.attachments.clear();
    this.#field.value = "";
    this.refresh();
  }

  #refreshPicker() {
    const { t, choices } = this.#app;
    this.#picker.hidden = choices.length === 0;
    const names = choices.map(({ name }) => name).filter((name) => this.chosen.includes(name));
    const text = names.length === 0 ? t("kb.all") : names.length === 1 ? names[0] : t("kb.some", { n: names.length });
    const key = `${text}|${choices.length}`;
    if (this.#picker.dataset.key === key) return;
    this.#picker.dataset.key = key;
    this.#picker.setAttribute("aria-label", `${t("kb.label")}：${text}`);
    this.#picker.replaceChildren(icon("book", 16), h("span", {}, text), icon("chevron", 14));
  }

  #togglePicker() {
    const opening = this.#list.hidden;
    if (opening) this.#list.replaceChildren(...this.#app.choices.map((base) => this.#choice(base)));
    this.#list.hidden = !opening;
    this.#picker.setAttribute("aria-expanded", String(opening));
    if (opening) this.#list.querySelector("input").focus();
  }

  #choice({ name, documents }) {
    const { t } = this.#app;
    const change = (event) => {
      this.chosen = event.target.checked ? [...this.chosen, name] : this.chosen.filter((other) => other !== name);
      this.refresh();
    };
    const box = h("input", { type: "checkbox", on: { change } });
    box.checked = this.chosen.includes(name);
    return h(
      "label",
      { class: "choice" },
      box,
      h("span", { class: "choice-name" }, name),
      h("span", { class: "choice-count" }, t("kb.documents", { n: documents ?? 0 })),
    );
  }

  #onLeave(event) {
    const stays = this.#list.contains(event.relatedTarget) || event.relatedTarget === this.#picker;
    if (!this.#list.hidden && this.#list.contains(event.target) && event.relatedTarget && !stays) this.#togglePicker();
  }
}
