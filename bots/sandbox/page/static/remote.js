// The sandbox's server: what people do goes there, what changes comes from there.

import { t, words } from "./words.js";

/** Why something could not be done, in words; `code` as the server gave it. */
export class Refused extends Error {
  constructor(code) {
    super(words.has(`error.${code}`) ? t(`error.${code}`) : t("error.unreachable"));
    this.code = code;
  }
}

/** Raises Refused. */
export async function post(path, body = {}) {
  return send(path, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
}

/** A file → `{code, name}`. Raises Refused. */
export async function upload(file, name = file.name) {
  const headers = { "Content-Type": file.type || "application/octet-stream" };
  return send(`/api/files?name=${encodeURIComponent(name)}`, { body: file, headers });
}

async function send(path, request) {
  let answer;
  try {
    answer = await fetch(path, { method: "POST", ...request });
  } catch {
    throw new Refused("unreachable");
  }
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 413) throw new Refused("too_large");
  if (!answer.ok) throw new Refused(said.code ?? "unreachable");
  return said;
}

/** `onNews(news, fresh)` gets everything first (`fresh`), then what changes; `onLine(connected)` says how it stands. */
export function listen(onNews, onLine) {
  let fresh = true;
  const source = new EventSource("/api/events");
  source.addEventListener("open", () => {
    fresh = true;
    onLine(true);
  });
  source.addEventListener("error", () => onLine(false));
  source.addEventListener("message", ({ data }) => {
    onNews(JSON.parse(data), fresh);
    fresh = false;
  });
}
