// What DingTalk sees of the bot.

import { h, section } from "/widget/dom.js";
import { t, words } from "./words.js";
import { attempt } from "./notices.js";
import { post } from "./remote.js";

const SECONDS = 60;

export class Figures {
  #store;
  #found = null; // of the last check
  #minute = h("div", { class: "minute", role: "img" });
  #facts = h("dl", { class: "facts" });
  #quotas = h("div", { class: "quotas" });
  #rules = h("div", { class: "rules" });
  #last = h("details", { class: "last" });

  constructor(store) {
    this.#store = store;
    this.#title = h("h2", {});
    this.element = h(
      "section",
      { class: "panel-part figures" },
      this.#title,
      this.#minute,
      this.#quotas,
      this.#facts,
      this.#rules,
      this.#last,
    );
    this.#minute.append(...Array.from({ length: SECONDS }, () => h("i", {}, h("b", {}), h("s", {}))));
    setInterval(() => this.#drawMinute(), 1000);
  }

  #title;
  #count = h("span", { class: "minute-count" });

  update() {
    const seen = this.#store.figures;
    if (!seen) return;
    this.#title.replaceChildren(t("sees"), this.#count);
    this.#drawMinute();
    section(this.#quotas, [words.lang, seen.calls, seen.calls_limit, seen.messages, seen.messages_limit], () => [
      quota("sees.calls", seen.calls, seen.calls_limit),
      quota("sees.messages", seen.messages, seen.messages_limit),
    ]);
    section(this.#facts, [words.lang, facts(seen)], () =>
      facts(seen).flatMap(([name, value, kind]) => fact(name, value, kind)),
    );
    section(this.#rules, [words.lang, seen.violations, this.#found], () => this.#rulesShown(seen));
    const open = this.#last.open;
    section(this.#last, [words.lang, seen.last], () => [h("summary", {}, t("sees.last")), calls(seen.last)]);
    this.#last.open = open;
  }

  #drawMinute() {
    const { minute = [] } = this.#store.figures ?? {};
    const now = Math.floor(Date.now() / 1000);
    const bySecond = new Map(minute.map(([second, count, throttled]) => [second, { count, throttled }]));
    const most = Math.max(6, ...minute.map(([, count]) => count));
    let total = 0;
    let refused = 0;
    [...this.#minute.children].forEach((bar, index) => {
      const { count, throttled } = bySecond.get(now - SECONDS + 1 + index) ?? { count: 0, throttled: 0 };
      bar.firstChild.style.height = `${(100 * (count - throttled)) / most}%`;
      bar.lastChild.style.height = `${(100 * throttled) / most}%`;
      total += count;
      refused += throttled;
    });
    this.#minute.setAttribute("aria-label", t("sees.minute", { count: total, throttled: refused }));
    this.#count.textContent = t("sees.minute.short", { count: total });
  }

  #rulesShown({ violations }) {
    const check = async () => {
      await attempt(async () => {
        this.#found = (await post("/api/check")).found;
      });
      this.update();
    };
    const lines = this.#found ?? violations;
    const list = lines.length
      ? h("ul", { class: "violations" }, ...lines.slice(-6).map((line) => h("li", {}, line)))
      : null;
    const said = this.#found?.length === 0 ? h("p", { class: "fine" }, t("check.fine")) : null;
    const count = this.#found?.length
      ? h("p", { class: "found" }, t("check.found", { count: this.#found.length }))
      : null;
    return [
      count,
      list,
      said,
      h("button", { type: "button", class: "secondary", on: { click: check } }, t("check")),
    ].filter(Boolean);
  }
}

function facts(seen) {
  const none = t("sees.none");
  const ms = (value) =>
    value === undefined || value === null
      ? none
      : t("sees.ms", { count: value < 10 ? value.toFixed(1) : Math.round(value) });
  const rules = seen.violation_count ? String(seen.violation_count) : t("sees.rules.none");
  return [
    ["sees.second", t("sees.second.of", { count: seen.busiest, limit: seen.qps }), ""],
    ["sees.throttled", String(seen.throttled), seen.throttled ? "warn" : ""],
    ["sees.connections", String(seen.connections), seen.connections ? "" : "bad"],
    ["sees.ack", ms(seen.ack_p95), seen.ack_p95 > 1000 ? "bad" : ""],
    ["sees.click", ms(seen.clicks.at(-1)), seen.clicks.at(-1) > 2000 ? "bad" : ""],
    ["sees.rules", rules, seen.violation_count ? "bad" : "good"],
  ];
}

function fact(name, value, kind) {
  return [h("dt", {}, t(name)), h("dd", { class: kind, "data-fact": name }, value)];
}

function quota(name, used, limit) {
  const share = limit ? Math.min(1, used / limit) : 1;
  const level = share >= 1 ? "spent" : share >= 0.8 ? "near" : "";
  const bar = h("span", { class: "quota-bar" }, h("i", {}));
  bar.firstChild.style.width = `${Math.max(share * 100, used ? 1 : 0)}%`;
  const label = t("sees.of", { count: used.toLocaleString("en-US"), limit: limit.toLocaleString("en-US") });
  return h(
    "div",
    { class: `quota ${level}`, "data-quota": name },
    h("span", { class: "quota-name" }, t(name)),
    h("span", { class: "quota-count" }, level === "spent" ? `${label} · ${t("sees.spent")}` : label),
    bar,
  );
}

function calls(last) {
  if (!last.length) return h("p", { class: "quiet" }, t("sees.last.none"));
  const rows = last
    .toReversed()
    .map(({ route, status, code, ms, fault }) =>
      h(
        "li",
        { class: status >= 400 || status === 0 || code ? "bad" : "" },
        h("span", { class: "call-route" }, route),
        fault ? h("span", { class: "call-fault" }, t("sees.injected")) : null,
        h("span", { class: "call-status", title: code }, status === 0 ? t("sees.cut") : code || String(status)),
        h("span", { class: "call-ms" }, t("sees.ms", { count: ms })),
      ),
    );
  return h("ul", { class: "calls" }, ...rows);
}
