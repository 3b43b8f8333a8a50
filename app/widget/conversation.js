// A conversation: its turns, and what the service's events make of them. Knows nothing of the page; whoever shows it
// listens for `change` (detail: the turn, or null when the list itself changed).
//
// A turn's state: waiting → streaming → done | stopped | failed | interrupted.

import { ApiError } from "./api.js";
import { JobWatch } from "./jobwatch.js";
import { StreamLost } from "./sse.js";

const RESUME_DELAYS_MS = [300, 1500];
const STOP_GRACE_MS = 2500; // the server answers a stop with a last event; after this we hang up ourselves
const SAVE_EVERY_MS = 1000;
const KEPT_TURNS = 40;

const FRESH = {
  state: "waiting",
  stage: null,
  passages: [],
  reasoning: "",
  text: "",
  citations: [],
  refused: false,
  cached: null,
  curated: false,
  model: null,
  notice: null,
  error: null,
  suggestions: [],
  jobs: [],
  rating: null,
  reason: null,
  ms: null,
  lastEventId: null,
};

export class Conversation extends EventTarget {
  turns = [];
  id = null;
  #api;
  #stored;
  #active = null; // {turn, abort}
  #saving = null;
  #count = 0;

  constructor(api, stored) {
    super();
    this.#api = api;
    this.#stored = stored;
    this.jobs = new JobWatch(api, (turn) => this.#changed(turn));
    this.#restore();
  }

  get busy() {
    return this.#active !== null;
  }

  get last() {
    return this.turns.at(-1) ?? null;
  }

  /** `attachments` are uploaded pictures: `{id, link, name}`. */
  async send(question, kb = [], attachments = []) {
    if (this.busy) return;
    const turn = { key: this.#newKey(), id: null, question, kb, attachments, ...structuredClone(FRESH) };
    this.turns.push(turn);
    this.#changed(null);
    await this.#run(turn, (signal) => this.#ask(turn, signal));
  }

  /** Answers the last question again; if that fails before anything came, the old answer stays. */
  async regenerate(turn) {
    if (this.busy) return;
    const before = { ...turn };
    Object.assign(turn, structuredClone(FRESH));
    this.#changed(turn);
    await this.#run(turn, (signal) => this.#again(turn, signal));
    if (["failed", "interrupted"].includes(turn.state) && !turn.text && before.state === "done") {
      Object.assign(turn, before, { error: turn.error ?? { code: "network" } });
      this.#changed(turn);
    }
  }

  retry(turn) {
    return this.regenerate(turn);
  }

  stop() {
    if (!this.#active || this.#active.turn.stopping) return;
    const { turn, abort } = this.#active;
    turn.stopping = true;
    if (turn.id) this.#api.stop(turn.id).catch(() => abort.abort());
    setTimeout(() => abort.abort(), STOP_GRACE_MS);
    this.#changed(turn);
  }

  async feedback(turn, feedback) {
    const { rating, reason } = turn;
    Object.assign(turn, { rating: feedback.rating, reason: feedback.reason ?? null });
    this.#changed(turn);
    try {
      await this.#api.feedback(turn.id, feedback);
    } catch (error) {
      Object.assign(turn, { rating, reason });
      this.#changed(turn);
      throw error;
    }
  }

  clear() {
    this.stop();
    this.#active?.abort.abort();
    this.#active = null;
    this.jobs.stop();
    this.turns = [];
    this.id = null;
    this.#stored.remove();
    this.#changed(null);
  }

  /** The link of a picture that was sent or made in this conversation; null for any other. */
  pictureLink(id) {
    const all = this.turns.flatMap(({ attachments, jobs }) => [
      ...attachments,
      ...jobs.flatMap(({ files = [] }) => files),
    ]);
    return all.find((picture) => picture.id === id)?.link ?? null;
  }

  /** Goes on with what a reload cut off: jobs, and the last turn; without a place to go on from it is interrupted. */
  async resumeLast() {
    for (const turn of this.turns) {
      for (const job of turn.jobs) this.jobs.follow(turn, Object.assign(job, { cancelling: false }));
    }
    const turn = this.last;
    if (!turn || !["waiting", "streaming"].includes(turn.state) || this.busy) return;
    await this.#run(turn, async function* () {});
  }

  /** Writes what is pending now: for `pagehide`. */
  flush() {
    clearTimeout(this.#saving);
    this.#saving = null;
    const turns = this.turns.slice(-KEPT_TURNS).map(({ stopping, ...turn }) => turn);
    if (!turns.length) return;
    // Passages are the bulk; when the browser's 5 MB are used up, old turns go first.
    while (!this.#stored.set({ id: this.id, turns }) && turns.length > 1) turns.shift();
  }

  #ask(turn, signal) {
    const body = { question: turn.question };
    if (this.id) body.conversation_id = this.id;
    if (turn.kb.length) body.kb = turn.kb;
    if (turn.attachments.length) body.attachments = turn.attachments.map(({ id }) => id);
    return this.#api.chat(body, signal);
  }

  /** Regenerates where the server knows the turn; a turn it never got, or has forgotten, is asked anew. */
  async *#again(turn, signal) {
    if (turn.id) {
      try {
        yield* this.#api.regenerate(turn.id, signal);
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || ![404, 405, 410].includes(error.status)) throw error;
      }
    }
    yield* this.#ask(turn, signal);
  }

  async #run(turn, open) {
    const active = { turn, abort: new AbortController() };
    this.#active = active;
    const begun = performance.now();
    try {
      await this.#follow(turn, open, active.abort.signal);
    } catch (error) {
      if (!(error instanceof ApiError) && !active.abort.signal.aborted) throw error;
      if (error.code === "conversation_not_found") this.id = null; // the service has forgotten it; a retry begins anew
      turn.state = "failed";
      turn.error = { code: error.code, status: error.status, detail: error.detail, retryAfter: error.retryAfter };
    } finally {
      if (this.#active === active) this.#active = null;
      this.#settle(turn, performance.now() - begun);
    }
  }

  #settle(turn, elapsed) {
    if (turn.stopping) Object.assign(turn, { state: "stopped", error: null });
    else if (["waiting", "streaming"].includes(turn.state)) turn.state = "interrupted";
    delete turn.stopping;
    turn.ms ??= Math.round(elapsed);
    this.#changed(turn);
    this.flush();
  }

  /** Applies events until the turn has ended, picking a lost stream up where it broke if the server numbers events. */
  async #follow(turn, open, signal) {
    if (await this.#consume(turn, open(signal))) return;
    for (const delay of RESUME_DELAYS_MS) {
      if (!turn.id || !turn.lastEventId || turn.stopping || signal.aborted) return;
      turn.stage = "resuming";
      this.#changed(turn);
      await new Promise((resolve) => setTimeout(resolve, delay));
      try {
        if (await this.#consume(turn, this.#api.resume(turn.id, turn.lastEventId, signal))) return;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error; // a turn that cannot be resumed is an interrupted one
      }
    }
  }

  /** True when the turn's last event came; false when the connection was lost before it. */
  async #consume(turn, events) {
    try {
      for await (const event of events) {
        if (this.#active?.turn !== turn) return true; // the conversation was cleared meanwhile
        if (this.#apply(turn, event)) return true;
      }
    } catch (error) {
      if (!(error instanceof StreamLost)) throw error;
    }
    return false;
  }

  /** True when this was the turn's last event. Unknown events are for later versions and are passed over. */
  #apply(turn, { name, data, id }) {
    if (id) turn.lastEventId = id;
    HANDLERS[name]?.(turn, data);
    if (name === "job") this.#begin(turn, data);
    if (name === "started") {
      this.id = data.conversation_id ?? this.id;
      if (turn.stopping) this.#api.stop(turn.id).catch(() => {});
    }
    this.#changed(turn);
    return name === "done" || name === "failed";
  }

  /** A turn has started a job; one that is told of twice is the same. */
  #begin(turn, { id, kind, state }) {
    if (turn.jobs.some((job) => job.id === id)) return;
    const job = { id, kind, state, percent: 0, stage: null };
    turn.jobs.push(job);
    this.jobs.follow(turn, job);
  }

  #changed(turn) {
    this.#saving ??= setTimeout(() => this.flush(), SAVE_EVERY_MS);
    this.dispatchEvent(new CustomEvent("change", { detail: turn }));
  }

  #restore() {
    const saved = this.#stored.get();
    if (!saved) return;
    this.id = saved.id;
    this.turns = saved.turns.map((turn) => ({
      attachments: [],
      ...structuredClone(FRESH),
      ...turn,
      key: this.#newKey(),
    }));
  }

  #newKey() {
    this.#count += 1;
    return `t${this.#count}`;
  }
}

const HANDLERS = {
  started(turn, data) {
    // A resumed stream that starts over must not show the text twice.
    Object.assign(turn, { id: data.turn_id, text: "", reasoning: "", state: "waiting" });
  },
  stage(turn, data) {
    turn.stage = data.stage;
  },
  sources(turn, data) {
    turn.passages = data.passages ?? [];
  },
  reasoning(turn, data) {
    turn.reasoning += data.text;
  },
  token(turn, data) {
    turn.text += data.text;
    turn.state = "streaming";
  },
  suggestions(turn, data) {
    turn.suggestions = data.questions ?? [];
  },
  done(turn, data) {
    const { refused = false, cached = null, curated = false, model = null, notice = null, citations = [] } = data;
    const state = data.finish === "stopped" ? "stopped" : "done"; // stopped here or from elsewhere
    Object.assign(turn, { refused, cached, curated, model, citations, state });
    turn.notice = ["length", "content_filter"].includes(data.finish) ? data.finish : notice;
    turn.id = data.turn_id ?? turn.id;
    // The finished answer has its citations checked, so it replaces what was streamed.
    if (data.answer) turn.text = data.answer;
    if (typeof data.timings_ms?.total === "number") turn.ms = Math.round(data.timings_ms.total);
  },
  failed(turn, data) {
    const { code = "internal", message = "" } = data;
    Object.assign(turn, { state: "failed", error: { code, detail: message } });
  },
};
