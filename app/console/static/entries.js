// What was dropped or chosen → files with the names they are uploaded under: a folder's files keep their path below it.

const LEFT_BEHIND = /^(\.|~\$)|^(Thumbs\.db|desktop\.ini)$/i; // of the system and of open Office files

/** Files of a drop, folders walked through. Call it in the drop event itself: afterwards the browser forgets. */
export function dropped(transfer) {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const found = items.map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  return Promise.all(found.filter(Boolean).map((entry) => (entry instanceof File ? [plain(entry)] : walk(entry, "")))).then(kept);
}

/** Files of an input, with their path where a folder was chosen. */
export function chosen(input) {
  return kept([[...input.files].map(plain)]);
}

function plain(file) {
  return { file, name: file.webkitRelativePath || file.name };
}

function kept(lists) {
  return lists.flat(Infinity).filter(({ name }) => !name.split("/").some((part) => LEFT_BEHIND.test(part)));
}

async function walk(entry, folder) {
  const path = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject)).catch(() => null);
    return file ? [{ file, name: path }] : [];
  }
  const inside = [];
  const reader = entry.createReader();
  for (;;) { // it hands out at most 100 at a time
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)).catch(() => []);
    if (!some.length) return Promise.all(inside.map((child) => walk(child, `${path}/`)));
    inside.push(...some);
  }
}
