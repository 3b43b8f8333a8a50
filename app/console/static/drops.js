// The whole page takes drops: one that misses must not open the file instead.

/** `hover(over)` shows whether files hang over the page, `drop(event)` takes them; `ready` says whether any are wanted. */
export function takeDrops({ hover, drop, ready = () => true }) {
  let depth = 0;
  const on = (name, act) =>
    addEventListener(name, (event) => {
      if (ready() && event.dataTransfer?.types.includes("Files")) act(event);
    });
  on("dragenter", () => hover(++depth > 0));
  on("dragleave", () => hover((depth = Math.max(0, depth - 1)) > 0));
  on("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  on("drop", (event) => {
    event.preventDefault();
    depth = 0;
    hover(false);
    drop(event);
  });
}
