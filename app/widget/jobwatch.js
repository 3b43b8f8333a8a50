// Follows the jobs of a conversation, each to its end, also after its turn is over and after a reload. What is learnt
// is written into the job; whoever shows it is told by `changed(turn)`.
//
// A job: {id, kind, state, percent, stage, error, files, texts, image}. Its preview is too large to be kept with it.

import { ApiError } from "./api.js";
import { StreamLost } from "./sse.js";

const AT_A_TIME = 3; // a browser has six connections to a host; answers need one
const GIVE_WAY_MS = 4000; // so often a job that has not begun lets another one be followed
const AGAIN_MS = [500, 1500, 4000, 10_000];
const ENDED = ["succeeded", "failed", "cancelled"];
const HOPELESS = [401, 403, 404];

export class JobWatch {
  #api;
  #changed;
  #waiting = [];
  #running = new Set(); // an AbortController each
  #previews = new Map();

  constructor(api, changed) {
    this.#api = api;
    this.#changed = changed;
  }

  /** `{image}` or `{text}` of how a job looks so far. */
  preview(job) {
    return this.#previews.get(job.id) ?? null;
  }

  follow(turn, job) {
    this.#waiting.push({ turn, job });
    this.#next();
  }

  /** Stops following everything. The jobs go on. */
  stop() {
    this.#waiting = [];
    for (const abort of this.#running) abort.abort();
    this.#previews.clear();
  }

  async cancel(turn, job) {
    job.cancelling = true;
    this.#changed(turn);
    try {
      await this.#api.cancelJob(job.id);
    } catch (error) {
      delete job.cancelling;
      this.#changed(turn);
      if (!(error instanceof ApiError && error.code === "job_ended")) throw error; // its end is on the way
    }
  }

  #next() {
    while (this.#running.size < AT_A_TIME && this.#waiting.length) this.#begin(this.#waiting.shift());
  }

  async #begin({ turn, job }) {
    const abort = new AbortController();
    this.#running.add(abort);
    const giveWay = setInterval(() => {
      if (!this.#waiting.length || job.state === "running") return;
      this.#waiting.push({ turn, job });
      abort.abort();
    }, GIVE_WAY_MS);
    try {
      await this.#toItsEnd(turn, job, abort.signal);
    } finally {
      clearInterval(giveWay);
      this.#running.delete(abort);
      this.#next();
    }
  }

  async #toItsEnd(turn, job, signal) {
    let seen = { id: null, tries: 0 };
    while (!signal.aborted) {
      try {
        for await (const event of this.#api.jobEvents(job.id, seen.id, signal)) {
          seen = { id: event.id || seen.id, tries: 0 };
          if (this.#apply(turn, job, event)) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ApiError && HOPELESS.includes(error.status)) return this.#lost(turn, job, error);
        if (!(error instanceof ApiError) && !(error instanceof StreamLost)) throw error;
      }
      const wait = AGAIN_MS[Math.min(seen.tries++, AGAIN_MS.length - 1)];
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** True when this was the job's end. */
  #apply(turn, job, { name, data }) {
    if (name === "progress") {
      Object.assign(job, { state: "running", percent: data.percent, stage: data.stage });
      if (data.preview) this.#previews.set(job.id, data.preview);
    } else if (name === "state" && !ENDED.includes(data.state)) {
      Object.assign(job, {
        state: data.state,
        percent: data.percent ?? job.percent ?? 0,
        postponed: data.reason ?? null,
      });
    } else if (name === "done") {
      Object.assign(job, ended(data.job));
      this.#previews.delete(job.id);
    }
    this.#changed(turn);
    return name === "done";
  }

  #lost(turn, job, error) {
    if (isOver(job)) return; // its result is known from before a reload
    job.state = "failed";
    job.error = { code: error.code, message: error.detail, params: {} };
    this.#changed(turn);
  }
}

export function isOver(job) {
  return ENDED.includes(job.state);
}

/** What the page keeps of a job that has ended. */
function ended({ kind, state, error, artifacts, result, request }) {
  const files = artifacts.map(({ id, name, media_type, link, about = {} }) => {
    const { width = null, height = null } = about;
    return { id, name, media_type, link, width, height };
  });
  const texts = (result?.variants ?? []).map(({ name = "", text, flags = [] }) => ({
    name,
    text,
    doubts: flags.length,
  }));
  if (typeof result?.text === "string") texts.push({ name: "", text: result.text, doubts: 0 });
  const image = typeof request?.image === "string" ? request.image : null;
  return { kind, state, percent: 100, error, files, texts, image, cancelling: false };
}
