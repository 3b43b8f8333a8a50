// The list of turns: draws at most once a frame, and scrolls along only while the reader is at the end.

import { plain } from "./citations.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { TurnView } from "./turn.js";

const AT_END_PX = 56;

export class Thread {
  #app;
  #views = new Map();
  #dirty = new Set();
  #frame = 0;
  #stick = true;
  #announced = "";
  #resize = new ResizeObserver(() => this.#keepEnd());

  constructor(app) {
    this.#app = app;
    const { t } = app;
    this.column = h("div", { class: "column" });
    this.empty = h("div", { class: "empty" });
    this.scroller = h(
      "div",
      {
        class: "scroller",
        role: "region",
        "aria-label": t("conversation"),
        tabindex: "0",
        on: { scroll: () => this.#onScroll() },
      },
      this.column,
    );
    this.latest = h(
      "button",
      {
        type: "button",
        class: "latest",
        "data-action": "latest",
        "aria-label": t("latest"),
        title: t("latest"),
        hidden: true,
      },
      icon("arrowdown", 18),
    );
    this.element = h("div", { class: "thread" }, this.scroller, this.latest);
    this.#resize.observe(this.column);
    this.#resize.observe(this.scroller);
    this.#sync();
  }

  dispose() {
    cancelAnimationFrame(this.#frame);
    this.#resize.disconnect();
  }

  /** A turn has changed (or, with null, the list): drawn with the next frame. */
  changed(turn) {
    this.#dirty.add(turn);
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  follow() {
    this.#stick = true;
    this.changed(null);
  }

  viewOf(node) {
    return this.#views.get(node.closest(".turn")?.dataset.key);
  }

  closePopover() {
    return [...this.#views.values()].some((view) => view.feedback.close());
  }

  refreshEmpty() {
    if (!this.#app.conversation.turns.length) this.#drawEmpty();
  }

  #draw() {
    this.#frame = 0;
    if (this.#dirty.has(null)) this.#sync();
    for (const turn of this.#dirty) if (turn) this.#views.get(turn.key)?.update();
    this.#dirty.clear();
    this.#announce();
    this.#keepEnd();
  }

  #sync() {
    const { turns } = this.#app.conversation;
    const keys = new Set(turns.map((turn) => turn.key));
    for (const [key, view] of this.#views) {
      if (keys.has(key)) continue;
      view.element.remove();
      this.#views.delete(key);
    }
    for (const turn of turns) {
      if (!this.#views.has(turn.key)) {
        const view = new TurnView(this.#app, turn);
        this.#views.set(turn.key, view);
        this.column.append(view.element);
      }
      this.#views.get(turn.key).update(); // which turn is the last one has changed for all of them
    }
    this.element.classList.toggle("is-empty", turns.length === 0);
    if (turns.length) this.empty.remove();
    else this.#drawEmpty();
  }

  #drawEmpty() {
    const { t, suggestions } = this.#app;
    this.empty.replaceChildren(
      h("span", { class: "empty-mark" }, icon("brand", 30)),
      h("h2", {}, t("empty.title")),
      h("p", {}, t("empty.text")),
      h(
        "div",
        { class: "starters" },
        ...suggestions.map((text) =>
          h(
            "button",
            { type: "button", class: "starter", "data-action": "ask" },
            h("span", {}, text),
            icon("right", 16),
          ),
        ),
      ),
    );
    this.column.prepend(this.empty);
  }

  /** Says aloud where the answer stands, and the answer itself once, when it is complete. */
  #announce() {
    const { last } = this.#app.conversation;
    const view = last && this.#views.get(last.key);
    if (!view) return;
    const text = view.working
      ? view.stageText()
      : `${this.#app.t("announce.done")} ${view.errorText() || plain(view.markdown.element)}`;
    const key = `${last.key}|${last.state}|${view.working ? text : ""}`;
    const old = !this.#announced && !view.working; // restored by a reload: nothing new to say
    if (key !== this.#announced && !old) this.#app.live.textContent = text;
    this.#announced = key;
  }

  #onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroller;
    this.#stick = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    this.latest.hidden = this.#stick;
  }

  #keepEnd() {
    if (!this.#stick) return;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.latest.hidden = true;
  }
}
