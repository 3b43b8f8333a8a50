// Small pictures drawn from bytes. A canvas needs no entry in a host page's content policy; data: and blob: images do.

import { h } from "./dom.js";

/** A canvas with a picture of at most `side` pixels; null when the browser cannot read it. */
export async function thumbnail(blob, side, attributes = {}) {
  let picture;
  try {
    picture = await createImageBitmap(blob);
  } catch {
    return null; // TIFF, HEIC, a torn file: the service will say
  }
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = h("canvas", attributes);
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas;
}

/** The bytes of a data: address. */
export function blobOf(dataUrl) {
  const [head, body] = dataUrl.split(",");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: /^data:([^;]+)/.exec(head)?.[1] ?? "" });
}
