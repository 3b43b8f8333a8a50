// Pictures that are sent, the menu of commands, and what jobs make.

export const jobs = `
.main[data-over]::after {
  content: ""; position: absolute; z-index: 4; inset: 8px; border: 2px dashed var(--accent); border-radius: 18px; pointer-events: none;
  background: color-mix(in srgb, var(--accent-soft) 70%, transparent);
}
.tray { grid-area: tray; display: flex; flex-wrap: wrap; gap: 8px; list-style: none; margin: 2px 0 6px; padding: 4px 0 0; }
.tray-item { position: relative; width: 68px; height: 68px; }
.tray-face { display: grid; place-items: center; width: 100%; height: 100%; border: 1px solid var(--line); border-radius: 13px; background: var(--sunken); color: var(--muted); overflow: hidden; }
.tray-face canvas { display: block; width: 100%; height: 100%; object-fit: cover; }
.tray-item[data-state="sending"] canvas { opacity: .5; }
.tray-item[data-state="failed"] .tray-face { border-color: var(--danger); }
.tray-item[data-state="failed"] canvas { opacity: .3; }
.tray-item progress { position: absolute; inset: auto 7px 7px; width: auto; }
.tray-remove {
  position: absolute; top: -7px; right: -7px; width: 22px; height: 22px; display: grid; place-items: center; border-radius: 50%; background: var(--text); color: var(--page);
}
.tray-remove::after { content: ""; position: absolute; inset: -8px; }
.tray-again { position: absolute; inset: 0; display: grid; place-items: center; color: var(--danger); border-radius: 13px; }
progress {
  -webkit-appearance: none; appearance: none; display: block; width: 100%; height: 6px; border: 0; border-radius: 3px; background: var(--sunken); overflow: hidden;
}
progress::-webkit-progress-bar { background: var(--sunken); }
progress::-webkit-progress-value { background: var(--accent); border-radius: 3px; transition: inline-size .25s; }
progress::-moz-progress-bar { background: var(--accent); border-radius: 3px; }

.commands { position: absolute; z-index: 3; inset-block-end: calc(100% + 8px); left: 0; width: min(440px, 100%); max-height: 320px; overflow-y: auto; list-style: none; margin: 0; padding: 6px; }
.commands li { display: flex; align-items: baseline; flex-wrap: wrap; gap: 0 12px; padding: 7px 12px; border-radius: 9px; line-height: 1.55; cursor: pointer; }
.commands li[aria-selected="true"], .commands li:hover { background: var(--accent-soft); }
.commands code { min-width: 86px; font: 14px/1.6 var(--font); font-weight: 550; color: var(--accent-ink); }
.commands span { flex: 1; min-width: 140px; font-size: 13.5px; color: var(--muted); }

.asked { display: grid; justify-items: end; gap: 8px; }
.sent { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px; list-style: none; max-width: 85%; margin: 0; padding: 0; }
.sent img { display: block; width: 128px; height: 128px; object-fit: cover; border: 1px solid var(--line); border-radius: 14px; background: var(--sunken); font-size: 12px; }

.jobs { display: grid; gap: 12px; margin-top: 14px; }
.job { max-width: 520px; padding: 12px 14px 14px; border: 1px solid var(--line); border-radius: 16px; background: var(--surface); }
.job-head { display: flex; align-items: center; gap: 9px; min-height: 32px; }
.job-face { display: grid; place-items: center; width: 30px; height: 30px; flex: none; border-radius: 10px; background: var(--accent-soft); color: var(--accent-ink); }
.job[data-state="failed"] .job-face { background: var(--danger-soft); color: var(--danger); }
.job[data-state="cancelled"] .job-face { background: var(--sunken); color: var(--muted); }
.job[data-state="waiting"] .job-face { background: var(--amber-soft); color: var(--amber); }
.job-kind { flex: 1; min-width: 0; margin: 0; font-weight: 600; line-height: 1.5; overflow-wrap: anywhere; }
.job-state { flex: none; font-size: 13px; color: var(--muted); }
.secondary.small { min-height: 32px; padding: 0 12px; border-radius: 9px; font-size: 13.5px; text-decoration: none; color: inherit; }
.secondary:disabled { opacity: .5; }
.job-progress { margin-top: 10px; }
.job-stage { display: flex; justify-content: space-between; gap: 12px; margin: 5px 0 0; font-size: 13px; color: var(--muted); font-variant-numeric: tabular-nums; }
.job-preview { margin-top: 10px; max-height: 180px; overflow-y: auto; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.7; }
.job-preview:has(canvas) { max-height: none; overflow: hidden; border-radius: 12px; background: var(--sunken); }
.job-preview canvas { display: block; width: 100%; max-height: 340px; object-fit: contain; }
.job-result { display: grid; gap: 10px; margin-top: 10px; }
.job-reason { margin: 0; font-size: 14px; line-height: 1.65; }
.job-reason code { margin-inline-start: 8px; font: 12px/1.5 var(--mono); color: var(--muted); }
.job-files { display: flex; flex-wrap: wrap; gap: 8px; margin: 0; }
.job-text { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 6px; align-items: start; padding: 8px 6px 10px 12px; border-radius: 12px; background: var(--sunken); }
.job-words { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.7; }
.job-doubts { display: flex; align-items: center; gap: 6px; margin: 4px 0 0; font-size: 13px; color: var(--amber); }
.job-picture { display: grid; gap: 10px; margin: 0; }
.job-picture figcaption { display: flex; gap: 8px; }
.compare {
  --at: 0%; position: relative; width: fit-content; max-width: 100%; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; touch-action: pan-y;
  background: repeating-conic-gradient(var(--sunken) 0 25%, var(--surface) 0 50%) 0 0 / 20px 20px;
}
.compare .after { display: block; max-width: 100%; height: auto; max-height: 480px; object-fit: contain; }
.compare .before { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: var(--sunken); clip-path: inset(0 calc(100% - var(--at)) 0 0); }
.compare input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: ew-resize; }
.compare-line { position: absolute; inset-block: 0; left: var(--at); width: 2px; margin-left: -1px; background: #fff; box-shadow: 0 0 0 1px rgb(0 0 0 / .22); pointer-events: none; }
.compare-line svg { position: absolute; top: 50%; margin-top: -14px; height: 28px; width: 17px; background: #fff; color: #333; box-shadow: 0 1px 4px rgb(0 0 0 / .3); }
.compare-line svg:first-child { right: 0; border-radius: 14px 0 0 14px; clip-path: inset(-6px 0 -6px -6px); }
.compare-line svg:last-child { left: 0; border-radius: 0 14px 14px 0; clip-path: inset(-6px -6px -6px 0); }
.compare:has(input:focus-visible) { outline: 2px solid var(--accent-ink); outline-offset: 2px; }
@media (pointer: coarse) {
  .tray-remove { width: 26px; height: 26px; }
  .secondary.small { min-height: 40px; }
  .attach .icon-button { width: 34px; height: 34px; }
}
`;
