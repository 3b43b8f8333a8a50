// A job under way: percent, stage and preview as they come, also after a reload; when its state changes, the server
// draws it anew. And the slider between a picture and what it was made from.

import { say } from "./texts.js";

const AGAIN_MS = 4000;
const ORDER = ["waiting", "queued", "running"];
let following = null; // {id, source, last: the newest progress, preview: the newest one}

function follow() {
  const panel = document.querySelector("[data-job][data-live]");
  if (following && panel?.dataset.job !== following.id) stop();
  if (!panel) return;
  if (following) {
    if (following.last) show({ ...following.last, preview: following.preview }); // drawn anew meanwhile
    return;
  }
  const { job: id } = panel.dataset;
  const source = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  following = { id, source, last: null, preview: null };
  source.addEventListener("progress", ({ data }) => progress(JSON.parse(data)));
  source.addEventListener("state", ({ data }) => changed(JSON.parse(data)));
  source.addEventListener("done", () => {
    stop();
    redraw(id);
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) return; // it comes back by itself, where it broke off
    stop();
    setTimeout(() => redraw(id), AGAIN_MS);
  });
}

function stop() {
  following?.source.close();
  following = null;
}

function panelOf(id) {
  return document.querySelector(`[data-job="${CSS.escape(id)}"]`);
}

function redraw(id) {
  const panel = panelOf(id);
  const how = { target: panel, swap: "outerHTML", select: "#job" };
  if (panel) window.htmx.ajax("GET", `/console/jobs/${encodeURIComponent(id)}`, how);
}

function changed({ id, state, reason }) {
  const panel = panelOf(id);
  if (!panel) return;
  const why = reason && (say(`error.${reason}`) ?? say(`reason.${reason}`) ?? reason);
  if (why) write(panel, "[data-stage]", say("js.job.postponed", { reason: why }));
  // The end is told by “done”; after a reload the past is told once more.
  else if (ORDER.indexOf(state) > ORDER.indexOf(panel.dataset.state)) redraw(id);
}

function progress(data) {
  following.last = data;
  following.preview = data.preview ?? following.preview;
  show(data);
}

function show({ percent, stage, preview }) {
  const panel = panelOf(following.id);
  const bar = panel?.querySelector("progress");
  if (!bar) return;
  bar.value = percent;
  write(panel, "[data-percent]", `${percent}%`);
  write(panel, "[data-stage]", say(`stage.${stage}`) ?? stage);
  if (!preview) return;
  const place = panel.querySelector("[data-preview]");
  place.hidden = false;
  if (preview.text) place.textContent = preview.text;
  else {
    const image = place.querySelector("img") ?? Object.assign(new Image(), { alt: say("js.job.preview") });
    image.src = preview.image;
    if (!image.isConnected) place.replaceChildren(image);
  }
}

function write(panel, selector, words) {
  const place = panel.querySelector(selector);
  if (place && place.textContent !== words) place.textContent = words;
}

document.addEventListener("input", ({ target }) => {
  const { style } = target.closest?.("[data-compare]") ?? {};
  style?.setProperty("--at", `${target.value}%`);
  style?.setProperty("--part", target.value);
});
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("htmx:historyRestore", follow);
addEventListener("pagehide", stop);
addEventListener("pageshow", follow);
follow();
