// The page's words, in the reader's language: the browser's, until somebody chose another.

const KEPT = "sandbox-language";

class Words extends EventTarget {
  #catalog = {};

  /** Fetches the catalog; everything else waits for it. */
  async load() {
    this.#catalog = await (await fetch("/page/texts.json")).json();
    this.lang = localStorage.getItem(KEPT) ?? (navigator.language.startsWith("zh") ? "zh" : "en");
    this.#tell();
  }

  switch() {
    this.lang = this.lang === "zh" ? "en" : "zh";
    localStorage.setItem(KEPT, this.lang);
    this.#tell();
    this.dispatchEvent(new Event("change"));
  }

  has(key) {
    return key in this.#catalog;
  }

  /** A sentence with its `{parameters}` filled in. */
  say(key, parameters = {}) {
    const text = this.#catalog[key]?.[this.lang] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => parameters[name] ?? whole);
  }

  #tell() {
    document.documentElement.lang = this.lang === "zh" ? "zh-CN" : "en";
    document.title = this.say("title");
  }
}

export const words = new Words();
export const t = (key, parameters) => words.say(key, parameters);

/** 14:02 in the reader's time. */
export function clockTime(ms) {
  return new Date(ms).toLocaleTimeString(document.documentElement.lang, {
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}

/** What stands between messages that lie apart. */
export function moment(ms, now) {
  const day = new Date(ms);
  if (day.toDateString() === new Date(now).toDateString()) return `${t("today")} ${clockTime(ms)}`;
  const date = day.toLocaleDateString(document.documentElement.lang, { month: "long", day: "numeric" });
  return `${date} ${clockTime(ms)}`;
}
