/** Gives a shadow root its styles. Constructed sheets need no 'unsafe-inline' in the host page's CSP. */
export function adopt(shadow, sheets) {
  for (const css of sheets) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet];
  }
}
