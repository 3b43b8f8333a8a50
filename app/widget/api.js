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
    const headers = { "Last-Event-ID": lastEventId };
    return this.#stream("GET", `v1/turns/${encodeURIComponent(turnId)}/events`, { headers, signal });
  }

  async stop(turnId) {
    await this.#request("POST", `v1/turns/${encodeURIComponent(turnId)}/stop`);
  }

  async feedback(turnId, body) {
    await this.#request("POST", `v1/turns/${encodeURIComponent(turnId)}/feedback`, { body });
  }

  async *#stream(method, path, { body, headers, signal }) {
    const accept = { ...headers, Accept: "text/event-stream" };
    const response = await this.#request(method, path, { body, headers: accept, signal });
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) unreadable();
    for await (const { name, data, id } of readEvents(response.body, { silenceMs: SILENCE_MS })) {
      yield { name, id, data: parse(data) };
    }
  }

  async #request(method, path, { body, headers = {}, signal } = {}) {
    const { key, lang } = this.#session;
    const all = { "Accept-Language": lang, ...headers };
    if (key) all.Authorization = `Bearer ${key}`;
    if (body) all["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(this.#base + path, { method, headers: all, body: body && JSON.stringify(body), signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError({ code: "network" });
    }
    if (!response.ok) throw await problem(response);
    return response;
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

async function problem(response) {
  const body = await response.json().catch(() => ({}));
  return new ApiError({
    code: typeof body.code === "string" ? body.code : `http_${response.status}`,
    status: response.status,
    detail: typeof body.detail === "string" ? body.detail : "",
    retryAfter: Number(response.headers.get("retry-after")) || null,
  });
}
