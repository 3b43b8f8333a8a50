// The answer's text: Chinese needs air between lines and none of the tricks that Latin text gets.

export const prose = `
.md { overflow-wrap: anywhere; line-break: auto; }
.block + .block { margin-top: 12px; }
.md p, .md ul, .md ol, .md pre, .md blockquote, .md h3, .md h4, .md h5, .md h6 { margin: 0; }
.md p + p { margin-top: 12px; }
.md h3 { font-size: 17px; line-height: 1.5; font-weight: 650; }
.md h4 { font-size: 16px; line-height: 1.5; font-weight: 650; }
.md h5, .md h6 { font-size: 15px; font-weight: 650; }
.block:has(> h3, > h4) + .block { margin-top: 6px; }
.block + .block:has(> h3, > h4, > h5) { margin-top: 20px; }
.md strong { font-weight: 650; }
.md ul, .md ol { padding-inline-start: 24px; }
.md li::marker { color: var(--muted); font-variant-numeric: tabular-nums; }
.md li { padding-inline-start: 2px; }
.md li + li, .md li > ul, .md li > ol { margin-top: 4px; }
.md li > p + p { margin-top: 6px; }
.md a { color: var(--accent-ink); text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 3px; text-decoration-color: color-mix(in srgb, currentColor 45%, transparent); }
.md a:hover { text-decoration-color: currentColor; }
.md blockquote { padding: 2px 0 2px 14px; border-inline-start: 3px solid var(--accent-line); color: var(--muted); }
.md hr { height: 1px; border: 0; margin: 4px 0; background: var(--line); }
.md img { display: block; max-width: 100%; height: auto; border-radius: 12px; border: 1px solid var(--line); }
.md code { padding: 1px 5px; border-radius: 6px; background: var(--sunken); font: .9em/1.5 var(--mono); }
.code { position: relative; border: 1px solid var(--line); border-radius: 12px; background: var(--sunken); overflow: hidden; }
.code-language { display: block; padding: 7px 14px 0; font: 12px/1.5 var(--mono); color: var(--muted); min-height: 14px; }
.code pre { overflow-x: auto; padding: 8px 14px 13px; scrollbar-width: thin; }
.md .code pre code { padding: 0; background: none; font-size: 13px; line-height: 1.65; white-space: pre; }
.table { position: relative; }
.table-scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); scrollbar-width: thin; }
.md table { border-collapse: collapse; width: 100%; font-size: 14px; line-height: 1.6; font-variant-numeric: tabular-nums; }
.md th, .md td { padding: 8px 14px; text-align: start; vertical-align: top; min-width: 60px; max-width: 320px; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
.md th { font-weight: 600; font-size: 13px; color: var(--muted); background: color-mix(in srgb, var(--sunken) 60%, var(--surface)); white-space: nowrap; }
.md td.short { white-space: nowrap; }
.md tr:last-child td { border-bottom: 0; }
.md [align="right"] { text-align: end; }
.md [align="center"] { text-align: center; }
@container panel (max-width: 560px) { .md th, .md td { padding-inline: 11px; } }
button.tool {
  position: absolute; top: 5px; right: 5px; width: 28px; height: 28px; display: grid; place-items: center; border-radius: 8px; color: var(--muted);
  background: var(--surface); border: 1px solid var(--line); opacity: 0; transition: opacity .12s, color .12s;
}
.table button.tool { top: -14px; right: 10px; }
.code:hover button.tool, .table:hover button.tool, button.tool:focus-visible { opacity: 1; }
button.tool:hover { color: var(--text); }
@media (hover: none) { .code button.tool { opacity: .8; } .table button.tool { display: none; } }
.keep { white-space: nowrap; }
.chip {
  display: inline-grid; place-items: center; min-width: 18px; height: 18px; margin: 0 2px; padding: 0 5px; border-radius: 6px; vertical-align: 1.5px;
  background: var(--accent-soft); color: var(--accent-ink); font-size: 11.5px; font-weight: 650; line-height: 1; font-variant-numeric: tabular-nums;
  transition: background .12s, color .12s; position: relative;
}
.chip::after { content: ""; position: absolute; inset: -6px -2px; }
.chip:hover, .chip[data-current] { background: var(--accent); color: var(--on-accent); }
.md.streaming > .block:last-child > p:last-child::after,
.md.streaming > .block:last-child > :is(ul, ol):last-child > li:last-child:not(:has(ul, ol, p))::after {
  content: ""; display: inline-block; width: 7px; height: 7px; margin-inline-start: 5px; border-radius: 50%; background: var(--accent); vertical-align: 2px; animation: breathe 1.1s ease-in-out infinite;
}
@keyframes breathe { 50% { opacity: .25; transform: scale(.8); } }
`;
