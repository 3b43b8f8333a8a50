// The sentences that scripts say; the server puts them into the page in the visitor's language.

const texts = JSON.parse(document.getElementById("texts").textContent);

/** A sentence with {name} filled in; null for a key that the catalog does not know. */
export function say(key, values = {}) {
  return texts[key]?.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole) ?? null;
}
