// What outlives a reload. A page in a sandbox or with storage blocked throws at every access; then a Map has to do.

const memory = new Map();

function area(name) {
  try {
    return window[name];
  } catch {
    return null;
  }
}

/** A JSON value under one key of `sessionStorage` (this tab) or `localStorage` (this browser). */
export class Stored {
  constructor(key, { area: name = "sessionStorage" } = {}) {
    this.key = `merchant-copilot:${key}`;
    this.name = name;
  }

  get() {
    try {
      const text = area(this.name)?.getItem(this.key) ?? memory.get(this.key);
      return text ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  }

  /** False when the browser refused (usually: full). */
  set(value) {
    const text = JSON.stringify(value);
    memory.set(this.key, text);
    try {
      area(this.name)?.setItem(this.key, text);
      return true;
    } catch {
      return false;
    }
  }

  remove() {
    memory.delete(this.key);
    try {
      area(this.name)?.removeItem(this.key);
    } catch {
      // nothing was stored there either
    }
  }
}
