// What all pages share: elements, the state in the address, answers and errors, tables, live news.
// Texts of records reach the page as text nodes alone: nothing here writes HTML.

const NAV = [
  { path: "/", label: "Runs" },
  { path: "/?group=flow", label: "Sweeps" },
  { path: "/systems", label: "Drawings" },
  { path: "/cache", label: "Caches" },
  { path: "/?trash=1", label: "Trash" },
];

// --- elements ------------------------------------------------------------------------------------

// An element: `el("a", {href: "/", class: "button"}, "text", other)`. A property that starts with
// "on" is a listener; null and false leave an attribute out.
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") made[name] = value;
    else if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(name, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return made;
}

export function svg(tag, properties = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A state in its colour, with its name: colour alone says nothing.
export function statusMark(status, text = status) {
  return el("span", { class: "status", "data-status": status }, text);
}

// A meter of states, such as {succeeded: 8, failed: 2}.
export function statesMeter(states, all = null) {
  const total = all || Object.values(states).reduce((sum, one) => sum + one, 0) || 1;
  const text = Object.entries(states).map(([name, count]) => `${count} ${name}`).join(", ");
  const parts = Object.entries(states).map(([name, count]) => {
    const part = el("i", { "data-status": name });
    part.style.width = `${(100 * count) / total}%`;
    return part;
  });
  return el("span", { class: "states", title: text },
    el("span", { class: "meter", "aria-hidden": "true" }, parts), el("span", {}, text));
}

// A small curve of numbers; those that are none (nan, inf) are gaps.
export function curve(values) {
  const numbers = values.map((one) => (typeof one === "number" ? one : NaN));
  const known = numbers.filter(Number.isFinite);
  const least = Math.min(...known), most = Math.max(...known), height = most - least || 1;
  let path = "", pen = "M";
  numbers.forEach((one, at) => {
    if (!Number.isFinite(one)) { pen = "M"; return; }
    const x = numbers.length > 1 ? (96 * at) / (numbers.length - 1) : 48;
    path += `${pen}${x.toFixed(1)} ${(20 - (18 * (one - least)) / height).toFixed(1)}`;
    pen = "L";
  });
  const label = known.length ? `from ${known[0]} to ${known[known.length - 1]}` : "no numbers";
  return svg("svg", { class: "curve", viewBox: "0 0 96 22", role: "img", "aria-label": label },
    svg("path", { d: path || "M0 0" }));
}

export function panel(title, body, ...tools) {
  return el("section", { class: "panel" },
    el("header", {}, el("h2", {}, title), el("span", { class: "space" }), ...tools), body);
}

// --- numbers and times ---------------------------------------------------------------------------

export function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
}

export function localTime(text) {
  if (!text) return "";
  const when = new Date(text);
  const two = (one) => String(one).padStart(2, "0");
  return `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ` +
    `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.9995) return `${(1000 * seconds).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${minutes % 60} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  let value = bytes, at = 0;
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  while (value >= 1024 && at < units.length - 1) { value /= 1024; at += 1; }
  return `${at ? value.toFixed(1) : value} ${units[at]}`;
}

// --- the state in the address --------------------------------------------------------------------

const listeners = [];

// The value of a part of the address's query.
export function given(name, usual = "") {
  return new URLSearchParams(location.search).get(name) ?? usual;
}

// Change parts of the query; empty ones are left out. `replace`: no new step for the back button.
export function change(parts, replace = false) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(parts)) {
    if (value === "" || value === null || value === undefined) query.delete(name);
    else query.set(name, value);
  }
  const address = location.pathname + (`${query}` ? `?${query}` : "");
  history[replace ? "replaceState" : "pushState"](null, "", address);
  listeners.forEach((one) => one());
}

// Call `listener` whenever the address has changed: also by the back button.
export function onChange(listener) { listeners.push(listener); }
addEventListener("popstate", () => listeners.forEach((one) => one()));

// An address of this view, in the same store.
export function address(path, parts = {}) {
  const [place, own] = path.split("?");
  const query = new URLSearchParams(own ?? "");
  for (const [name, value] of Object.entries({ store: given("store"), ...parts })) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  return place + (`${query}` ? `?${query}` : "");
}

export function runAddress(id, parts = {}) {
  return address(`/runs/${encodeURIComponent(id)}`, { trash: given("trash"), ...parts });
}

// --- answers -------------------------------------------------------------------------------------

async function answered(response) {
  const text = await response.text();
  let found = null;
  try { found = JSON.parse(text); } catch { /* it is no JSON: an error of the server */ }
  if (!response.ok || found === null) {
    throw new Error(found?.error ?? `the server answered ${response.status}`);
  }
  return found;
}

let pending = 0;

// While answers are awaited the page is busy: for screen readers, and for tests.
function busy(more) {
  pending += more;
  document.getElementById("main").setAttribute("aria-busy", pending > 0);
}

async function reach(path, options) {
  busy(1);
  try {
    return await answered(await fetch(path, options).catch(explain));
  } finally {
    setTimeout(() => busy(-1)); // when the page has drawn the answer
  }
}

function explain(error) {
  if (error.name === "AbortError") throw error;
  throw new Error("the server does not answer: is kogine ui still running?");
}

// The answer to `/api/...`, of the store of this page. Throws an Error with a sentence.
export async function api(path, parts = {}, signal = undefined) {
  return reach(address(path, { trash: given("trash"), ...parts }), { signal });
}

// Send a change. The server takes it from this page alone.
export async function act(path, fields = {}) {
  return reach(address(path, { trash: given("trash") }), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(fields),
  });
}

// --- messages ------------------------------------------------------------------------------------

// Say something in the corner; `button` is [text, function].
export function say(text, kind = "", button = null) {
  const box = el("div", { class: kind }, el("span", {}, text));
  const close = () => box.remove();
  if (button) box.append(el("button", { class: "small", onclick: () => { close(); button[1](); } }, button[0]));
  box.append(el("button", { class: "plain small", "aria-label": "Close", onclick: close }, "×"));
  document.getElementById("messages").append(box);
  setTimeout(close, kind === "bad" ? 20000 : 8000);
}

// Do something that may fail, and say so.
export async function attempt(work) {
  try { return await work(); } catch (error) { say(error.message, "bad"); return null; }
}

export function problem(error) {
  return el("div", { class: "problem", role: "alert" }, error.message);
}

// A dialog with a form; the result of `read(form)` when it is sent, null when it is closed.
export function ask(title, content, { yes = "OK", danger = false, read = () => true } = {}) {
  return new Promise((resolve) => {
    let result = null;
    const head = el("h2", { id: "asked" }, title);
    const send = el("button", { type: "submit", class: danger ? "danger" : "primary" }, yes);
    const form = el("form", { method: "dialog" }, head, content,
      el("div", { class: "ends" }, el("button", { type: "button", onclick: () => box.close() }, "Cancel"), send));
    const box = el("dialog", { "aria-labelledby": "asked" }, form);
    form.addEventListener("submit", () => { result = read(form); });
    box.addEventListener("close", () => { box.remove(); resolve(result); });
    document.body.append(box);
    box.showModal();
  });
}

// --- the bar at the top --------------------------------------------------------------------------

function isCurrent(entry) {
  const [path, query] = entry.path.split("?");
  if (path !== location.pathname) return false;
  const own = new URLSearchParams(query ?? "");
  return ["group", "trash"].every((name) => (own.get(name) ?? "") === (name === "group" && given(name) !== "flow" ? "" : given(name)));
}

function links() {
  return NAV.map((one) => el("a", { href: address(one.path), "aria-current": isCurrent(one) ? "page" : null }, one.label));
}

// Fill the bar: names of pages, the store, and whether the page is live.
export function frame() {
  const nav = el("nav", { "aria-label": "Pages" }, links());
  const live = el("span", { class: "live", id: "live", "data-on": "false", hidden: true }, "not live");
  const top = document.getElementById("top");
  top.replaceChildren(
    el("a", { class: "brand", href: address("/") }, el("img", { src: "/static/icon.svg", alt: "" }), el("span", {}, "kogine")),
    nav, el("span", { class: "space" }), live);
  onChange(() => nav.replaceChildren(...links()));
  showStores(live);
}

async function showStores(before) {
  const { stores } = await api("/api/stores").catch(() => ({ stores: [] }));
  if (stores.length < 2) return;
  const choice = el("select", { "aria-label": "Store", onchange: () => { location.href = address("/", { store: choice.value }); } },
    stores.map((one) => el("option", { value: one.name, title: one.folder }, one.name)));
  choice.value = given("store") || stores[0].name;
  before.before(choice);
}

// --- live ----------------------------------------------------------------------------------------

// Call `hear({runs, all})` when runs have changed: those of these ids, or `all`. While nobody looks
// at the page there is no connection; then `hear` is called once with `all`.
export function live(hear) {
  let source = null;
  const mark = (on) => {
    const shown = document.getElementById("live");
    if (shown) { shown.hidden = false; shown.dataset.on = on; shown.textContent = on ? "live" : "not live"; }
  };
  const open = () => {
    source = new EventSource(address("/api/events", { trash: given("trash") }));
    source.addEventListener("open", () => mark(true));
    source.addEventListener("error", () => mark(false));
    source.addEventListener("change", (event) => hear(JSON.parse(event.data)));
  };
  const close = () => { source?.close(); source = null; mark(false); };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) close();
    else if (!source) { open(); hear({ runs: [], all: true }); }
  });
  addEventListener("pagehide", close);
  open();
}

// Call `work` at most once in `pause` milliseconds, and once more after the last call.
export function atMost(pause, work) {
  let timer = null, isWaiting = false;
  return () => {
    if (timer) { isWaiting = true; return; }
    work();
    timer = setTimeout(function end() {
      timer = null;
      if (isWaiting) { isWaiting = false; work(); timer = setTimeout(end, pause); }
    }, pause);
  };
}

// --- tables --------------------------------------------------------------------------------------

// A cell of a table of the API: text, a curve or states.
export function shown(value) {
  if (value && typeof value === "object") {
    return value.curve ? curve(value.curve) : statesMeter(value.states);
  }
  return value ?? "";
}

// The headings of `columns`; with `sort`, the name that rows are sorted by, each is a button that
// calls `sortBy` with the next order: ascending, descending, none.
export function headings(columns, sort = null, sortBy = null) {
  return columns.map((one) => {
    const plain = (name) => name?.replace(/^(-?)last:/, "$1");
    const order = plain(sort) === plain(one.name) ? "ascending" : plain(sort) === `-${plain(one.name)}` ? "descending" : "none";
    const next = { none: one.name, ascending: `-${one.name}`, descending: "" }[order];
    const isSorted = sortBy && !one.name.startsWith("spark:");
    return el("th", { scope: "col", class: one.number ? "number" : null, "aria-sort": isSorted && order !== "none" ? order : null, title: one.name },
      isSorted ? el("button", { type: "button", onclick: () => sortBy(next) }, one.heading) : one.heading);
  });
}

// A table of names and values.
export function sheet(pairs, caption) {
  const rows = pairs.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)));
  return el("div", { class: "wide" }, el("table", { class: "sheet", "aria-label": caption }, el("tbody", {}, rows)));
}
