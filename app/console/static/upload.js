// Uploads of one knowledge base: dropped or chosen, three at a time, each with its progress. What the server makes of
// them is the list's to show; here stay the ones that did not get there.

import { takeDrops } from "./drops.js";
import { chosen, dropped } from "./entries.js";
import { say } from "./texts.js";

const AT_A_TIME = 3;
const SHOWN_MS = 2500; // how long an uploaded file stays in the list
const panel = document.getElementById("upload");
const to = panel.dataset.to;
const maxMb = Number(panel.dataset.maxMb);
const list = panel.querySelector("ul");
const summary = panel.querySelector(".transfers-summary");
const total = panel.querySelector(".transfers-total");

let transfers = [];
let sending = 0;

class Transfer {
  constructor({ file, name }) {
    Object.assign(this, { file, name, state: "waiting", sent: 0 });
    this.item = element("li", "transfer");
    this.bar = Object.assign(element("progress"), { max: 1, value: 0 });
    this.bar.setAttribute("aria-label", say("js.upload.progress", { name }));
    this.words = element("span", "transfer-state");
    this.button = Object.assign(element("button", "button small"), { type: "button" });
    this.button.addEventListener("click", () => (this.state === "failed" ? this.again() : this.cancel()));
    this.item.append(Object.assign(element("span", "transfer-name"), { textContent: name, dir: "auto" }), this.bar, this.words, this.button);
    this.show(say("js.upload.waiting"));
  }

  get over() {
    return this.state === "done" || this.state === "failed";
  }

  show(words) {
    const action = say(this.state === "failed" ? "js.upload.retry" : "js.upload.cancel");
    this.item.dataset.state = this.state;
    this.words.textContent = words;
    this.bar.value = this.sent;
    this.bar.hidden = this.over;
    this.button.hidden = this.state === "done";
    this.button.textContent = action;
    this.button.setAttribute("aria-label", say("js.upload.label", { action, name: this.name }));
  }

  start() {
    if (this.file.size > maxMb * 1024 * 1024) return this.fail(say("js.upload.too_large", { n: maxMb }));
    this.state = "sending";
    sending += 1;
    this.request = new XMLHttpRequest();
    this.request.open("POST", to);
    this.request.upload.addEventListener("progress", ({ loaded, total: whole }) => {
      this.sent = whole ? loaded / whole : 1;
      this.show(this.sent < 1 ? say("js.upload.sending", { n: Math.floor(this.sent * 100) }) : say("js.upload.storing"));
      count();
    });
    this.request.addEventListener("load", () => this.answered());
    this.request.addEventListener("error", () => this.fail(say("js.upload.offline")));
    const form = new FormData();
    form.append("name", this.name);
    form.append("file", this.file, this.file.name);
    this.request.send(form);
    this.show(say("js.upload.sending", { n: 0 }));
  }

  answered() {
    let answer = {};
    try {
      answer = JSON.parse(this.request.responseText);
    } catch {
      // a proxy's page; the status says enough
    }
    if (this.request.status !== 202) {
      const known = say(`error.${answer.code}`) ?? say(`reason.${answer.code}`);
      return this.fail(known ?? answer.detail ?? say("js.upload.failed"));
    }
    this.leave("done");
    this.unchanged = answer.unchanged;
    const news = answer.version ? say("js.upload.new_version", { n: answer.version + 1 }) : say("js.upload.received");
    this.show(answer.unchanged ? say("js.upload.unchanged") : news);
    setTimeout(() => this.item.remove(), SHOWN_MS);
    document.dispatchEvent(new Event("console:changed"));
    next();
  }

  fail(words) {
    this.leave("failed");
    this.show(words);
    next();
  }

  again() {
    this.state = "waiting";
    this.sent = 0;
    this.show(say("js.upload.waiting"));
    next();
  }

  leave(state) {
    if (this.state === "sending") sending -= 1;
    this.state = state;
  }

  cancel() {
    this.leave("cancelled");
    this.request?.abort();
    this.item.remove();
    transfers = transfers.filter((transfer) => transfer !== this);
    next();
  }
}

function next() {
  for (const transfer of transfers) {
    if (sending >= AT_A_TIME) break;
    if (transfer.state === "waiting") transfer.start();
  }
  count();
}

/** The line and the bar on top of the list. */
function count() {
  const done = transfers.filter(({ state }) => state === "done");
  const failed = transfers.filter(({ state }) => state === "failed").length;
  const unchanged = done.filter((transfer) => transfer.unchanged).length;
  const over = done.length + failed === transfers.length;
  const parts = over
    ? [say("js.upload.done", { done: done.length }), unchanged && say("js.upload.done_unchanged", { n: unchanged }), failed && say("js.upload.done_failed", { n: failed })]
    : [say("js.upload.under_way", { done: done.length + failed, total: transfers.length })];
  tell(transfers.length ? parts.filter(Boolean).join(" · ") : "");
  total.hidden = over;
  total.value = transfers.reduce((sum, { sent, over: ended }) => sum + (ended ? 1 : sent), 0) / (transfers.length || 1);
  panel.querySelector("[data-dismiss]").hidden = !over;
}

function tell(words) {
  if (summary.textContent !== words) summary.textContent = words; // a live region: only what is new is read out
  panel.querySelector(".transfers").hidden = !words;
}

function add(files) {
  if (!files.length) return tell(say("js.upload.nothing"));
  if (transfers.every(({ over }) => over)) transfers = transfers.filter(({ state }) => state === "failed");
  const added = files.map((file) => new Transfer(file));
  transfers.push(...added);
  list.append(...added.map(({ item }) => item));
  next();
}

function element(tag, className = "") {
  return Object.assign(document.createElement(tag), { className });
}

panel.querySelector("[data-dismiss]").addEventListener("click", () => {
  transfers = [];
  list.replaceChildren();
  tell("");
});
for (const button of panel.querySelectorAll("[data-choose]")) {
  const input = panel.querySelector(`[data-input=${button.dataset.choose}]`);
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(chosen(input));
    input.value = ""; // the same file may be chosen again
  });
}

takeDrops({
  hover: (over) => panel.toggleAttribute("data-over", over),
  drop: async (event) => {
    if (transfers.every(({ over }) => over)) tell(say("js.upload.reading"));
    add(await dropped(event.dataTransfer));
  },
});
addEventListener("beforeunload", (event) => {
  if (transfers.every(({ over }) => over)) return;
  event.preventDefault();
  event.returnValue = say("js.upload.leave");
});
