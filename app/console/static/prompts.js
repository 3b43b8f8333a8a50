// The editor of a prompt: from a message to its line, and no publishing of what is not saved.

const text = document.getElementById("text");
const publish = document.getElementById("publish");

document.addEventListener("click", (event) => {
  const flaw = event.target.closest("[data-line]");
  if (!flaw || !text) return;
  const lines = text.value.split("\n");
  const at = Math.min(Number(flaw.dataset.line), lines.length) - 1;
  const start = lines.slice(0, at).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[at].length);
  text.scrollTop = (text.scrollHeight * at) / lines.length - text.clientHeight / 2;
});

if (text) {
  const form = text.form;
  const written = () => [...new FormData(form).values()].join("\0");
  const saved = written();
  let left = false;
  const changed = () => !left && written() !== saved;
  form.addEventListener("input", () => {
    if (publish) publish.disabled = changed();
    document.getElementById("save-first").hidden = !changed() || !publish;
  });
  document.addEventListener("submit", (event) => { left = event.target === form; });
  addEventListener("beforeunload", (event) => { if (changed()) event.preventDefault(); });
}
