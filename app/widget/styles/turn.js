// A question and its answer, and what stands around the answer's text.

export const turn = `
.turn + .turn { margin-top: 36px; }
.question {
  width: fit-content; max-width: 85%; margin-inline-start: auto; padding: 9px 15px; border-radius: 18px 18px 5px 18px; background: var(--accent-soft);
  white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6;
}
.answer { margin-top: 18px; }
.badge { display: inline-flex; align-items: center; gap: 5px; margin-bottom: 8px; padding: 1px 9px 1px 7px; border-radius: 99px; background: var(--accent-soft); color: var(--accent-ink); font-size: 12.5px; font-weight: 550; }
.stage { display: flex; align-items: center; gap: 10px; color: var(--muted); min-height: 26px; }
.pulse { width: 9px; height: 9px; margin-inline-start: 3px; border-radius: 50%; background: var(--accent); animation: breathe 1.1s ease-in-out infinite; }
.stage-text { background: linear-gradient(90deg, var(--muted) 40%, var(--text) 50%, var(--muted) 60%) 100% 0 / 250% 100%; -webkit-background-clip: text; background-clip: text; color: transparent; animation: sweep 2.2s linear infinite; }
@keyframes sweep { to { background-position: -25% 0; } }
@media (prefers-reduced-motion: reduce) { .stage-text { background: none; color: inherit; } }
@media (forced-colors: active) { .stage-text { background: none; color: CanvasText; } }
.reasoning { margin-bottom: 10px; font-size: 14px; color: var(--muted); }
.reasoning summary { display: inline-flex; align-items: center; gap: 6px; padding: 2px 8px 2px 4px; margin-inline-start: -4px; border-radius: 8px; cursor: pointer; list-style: none; }
.reasoning summary::-webkit-details-marker { display: none; }
.reasoning summary:hover { background: var(--sunken); color: var(--text); }
.reasoning summary svg:last-child { transition: transform .15s; transform: rotate(-90deg); }
.reasoning[open] summary svg:last-child { transform: none; }
.reasoning-text { margin-top: 6px; padding-inline-start: 14px; border-inline-start: 2px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.7; }

.turn[data-refused] .answer-text { padding: 14px 16px; border-radius: 14px; background: var(--amber-soft); }
.refusal-title { display: flex; align-items: center; gap: 8px; margin-bottom: 4px; font-size: 14px; font-weight: 600; color: var(--amber); }
.notice { display: flex; align-items: flex-start; gap: 6px; margin-top: 10px; font-size: 13px; line-height: 1.6; color: var(--muted); }
.notice svg { margin-top: 2px; }
.error { display: flex; align-items: center; gap: 10px; padding: 10px 10px 10px 14px; border-radius: 14px; background: var(--danger-soft); flex-wrap: wrap; }
.error > svg { color: var(--danger); }
.answer-text:has(.md:not([hidden])) ~ .error { margin-top: 12px; }
.error-text { flex: 1; min-width: 160px; }
.error-text p { margin: 0; font-size: 14px; line-height: 1.6; }
.error-text code { font: 12px/1.5 var(--mono); color: var(--muted); }
.error .secondary { background: var(--surface); min-height: 34px; padding: 0 12px; }

.sources { margin-top: 16px; }
.source-list { list-style: none; margin: 6px 0 0; padding: 0; display: grid; gap: 6px; }
.source {
  width: 100%; display: grid; grid-template-columns: auto auto minmax(0, auto) minmax(0, 1fr); align-items: center; gap: 8px; padding: 7px 12px 7px 8px;
  border: 1px solid var(--line); border-radius: 11px; background: var(--surface); font-size: 13.5px; line-height: 1.5; transition: border-color .12s, background .12s;
}
.source:hover, .source[data-current] { border-color: var(--accent-line); }
.source[data-current] { background: color-mix(in srgb, var(--accent-soft) 60%, var(--surface)); }
.source svg { color: var(--muted); }
.source-n { min-width: 20px; height: 20px; padding: 0 5px; display: grid; place-items: center; border-radius: 6px; background: var(--accent-soft); color: var(--accent-ink); font-size: 12px; font-weight: 650; line-height: 1; }
.source-name { font-weight: 500; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.source-place { min-width: 0; color: var(--muted); font-size: 12.5px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.more { display: inline-flex; align-items: center; gap: 4px; margin-top: 6px; padding: 2px 6px; margin-inline-start: -6px; border-radius: 7px; font-size: 12.5px; color: var(--muted); }
.more:hover { background: var(--sunken); color: var(--text); }
.more[aria-expanded="true"] svg { transform: rotate(180deg); }
@container panel (max-width: 560px) {
  .source { grid-template-columns: auto auto minmax(0, 1fr); row-gap: 0; padding-block: 8px; }
  .source-place { grid-column: 2 / -1; }
  .source-place:empty { display: none; }
}
.actions-line { position: relative; margin-top: 10px; }
.actions { display: flex; align-items: center; gap: 2px; margin-inline-start: -7px; }
.meta { flex: 1; min-width: 0; text-align: end; font-size: 12.5px; color: var(--muted); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-variant-numeric: tabular-nums; }
.feedback { width: min(420px, 100%); margin-top: 8px; padding: 14px 16px 16px; scroll-margin: 24px; }
.feedback fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
.feedback legend { padding: 0; font-size: 14px; font-weight: 600; }
.reasons { display: flex; flex-wrap: wrap; gap: 8px; margin: 8px 0 12px; }
.reason { position: relative; cursor: pointer; }
.reason input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.reason span { display: block; padding: 4px 12px; border: 1px solid var(--line); border-radius: 99px; font-size: 13.5px; line-height: 1.6; }
.reason:hover span { background: var(--sunken); }
.reason input:checked + span { background: var(--accent-soft); border-color: var(--accent-line); color: var(--accent-ink); font-weight: 550; }
.reason input:focus-visible + span { outline: 2px solid var(--accent-ink); outline-offset: 1px; }
.feedback textarea { display: block; width: 100%; padding: 8px 12px; border: 1px solid var(--line); border-radius: 10px; background: var(--page); font-size: 14px; line-height: 1.6; resize: vertical; }
.popover-row { display: flex; justify-content: flex-end; gap: 8px; margin-top: 12px; }
.suggestions { margin-top: 18px; display: flex; flex-wrap: wrap; gap: 8px; }
.suggestions .label { flex-basis: 100%; }
.suggestion { padding: 6px 14px; border: 1px solid var(--line); border-radius: 99px; background: var(--surface); font-size: 14px; line-height: 1.5; transition: border-color .12s, background .12s; }
.suggestion:hover { border-color: var(--accent-line); background: color-mix(in srgb, var(--accent-soft) 55%, var(--surface)); }
.turn:last-child { animation: fade .2s; }
`;
