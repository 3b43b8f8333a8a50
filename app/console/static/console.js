// What all pages share: appearance, dialogs, confirmations, times, copying, and lists that follow what is going on.

import { say } from "./texts.js";

const THEMES = ["auto", "light", "dark"];
const PREFERENCES = "merchant-copilot:preferences"; // shared with the chat page
const REFRESH_MS = 1000;
const OFFLINE_REFRESH_MS = 5000;
const SLOW_REFRESH_MS = 10_000; // lists that grow without anybody here doing something
const TOAST_MS = 4000;
const root = document.documentElement;

// --- appearance and language ---

function remember(choice) {
  try {
    const known = JSON.parse(localStorage.getItem(PREFERENCES)) ?? {};
    localStorage.setItem(PREFERENCES, JSON.stringify({ ...known, ...choice }));
  } catch {
    // storage is blocked: the choice lasts as long as the page
  }
}

function showTheme(button) {
  const label = say(`js.theme.${root.dataset.theme ?? "auto"}`);
  button.title = label;
  button.setAttribute("aria-label", label);
}

for (const button of document.querySelectorAll("[data-theme-switch]")) {
  showTheme(button);
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") delete root.dataset.theme;
    else root.dataset.theme = next;
    remember({ theme: next });
    showTheme(button);
  });
}
for (const form of document.querySelectorAll("form[data-language]")) {
  form.addEventListener("submit", () => remember({ lang: form.dataset.language }));
}

// --- dialogs ---

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  event.target.closest("[data-close]")?.closest("dialog")?.close();
  if (event.target instanceof HTMLDialogElement) event.target.close(); // the backdrop
});
for (const dialog of document.querySelectorAll("dialog[data-open-now]")) dialog.showModal();
for (const input of document.querySelectorAll("[data-must-be]")) {
  const button = input.form.querySelector("[type=submit]");
  const check = () => { button.disabled = input.value.trim() !== input.dataset.mustBe; };
  input.addEventListener("input", check);
  check();
}

/** Ask before something that cannot be taken back. */
function confirmed(question, yes) {
  const dialog = document.getElementById("confirm");
  const button = document.getElementById("confirm-yes");
  hold();
  document.getElementById("confirm-text").textContent = question;
  button.textContent = yes;
  return new Promise((resolve) => {
    const agree = () => dialog.close("yes");
    dialog.returnValue = "";
    button.addEventListener("click", agree);
    dialog.addEventListener("close", () => {
      button.removeEventListener("click", agree);
      resolve(dialog.returnValue === "yes");
    }, { once: true });
    dialog.showModal();
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.confirm) return;
  event.preventDefault();
  if (await confirmed(form.dataset.confirm, form.dataset.confirmYes)) form.submit();
});
document.addEventListener("htmx:confirm", async (event) => {
  const { question, elt, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  if (!(await confirmed(question, elt.dataset.confirmYes))) return;
  if (elt.isConnected) issueRequest(true);
  else toast(say("js.failed"));
});

// What other scripts ask and say here, too.
document.addEventListener("console:ask", async ({ detail: { question, yes, then } }) => {
  if (await confirmed(question, yes)) then();
});
document.addEventListener("console:toast", ({ detail }) => toast(detail));

// --- times, in the visitor's zone ---

const clock = new Intl.DateTimeFormat(root.lang, { dateStyle: "medium", timeStyle: "short" });

function localTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    time.textContent = clock.format(moment);
    time.title = moment.toLocaleString(root.lang);
  }
}
localTimes(document);
document.addEventListener("console:swapped", () => localTimes(document));

// --- copying ---

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    toast(say("js.copied"));
  } catch {
    getSelection().selectAllChildren(source); // no clipboard without https: ready for Ctrl + C
    toast(say("js.copy_failed"));
  }
});

let toastTimer;
function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { place.hidden = true; }, TOAST_MS);
}

// --- lists and documents that are being worked on ---

let stale = false; // something changed that the list does not show yet
let offline = false;

function followed() {
  return document.querySelector("[data-summary]");
}

let refreshed = Date.now();
function refresh() {
  const region = followed();
  if (!region || document.hidden || document.querySelector("dialog[open]")) return;
  const due = "slow" in region.dataset && Date.now() - refreshed > SLOW_REFRESH_MS;
  if (!stale && !offline && !due && !("active" in region.dataset)) return;
  refreshed = Date.now();
  window.htmx.trigger(region, "console:refresh");
}

/** While a question is open, nothing is replaced: what it is about must still be there when it is answered. */
function hold() {
  const region = followed();
  if (region) window.htmx.trigger(region, "htmx:abort");
  stale = true;
}

function tick() {
  refresh();
  setTimeout(tick, offline ? OFFLINE_REFRESH_MS : REFRESH_MS);
}
setTimeout(tick, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
document.addEventListener("console:changed", () => {
  stale = true;
  refresh();
});

function announce() {
  const announcer = document.getElementById("announcer");
  const summary = followed()?.dataset.summary ?? "";
  if (announcer.textContent !== summary) announcer.textContent = summary;
}

let focusedInside = false;
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target.matches("[data-summary]")) stale = false;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  focusedInside = event.detail.target.contains(document.activeElement);
});
document.addEventListener("htmx:afterSwap", () => {
  offline = false;
  localTimes(document);
  if (followed()) announce();
  // What had the focus may be gone (a deleted row, a form that became a key): stay in the region.
  if (focusedInside && document.activeElement === document.body) document.querySelector("[data-summary], #keys")?.focus();
});
document.addEventListener("htmx:sendError", () => {
  offline = true;
  toast(say("js.offline"));
});
document.addEventListener("htmx:responseError", ({ detail }) => {
  const page = new DOMParser().parseFromString(detail.xhr.responseText, "text/html");
  toast(page.querySelector("[data-sentence]")?.textContent || say("js.failed"));
});
