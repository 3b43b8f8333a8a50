// Light, dark, or as the system is.

const KEPT = "sandbox-theme";
const ORDER = ["auto", "light", "dark"];

class Theme extends EventTarget {
  chosen = ORDER.find((name) => name === localStorage.getItem(KEPT)) ?? "auto";

  apply() {
    if (this.chosen === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.chosen;
  }

  next() {
    this.chosen = ORDER[(ORDER.indexOf(this.chosen) + 1) % ORDER.length];
    localStorage.setItem(KEPT, this.chosen);
    this.apply();
    this.dispatchEvent(new Event("change"));
  }
}

export const theme = new Theme();
