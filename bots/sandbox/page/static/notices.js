// Short sentences that come and go.

import { h } from "/widget/dom.js";
import { Refused } from "./remote.js";

const SHOWN_MS = 5000;
const box = h("div", { class: "notices", role: "status", "aria-live": "polite" });

export function notice(text, kind = "") {
  const line = h("p", { class: `notice ${kind}` }, text);
  if (!box.isConnected) document.body.append(box);
  box.append(line);
  setTimeout(() => line.remove(), SHOWN_MS);
}

/** Does it, and says why when it cannot be done; → whether it was done. */
export async function attempt(work) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    notice(error.message, "bad");
    return false;
  }
}
