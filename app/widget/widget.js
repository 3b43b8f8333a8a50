// The one script tag: <script src="https://HOST/widget.js" data-key="pk_…" data-kb="…" async></script>
//
// A classic script, so that it works with and without type="module". It is small on purpose: it puts the launcher on
// the page; the chat itself is loaded when somebody opens it. All data-* of the tag are handed on to the element:
//   data-key    publishable key            data-lang   auto | zh | en       data-title     name in the header
//   data-kb     knowledge base, or a,b     data-theme  auto | light | dark  data-position  right | left
//   data-api    the service's address, if the files are served from elsewhere
//   data-mode   widget | page              (page fills the window)
//   data-pictures  on | off                (off: no pictures can be sent)
// A page can colour it with `merchant-copilot { --mc-accent: #0b6e99; }` and drive it with window.MerchantCopilot.
(() => {
  const tag = document.currentScript ?? document.querySelector('script[src*="widget.js"]');
  if (!tag || document.querySelector("merchant-copilot")) return;
  const home = new URL(".", tag.src);

  const start = async () => {
    const element = document.createElement("merchant-copilot");
    Object.assign(element.dataset, tag.dataset);
    element.dataset.api ??= home.href;
    try {
      await import(new URL("widget/element.js", home).href);
    } catch (error) {
      console.error("merchant-copilot: could not be loaded from", home.href, error);
      return;
    }
    document.body.append(element);
    window.MerchantCopilot = {
      open: () => element.open(),
      close: () => element.close(),
      ask: (question) => element.ask(question),
    };
    window.dispatchEvent(new CustomEvent("merchant-copilot:ready"));
  };

  if (document.body) start();
  else document.addEventListener("DOMContentLoaded", start, { once: true });
})();
