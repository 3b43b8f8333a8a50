// <merchant-copilot>: the launcher and the shell that the chat lives in. The chat (app.js) is loaded on first use.

import { accentColours } from "./accent.js";
import { focusable, h } from "./dom.js";
import { icon } from "./icons.js";
import { Preferences } from "./preferences.js";
import { Stored } from "./storage.js";
import { adopt } from "./styles/adopt.js";
import { shell } from "./styles/shell.js";

const HOME = new URL("..", import.meta.url).href;
const KEYBOARD_MIN_PX = 120; // browser bars come and go by less; an on-screen keyboard takes more

export class MerchantCopilot extends HTMLElement {
  #root;
  #panel;
  #launcher;
  #preferences;
  #app = null;
  #loading = null;
  #openState;
  #cleanup = [];

  connectedCallback() {
    this.#preferences = new Preferences(this.#config());
    this.#openState = new Stored(`open:${this.#config().base}`);
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    adopt(shadow, [shell]);
    this.#build(shadow);
    this.#listen(shadow);
    this.#paint();
    if (this.#page) this.#show();
    else if (this.#openState.get()) this.open({ focus: false });
  }

  disconnectedCallback() {
    for (const undo of this.#cleanup.splice(0)) undo();
    this.#preferences.dispose();
    this.#app?.dispose();
    this.#app = null;
    this.#loading = null;
    this.shadowRoot.replaceChildren();
    this.shadowRoot.adoptedStyleSheets = [];
  }

  get #page() {
    return this.dataset.mode === "page";
  }

  #config() {
    const { key = "", kb = "", lang = "auto", theme = "auto", title = "", api = HOME, pictures = "on" } = this.dataset;
    const base = new URL(api.endsWith("/") ? api : `${api}/`, location.href).href;
    return {
      base,
      key,
      kb: kb
        .split(",")
        .map((name) => name.trim())
        .filter(Boolean),
      lang,
      theme,
      title,
      pictures: pictures !== "off",
      page: this.#page,
    };
  }

  #build(shadow) {
    const { t } = this.#preferences;
    this.#panel = h("section", { class: "panel", hidden: !this.#page });
    if (!this.#page) {
      this.#panel.setAttribute("role", "dialog");
      this.#launcher = h(
        "button",
        {
          class: "launcher",
          type: "button",
          "aria-expanded": "false",
          on: { click: () => this.toggle(), pointerenter: () => this.#load() },
        },
        h("span", { class: "launcher-face" }, icon("brand", 28)),
        h("span", { class: "launcher-face open" }, icon("chevron", 26)),
      );
    }
    this.#panel.append(h("p", { class: "loading" }, t("panel.loading")));
    this.#root = h("div", {
      class: "root",
      "data-mode": this.#page ? "page" : "widget",
      "data-side": this.dataset.position ?? "right",
    });
    this.#root.append(this.#panel, ...(this.#launcher ? [this.#launcher] : []));
    shadow.replaceChildren(this.#root);
  }

  #listen(shadow) {
    const on = (target, type, listener) => {
      target.addEventListener(type, listener);
      this.#cleanup.push(() => target.removeEventListener(type, listener));
    };
    on(this.#preferences, "change", () => this.#paint());
    on(this.#root, "keydown", (event) => this.#onKey(event));
    // The page sees our keys as keys on <merchant-copilot>, not in a text field: its shortcuts must not fire.
    for (const type of ["keydown", "keyup", "keypress"]) on(shadow, type, (event) => event.stopPropagation());
    if (window.visualViewport) {
      const fit = () => this.#fit();
      on(window.visualViewport, "resize", fit);
      on(window.visualViewport, "scroll", fit);
    }
  }

  #paint() {
    const { lang, scheme, t } = this.#preferences;
    Object.assign(this.#root.dataset, { scheme });
    this.#root.lang = lang === "zh" ? "zh-CN" : "en";
    for (const [name, value] of Object.entries(accentColours(this.#root))) this.#root.style.setProperty(name, value);
    const title = this.dataset.title || t("title");
    this.#panel.setAttribute("aria-label", title);
    this.#launcher?.setAttribute("aria-label", t(this.opened ? "launcher.close" : "launcher.open", { title }));
    if (!this.#page) return;
    document.documentElement.lang = this.#root.lang;
    document.documentElement.style.colorScheme = scheme;
    document.title = title;
  }

  get opened() {
    return !this.#panel.hidden;
  }

  toggle() {
    if (this.opened) this.close();
    else this.open();
  }

  async open({ focus = true } = {}) {
    this.#show();
    if (focus) (await this.#load())?.focus();
  }

  close() {
    if (this.#page) return;
    this.#panel.hidden = true;
    this.#launcher.setAttribute("aria-expanded", "false");
    this.#root.removeAttribute("data-open");
    this.#openState.remove();
    this.#paint();
    this.#launcher.focus();
  }

  /** Opens the chat and sends a question: for a site's own buttons. */
  async ask(question) {
    this.#show();
    (await this.#load())?.ask(String(question));
  }

  #show() {
    this.#panel.hidden = false;
    this.#root.setAttribute("data-open", "");
    this.#launcher?.setAttribute("aria-expanded", "true");
    if (!this.#page) this.#openState.set(true);
    this.#paint();
    this.#fit();
    this.#load();
  }

  #load() {
    this.#loading ??= import("./app.js").then(
      ({ App }) => {
        if (!this.isConnected) return null;
        this.#app = new App({
          panel: this.#panel,
          root: this.#root,
          config: this.#config(),
          preferences: this.#preferences,
          close: () => this.close(),
        });
        return this.#app;
      },
      () => {
        this.#loading = null;
        this.#panel.replaceChildren(h("p", { class: "loading" }, this.#preferences.t("panel.unloadable")));
        return null;
      },
    );
    return this.#loading;
  }

  #onKey(event) {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      if (!this.#app?.escape() && this.opened) this.close();
      event.preventDefault();
    } else if (event.key === "Tab" && !this.#page && this.opened) {
      this.#trap(event);
    }
  }

  /** Keeps Tab inside the open panel; the launcher belongs to it, since it closes the panel. */
  #trap(event) {
    const stops = [...focusable(this.#panel), ...(this.#launcher.getClientRects().length ? [this.#launcher] : [])];
    const at = stops.indexOf(this.shadowRoot.activeElement);
    const edge = event.shiftKey ? at <= 0 : at === stops.length - 1;
    if (!stops.length || !edge) return;
    event.preventDefault();
    stops.at(event.shiftKey ? -1 : 0).focus();
  }

  /** An on-screen keyboard covers the window without resizing it: keep to the part that can be seen. */
  #fit() {
    const view = window.visualViewport;
    if (!view) return;
    const covered = view.scale === 1 && window.innerHeight - view.height > KEYBOARD_MIN_PX;
    this.#root.style.setProperty("--mc-height", covered ? `${view.height}px` : "100dvh");
    this.#root.style.setProperty("--mc-top", covered ? `${view.offsetTop}px` : "0px");
  }
}

if (!customElements.get("merchant-copilot")) customElements.define("merchant-copilot", MerchantCopilot);
