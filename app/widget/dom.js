// Builds elements without innerHTML, so that a page with Trusted Types or a strict CSP can host the widget.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with attributes and children. `on` takes listeners by event name; `false`, `null` and `undefined`
 * attributes and children are left out; `true` sets an empty attribute.
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Makes `target` look like `fresh` and keeps every node that is the same: selection, hover and clicks survive. */
export function morph(target, fresh) {
  const old = [...target.childNodes];
  const next = [...fresh.childNodes];
  next.forEach((node, index) => {
    const current = old[index];
    if (!current) target.append(node);
    else if (current.nodeType !== node.nodeType || current.nodeName !== node.nodeName) current.replaceWith(node);
    else if (node.nodeType === Node.TEXT_NODE) current.data === node.data || (current.data = node.data);
    else morphElement(current, node);
  });
  for (const extra of old.slice(next.length)) extra.remove();
}

function morphElement(current, node) {
  for (const { name } of [...current.attributes]) if (!node.hasAttribute(name)) current.removeAttribute(name);
  for (const { name, value } of node.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
  morph(current, node);
}

/** Rebuilds a section only when what it shows has changed; `key` is anything JSON can hold. */
export function section(node, key, build) {
  const signature = JSON.stringify(key);
  if (node.mcSignature === signature) return;
  node.mcSignature = signature;
  const content = build();
  node.replaceChildren(...(content ? [content].flat() : []));
  node.hidden = !content;
}

/** The elements in `root` that Tab would reach, in order. */
export function focusable(root) {
  const selector = "button, [href], input, textarea, select, summary, [tabindex]:not([tabindex='-1'])";
  return [...root.querySelectorAll(selector)].filter(
    (node) => !node.disabled && !node.closest("[inert], [hidden]") && node.getClientRects().length > 0,
  );
}

/** Copies plain text, also on pages without https where the clipboard API does not exist. */
export async function copyText(text, root) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // refused by a permissions policy: the old way below may still work
    }
  }
  const field = h("textarea", { class: "sr", readonly: true, "aria-hidden": "true", tabindex: "-1" });
  field.value = text;
  const focused = root.activeElement;
  root.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  focused?.focus({ preventScroll: true });
  return copied;
}
