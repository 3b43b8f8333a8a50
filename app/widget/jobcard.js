// A job in a turn: how far it is, how it looks so far, and what came of it.

import { h, section } from "./dom.js";
import { icon } from "./icons.js";
import { isOver } from "./jobwatch.js";
import { errorSentence } from "./strings.js";
import { blobOf, thumbnail } from "./thumbnail.js";

const PREVIEW_PX = 480;
const FACES = { succeeded: "check", failed: "alert", cancelled: "close" };

export class JobCard {
  #app;
  #parts;
  #drawn = null; // the preview that is shown
  #announced;

  constructor(app, job) {
    this.#app = app;
    this.job = job;
    this.#announced = isOver(job);
    const part = (name) => h("div", { class: name, hidden: true });
    this.#parts = {
      head: part("job-head"),
      preview: part("job-preview"),
      progress: part("job-progress"),
      result: part("job-result"),
    };
    this.element = h("section", { class: "job", "data-job": job.id }, ...Object.values(this.#parts));
  }

  update() {
    const { job } = this;
    const { words } = this.#app;
    const kind = words.kind(job.kind);
    this.element.dataset.state = job.state;
    this.element.setAttribute("aria-label", kind);
    const state = words.state(job.state);
    section(this.#parts.head, [kind, state, job.cancelling, isOver(job)], () => this.#head(kind, state));
    this.#updateProgress();
    this.#updatePreview();
    section(this.#parts.result, [job.state, job.error, job.files, job.texts, this.#before, this.#reason()], () =>
      this.#result(),
    );
    if (isOver(job) && !this.#announced) {
      this.#announced = true;
      this.#app.live.textContent = `${kind}: ${state}. ${this.#reason()}`;
    }
  }

  #head(kind, state) {
    const { t } = this.#app;
    const { job } = this;
    const over = isOver(job);
    const cancel = h(
      "button",
      { type: "button", class: "secondary small", "data-action": "cancel-job", disabled: Boolean(job.cancelling) },
      job.cancelling ? t("job.cancelling") : t("job.cancel"),
    );
    return [
      h("span", { class: "job-face" }, icon(FACES[job.state] ?? "picture", 18)),
      h("p", { class: "job-kind" }, kind),
      (over || job.state === "waiting") && h("span", { class: "job-state" }, state),
      !over && cancel,
    ].filter(Boolean);
  }

  #updateProgress() {
    const { t, words } = this.#app;
    const { job } = this;
    const under = !isOver(job) && job.state !== "waiting";
    const why = job.postponed && (words.error(job.postponed) ?? job.postponed);
    const stage = why || (job.stage && job.state === "running" ? words.stage(job.stage) : words.state(job.state));
    const percent = job.percent ?? 0;
    section(
      this.#parts.progress,
      under ? [stage, percent] : null,
      () =>
        under && [
          h("progress", { max: 100, value: percent, "aria-label": t("job.progress", { kind: words.kind(job.kind) }) }),
          h(
            "p",
            { class: "job-stage" },
            h("span", {}, stage),
            h("span", {}, job.state === "running" ? `${percent}%` : ""),
          ),
        ],
    );
  }

  #updatePreview() {
    const preview = this.#app.jobs.preview(this.job);
    const place = this.#parts.preview;
    place.hidden = !preview || isOver(this.job);
    if (!preview || preview === this.#drawn) return;
    this.#drawn = preview;
    if (preview.text) place.textContent = preview.text;
    else
      thumbnail(blobOf(preview.image), PREVIEW_PX, { role: "img", "aria-label": this.#app.t("job.preview") }).then(
        (canvas) => {
          if (canvas && this.#drawn === preview) place.replaceChildren(canvas);
        },
      );
  }

  /** Why there is no result, in the reader's language. */
  #reason() {
    const { t, words, lang } = this.#app;
    const { state, error } = this.job;
    if (state === "waiting") return t("job.waits");
    if (state === "cancelled") return t("job.cancelled");
    if (state !== "failed") return "";
    const { code = "internal", message = "", params = {} } = error ?? {};
    return words.error(code, params) ?? errorSentence(lang, { code, detail: message });
  }

  #result() {
    const { job } = this;
    const reason = this.#reason();
    const files = (job.files ?? []).filter(({ media_type }) => !media_type.startsWith("image/"));
    const pictures = (job.files ?? []).filter(({ media_type }) => media_type.startsWith("image/"));
    const parts = [
      reason && h("p", { class: "job-reason" }, reason, job.error ? h("code", {}, job.error.code) : null),
      ...(job.texts ?? []).map((text) => this.#text(text)),
      ...pictures.map((file) => this.#picture(file)),
      files.length > 0 && h("p", { class: "job-files" }, ...files.map((file) => this.#download(file, file.name))),
    ].filter(Boolean);
    return parts.length > 0 && parts;
  }

  #text({ name, text, doubts }) {
    const { t } = this.#app;
    const copy = h(
      "button",
      {
        type: "button",
        class: "icon-button small",
        "data-action": "copy-text",
        "aria-label": t("copy"),
        title: t("copy"),
      },
      icon("copy", 16),
    );
    return h(
      "div",
      { class: "job-text" },
      h(
        "div",
        {},
        name && h("p", { class: "label" }, name),
        h("p", { class: "job-words" }, text),
        doubts > 0 && h("p", { class: "job-doubts" }, icon("alert", 14), t("job.doubts", { n: doubts })),
      ),
      copy,
    );
  }

  #picture(file) {
    const { t } = this.#app;
    const { width, height } = file; // its place is kept while it loads
    const after = h("img", { class: "after", src: this.#address(file.link), alt: file.name, width, height });
    const before = this.#before;
    const frame = before
      ? h(
          "div",
          { class: "compare" },
          after,
          h("img", { class: "before", src: this.#address(before), alt: t("job.before") }),
          h("span", { class: "compare-line", "aria-hidden": "true" }, icon("left", 14), icon("right", 14)),
          h("input", {
            type: "range",
            min: 0,
            max: 100,
            value: 0,
            "aria-label": t("job.compare"),
            on: { input: ({ target }) => target.parentNode.style.setProperty("--at", `${target.value}%`) },
          }),
        )
      : h("div", { class: "compare" }, after);
    return h("figure", { class: "job-picture" }, frame, h("figcaption", {}, this.#download(file, t("job.download"))));
  }

  #download({ link, name }, label) {
    const href = this.#address(`${link}&download=true`);
    return h("a", { class: "secondary small", href, download: name }, icon("download", 16), h("span", {}, label));
  }

  /** The link of the picture it was made from, if this conversation has it. */
  get #before() {
    return this.job.image ? this.#app.conversation.pictureLink(this.job.image) : null;
  }

  #address(link) {
    return this.#app.addressOf(link);
  }
}
