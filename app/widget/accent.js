// A site may set any --mc-accent. Text on it and text in it must stay readable (WCAG 2: 4.5 : 1), so both are derived.

import { h } from "./dom.js";

const READABLE = 4.5;

/** The custom properties `--on-accent` (text on the accent) and `--accent-ink` (the accent as text). */
export function accentColours(root) {
  const [accent, surface, text] = ["--accent", "--surface", "--text"].map((name) => resolve(root, `var(${name})`));
  if (!accent || !surface || !text) return {};
  const white = [255, 255, 255];
  const black = [20, 22, 20];
  const on = contrast(accent, white) >= READABLE || contrast(accent, white) >= contrast(accent, black) ? white : black;
  let ink = accent;
  for (let share = 0; contrast(ink, surface) < READABLE && share < 1; share += 0.08) ink = mix(accent, text, share);
  return { "--on-accent": css(on), "--accent-ink": css(ink) };
}

/** Any CSS colour as [r, g, b]: a one-pixel canvas knows all notations the browser does. */
function resolve(root, colour) {
  const probe = h("span");
  probe.style.color = colour;
  root.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  const plain = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(computed);
  if (plain) return plain.slice(1).map(Number);
  const context = document.createElement("canvas").getContext("2d");
  if (!context) return null;
  context.fillStyle = computed;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

function luminance(colour) {
  const [r, g, b] = colour.map((value) => {
    const channel = value / 255;
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a, b) {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

const mix = (a, b, share) => a.map((value, index) => Math.round(value + (b[index] - value) * share));
const css = (colour) => `rgb(${colour.join(" ")})`;
