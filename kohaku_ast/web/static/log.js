// The log of a run, which follows while it grows.

import { address, api, el, given, panel, size } from "./page.js";

const path = (id) => `/api/runs/${encodeURIComponent(id)}`;
const isAtEnd = (text) => text.scrollTop + text.clientHeight >= text.scrollHeight - 24;

// A panel with the log of the run `id`; its `read()` adds what is new. `attempts`: numbers, of which
// `choose(number)` shows another one. `title`: what stands above it.
export function logPanel(id, { title = "Log", attempts = [], attempt = "", choose = null } = {}) {
  const text = el("pre", { class: "text log", id: "log", tabindex: "0", "aria-label": title });
  const follow = el("input", { type: "checkbox", checked: true });
  const wrap = el("input", { type: "checkbox", onchange: () => text.classList.toggle("wrap", wrap.checked) });
  const state = el("span", { class: "quiet" });
  const save = el("a", { class: "button small", href: address(`${path(id)}/log.txt`, { trash: given("trash"), attempt }) }, "Download");
  text.addEventListener("scroll", () => { if (!isAtEnd(text)) follow.checked = false; });
  follow.addEventListener("change", () => { if (follow.checked) text.scrollTop = text.scrollHeight; });
  const made = panel(title, text, state, attempts.length > 1 ? choice(attempts, attempt, choose) : "",
    el("label", { class: "chips" }, wrap, "wrap"), el("label", { class: "chips" }, follow, "follow"), save);
  made.read = reader(id, { text, follow, state, attempt });
  made.read();
  return made;
}

function choice(attempts, attempt, choose) {
  const made = el("select", { "aria-label": "Attempt", onchange: () => choose(made.value) },
    attempts.map((one) => el("option", { value: one }, `attempt ${one}`)));
  made.value = attempt || String(attempts[attempts.length - 1]);
  return made;
}

// A function that reads what is new; one call at a time.
function reader(id, { text, follow, state, attempt }) {
  let offset = null, inode = null, isBusy = false;
  return async function read() {
    if (isBusy) return;
    isBusy = true;
    let isMore = false;
    try {
      const found = await api(`${path(id)}/log`, { attempt, offset, inode });
      ({ offset, inode } = found);
      add(text, found);
      state.textContent = size(found.size);
      if (follow.checked) text.scrollTop = text.scrollHeight;
      isMore = found.offset < found.size && found.lines.length > 0;
    } catch (error) {
      text.replaceChildren(el("span", { class: "quiet" }, error.message));
    } finally {
      isBusy = false;
    }
    if (isMore) setTimeout(read);
  };
}

function add(text, found) {
  if (found.is_new || text.dataset.empty) text.replaceChildren();
  delete text.dataset.empty;
  if (found.is_new && found.from > 0) {
    text.append(el("span", { class: "quiet" }, `… ${size(found.from)} come before: Download has all of it\n`));
  }
  if (found.lines.length) text.append(`${found.lines.join("\n")}\n`);
  if (text.textContent) return;
  text.dataset.empty = "yes";
  text.append(el("span", { class: "quiet" }, "It has printed nothing yet."));
}
