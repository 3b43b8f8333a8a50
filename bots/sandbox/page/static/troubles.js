// The faults that can be switched on, and the sandbox's clock.

import { h, section } from "/widget/dom.js";
import { icon } from "./icons.js";
import { attempt, notice } from "./notices.js";
import { post } from "./remote.js";
import { t, words } from "./words.js";

const AREAS = ["line", "messages", "replies", "quota", "clicks"];
const STEPS = { "clock.minute": 60, "clock.webhook": 5400, "clock.day": 86_400, "clock.month": 31 * 86_400 };

export class Troubles {
  #store;

  constructor(store) {
    this.#store = store;
    this.element = h("section", { class: "panel-part troubles" });
  }

  update() {
    const { troubles, on, killable } = this.#store;
    section(this.element, [words.lang, troubles, on, killable], () =>
      [
        h(
          "h2",
          {},
          t("troubles"),
          on.length ? h("span", { class: "count" }, t("troubles.on", { count: on.length })) : null,
        ),
        ...AREAS.map((area) => this.#area(area)),
        on.length
          ? h("button", { type: "button", class: "secondary", on: { click: () => this.#reset() } }, t("troubles.reset"))
          : null,
      ].filter(Boolean),
    );
  }

  #area(area) {
    const { troubles, killable } = this.#store;
    const mine = troubles.filter((one) => one.area === area);
    const acts = mine.filter(({ lasts }) => !lasts).map((one) => this.#act(one));
    if (area === "clicks" && killable)
      acts.push(
        h(
          "button",
          { type: "button", class: "act danger", "data-kill": true, on: { click: () => this.#kill() } },
          t("kill"),
          tag("F13"),
        ),
      );
    return h(
      "fieldset",
      {},
      h("legend", {}, t(`area.${area}`)),
      ...mine.filter(({ lasts }) => lasts).map((one) => this.#switch(one)),
      acts.length ? h("div", { class: "acts" }, ...acts) : null,
    );
  }

  #switch({ id, fault }) {
    const input = h("input", {
      type: "checkbox",
      role: "switch",
      "data-trouble": id,
      checked: this.#store.on.includes(id),
    });
    input.addEventListener("change", () => attempt(() => post("/api/trouble", { id, on: input.checked })));
    return h(
      "label",
      { class: "switch" },
      h("span", { class: "switch-name" }, t(`trouble.${id}`), tag(fault)),
      input,
      h("i", { "aria-hidden": "true" }),
    );
  }

  #act({ id, fault }) {
    return h(
      "button",
      {
        type: "button",
        class: "act",
        "data-trouble": id,
        on: { click: () => attempt(() => post("/api/trouble", { id })) },
      },
      t(`trouble.${id}`),
      tag(fault),
    );
  }

  #reset() {
    attempt(() => post("/api/reset"));
  }

  async #kill() {
    if (await attempt(() => post("/api/kill"))) notice(t("kill.done"));
  }
}

export class Clock {
  #store;

  constructor(store) {
    this.#store = store;
    this.element = h("section", { class: "panel-part clock" });
  }

  update() {
    const ahead = this.#store.figures?.ahead ?? 0;
    section(this.element, [words.lang, ahead], () => [
      h("h2", {}, t("clock")),
      h(
        "p",
        { class: "quiet", "data-ahead": ahead },
        `${ahead > 0 ? t("clock.ahead", { time: span(ahead) }) : t("clock.real")}${words.lang === "zh" ? "。" : ". "}${t("clock.note")}`,
      ),
      h("div", { class: "acts" }, ...Object.entries(STEPS).map(([name, seconds]) => step(name, seconds))),
    ]);
  }
}

const tag = (fault) => h("small", { class: "fault" }, fault);

function step(name, seconds) {
  return h(
    "button",
    {
      type: "button",
      class: "act",
      "data-step": seconds,
      on: { click: () => attempt(() => post("/api/clock", { seconds })) },
    },
    t(name),
  );
}

function span(seconds) {
  const parts = [
    ["span.days", 86_400],
    ["span.hours", 3600],
    ["span.minutes", 60],
  ];
  let left = Math.round(seconds / 60) * 60;
  const said = parts.map(([name, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count ? t(name, { count }) : "";
  });
  return said.filter(Boolean).join(" ");
}
