// The page: conversations, chat, and what DingTalk sees; side by side, or as tabs on a phone.

import { h, section } from "/widget/dom.js";
import { Composer } from "./composer.js";
import { Conversations } from "./conversations.js";
import { Figures } from "./figures.js";
import { icon } from "./icons.js";
import { listen } from "./remote.js";
import { Store } from "./store.js";
import { theme } from "./theme.js";
import { Thread } from "./thread.js";
import { Clock, Troubles } from "./troubles.js";
import { t, words } from "./words.js";

const TABS = { conversations: "chats", chat: "compose", dingtalk: "gauge" };

class App {
  #tab = "chat";
  #store = new Store();
  #composer = new Composer(this.#store);
  #thread = new Thread(this.#store, (wish) => this.#composer.try(wish));
  #conversations = new Conversations(this.#store, () => this.#show("chat", { focus: true }));
  #figures = new Figures(this.#store);
  #troubles = new Troubles(this.#store);
  #clock = new Clock(this.#store);
  #bar = h("header", { class: "bar" });
  #tabs = h("nav", { class: "tabs" });
  #lost = h("p", { class: "lost", role: "alert" });

  start() {
    const chat = h("main", { class: "chat" }, this.#thread.element, this.#composer.element);
    const panel = h("aside", { class: "panel" }, this.#figures.element, this.#troubles.element, this.#clock.element);
    document.body.replaceChildren(this.#bar, this.#lost, this.#conversations.element, chat, panel, this.#tabs);
    this.#dropping(chat);
    this.#store.addEventListener("change", () => this.#update());
    words.addEventListener("change", () => this.#update());
    theme.addEventListener("change", () => this.#update());
    const phone = matchMedia("(max-width: 860px)");
    phone.addEventListener("change", () => this.#show(this.#tab));
    this.#show("chat", { focus: !phone.matches });
    listen(
      (news, fresh) => this.#store.apply(news, fresh),
      (connected) => this.#store.line(connected),
    );
  }

  #update() {
    const { connected, figures } = this.#store;
    if (!figures) return;
    section(this.#lost, [words.lang, connected], () => (connected ? null : [t("reconnecting")]));
    this.#drawBar();
    this.#drawTabs();
    for (const part of [this.#conversations, this.#thread, this.#composer, this.#figures, this.#troubles, this.#clock])
      part.update();
  }

  #drawBar() {
    const { figures, links } = this.#store;
    const online = figures.connections > 0;
    section(this.#bar, [words.lang, theme.chosen, online, links], () => [
      h(
        "span",
        { class: "brand" },
        icon("brand", 24),
        h("strong", {}, t("title")),
        h("span", { class: "brand-part" }, t("subtitle")),
      ),
      h("span", { class: `line ${online ? "on" : "off"}`, role: "status" }, t(online ? "online" : "offline")),
      ...Object.entries(links).map(([name, url]) =>
        h("a", { class: "bar-link", href: url, target: "_blank", rel: "noopener" }, t(name)),
      ),
      this.#tool("switch_language", h("span", { class: "letters" }, words.lang === "zh" ? "EN" : "中"), () =>
        words.switch(),
      ),
      this.#tool("theme", icon({ auto: "auto", light: "sun", dark: "moon" }[theme.chosen]), () => theme.next(), {
        name: t(`theme.${theme.chosen}`),
      }),
    ]);
  }

  #tool(key, sign, press, parameters) {
    const label = t(key, parameters);
    return h(
      "button",
      {
        type: "button",
        class: "icon-button",
        "data-tool": key,
        "aria-label": label,
        title: label,
        on: { click: press },
      },
      sign,
    );
  }

  #drawTabs() {
    const unread = [...this.#store.unread.values()].reduce((sum, count) => sum + count, 0);
    const { connections, violation_count: broken } = this.#store.figures;
    const dot = { conversations: unread > 0, chat: false, dingtalk: connections === 0 || broken > 0 };
    section(this.#tabs, [words.lang, this.#tab, dot], () =>
      Object.entries(TABS).map(([name, sign]) =>
        h(
          "button",
          {
            type: "button",
            "data-tab": name,
            "aria-current": this.#tab === name ? "page" : null,
            on: { click: () => this.#show(name) },
          },
          icon(sign, 22),
          h("span", {}, t(`tab.${name}`)),
          dot[name] ? h("i", { class: "dot" }) : null,
        ),
      ),
    );
  }

  #show(tab, { focus = false } = {}) {
    this.#tab = tab;
    document.body.dataset.tab = tab;
    this.#store.look(tab === "chat" || !matchMedia("(max-width: 860px)").matches);
    if (tab === "chat") this.#thread.toEnd();
    if (focus && !matchMedia("(pointer: coarse)").matches) this.#composer.focus();
  }

  #dropping(chat) {
    const over = (on) => chat.classList.toggle("dropping", on);
    chat.addEventListener("dragover", (event) => {
      event.preventDefault();
      chat.dataset.drop = t("attach.drop");
      over(true);
    });
    chat.addEventListener("dragleave", ({ relatedTarget }) => !chat.contains(relatedTarget) && over(false));
    chat.addEventListener("drop", (event) => {
      event.preventDefault();
      over(false);
      this.#composer.attachments.take([...(event.dataTransfer?.files ?? [])]);
    });
  }
}

await words.load();
theme.apply();
new App().start();
