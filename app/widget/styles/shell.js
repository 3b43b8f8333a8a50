// Tokens, launcher and panel. Sizes are px: a host page may have changed what 1rem is.
// A page can set, on merchant-copilot or above it: --mc-accent, --mc-accent-dark, --mc-font, --mc-offset, --mc-z.

export const shell = `
:host {
  all: initial !important;
  display: block !important;
  direction: ltr !important; /* not part of "all" */
  unicode-bidi: isolate !important;
}
.root {
  --accent: var(--mc-accent, #0f7a5c);
  --on-accent: #fff;
  --accent-ink: #0f7a5c;
  --accent-soft: color-mix(in srgb, var(--accent) 9%, var(--surface));
  --accent-line: color-mix(in srgb, var(--accent) 32%, var(--surface));
  --page: #faf9f6;
  --surface: #ffffff;
  --sunken: #f3f1ec;
  --line: #e6e2da;
  --text: #20211e;
  --muted: #6a6961;
  --danger: #a93b1c;
  --danger-soft: #fbf0ec;
  --amber: #8a5a06;
  --amber-soft: #fbf4e3;
  --mark: #ffe9a3;
  --shadow: 0 1px 2px rgb(40 36 28 / .06), 0 12px 40px rgb(40 36 28 / .16);
  --font: var(--mc-font, -apple-system, BlinkMacSystemFont, "Segoe UI", "PingFang SC", "Hiragino Sans GB",
    "Microsoft YaHei UI", "Microsoft YaHei", var(--latin,) "Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC", system-ui, sans-serif);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace;
  --offset: var(--mc-offset, 20px);
  color: var(--text);
  font: 15px/1.7 var(--font);
  color-scheme: light;
  text-align: start;
  -webkit-text-size-adjust: 100%;
  -webkit-font-smoothing: antialiased;
  -webkit-tap-highlight-color: transparent;
}
.root:lang(en) { --latin: Roboto, "Noto Sans", "Liberation Sans", Arial, ; } /* else Chinese fonts draw wide apostrophes */
.root[data-scheme="dark"] {
  --accent: var(--mc-accent-dark, var(--mc-accent, #4fc095));
  --accent-soft: color-mix(in srgb, var(--accent) 14%, var(--surface));
  --page: #151613;
  --surface: #1c1d1a;
  --sunken: #272824;
  --line: #363731;
  --text: #ecebe5;
  --muted: #a5a49b;
  --danger: #f19a7c;
  --danger-soft: #33211b;
  --amber: #e6b866;
  --amber-soft: #2c2618;
  --mark: #5c4a12;
  --shadow: 0 0 0 1px #363731, 0 16px 48px rgb(0 0 0 / .55);
  color-scheme: dark;
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
button, input, textarea { font: inherit; color: inherit; letter-spacing: inherit; }
button { background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit; touch-action: manipulation; }
button:disabled { cursor: default; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
svg { display: block; flex: none; }
.sr {
  position: absolute !important; width: 1px; height: 1px; margin: -1px; padding: 0; border: 0; overflow: hidden;
  clip-path: inset(50%); white-space: nowrap;
}

.launcher {
  position: fixed; z-index: var(--mc-z, 2147483000);
  inset-block-end: calc(var(--offset) + env(safe-area-inset-bottom, 0px)); right: calc(var(--offset) + env(safe-area-inset-right, 0px));
  width: 56px; height: 56px; border-radius: 20px; display: grid; place-items: center;
  background: var(--accent); color: var(--on-accent);
  box-shadow: 0 1px 2px rgb(0 0 0 / .12), 0 8px 24px color-mix(in srgb, var(--accent) 34%, transparent);
  transition: transform .18s cubic-bezier(.2, .8, .3, 1), box-shadow .18s;
}
[data-side="left"] .launcher { right: auto; left: calc(var(--offset) + env(safe-area-inset-left, 0px)); }
.launcher:hover { transform: translateY(-2px); }
.launcher:active { transform: scale(.96); }
.launcher:focus-visible { outline-offset: 3px; }
.launcher-face { grid-area: 1 / 1; transition: opacity .16s, transform .2s; }
.launcher-face.open { opacity: 0; transform: rotate(-60deg) scale(.6); }
[data-open] .launcher-face.open { opacity: 1; transform: none; }
[data-open] .launcher-face:not(.open) { opacity: 0; transform: rotate(60deg) scale(.6); }

.panel {
  position: relative; display: grid; grid-template-rows: auto minmax(0, 1fr); overflow: hidden;
  background: var(--page); container: panel / inline-size;
}
[data-mode="widget"] > .panel {
  position: fixed; z-index: var(--mc-z, 2147483000); right: calc(var(--offset) + env(safe-area-inset-right, 0px));
  inset-block-end: calc(var(--offset) + 68px + env(safe-area-inset-bottom, 0px));
  width: min(408px, 100vw - 2 * var(--offset)); height: min(704px, 100dvh - 2 * var(--offset) - 68px);
  border-radius: 18px; box-shadow: var(--shadow);
  animation: rise .2s cubic-bezier(.2, .8, .3, 1);
}
[data-side="left"] > .panel { right: auto; left: calc(var(--offset) + env(safe-area-inset-left, 0px)); }
[data-mode="page"] > .panel { position: fixed; inset: var(--mc-top, 0px) 0 auto 0; height: var(--mc-height, 100dvh); }
@media (min-width: 900px) {
  [data-mode="widget"] > .panel[data-pane] { width: min(820px, 100vw - 2 * var(--offset)); }
}
@media (max-width: 520px) {
  [data-mode="widget"] > .panel {
    inset: var(--mc-top, 0px) 0 auto 0; width: auto; height: var(--mc-height, 100dvh); border-radius: 0; box-shadow: none;
  }
  [data-mode="widget"][data-open] > .launcher { display: none; }
}
.loading { grid-row: 1 / -1; place-self: center; margin: 0; padding: 24px; color: var(--muted); }
@keyframes rise { from { opacity: 0; transform: translateY(10px) scale(.985); } }
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation-duration: .01ms !important; animation-iteration-count: 1 !important; transition-duration: .01ms !important; scroll-behavior: auto !important; }
}
@media print { .launcher { display: none; } }
`;
