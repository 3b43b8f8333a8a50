// A card, drawn from its template's own layout and its values, in whichever state it is.

import { h, section } from "/widget/dom.js";
import { nameOf } from "./avatar.js";
import { attempt, notice } from "./notices.js";
import { Prose } from "./prose.js";
import { post, Refused } from "./remote.js";
import { t, words } from "./words.js";

const TESTS = { isTrue: (value) => value === "true", isNotEmpty: (value) => Boolean(value) };

export class Card {
  #store;
  #proses = new Map(); // by variable: they live on when the card's state changes
  #pending = null;
  #item = null;
  #body = h("div", { class: "card-body" });
  #clicks = h("ul", { class: "card-clicks", "aria-live": "polite" });

  constructor(store) {
    this.#store = store;
    this.element = h("section", { class: "card" }, this.#body, this.#clicks);
  }

  update(item) {
    this.#item = item;
    const { state, template } = item;
    const values = { ...item.values, ...item.private[this.#store.speaker?.id] };
    const layout = this.#store.layouts[template];
    const parts = item.blank ? [] : (layout?.[state] ?? layout?.["*"] ?? null);
    this.element.dataset.state = state;
    this.element.dataset.card = item.card;
    this.element.classList.toggle("writing", Boolean(item.streams) && (state === "INPUTING" || state === "PROCESSING"));
    this.#body.replaceChildren(...(parts ? this.#parts(parts, values) : [this.#unlaid(template)]));
    if (item.blank) this.#body.replaceChildren(h("p", { class: "card-note" }, t("card.blank")));
    section(this.#clicks, [words.lang, item.clicks, this.#store.speaker?.id], () =>
      item.clicks.map((click) => this.#said(click, values)),
    );
  }

  #unlaid(template) {
    return h("p", { class: "card-note" }, t("card.unlaid", { name: template }));
  }

  #parts(parts, values) {
    return parts.filter(({ when }) => holds(when, values)).map((part) => this.#part(part, values));
  }

  #part(part, values) {
    switch (part.kind) {
      case "text":
        return h(
          "p",
          { class: `card-text${part.bold ? " bold" : ""}${part.small ? " small" : ""}` },
          fill(part.text, values),
        );
      case "markdown":
        return this.#markdown(part, values);
      case "buttons":
        return this.#buttons(part, values);
      default:
        return h("p", { class: "card-note" }, t("card.unknown", { name: part.name }));
    }
  }

  #markdown({ variable, streams }, values) {
    if (!this.#proses.has(variable)) this.#proses.set(variable, new Prose());
    const prose = this.#proses.get(variable);
    prose.element.dataset.variable = variable;
    prose.update(values[variable], { growing: streams && this.#item.state === "INPUTING" });
    return prose.element;
  }

  #buttons({ buttons }, values) {
    const shown = buttons.filter(({ when }) => holds(when, values));
    return h("div", { class: "card-buttons" }, ...shown.map((button) => this.#button(button, values)));
  }

  #button({ label, action, params, color }, values) {
    const text = fill(label, values);
    const { number } = this.#item;
    const attributes = {
      type: "button",
      class: `card-button ${color}`,
      "data-action": action,
      disabled: this.#pending !== null,
      "aria-busy": this.#pending === `${number}:${action}:${params.reason ?? ""}` ? "true" : null,
    };
    return h("button", { ...attributes, on: { click: () => this.#click(action, params) } }, text || action);
  }

  async #click(action, params) {
    const { card, number } = this.#item;
    this.#pending = `${number}:${action}:${params.reason ?? ""}`;
    this.update(this.#item);
    await attempt(async () => {
      try {
        await post("/api/click", { card, user: this.#store.speaker.id, action, params });
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "not_connected") throw error;
        notice(t("error.not_connected.click"), "bad");
      }
    });
    this.#pending = null;
    this.update(this.#item);
  }

  #said({ user, action, params, ms, late, changed }, values) {
    const name = nameOf(this.#store.people.get(user));
    const label = this.#label(action, params, values);
    const how = ms === null ? "pending" : late ? "late" : changed ? "changed" : "same";
    const text = t(`click.${how}`, { name, label, ms: ms === null ? "" : String(Math.max(1, Math.round(ms))) });
    return h("li", { "data-how": how }, text);
  }

  /** What the button said, wherever in the layout it is. */
  #label(action, params, values) {
    const layout = this.#store.layouts[this.#item.template] ?? {};
    const buttons = Object.values(layout)
      .flat()
      .flatMap((part) => part.buttons ?? []);
    const found = buttons.find((one) => one.action === action && (one.params.reason ?? "") === (params.reason ?? ""));
    return (found && fill(found.label, values)) || action;
  }
}

const holds = (when, values) => when.every(({ variable, op }) => (TESTS[op] ?? (() => true))(values[variable]));

const fill = (text, values) => text.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? "");
