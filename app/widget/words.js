// What kinds, stages and errors of jobs are called. The service has the words; they are asked for when first needed.

import { ApiError } from "./api.js";
import { Stored } from "./storage.js";

const AGAIN_MS = 30_000;

export class Words {
  #app;
  #known = {}; // by language
  #asked = new Set();

  constructor(app) {
    this.#app = app;
  }

  kind(kind) {
    return this.#say(`kind.${kind}`) ?? kind.replaceAll("_", " ");
  }

  stage(stage) {
    return this.#say(`stage.${stage}`) ?? stage;
  }

  state(state) {
    return this.#say(`state.${state}`) ?? state;
  }

  /** The sentence for a code; null when there is none, or it says something that `params` lack. */
  error(code, params = {}) {
    const text = this.#say(`error.${code}`) ?? this.#say(`reason.${code}`);
    if (text === null) return null;
    const filled = text.replace(/\{(\w+)\}/g, (whole, name) => params[name] ?? whole);
    return /\{\w+\}/.test(filled) ? null : filled;
  }

  #say(key) {
    const { lang } = this.#app;
    this.#load(lang);
    return this.#known[lang]?.[key] ?? null;
  }

  async #load(lang) {
    if (this.#asked.has(lang)) return;
    this.#asked.add(lang);
    const stored = new Stored(`words:${this.#app.base}:${lang}`);
    this.#known[lang] = stored.get() ?? {};
    try {
      this.#known[lang] = await this.#app.fetchWords(lang);
      stored.set(this.#known[lang]);
      this.#app.repaint();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setTimeout(() => this.#asked.delete(lang), AGAIN_MS); // the bare names will do until then
    }
  }
}
