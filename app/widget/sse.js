// Server-sent events from a fetch body (EventSource can neither POST nor send a header). Follows the HTML standard's
// "event stream interpretation": CR, LF or CRLF line ends, comments, multi-line data, ids that persist, and an
// unfinished last event is dropped.

export class EventStreamParser {
  #rest = "";
  #data = [];
  #name = "";
  #id = "";
  #sawCarriageReturn = false;

  /** Takes the next piece of text, cut anywhere; returns the events it completed as `{name, data, id}`. */
  push(text) {
    const events = [];
    // A CR that ended the last piece may be the first half of a CRLF.
    if (this.#sawCarriageReturn && text.startsWith("\n")) text = text.slice(1);
    if (text !== "") this.#sawCarriageReturn = text.endsWith("\r");
    const lines = (this.#rest + text).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line, events);
    return events;
  }

  #line(line, events) {
    if (line === "") {
      if (this.#data.length) events.push({ name: this.#name || "message", data: this.#data.join("\n"), id: this.#id });
      this.#data = [];
      this.#name = "";
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
  }
}

/** The connection ended or fell silent; whatever was received until then has been handed out. */
export class StreamLost extends Error {}

/**
 * The events of a byte stream. Throws `StreamLost` when reading fails or nothing at all arrives for `silenceMs`
 * (servers send a comment every 15 s or so; a dead connection sends nothing and never ends).
 */
export async function* readEvents(body, { silenceMs }) {
  const parser = new EventStreamParser();
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await readWithin(reader, silenceMs);
      if (done) return;
      yield* parser.push(decoder.decode(value, { stream: true }));
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readWithin(reader, milliseconds) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new StreamLost("No byte arrived in time.")), milliseconds);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    throw error instanceof StreamLost ? error : new StreamLost("The connection broke.", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
