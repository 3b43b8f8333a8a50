// A document beside its chunks: what is under the pointer or has the focus on one side is marked on the other. And what
// people do to chunks: sent in place, so that the page stays where it is, and what was typed stays when it is refused.

import { say } from "./texts.js";

const KEYS = { e: "[data-edit-chunk]", d: "[data-act=disable] button, [data-act=enable] button", m: "[data-act=merge] button" };
const original = document.getElementById("original");
const dialog = document.getElementById("chunk-dialog");

// --- both sides marked ---

let marked = "";

function placesOf(id) {
  const places = original.querySelectorAll(`[data-chunks~="${CSS.escape(id)}"]`);
  if (places.length) return [...places];
  const chunk = document.getElementById(id);
  return chunk ? [...original.querySelectorAll(`.sheet[data-page="${chunk.dataset.page ?? 1}"]`)] : []; // no line is known
}

function mark(ids) {
  if (ids.join(" ") === marked) return;
  marked = ids.join(" ");
  for (const lit of document.querySelectorAll(".panes .lit")) lit.classList.remove("lit");
  for (const id of ids) {
    document.getElementById(id)?.classList.add("lit");
    for (const place of placesOf(id)) place.classList.add("lit");
  }
}

/** The first of its places into the pane's view; the page itself does not move. */
function showPlace(id) {
  const place = placesOf(id)[0];
  if (!place) return;
  const [pane, spot] = [original.getBoundingClientRect(), place.getBoundingClientRect()];
  if (spot.top >= pane.top && spot.top < pane.bottom - 40) return;
  original.scrollBy({ top: spot.top - pane.top - pane.height / 4 });
}

function chunkOf(target) {
  return target.closest?.("#chunks .chunk");
}

document.addEventListener("pointerover", ({ target }) => {
  const chunk = chunkOf(target);
  const place = target.closest?.("#original [data-chunks]");
  if (chunk) {
    mark([chunk.id]);
    showPlace(chunk.id);
  } else if (place) mark(place.dataset.chunks.split(" "));
});
document.addEventListener("focusin", ({ target }) => {
  const chunk = chunkOf(target);
  if (!chunk) return;
  mark([chunk.id]);
  showPlace(chunk.id);
});
original?.addEventListener("click", ({ target }) => {
  const place = target.closest("[data-chunks]");
  if (!place) return;
  const [id] = place.dataset.chunks.split(" ");
  show("chunks");
  document.getElementById(id)?.scrollIntoView({ block: "center" });
  document.getElementById(id)?.focus({ preventScroll: true });
});

// --- narrow windows: one side at a time ---

function show(pane) {
  const panes = document.getElementById("panes");
  panes.dataset.shown = pane;
  for (const button of panes.querySelectorAll("[data-show-pane]")) {
    button.setAttribute("aria-pressed", String(button.dataset.showPane === pane));
  }
  if (pane !== "original" || !marked) return;
  placesOf(marked.split(" ")[0])[0]?.scrollIntoView({ block: "center" });
}
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-show-pane]");
  if (button) show(button.dataset.showPane);
});

// --- what stands in both ---

async function loadOriginal() {
  const answer = await fetch(original.dataset.src).catch(() => null);
  const was = original.scrollTop;
  if (answer?.ok) original.innerHTML = await answer.text();
  else original.textContent = say(answer ? "js.failed" : "js.offline");
  original.scrollTop = was;
  const ids = marked.split(" ");
  marked = "";
  if (ids[0]) mark(ids);
}

/** Take over what another copy of this page says of the document. */
async function takeOver(page) {
  for (const id of ["document", "chunks"]) {
    const [here, there] = [document.getElementById(id), page.getElementById(id)];
    if (!there) return location.reload();
    here.replaceWith(document.adoptNode(there));
    window.htmx.process(there);
  }
  document.getElementById("panes").dataset.version = document.getElementById("document").dataset.version;
  original.dataset.src = page.getElementById("original").dataset.src;
  document.dispatchEvent(new Event("console:swapped"));
  return loadOriginal();
}

/** A worker, or somebody else, has published another version. */
async function renew() {
  const panes = document.getElementById("panes");
  const version = document.getElementById("document")?.dataset.version;
  if (!panes || panes.dataset.version === version || dialog?.open) return;
  panes.dataset.version = version;
  const answer = await fetch(location.href).catch(() => null);
  if (answer?.ok) await takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
}
document.addEventListener("htmx:afterSwap", renew);

// --- what people do ---

function problem(form, sentence) {
  const place = form.querySelector(".problem");
  if (!place) {
    document.dispatchEvent(new CustomEvent("console:toast", { detail: sentence }));
    return;
  }
  place.textContent = sentence;
  place.hidden = !sentence;
}

async function send(form) {
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok) return problem(form, page.querySelector("[data-sentence]")?.textContent || say("js.failed"));
    if (dialog?.contains(form)) dialog.close();
    history.replaceState(null, "", answer.url);
    await takeOver(page);
    const id = new URL(answer.url).searchParams.get("chunk");
    document.getElementById(id)?.focus({ preventScroll: true });
    document.getElementById(id)?.scrollIntoView({ block: "nearest" });
  } catch {
    problem(form, say("js.offline"));
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-chunk-form]")) return;
  event.preventDefault();
  if (!form.dataset.ask) return send(form);
  document.dispatchEvent(
    new CustomEvent("console:ask", { detail: { question: form.dataset.ask, yes: form.dataset.yes, then: () => send(form) } }),
  );
});

function edit(chunk) {
  const form = dialog.querySelector("form");
  form.dataset.chunk = `/console/chunks/${encodeURIComponent(chunk.id)}`;
  form.action = `${form.dataset.chunk}/text`;
  form.elements.text.value = chunk.querySelector(".chunk-text").textContent;
  form.elements.rest.value = "";
  dialog.querySelector("[data-chunk-number]").textContent = chunk.querySelector(".chunk-number").textContent;
  problem(form, "");
  dialog.showModal();
  form.elements.text.focus();
  form.elements.text.setSelectionRange(0, 0);
  form.elements.text.scrollTop = 0;
}

document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-edit-chunk]")) edit(chunkOf(target));
});
dialog?.querySelector("[data-split]").addEventListener("click", () => {
  const form = dialog.querySelector("form");
  const { text, rest } = form.elements;
  const [whole, at] = [text.value, text.selectionStart];
  if (!whole.slice(0, at).trim() || !whole.slice(at).trim()) {
    problem(form, say("js.split_where"));
    text.focus();
    return;
  }
  form.action = `${form.dataset.chunk}/split`;
  text.value = whole.slice(0, at);
  rest.value = whole.slice(at);
  send(form).then(() => { // refused: all of it again
    if (!dialog.open) return;
    text.value = whole;
    form.action = `${form.dataset.chunk}/text`;
  });
});
dialog?.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) dialog.querySelector("form").requestSubmit();
});

document.addEventListener("keydown", (event) => {
  const chunk = event.target;
  if (!chunk.matches?.("#chunks .chunk") || event.ctrlKey || event.metaKey || event.altKey) return;
  const beside = { ArrowDown: chunk.nextElementSibling, ArrowUp: chunk.previousElementSibling }[event.key];
  const button = KEYS[event.key] && chunk.querySelector(KEYS[event.key]);
  if (!beside && !button) return;
  event.preventDefault();
  (beside ?? button)[beside ? "focus" : "click"]();
});

if (original) loadOriginal();
