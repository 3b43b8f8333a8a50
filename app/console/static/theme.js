// Runs before the page is painted: appearance and language as they were chosen, here or on the chat page.
(() => {
  const root = document.documentElement;
  let chosen = {};
  try {
    chosen = JSON.parse(localStorage.getItem("merchant-copilot:preferences")) ?? {};
  } catch {
    // storage is blocked: the system's appearance, the browser's language
  }
  if (chosen.theme === "light" || chosen.theme === "dark") root.dataset.theme = chosen.theme;

  const shown = root.lang.startsWith("zh") ? "zh" : "en";
  const wanted = chosen.lang === "zh" || chosen.lang === "en" ? chosen.lang : shown;
  if (wanted === shown || "madeOnce" in root.dataset || /(^|; )copilot_lang=/.test(document.cookie)) return;
  document.cookie = `copilot_lang=${wanted}; path=/; max-age=31536000; samesite=strict`;
  if (/(^|; )copilot_lang=/.test(document.cookie)) location.reload();
})();
