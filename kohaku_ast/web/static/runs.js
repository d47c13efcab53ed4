// The runs table: rows or groups, chosen, sorted and paged by the server; the address has the view.

import {
  act, address, api, ask, atMost, attempt, change, el, frame, given, headings, live, onChange,
  problem, runAddress, say, shown, statusMark,
} from "./page.js";

const main = document.getElementById("main");
const PARTS = ["where", "sort", "columns", "group", "page", "size", "script", "since"];
const OF_CSV = ["where", "sort", "columns", "script", "since", "trash"];
const picked = new Set();
let table = null;
let turn = 0;

const query = el("input", {
  type: "search", class: "query", name: "where", "aria-label": "Filter runs", spellcheck: "false",
  autocomplete: "off", placeholder: 'Filter: lr > 0.1 and status == "failed"',
});
const group = el("select", { "aria-label": "Group by", onchange: () => change({ group: group.value, page: "", sort: "", columns: "" }) });
const states = el("div", { class: "chips", role: "group", "aria-label": "States" });
const tools = el("div", { class: "chips" });
const error = el("div");
const body = el("div", { class: "scroll" });
const pages = el("nav", { class: "pages", "aria-label": "Pages of the table" });
const csv = el("a", { id: "csv", download: "runs.csv", title: "All runs of this table as CSV" }, "CSV");
const heading = el("h1", { class: "hidden-text" }, "Runs");

function build() {
  frame();
  const form = el("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); change({ where: query.value.trim(), page: "" }); } },
    query, el("button", { type: "submit" }, "Filter"),
    el("label", {}, "Group", group),
    el("button", { type: "button", id: "choose", onclick: chooseColumns }, "Columns"), csv);
  main.replaceChildren(heading, form, error, el("div", { class: "bar" }, states, el("span", { class: "space" }), tools), body, pages);
}

// --- one view ------------------------------------------------------------------------------------

async function show() {
  const own = ++turn;
  query.value = given("where");
  csv.hidden = Boolean(given("group"));
  csv.href = address("/api/runs.csv", Object.fromEntries(OF_CSV.map((name) => [name, given(name)])));
  heading.textContent = given("trash") ? "Trash" : given("group") === "flow" ? "Sweeps" : "Runs";
  document.title = `${heading.textContent} · kogine`;
  try {
    const parts = Object.fromEntries(PARTS.map((name) => [name, given(name)]));
    const found = await api("/api/runs", parts);
    if (own !== turn) return; // a later view is on its way
    table = found;
    error.replaceChildren();
    query.removeAttribute("aria-invalid");
    paint();
  } catch (problemFound) {
    if (own !== turn) return;
    error.replaceChildren(problem(problemFound));
    paintGroups();
    query.setAttribute("aria-invalid", "true");
  }
}

function paint() {
  const focused = document.activeElement?.dataset?.key;
  paintStates();
  paintTools();
  body.replaceChildren(table.rows.length ? grid() : nothing());
  paintPages();
  paintGroups();
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function nothing() {
  if (given("trash")) return el("p", { class: "empty" }, "The trash is empty.");
  if (table.of) return el("p", { class: "empty" }, "No run fits.");
  return el("div", { class: "empty" }, el("p", {}, "No runs yet in ", el("code", {}, table.folder)),
    el("p", {}, "Record one: ", el("code", {}, "kogine run train.py --record lr=0.2"), " or ", el("code", {}, "kogine run train.py --sweep lr=0.1,0.2")));
}

function grid() {
  const isRuns = !given("group");
  const sortBy = isRuns ? (sort) => change({ sort, page: "" }) : null;
  const all = el("input", { type: "checkbox", "aria-label": "Choose all rows of this page", "data-key": "all",
    checked: table.rows.every((row) => picked.has(row.id)), onchange: () => pickAll(all.checked) });
  const head = el("tr", {}, isRuns ? el("th", { class: "pick" }, all) : null, headings(table.columns, given("sort"), sortBy));
  return el("table", { class: "grid" }, el("thead", {}, head), el("tbody", {}, table.rows.map((row) => line(row, isRuns))));
}

function line(row, isRuns) {
  const cells = table.columns.map((column, at) => cell(row, column, row.cells[at], at));
  const pick = isRuns && el("td", { class: "pick" }, el("input", { type: "checkbox", "data-key": `pick ${row.id}`,
    "aria-label": `Choose run ${row.number}`, checked: picked.has(row.id), onchange: () => pickOne(row.id) }));
  return el("tr", { "data-run": row.id ?? null, "aria-selected": isRuns ? String(picked.has(row.id)) : null, title: row.note || null }, pick || null, cells);
}

function cell(row, column, value, at) {
  const name = column.name;
  let content = shown(value);
  if (name === "status") content = statusMark(value);
  else if (name === "parent" && value) content = el("a", { href: runAddress(value) }, value.slice(20, 28));
  else if (name === "number" || name === "id" || at === 0) content = el("a", { href: target(row), "data-key": `open ${row.id ?? row.where ?? row.sweep}` }, content || "–");
  return el("td", { class: column.number ? "number" : null, title: typeof value === "string" && value.length > 40 ? value : null }, content);
}

// Where a row leads: the page of a run or sweep, or the runs of a group.
function target(row) {
  if (row.kind === "pipeline" && !given("trash")) return address(`/pipelines/${encodeURIComponent(row.id)}`);
  if (row.id) return runAddress(row.id);
  if (row.sweep) return address(`/sweeps/${row.sweep}`);
  return address("/", { where: row.where });
}

// --- states, groups, pages -----------------------------------------------------------------------

function paintStates() {
  const only = given("where").match(/^status == "(\w+)"$/)?.[1];
  const chips = Object.entries(table.states).map(([name, count]) =>
    el("button", { class: "chip", type: "button", "data-key": `state ${name}`, "aria-pressed": String(only === name), onclick: () => narrow(name, only) },
      statusMark(name, `${count} ${name}`)));
  const count = given("where") ? `${table.runs} of ${table.of} runs` : `${table.of} run${table.of === 1 ? "" : "s"}`;
  states.replaceChildren(el("span", { class: "quiet", id: "count" }, count), ...chips,
    only ? el("button", { class: "chip", type: "button", onclick: () => change({ where: "", page: "" }) }, "all states") : "");
}

function narrow(name, only) {
  const own = `status == "${name}"`, before = given("where");
  const where = only === name ? "" : before && !only ? `(${before}) and ${own}` : own;
  change({ where, page: "" });
}

let kinds = null;

async function columnKinds() {
  kinds ??= await api("/api/columns");
  return kinds;
}

function paintGroups() {
  const now = given("group");
  const options = [["", "nothing"], ["flow", "sweep"]];
  for (const name of kinds?.kinds?.parameters ?? []) options.push([name, name]);
  if (now && !options.some(([value]) => value === now)) options.push([now, now]);
  group.replaceChildren(...options.map(([value, text]) => el("option", { value }, text)));
  group.value = now;
}

group.addEventListener("focus", async () => { await attempt(columnKinds); paintGroups(); }, { once: true });

function paintPages() {
  const go = (page) => change({ page: page === 1 ? "" : page });
  const step = (text, page, isOn) => el("button", { type: "button", class: "small", disabled: !isOn, "data-key": `page ${text}`, onclick: () => go(page) }, text);
  const choice = el("select", { "aria-label": "Rows on a page", onchange: () => change({ size: choice.value === "50" ? "" : choice.value, page: "" }) },
    ["20", "50", "100", "200", "500"].map((one) => el("option", { value: one }, `${one} rows`)));
  choice.value = given("size", "50");
  pages.replaceChildren(
    step("‹ Previous", table.page - 1, table.page > 1),
    el("span", {}, `Page ${table.page} of ${table.pages}`),
    step("Next ›", table.page + 1, table.page < table.pages),
    el("span", { class: "space" }), choice);
  pages.hidden = table.rows_in_all <= 20;
}

// --- chosen rows ---------------------------------------------------------------------------------

function pickOne(id) {
  if (!picked.delete(id)) picked.add(id);
  paint();
}

function pickAll(isOn) {
  for (const row of table.rows) {
    if (isOn) picked.add(row.id);
    else picked.delete(row.id);
  }
  paint();
}

function paintTools() {
  const runs = [...picked];
  if (!runs.length) { tools.replaceChildren(); return; }
  const button = (text, work, kind = "") => el("button", { type: "button", class: `small ${kind}`, "data-key": `tool ${text}`, onclick: () => attempt(work) }, text);
  const own = given("trash") ? [button("Restore", () => restore(runs))]
    : [button("Compare", () => { location.href = address("/compare", { runs: runs.join(",") }); }), button("Tag…", () => tag(runs)), button("Delete", () => remove(runs), "danger")];
  tools.replaceChildren(el("span", { class: "quiet" }, `${runs.length} chosen`), ...own, button("None", () => { picked.clear(); paint(); }));
}

async function remove(runs) {
  const { runs: gone } = await act("/api/runs/delete", { runs });
  picked.clear();
  await show();
  say(`${count(gone.length)} moved to the trash.`, "", ["Undo", () => attempt(() => restore(gone))]);
}

async function restore(runs) {
  const { runs: back } = await act("/api/runs/restore", { runs });
  picked.clear();
  await show();
  say(`${count(back.length)} restored.`);
}

const count = (number) => `${number} run${number === 1 ? "" : "s"}`;

async function tag(runs) {
  const input = el("input", { type: "text", name: "tag", required: true, "aria-label": "Tag", autocomplete: "off" });
  const name = await ask(`Tag ${count(runs.length)}`, input, { yes: "Add", read: () => input.value.trim() });
  if (!name) return;
  for (const id of runs) await act(`/api/runs/${encodeURIComponent(id)}/tag`, { add: [name] });
  await show();
}

// --- columns -------------------------------------------------------------------------------------

async function chooseColumns() {
  const found = await attempt(columnKinds);
  if (!found) return;
  const now = given("columns") ? given("columns").split(",") : table?.columns.map((one) => one.name) ?? found.shown;
  const find = el("input", { type: "search", "aria-label": "Find a column", placeholder: "Find a column", oninput: () => narrowKinds(box, find.value) });
  const fields = Object.entries(found.kinds).map(([kind, names]) =>
    el("fieldset", {}, el("legend", {}, kind), names.map((name) =>
      el("label", { "data-name": name.toLowerCase() }, el("input", { type: "checkbox", name: "column", value: name, checked: isShown(name, now) }), name))));
  const box = el("div", { class: "kinds" }, fields);
  const usual = el("button", { type: "button", onclick: () => { change({ columns: "", page: "" }); usual.closest("dialog").close(); } }, "The usual columns");
  const chosen = await ask("Columns", el("div", { class: "stack" }, find, box, el("div", {}, usual)), { yes: "Show", read: read(now) });
  if (chosen) change({ columns: chosen.join(","), page: "" });
}

const isShown = (name, now) => now.includes(name) || now.includes(`last:${name}`);

// Columns that were shown stay in their order; new ones come last.
function read(now) {
  return (form) => {
    const names = [...form.querySelectorAll("input[name=column]:checked")].map((one) => one.value);
    const before = now.map((one) => one.replace(/^last:/, "")).filter((one) => names.includes(one));
    return [...new Set([...before, ...names])];
  };
}

function narrowKinds(box, text) {
  for (const label of box.querySelectorAll("label")) label.hidden = !label.dataset.name.includes(text.toLowerCase());
  for (const field of box.querySelectorAll("fieldset")) field.hidden = !field.querySelector("label:not([hidden])");
}

// --- start ---------------------------------------------------------------------------------------

build();
onChange(() => { picked.clear(); show(); });
show().then(() => live(atMost(1000, () => { kinds = null; show(); })));
