// What is written and sent, and as whom.

import { h, section } from "/widget/dom.js";
import { Attachments } from "./attachments.js";
import { avatar, nameOf } from "./avatar.js";
import { plain, summary } from "./conversations.js";
import { icon } from "./icons.js";
import { attempt } from "./notices.js";
import { post } from "./remote.js";
import { t, words } from "./words.js";

const WISHES = ["wish.white", "wish.scene", "wish.transparent"];
const TALLEST = 140; // pixels

export class Composer {
  #store;
  #spoken = false;
  #busy = false;
  #speakers = h("div", { class: "speakers", role: "radiogroup" });
  #quote = h("div", { class: "replying" });
  #wishes = h("div", { class: "wishes" });
  #field = h("textarea", { rows: "1", maxlength: "4000", enterkeyhint: "send" });
  #at = h("span", { class: "composer-at" });
  #tools = h("div", { class: "composer-tools" });
  #send = h("button", { type: "submit", class: "send" }, icon("send", 20));

  constructor(store) {
    this.#store = store;
    this.attachments = new Attachments(store, () => this.update());
    const line = h("div", { class: "composer-line" }, this.#at, this.#field);
    const foot = h("div", { class: "composer-foot" }, this.#tools, this.#send);
    this.element = h(
      "form",
      { class: "composer", on: { submit: (event) => this.#submit(event) } },
      this.#speakers,
      h(
        "div",
        { class: "composer-box" },
        this.#quote,
        this.attachments.element,
        line,
        foot,
        this.attachments.picker,
        this.attachments.inputs,
      ),
      this.#wishes,
    );
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    this.#field.addEventListener("input", () => this.#grown());
    this.#field.addEventListener("paste", (event) => this.attachments.take(event.clipboardData?.files ?? [], event));
  }

  focus() {
    this.#field.focus();
  }

  /** Sends at once what somebody chose to try. */
  async try({ text, photo }) {
    if (photo) await this.attachments.takePhoto(photo);
    this.#field.value = text;
    await this.#say();
  }

  update() {
    const { place, speaker, people, replying } = this.#store;
    if (!place) return;
    const single = place.kind === "single";
    this.#field.placeholder = t(replying ? "placeholder.reply" : `placeholder.${place.kind}`);
    this.#field.setAttribute("aria-label", this.#field.placeholder);
    this.#at.textContent = `@${t("robot")}`;
    this.#at.hidden = single;
    this.#send.setAttribute("aria-label", t("send"));
    this.#send.disabled = this.#busy || !(this.#field.value.trim() || this.attachments.any);
    this.#speakers.setAttribute("aria-label", t("speaking_as"));
    section(this.#speakers, [words.lang, place.id, speaker.id], () =>
      single ? null : place.members.map((id) => this.#speaker(people.get(id))),
    );
    section(this.#quote, [words.lang, replying?.number], () => replying && this.#replying(replying));
    section(this.#wishes, [words.lang, this.attachments.pictures.length, Boolean(this.#field.value)], () =>
      this.#wishesShown(),
    );
    section(this.#tools, [words.lang, single, this.#spoken, Boolean(replying)], () =>
      this.#toolsShown(single, Boolean(replying)),
    );
  }

  #speaker(person) {
    const chosen = person === this.#store.speaker;
    const says = t(`role.${person.role}`);
    const role = person.role === "viewer" || says === person.name ? null : h("span", { class: "speaker-role" }, says);
    const attributes = {
      type: "button",
      class: "speaker",
      role: "radio",
      "aria-checked": String(chosen),
      "data-user": person.id,
      tabindex: chosen ? "0" : "-1",
    };
    const choose = () => {
      this.#store.speakAs(person.id);
      this.focus();
    };
    return h(
      "button",
      { ...attributes, on: { click: choose, keydown: (event) => this.#arrow(event) } },
      avatar(person, "small"),
      h("span", {}, person.name),
      role,
    );
  }

  /** The arrow keys go through the speakers, as they do through radio buttons. */
  #arrow(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const { members } = this.#store.place;
    const index = members.indexOf(this.#store.speaker.id);
    this.#store.speakAs(members.at((index + step) % members.length));
    this.#speakers.querySelector("[aria-checked=true]")?.focus();
  }

  #replying(item) {
    const name = nameOf(this.#store.people.get(item.user));
    const drop = {
      type: "button",
      class: "icon-button small",
      "aria-label": t("reply.none"),
      on: { click: () => this.#store.reply(null) },
    };
    return [
      h("span", { class: "replying-who" }, t("reply.to", { name })),
      h("span", { class: "replying-text" }, plain(summary(item))),
      h("button", drop, icon("close", 16)),
    ];
  }

  #wishesShown() {
    if (!this.attachments.pictures.length || this.#field.value) return null;
    const send = (text) => {
      this.#field.value = text;
      this.#say();
    };
    return WISHES.map((key) =>
      h("button", { type: "button", class: "wish", on: { click: () => send(t(key)) } }, t(key)),
    );
  }

  #toolsShown(single, replying) {
    const tool = (name, sign, press, { possible = true, pressed = null } = {}) => {
      const title = possible ? t(name) : t("attach.not_in_groups");
      const attributes = {
        type: "button",
        class: "icon-button",
        "data-tool": sign,
        "aria-label": title,
        title,
        disabled: !possible,
        "aria-pressed": pressed,
      };
      return h("button", { ...attributes, on: { click: press } }, icon(sign, 20));
    };
    const speak = () => {
      this.#spoken = !this.#spoken;
      this.update();
      this.focus();
    };
    return [
      replying ? null : tool("attach.picture", "picture", () => this.attachments.togglePicker()),
      tool("attach.file", "doc", () => this.attachments.chooseFile(), { possible: single }),
      tool("attach.voice", "mic", speak, { possible: single, pressed: single ? String(this.#spoken) : null }),
      this.#spoken && single ? h("span", { class: "spoken" }, t("voice.on")) : null,
    ].filter(Boolean);
  }

  #key(event) {
    if (event.key === "Escape" && this.#store.replying) this.#store.reply(null);
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#say();
  }

  #grown() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${Math.min(this.#field.scrollHeight, TALLEST)}px`;
    this.update();
  }

  #submit(event) {
    event.preventDefault();
    this.#say();
  }

  async #say() {
    const text = this.#field.value.trim();
    if (this.#busy || !this.#store.place || !(text || this.attachments.any)) return;
    const { place, speaker, replying } = this.#store;
    const { pictures } = this.attachments;
    const spoken = this.#spoken && place.kind === "single" && pictures.length === 0;
    this.#busy = true;
    this.#field.value = "";
    this.attachments.clear();
    this.#grown();
    const quote = pictures.length ? null : (replying?.number ?? null);
    await attempt(() => post("/api/say", { conversation: place.id, user: speaker.id, text, pictures, quote, spoken }));
    this.#busy = false;
    this.#spoken = false;
    this.#store.reply(null);
    this.focus();
  }
}
