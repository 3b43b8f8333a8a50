// Language and appearance: what the site asked for, what the reader chose (which wins, and lasts), what the system is.

import { Stored } from "./storage.js";
import { pickLanguage, translator } from "./strings.js";

const THEMES = ["auto", "light", "dark"];

export class Preferences extends EventTarget {
  #stored = new Stored("preferences", { area: "localStorage" });
  #dark = matchMedia("(prefers-color-scheme: dark)");
  #onSystem = () => this.dispatchEvent(new Event("change"));

  constructor({ lang, theme, page }) {
    super();
    const chosen = this.#stored.get() ?? {};
    // Our own page is written in Chinese until we know better: only a foreign page's language says something.
    this.lang = chosen.lang ?? pickLanguage(lang, page ? "" : document.documentElement.lang);
    this.theme = THEMES.find((name) => name === (chosen.theme ?? theme)) ?? "auto";
    this.#dark.addEventListener("change", this.#onSystem);
  }

  get t() {
    return translator(this.lang);
  }

  /** `light` or `dark`, as shown now. */
  get scheme() {
    if (this.theme !== "auto") return this.theme;
    return this.#dark.matches ? "dark" : "light";
  }

  switchLanguage() {
    this.lang = this.lang === "zh" ? "en" : "zh";
    this.#choose({ lang: this.lang });
  }

  nextTheme() {
    this.theme = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length];
    this.#choose({ theme: this.theme });
  }

  dispose() {
    this.#dark.removeEventListener("change", this.#onSystem);
  }

  #choose(choice) {
    this.#stored.set({ ...this.#stored.get(), ...choice });
    this.dispatchEvent(new Event("change"));
  }
}
