// The bar on top: who this is, and what concerns the whole conversation.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

export function buildHeader(app, preferences, close, startOver) {
  const { t } = app;
  const tool = (label, face, press, extra = {}) =>
    h(
      "button",
      { type: "button", class: "icon-button", "aria-label": label, title: label, on: { click: press }, ...extra },
      face,
    );
  const theme = `theme.${preferences.theme}`;
  return h(
    "header",
    { class: "bar" },
    h("span", { class: "brand" }, icon("brand", 22)),
    h("h1", { class: "title" }, app.title),
    tool(t("new"), icon("compose"), startOver, { "data-tool": "new" }),
    tool(t("language"), h("span", { class: "letters" }, t("language.short")), () => preferences.switchLanguage(), {
      "data-tool": "language",
    }),
    tool(t(theme), icon(THEME_ICONS[preferences.theme]), () => preferences.nextTheme(), { "data-tool": "theme" }),
    close && tool(t("close"), icon("close"), close, { "data-tool": "close" }),
  );
}
