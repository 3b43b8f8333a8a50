// The studio's form: pictures that are dropped, pasted, chosen or taken from earlier work. What it costs and the job
// itself come from the server (htmx), what happens to the job from job.js.

import { takeDrops } from "./drops.js";
import { say } from "./texts.js";

const form = document.getElementById("studio-form");
const picker = document.getElementById("picker");
const zones = [...form.querySelectorAll("[data-picture]")].map((zone) => new PictureZone(zone));
let picking = zones[0];

/** A field that holds the id of a picture which the service has. */
function PictureZone(zone) {
  const part = (selector) => zone.querySelector(selector);
  const input = part("input[type=hidden]");
  const image = part(".picture-shown");
  const file = part("[data-picture-file]");
  const sending = part(".picture-sending");
  let request = null;

  this.zone = zone;
  this.set = (id) => {
    input.value = id;
    zone.toggleAttribute("data-filled", Boolean(id));
    image.hidden = !id;
    if (id) image.src = `/console/pictures/${encodeURIComponent(id)}`;
    else image.removeAttribute("src");
    fail("");
    keepInLinks(id);
    input.dispatchEvent(new Event("change", { bubbles: true })); // the estimate
  };
  this.send = (chosen) => {
    request?.abort();
    request = new XMLHttpRequest();
    request.open("POST", "/v1/artifacts");
    request.upload.addEventListener("progress", ({ loaded, total }) => progress(total ? loaded / total : 1));
    request.addEventListener("load", () => answered(request));
    request.addEventListener("error", () => ended(say("js.upload.offline")));
    const body = new FormData();
    body.append("file", chosen, chosen.name || "picture.png");
    request.send(body);
    fail("");
    progress(0);
  };

  function progress(share) {
    sending.hidden = false;
    sending.firstElementChild.value = share;
  }

  const answered = ({ status, responseText }) => {
    let answer = {};
    try {
      answer = JSON.parse(responseText);
    } catch {
      // a proxy's page; the status says enough
    }
    if (status === 201) {
      ended("");
      this.set(answer.id);
    } else ended(say(`error.${answer.code}`) ?? say(`reason.${answer.code}`) ?? answer.detail ?? say("js.upload.failed"));
  };

  function ended(problem) {
    sending.hidden = true;
    fail(problem);
  }

  function fail(problem) {
    const line = part(".problem");
    line.textContent = problem;
    line.hidden = !problem;
  }

  part("[data-picture-choose]").addEventListener("click", () => file.click());
  part(".picture-empty").addEventListener("click", () => file.click());
  part("[data-picture-remove]").addEventListener("click", () => this.set(""));
  part("[data-picture-earlier]").addEventListener("click", () => {
    picking = this;
    picker.showModal();
    window.htmx.trigger("#picker-list", "picker:open");
  });
  file.addEventListener("change", () => {
    if (file.files.length) this.send(file.files[0]);
    file.value = ""; // the same file may be chosen again
  });
}

/** Another kind of job starts from the same picture. */
function keepInLinks(id) {
  for (const link of document.querySelectorAll("a[data-kind]")) {
    const address = new URL(link.href);
    if (id) address.searchParams.set("image", id);
    else address.searchParams.delete("image");
    link.href = address.href;
  }
}
const first = form.querySelector("[data-picture] input[type=hidden]")?.value;
if (first) keepInLinks(first);

/** Fields that mean something only with another field's value: hidden, and left out of what is sent. */
function arrange() {
  const chosen = new FormData(form);
  for (const part of form.querySelectorAll("[data-when]")) {
    part.hidden = chosen.get(part.dataset.when) !== part.dataset.is;
    for (const input of part.querySelectorAll("input, select, textarea")) input.disabled = part.hidden;
  }
}
form.addEventListener("change", arrange);
arrange();

picker.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pick]");
  if (!button) return;
  picker.close();
  picking.set(button.dataset.pick);
});

// A result is taken as the next picture without leaving the page, where the form has room for one.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-use]");
  if (!link || !zones.length || event.metaKey || event.ctrlKey) return;
  event.preventDefault();
  zones[0].set(link.dataset.use);
  zones[0].zone.scrollIntoView({ block: "nearest", behavior: "smooth" });
});

const pictureOf = (transfer) => [...(transfer?.files ?? [])].find(({ type }) => type.startsWith("image/")) ?? transfer?.files[0];

document.addEventListener("paste", (event) => {
  const picture = pictureOf(event.clipboardData);
  if (!picture || !zones.length) return;
  event.preventDefault();
  zones[0].send(picture);
});

takeDrops({
  ready: () => zones.length > 0,
  hover: (over) => zones.forEach(({ zone }) => zone.toggleAttribute("data-over", over)),
  drop: (event) => {
    const picture = pictureOf(event.dataTransfer);
    const target = zones.find(({ zone }) => zone.contains(event.target)) ?? zones[0];
    if (picture) target.send(picture);
  },
});

// On a phone the job is below the form: show it when it has begun.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.requestConfig?.elt === form) document.getElementById("job")?.scrollIntoView({ block: "nearest", behavior: "smooth" });
});
