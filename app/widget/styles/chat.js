// Header, thread, composer, key form, source pane. Widths are the panel's own (container queries), so the same rules
// serve a full page, a floating panel and a phone.

export const chat = `
.bar {
  display: flex; align-items: center; gap: 2px; padding: 8px 10px 8px 16px; padding-top: calc(8px + env(safe-area-inset-top, 0px));
  border-bottom: 1px solid var(--line); background: var(--page);
}
[data-mode="widget"] .bar { padding-top: 8px; }
@media (max-width: 520px) { [data-mode="widget"] .bar { padding-top: calc(8px + env(safe-area-inset-top, 0px)); } }
.brand { color: var(--accent-ink); margin-inline-end: 8px; }
.title { flex: 1; min-width: 0; margin: 0; font-size: 15px; font-weight: 600; line-height: 36px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.icon-button {
  width: 36px; height: 36px; flex: none; display: inline-grid; place-items: center; border-radius: 10px; color: var(--muted);
  transition: background .12s, color .12s;
}
.icon-button.small { width: 32px; height: 32px; border-radius: 9px; }
.icon-button:hover:not(:disabled) { background: var(--sunken); color: var(--text); }
.icon-button:disabled { opacity: .35; }
.icon-button[aria-pressed="true"] { color: var(--accent-ink); background: var(--accent-soft); }
.icon-button[aria-pressed="true"] svg path { fill: color-mix(in srgb, currentColor 22%, transparent); }
.letters { font-size: 13px; font-weight: 600; line-height: 1; letter-spacing: .02em; }
.primary, .secondary {
  display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-height: 36px; padding: 0 16px; border-radius: 10px;
  font-size: 14px; font-weight: 600; white-space: nowrap; transition: filter .12s, background .12s;
}
.primary { background: var(--accent); color: var(--on-accent); }
.primary:hover { filter: brightness(1.06); }
.secondary { border: 1px solid var(--line); background: var(--surface); font-weight: 500; }
.secondary:hover { background: var(--sunken); }
.label { margin: 0; font-size: 12.5px; line-height: 1.6; color: var(--muted); }

.body { position: relative; display: flex; min-height: 0; overflow: hidden; }
.main { position: relative; flex: 1; min-width: 0; display: flex; flex-direction: column; }
.thread { position: relative; flex: 1; min-height: 0; }
.scroller { height: 100%; overflow-y: auto; overflow-x: hidden; overscroll-behavior: contain; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
.scroller:focus-visible { outline-offset: -3px; }
.column { max-width: 768px; margin: 0 auto; padding: 24px 20px 28px; }
.is-empty .column { min-height: 100%; display: grid; align-content: center; }
.latest {
  position: absolute; inset-block-end: 10px; left: 50%; transform: translateX(-50%); width: 36px; height: 36px; border-radius: 50%;
  display: grid; place-items: center; background: var(--surface); color: var(--text); border: 1px solid var(--line); box-shadow: 0 2px 10px rgb(0 0 0 / .1);
}

.empty { padding: 8px 0 20px; }
.empty-mark { display: grid; place-items: center; width: 52px; height: 52px; border-radius: 17px; background: var(--accent-soft); color: var(--accent-ink); }
.empty h2 { margin: 18px 0 4px; font-size: 24px; line-height: 1.35; font-weight: 650; letter-spacing: -.01em; text-wrap: balance; }
.empty p { margin: 0; color: var(--muted); text-wrap: pretty; }
.starters { display: grid; gap: 10px; margin-top: 24px; }
.starter {
  display: flex; align-items: center; gap: 8px; padding: 13px 14px 13px 16px; border: 1px solid var(--line); border-radius: 13px; background: var(--surface);
  font-size: 14.5px; line-height: 1.5; transition: border-color .14s, background .14s;
}
.starter span { flex: 1; }
.starter svg { color: var(--muted); opacity: .7; transition: transform .14s, color .14s; }
.starter:hover { border-color: var(--accent-line); background: color-mix(in srgb, var(--accent-soft) 55%, var(--surface)); }
.starter:hover svg { transform: translateX(2px); color: var(--accent-ink); opacity: 1; }
[data-gated] .is-empty { display: none; }

.composer { padding: 0 12px calc(10px + env(safe-area-inset-bottom, 0px)); }
.box {
  position: relative; display: grid; grid-template: "tray tray tray" auto "attach field send" auto "meta meta meta" auto / auto minmax(0, 1fr) auto; align-items: end;
  max-width: 736px; margin: 0 auto; padding: 8px 8px 8px 16px; border: 1px solid var(--line); border-radius: 22px; background: var(--surface); cursor: text;
  box-shadow: 0 1px 2px rgb(40 36 28 / .03), 0 4px 16px rgb(40 36 28 / .05); transition: border-color .14s, box-shadow .14s;
}
.box:has(.box-meta:not([hidden])) { grid-template: "tray tray tray" auto "field field field" auto "attach meta send" auto / auto minmax(0, 1fr) auto; padding-top: 10px; }
.box:has(.attach:not([hidden])):not(:has(.box-meta:not([hidden]))) { padding-inline-start: 9px; }
[data-scheme="dark"] .box { box-shadow: none; }
.box:focus-within { border-color: var(--accent-line); box-shadow: 0 0 0 3px color-mix(in srgb, var(--accent) 12%, transparent); }
.composer textarea {
  display: block; grid-area: field; width: 100%; max-height: 180px; padding: 5px 6px 5px 0; border: 0; background: none; resize: none; overflow-y: auto; font-size: 15px; line-height: 1.6;
  scrollbar-width: thin;
}
.composer textarea:focus-visible { outline: none; }
.composer textarea::placeholder { color: var(--muted); opacity: .85; }
.attach { grid-area: attach; display: grid; place-items: center; width: 34px; height: 34px; margin-inline-end: 4px; }
.box:has(.box-meta:not([hidden])) .attach { margin-inline: -8px 10px; }
.box-meta { grid-area: meta; display: flex; align-items: center; gap: 8px; min-height: 34px; min-width: 0; }
.counter { flex: 1; font-size: 12.5px; color: var(--muted); text-align: end; }
.counter.over { color: var(--danger); }
.send { grid-area: send; margin-inline-start: 8px; width: 34px; height: 34px; flex: none; border-radius: 50%; display: grid; place-items: center; background: var(--accent); color: var(--on-accent); transition: opacity .14s, filter .14s, transform .1s; }
.send[data-mode="stop"] { background: var(--text); color: var(--page); }
.send:hover:not(:disabled) { filter: brightness(1.08); }
.send:active:not(:disabled) { transform: scale(.94); }
.send:disabled { background: var(--sunken); color: var(--muted); }
.picker {
  display: inline-flex; align-items: center; gap: 6px; max-width: 60%; height: 30px; margin-inline-start: -6px; padding: 0 8px; border-radius: 9px; font-size: 13px; color: var(--muted);
}
.picker span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.picker:hover, .picker[aria-expanded="true"] { background: var(--sunken); color: var(--text); }
.disclaimer { margin: 8px 0 0; text-align: center; font-size: 12px; line-height: 1.5; color: var(--muted); }
.popover {
  border: 1px solid var(--line); border-radius: 14px; background: var(--surface); box-shadow: 0 8px 30px rgb(30 28 22 / .14); animation: rise .14s ease-out; cursor: auto;
}
[data-scheme="dark"] .popover { box-shadow: 0 8px 30px rgb(0 0 0 / .5); }
.picker-list { position: absolute; z-index: 3; inset-block-end: 46px; left: 6px; width: min(320px, 100% - 12px); max-height: 280px; overflow-y: auto; padding: 6px; }
.choice { display: flex; align-items: center; gap: 10px; padding: 8px 10px; border-radius: 9px; font-size: 14px; line-height: 1.5; cursor: pointer; }
.choice:hover { background: var(--sunken); }
.choice input { flex: none; width: 16px; height: 16px; margin: 0; accent-color: var(--accent); }
.choice-name { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.choice-count { flex: none; font-size: 12.5px; color: var(--muted); }

.is-empty + .keyform { margin-block: auto; }
.keyform { width: calc(100% - 40px); max-width: 480px; margin: 0 auto calc(28px + env(safe-area-inset-bottom, 0px)); padding: 22px; border: 1px solid var(--line); border-radius: 18px; background: var(--surface); }
.keyform-icon { display: grid; place-items: center; width: 40px; height: 40px; border-radius: 12px; background: var(--accent-soft); color: var(--accent-ink); }
.keyform h2 { margin: 12px 0 2px; font-size: 16px; line-height: 1.5; }
.keyform p { margin: 0; font-size: 13.5px; color: var(--muted); }
.keyform-row { display: flex; gap: 8px; margin-top: 14px; }
.keyform input { flex: 1; min-width: 0; height: 40px; padding: 0 12px; border: 1px solid var(--line); border-radius: 10px; background: var(--page); font: 14px var(--mono); }
.keyform input:focus-visible { outline: none; border-color: var(--accent-line); box-shadow: 0 0 0 3px color-mix(in srgb, var(--accent) 12%, transparent); }
.keyform .primary { min-height: 40px; }
.keyform .problem { margin-top: 10px; color: var(--danger); }

.pane { position: relative; z-index: 2; flex: none; width: 384px; display: flex; flex-direction: column; background: var(--surface); border-inline-start: 1px solid var(--line); animation: slide .2s cubic-bezier(.2, .8, .3, 1); }
.pane-bar { display: flex; align-items: center; gap: 2px; padding: 8px 10px 8px 20px; }
.pane-count { flex: 1; margin: 0; font-size: 13px; color: var(--muted); font-variant-numeric: tabular-nums; }
.pane-body { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 6px 20px calc(24px + env(safe-area-inset-bottom, 0px)); scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
.pane-body:focus-visible { outline-offset: -3px; }
.pane-document { display: flex; gap: 8px; align-items: flex-start; }
.pane-document svg { margin-top: 3px; color: var(--accent-ink); }
.pane-document h2 { margin: 0; font-size: 15.5px; line-height: 1.6; font-weight: 600; overflow-wrap: anywhere; }
.crumbs, .place { margin: 2px 0 0 28px; font-size: 13px; line-height: 1.6; color: var(--muted); overflow-wrap: anywhere; }
.claim { margin: 16px 0 0; padding: 10px 14px 12px; border-radius: 12px; background: var(--sunken); }
.claim p:not(.label) { margin: 2px 0 0; font-size: 14px; }
.claim + .label, .place + .label, .crumbs + .label, .pane-document + .label { margin-top: 18px; }
.passage .around { color: var(--muted); }
.also-in { margin-top: 18px; font-size: 13.5px; overflow-wrap: anywhere; }
.also-in ul { margin: 4px 0 0; padding-inline-start: 18px; }
.passage { margin-top: 6px; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 14.5px; line-height: 1.8; }
mark { background: var(--mark); color: inherit; border-radius: 3px; padding: 1px 0; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.hint { margin: 14px 0 0; font-size: 13px; color: var(--muted); }
.grip, .scrim { display: none; }
@keyframes slide { from { opacity: 0; transform: translateX(16px); } }
@keyframes sheet { from { transform: translateY(40%); opacity: .4; } }
@container panel (min-width: 1100px) { .pane { width: 432px; } }
@container panel (max-width: 719px) {
  .pane {
    position: absolute; inset: auto 0 0 0; width: auto; max-height: 78%; border: 0; border-radius: 20px 20px 0 0; box-shadow: 0 -8px 40px rgb(0 0 0 / .18);
    animation-name: sheet; transition: transform .12s;
  }
  .grip { display: block; width: 36px; height: 4px; margin: 8px auto 0; border-radius: 2px; background: var(--line); flex: none; }
  .pane-bar { padding-top: 2px; touch-action: none; }
  .scrim { display: block; position: absolute; z-index: 1; inset: 0; background: rgb(20 18 14 / .34); animation: fade .2s; }
}
@keyframes fade { from { opacity: 0; } }
@container panel (min-width: 600px) {
  .column { padding: 32px 32px 36px; }
  .composer { padding-inline: 16px; }
  .starters { grid-template-columns: 1fr 1fr; }
  .empty h2 { font-size: 30px; }
  .empty { padding-bottom: 6vh; }
  .bar { padding-inline: 20px 14px; }
}
@media (pointer: coarse) {
  .composer textarea, .keyform input, .feedback textarea { font-size: 16px; }
  .icon-button.small { width: 40px; height: 40px; }
}
.toast {
  position: fixed; z-index: calc(var(--mc-z, 2147483000) + 1); left: 50%; inset-block-end: calc(110px + env(safe-area-inset-bottom, 0px)); transform: translateX(-50%);
  max-width: min(420px, 100vw - 32px); padding: 9px 16px; border-radius: 12px; background: var(--text); color: var(--page); font-size: 14px; line-height: 1.5;
  box-shadow: 0 6px 24px rgb(0 0 0 / .2); animation: fade .15s;
}
[data-mode="widget"] > .toast { left: auto; right: calc(var(--offset) + 16px); transform: none; inset-block-end: calc(var(--offset) + 190px); }
`;
