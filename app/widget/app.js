// The chat: puts header, thread, composer and source pane together, and turns presses into calls on the conversation.

import { Api, ApiError } from "./api.js";
import { dropping } from "./attachments.js";
import { plain, sentenceBefore, sentencesCiting } from "./citations.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { copyText, h } from "./dom.js";
import { buildHeader } from "./header.js";
import { icon } from "./icons.js";
import { KeyForm } from "./keyform.js";
import { Renderer } from "./markdown.js";
import { SourcePane } from "./pane.js";
import { Stored } from "./storage.js";
import { errorSentence } from "./strings.js";
import { adopt } from "./styles/adopt.js";
import { chat } from "./styles/chat.js";
import { prose } from "./styles/prose.js";
import { jobs as jobStyles } from "./styles/jobs.js";
import { turn as turnStyles } from "./styles/turn.js";
import { Thread } from "./thread.js";
import { Words } from "./words.js";

const TOAST_MS = 2600;
const TICK_MS = 1500;

export class App {
  #panel;
  #config;
  #preferences;
  #close;
  #api;
  #status = { knowledge_bases: [], suggestions: {}, auth_required: false, may_work: false };
  #storedKey;
  #gated = false;
  #flush = () => this.conversation.flush();
  #rebuild = () => this.#build();

  constructor({ panel, root, config, preferences, close }) {
    Object.assign(this, { root });
    this.#panel = panel;
    this.#config = config;
    this.#preferences = preferences;
    this.#close = close;
    adopt(root.getRootNode(), [chat, prose, turnStyles, jobStyles]);
    this.#storedKey = new Stored(`key:${config.base}`);
    this.#api = new Api(config.base, this);
    this.words = new Words(this);
    this.conversation = new Conversation(this.#api, new Stored(`conversation:${config.base}:${config.kb.join(",")}`));
    this.conversation.addEventListener("change", (event) => this.#onChange(event.detail));
    this.renderer = new Renderer(config.base);
    this.live = h("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.toastLine = h("div", { class: "toast", role: "status", "aria-live": "polite", hidden: true });
    root.append(this.live, this.toastLine);
    preferences.addEventListener("change", this.#rebuild);
    window.addEventListener("pagehide", this.#flush);
    this.#build();
    this.conversation.resumeLast();
    this.#loadStatus();
  }

  dispose() {
    this.#preferences.removeEventListener("change", this.#rebuild);
    window.removeEventListener("pagehide", this.#flush);
    this.conversation.flush();
  }

  // What the API sends with each call, and what views read.
  get key() {
    return this.#config.key || this.#storedKey.get() || "";
  }

  get lang() {
    return this.#preferences.lang;
  }

  get t() {
    return this.#preferences.t;
  }

  get base() {
    return this.#config.base;
  }

  /** Whether pictures may be sent: the site wants it, and the service says that this caller may. */
  get pictures() {
    return this.#config.pictures && this.#status.may_work;
  }

  get jobs() {
    return this.conversation.jobs;
  }

  upload(file, onProgress, signal) {
    return this.#api.upload(file, onProgress, signal);
  }

  addressOf(link) {
    return this.#api.address(link);
  }

  fetchWords(lang) {
    return this.#api.words(lang);
  }

  /** Words have come that were not there: everything that shows some is drawn again. */
  repaint() {
    this.thread?.changed(null);
  }

  get title() {
    return this.#config.title || this.t("title");
  }

  get suggestions() {
    const given = this.#status.suggestions?.[this.lang] ?? [];
    return (given.length ? given : this.t("empty.suggestions")).slice(0, 4);
  }

  /** The knowledge bases one can choose from: none when the site has fixed one, or there is only one. */
  get choices() {
    const bases = this.#status.knowledge_bases ?? [];
    return this.#config.kb.length || bases.length < 2 ? [] : bases;
  }

  /** Into the composer; on a touch screen its keyboard would hide what there is to read, so to the thread there. */
  focus() {
    if (this.#gated) this.keyForm.focus();
    else if (matchMedia("(pointer: coarse)").matches) this.thread.scroller.focus({ preventScroll: true });
    else this.composer.focus();
  }

  ask(question, attachments = []) {
    const text = question.trim();
    if (!text || this.conversation.busy || this.#gated) return false;
    this.pane.close();
    this.conversation.send(text, this.#config.kb.length ? this.#config.kb : this.composer.chosen, attachments);
    this.thread.follow();
    return true;
  }

  /** Esc, from the innermost thing outwards; false when there was nothing of ours to close or stop. */
  escape() {
    if (this.composer.closePicker() || this.composer.menu.close() || this.thread.closePopover() || this.pane.close())
      return true;
    if (!this.conversation.busy) return false;
    this.conversation.stop();
    return true;
  }

  toast(text) {
    this.toastLine.textContent = text;
    this.toastLine.hidden = false;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toastLine.hidden = true), TOAST_MS);
  }

  /** Everything with words in it, anew: at the start and when the language or the appearance changes. */
  #build() {
    const draft = this.composer?.draft;
    const chosen = this.composer?.chosen;
    const before = this.composer?.attachments;
    this.composer = new Composer(this, { draft, chosen });
    before?.moveTo(this.composer.attachments);
    this.keyForm = new KeyForm(this, (key) => this.#useKey(key));
    this.thread?.dispose();
    this.thread = new Thread(this);
    this.pane = new SourcePane(this, this.#panel);
    this.main = h(
      "div",
      { class: "main", on: { click: (event) => this.#onPress(event), ...dropping(this) } },
      this.thread.element,
      this.keyForm.element,
      this.composer.element,
    );
    const header = buildHeader(this, this.#preferences, this.#config.page ? null : this.#close, () =>
      this.#startOver(),
    );
    this.#panel.replaceChildren(header, h("div", { class: "body" }, this.main, this.pane.scrim, this.pane.element));
    this.#panel.removeAttribute("data-pane");
    this.#gate(this.#gated);
  }

  async #loadStatus() {
    try {
      this.#status = await this.#api.status();
      this.#gate(this.#status.auth_required && !this.key);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // A service that cannot be reached says so when a question is asked; nothing is known to be wrong before.
      if (error.status === 401) this.#gate(!this.#config.key);
      else this.#status.may_work = true;
    }
    this.thread.refreshEmpty();
    this.composer.refresh();
  }

  #gate(closed, invalid = false) {
    this.#gated = closed;
    this.keyForm.show(closed, invalid);
    this.composer.element.hidden = closed;
    this.main.toggleAttribute("data-gated", closed);
  }

  #useKey(key) {
    this.#storedKey.set(key);
    this.#gate(false);
    this.#loadStatus();
    const { last } = this.conversation;
    if (last?.error?.status === 401) this.conversation.retry(last);
    this.focus();
  }

  #startOver() {
    this.pane.close();
    this.conversation.clear();
    this.focus();
  }

  #onChange(turn) {
    this.thread.changed(turn);
    this.composer.refreshSend();
    const refused = turn?.error?.status === 401 && !this.conversation.busy;
    if (refused && !this.#config.key) {
      const had = Boolean(this.#storedKey.get());
      this.#storedKey.remove();
      this.#gate(true, had);
      this.keyForm.focus();
    }
  }

  async #onPress(event) {
    const button = event.target.closest("[data-action]");
    if (!button || button.disabled) return;
    const view = this.thread.viewOf(button);
    const actions = {
      ask: () => this.ask(button.textContent) && this.focus(),
      source: () => this.#openSource(view, button),
      copy: () => this.#copy(button, plain(view.markdown.element)),
      "copy-code": () => this.#copy(button, button.closest(".code").querySelector("pre").textContent.trimEnd()),
      "copy-text": () => this.#copy(button, button.closest(".job-text").querySelector(".job-words").textContent),
      "cancel-job": () => this.#cancel(view.turn, button.closest(".job").dataset.job),
      "copy-table": () => this.#copy(button, plain(button.closest(".table").querySelector("table"))),
      regenerate: () => this.conversation.regenerate(view.turn),
      retry: () => this.conversation.retry(view.turn),
      up: () => this.#rate(view, { rating: "up" }),
      down: () => this.#rate(view, { rating: "down" }, button),
      latest: () => this.thread.follow(),
    };
    await actions[button.dataset.action]?.();
  }

  #openSource(view, button) {
    const n = Number(button.dataset.n);
    const sentences = button.classList.contains("chip") ? [sentenceBefore(button)].filter(Boolean) : null;
    this.pane.open({
      turn: view.turn,
      n,
      sentencesFor: (number) =>
        number === n && sentences?.length ? sentences : sentencesCiting(view.markdown.element, number),
      opener: button,
    });
  }

  async #copy(button, text) {
    if (!(await copyText(text, this.root.getRootNode()))) {
      this.toast(this.t("copy.failed"));
      return;
    }
    const face = button.querySelector("svg");
    const tick = icon("check", Number(face.getAttribute("width")));
    face.replaceWith(tick);
    this.live.textContent = this.t("copied");
    setTimeout(() => tick.replaceWith(face), TICK_MS);
  }

  async #cancel(turn, id) {
    try {
      await this.jobs.cancel(
        turn,
        turn.jobs.find((job) => job.id === id),
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.toast(this.words.error(error.code) ?? errorSentence(this.lang, error));
    }
  }

  async #rate(view, feedback, button) {
    const repeated = view.turn.rating === feedback.rating;
    if (button) view.feedback.toggle(button, (more) => this.#rate(view, { ...feedback, ...more }));
    if (repeated && !feedback.reason && !feedback.comment) return;
    try {
      await this.conversation.feedback(view.turn, feedback);
      if (!button) this.toast(this.t("feedback.thanks"));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.toast(this.t("feedback.failed"));
    }
  }
}
