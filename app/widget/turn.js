// One question and its answer. Each part is rebuilt only when what it shows has changed; the text is morphed.

import { addChips } from "./citations.js";
import { h, section } from "./dom.js";
import { Feedback } from "./feedback.js";
import { addFrames } from "./frames.js";
import { icon } from "./icons.js";
import { JobCard } from "./jobcard.js";
import { MarkdownView } from "./markdown.js";
import { SourceList } from "./sourcelist.js";
import { errorSentence } from "./strings.js";

export class TurnView {
  #app;
  #parts;
  #sources;
  #cards = new Map();

  constructor(app, turn) {
    this.#app = app;
    this.turn = turn;
    const { t } = app;
    this.markdown = new MarkdownView(app.renderer);
    this.feedback = new Feedback(app);
    this.#sources = new SourceList(app, turn);
    const part = (name, tag = "div") => h(tag, { class: name, hidden: true });
    this.#parts = {
      badge: part("badge"),
      stage: part("stage"),
      reasoning: this.#reasoning(),
      refusal: part("refusal-title"),
      notice: part("notice"),
      error: part("error"),
      jobs: part("jobs"),
      actions: part("actions"),
      suggestions: part("suggestions"),
    };
    const { badge, stage, reasoning, refusal, notice, error, jobs, actions, suggestions } = this.#parts;
    this.element = h(
      "article",
      { class: "turn", "data-key": turn.key },
      this.#question(),
      h(
        "div",
        { class: "answer" },
        h("span", { class: "sr" }, t("assistant")),
        badge,
        stage,
        reasoning,
        h("div", { class: "answer-text" }, refusal, this.markdown.element),
        notice,
        error,
        jobs,
        this.#sources.element,
        h("div", { class: "actions-line" }, actions, this.feedback.element),
        suggestions,
      ),
    );
  }

  get working() {
    return this.turn.state === "waiting" || this.turn.state === "streaming";
  }

  update() {
    const { turn } = this;
    this.element.dataset.state = turn.state;
    this.element.toggleAttribute("data-refused", turn.refused);
    this.#updateStage();
    this.#updateText();
    this.#updateRemarks();
    this.#updateJobs();
    this.#sources.update();
    this.#updateActions();
  }

  stageText() {
    const { turn } = this;
    const { t } = this.#app;
    if (turn.stopping) return t("stage.stopping");
    if (turn.stage === "resuming") return t("stage.resuming");
    if (turn.stage === "writing" && turn.reasoning && !turn.text) return t("stage.thinking");
    if (turn.stage === "reading")
      return turn.passages.length ? t("stage.reading", { n: turn.passages.length }) : t("stage.reading.none");
    return t(`stage.${turn.stage ?? "waiting"}`);
  }

  errorText() {
    const { turn } = this;
    if (turn.state === "interrupted") return this.#app.t("interrupted");
    return turn.error ? errorSentence(this.#app.lang, turn.error) : "";
  }

  #question() {
    const { t } = this.#app;
    const { question, attachments } = this.turn;
    const words = h("div", { class: "question" }, h("span", { class: "sr" }, t("you")), h("span", {}, question));
    if (!attachments.length) return words;
    const pictures = attachments.map(({ link, name }) =>
      h("li", {}, h("img", { src: this.#app.addressOf(link), alt: name || t("picture"), title: name })),
    );
    return h("div", { class: "asked" }, h("ul", { class: "sent", "aria-label": t("pictures") }, ...pictures), words);
  }

  #updateJobs() {
    const { jobs } = this.turn;
    for (const [id, card] of this.#cards) {
      if (jobs.includes(card.job)) continue;
      card.element.remove(); // answered anew
      this.#cards.delete(id);
    }
    for (const job of jobs) {
      if (!this.#cards.has(job.id)) {
        const card = new JobCard(this.#app, job);
        this.#cards.set(job.id, card);
        this.#parts.jobs.append(card.element);
      }
      this.#cards.get(job.id).update();
    }
    this.#parts.jobs.hidden = jobs.length === 0;
  }

  #reasoning() {
    return h(
      "details",
      { class: "reasoning", hidden: true },
      h("summary", {}, icon("think", 16), h("span", {}, this.#app.t("reasoning")), icon("chevron", 14)),
      h("div", { class: "reasoning-text" }),
    );
  }

  #updateStage() {
    const { turn } = this;
    const shown = this.working && (!turn.text || turn.stopping || turn.stage === "resuming");
    section(
      this.#parts.stage,
      shown ? this.stageText() : null,
      () => shown && [h("span", { class: "pulse" }), h("span", { class: "stage-text" }, this.stageText())],
    );
    const { reasoning } = this.#parts;
    reasoning.hidden = !turn.reasoning;
    const text = reasoning.querySelector(".reasoning-text");
    if (text.textContent !== turn.reasoning) text.textContent = turn.reasoning;
  }

  #updateText() {
    const { turn } = this;
    const { t } = this.#app;
    const label = ({ n, document }) => t("source.chip", { n, document });
    const finish = (fragment) => {
      addChips(fragment, turn.passages, label);
      addFrames(fragment, t);
    };
    this.markdown.update(turn.text, { streaming: this.working, finish });
    this.markdown.element.hidden = !turn.text;
    section(
      this.#parts.refusal,
      turn.refused,
      () => turn.refused && [icon("unknown", 18), h("span", {}, t("refused.title"))],
    );
    section(this.#parts.badge, turn.curated, () => turn.curated && [icon("check", 14), h("span", {}, t("curated"))]);
  }

  #updateRemarks() {
    const { turn } = this;
    const { t } = this.#app;
    const known = ["no_model", "length", "content_filter"].find((name) => name === turn.notice);
    const notice = turn.state === "stopped" ? "stopped" : known ? `notice.${known}` : null;
    section(this.#parts.notice, notice, () => notice && [icon("info", 16), h("span", {}, t(notice))]);
    const sentence = this.working ? "" : this.errorText();
    const again = this.#isLast;
    section(
      this.#parts.error,
      [sentence, again, turn.error?.code],
      () =>
        sentence &&
        [
          icon("alert", 18),
          h(
            "div",
            { class: "error-text" },
            h("p", {}, sentence),
            turn.error && h("code", { title: t("error.detail") }, turn.error.code),
          ),
          again &&
            h(
              "button",
              { type: "button", class: "secondary", "data-action": "retry" },
              icon("refresh", 16),
              h("span", {}, t("retry")),
            ),
        ].filter(Boolean),
    );
    const asked = turn.state === "done" && again ? turn.suggestions : [];
    section(
      this.#parts.suggestions,
      asked,
      () =>
        asked.length > 0 && [
          h("p", { class: "label" }, t("suggestions")),
          ...asked.map((text) => h("button", { type: "button", class: "suggestion", "data-action": "ask" }, text)),
        ],
    );
  }

  get #isLast() {
    return this.#app.conversation.last === this.turn;
  }

  #updateActions() {
    const { turn } = this;
    const shown = ["done", "stopped"].includes(turn.state) && Boolean(turn.text || turn.refused);
    const last = this.#isLast;
    const rateable = shown && Boolean(turn.id);
    section(
      this.#parts.actions,
      [shown, last, rateable, turn.rating, turn.model, turn.cached, turn.ms],
      () =>
        shown &&
        [
          this.#action("copy", "copy.answer"),
          last && this.#action("regenerate", "regenerate", "refresh"),
          rateable && this.#action("up", "up", "up", turn.rating === "up"),
          rateable && this.#action("down", "down", "down", turn.rating === "down"),
          h("span", { class: "meta" }, this.#meta()),
        ].filter(Boolean),
    );
  }

  #action(action, label, face = action, pressed = null) {
    const { t } = this.#app;
    return h(
      "button",
      {
        type: "button",
        class: "icon-button small",
        "data-action": action,
        "aria-label": t(label),
        title: t(label),
        "aria-pressed": pressed === null ? null : String(pressed),
      },
      icon(face, 18),
    );
  }

  #meta() {
    const { turn } = this;
    const { t } = this.#app;
    const seconds = turn.ms === null ? null : t("seconds", { n: (turn.ms / 1000).toFixed(1) });
    const model = turn.model === "extractive" ? t("model.extractive") : turn.model;
    return [model, turn.cached && t("cached"), seconds].filter(Boolean).join(" · ");
  }
}
