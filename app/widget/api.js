// The service's HTTP interface, as far as a chat needs it. Every failure leaves here as an ApiError.

import { readEvents } from "./sse.js";

// Four times the 15 s at which the server sends a comment on a quiet stream.
const SILENCE_MS = 60_000;

export class ApiError extends Error {
  /** `code` is the server's stable code, or `network`, `protocol`; `retryAfter` is in seconds. */
  constructor({ code, status = 0, detail = "", retryAfter = null }) {
    super(detail || code);
    Object.assign(this, { code, status, detail, retryAfter });
  }
}

export class Api {
  #base;
  #session;

  /** `base` ends in `/`; `session` is read at each call for the current `key` and `lang`. */
  constructor(base, session) {
    this.#base = base;
    this.#session = session;
  }

  async status() {
    return (await this.#request("GET", "v1/status")).json().catch(unreadable);
  }

  chat(body, signal) {
    return this.#stream("POST", "v1/chat", { body: { ...body, stream: true }, signal });
  }

  regenerate(turnId, signal) {
    return this.#stream("POST", `v1/turns/${encodeURIComponent(turnId)}/regenerate`, {
      body: { stream: true },
      signal,
    });
  }

  /** The events of a turn after the one with `lastEventId`. */
  resume(turnId, lastEventId, signal) {
    return this.#stream("GET", `v1/turns/${encodeURIComponent(turnId)}/events`, { lastEventId, signal });
  }

  async stop(turnId) {
    await this.#request("POST", `v1/turns/${encodeURIComponent(turnId)}/stop`);
  }

  async feedback(turnId, body) {
    await this.#request("POST", `v1/turns/${encodeURIComponent(turnId)}/feedback`, { body });
  }

  /** What happens to a job, from the one after `lastEventId` on (null: from the beginning); ends with `done`. */
  jobEvents(jobId, lastEventId, signal) {
    return this.#stream("GET", `v1/jobs/${encodeURIComponent(jobId)}/events`, { lastEventId, signal });
  }

  async cancelJob(jobId) {
    await this.#request("POST", `v1/jobs/${encodeURIComponent(jobId)}/cancel`);
  }

  /** What kinds, stages and errors of jobs are called. */
  async words(lang) {
    return (await this.#request("GET", `console/static/words/${lang}.json`)).json().catch(unreadable);
  }

  /** Sends a picture → `{id, link, …}`. `onProgress` hears the share that is sent (fetch could not tell). */
  upload(file, onProgress, signal) {
    const request = new XMLHttpRequest();
    request.open("POST", `${this.#base}v1/artifacts`);
    for (const [name, value] of Object.entries(this.#headers())) request.setRequestHeader(name, value);
    const body = new FormData();
    body.append("file", file, file.name || "picture.png");
    return new Promise((resolve, reject) => {
      request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 1));
      request.addEventListener("load", () => {
        const answer = asJson(request.responseText);
        if (request.status === 201 && answer.id) resolve(answer);
        else reject(errorOf(request.status, answer, request.getResponseHeader("retry-after")));
      });
      request.addEventListener("error", () => reject(new ApiError({ code: "network" })));
      signal.addEventListener("abort", () => request.abort());
      request.send(body);
    });
  }

  /** The address of a file that a job or an upload has, by its signed link. */
  address(link) {
    return new URL(link.replace(/^\//, ""), this.#base).href;
  }

  async *#stream(method, path, { body, lastEventId = null, signal }) {
    const accept = { Accept: "text/event-stream", ...(lastEventId ? { "Last-Event-ID": lastEventId } : {}) };
    const response = await this.#request(method, path, { body, headers: accept, signal });
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) unreadable();
    for await (const { name, data, id } of readEvents(response.body, { silenceMs: SILENCE_MS })) {
      yield { name, id, data: parse(data) };
    }
  }

  async #request(method, path, { body, headers = {}, signal } = {}) {
    const all = { ...this.#headers(), ...headers };
    if (body) all["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(this.#base + path, { method, headers: all, body: body && JSON.stringify(body), signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError({ code: "network" });
    }
    if (!response.ok) {
      throw errorOf(response.status, await response.json().catch(() => ({})), response.headers.get("retry-after"));
    }
    return response;
  }

  #headers() {
    const { key, lang } = this.#session;
    return { "Accept-Language": lang, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  }
}

function unreadable() {
  throw new ApiError({ code: "protocol" });
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return unreadable();
  }
}

function asJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy's page; the status says enough
  }
}

function errorOf(status, body, retryAfter) {
  return new ApiError({
    code: typeof body.code === "string" ? body.code : `http_${status}`,
    status,
    detail: typeof body.detail === "string" ? body.detail : "",
    retryAfter: Number(retryAfter) || null,
  });
}
