// The caches: what they hold, and why a run would be left out or not.

import {
  act, api, change, el, frame, given, headings, localTime, onChange, panel, problem, runAddress,
  size, statusMark,
} from "./page.js";

const main = document.getElementById("main");
const summary = el("div", { class: "caches" });
const table = el("div", { class: "scroll" });
const pages = el("nav", { class: "pages", "aria-label": "Pages of the table" });
const find = el("input", { type: "search", class: "query", "aria-label": "Find by name, place or key", placeholder: "Find: name, place or key", autocomplete: "off", spellcheck: "false" });
const kind = el("select", { "aria-label": "Kind", onchange: () => change({ kind: kind.value, page: "" }) });
const words = el("input", { type: "text", class: "query", "aria-label": "Run, or script with its values", placeholder: "train.py lr=0.1   flow.py n=4   last", autocomplete: "off", spellcheck: "false" });
const reasons = el("div", { "aria-live": "polite" });
let turn = 0;
let asked = "";

function start() {
  frame();
  const bar = el("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); change({ find: find.value.trim(), page: "" }); } },
    find, kind, el("button", { type: "submit" }, "Find"));
  const why = el("form", { class: "bar", onsubmit: (event) => { event.preventDefault(); change({ why: words.value.trim() }); } },
    words, el("button", { type: "submit" }, "Explain"));
  main.replaceChildren(el("h1", {}, "Caches"), summary,
    panel("Would a run be left out?", el("div", { class: "body" }, why, reasons)),
    el("h2", { class: "part" }, "Files"), bar, table, pages);
}

async function show() {
  const own = ++turn;
  find.value = given("find");
  words.value = given("why");
  explain();
  const parts = Object.fromEntries(["find", "kind", "sort", "page", "size"].map((one) => [one, given(one)]));
  try {
    const found = await api("/api/cache", parts);
    if (own === turn) fill(found);
  } catch (error) {
    if (own === turn) table.replaceChildren(problem(error));
  }
}

function fill(found) {
  summary.replaceChildren(el("div", { class: "scroll" }, el("table", { class: "grid", "aria-label": "Caches" },
    el("thead", {}, el("tr", {}, ["cache", "of", "files", "size"].map((one) => el("th", { scope: "col", class: ["files", "size"].includes(one) ? "number" : null }, one)))),
    el("tbody", {}, found.caches.map((one) => el("tr", {}, el("th", { scope: "row", class: "mono" }, one.cache),
      el("td", {}, one.programs ? "Programs of scripts" : "results of pipelines"),
      el("td", { class: "number" }, String(one.files)), el("td", { class: "number" }, size(one.size))))))));
  kind.replaceChildren(el("option", { value: "" }, "every kind"), ...found.kinds.map((one) => el("option", { value: one }, one)));
  kind.value = given("kind");
  const columns = found.columns.map((one) => ({ name: one, heading: one, number: one === "size" }));
  const rows = found.rows.map((row) => el("tr", {}, columns.map((one) => el("td", { class: one.number ? "number" : one.name === "key" ? "mono" : null, title: row[one.name] ?? "" }, cell(one.name, row[one.name])))));
  table.replaceChildren(found.rows.length
    ? el("table", { class: "grid", "aria-label": "Files in the caches" }, el("thead", {}, el("tr", {}, headings(columns, given("sort"), (sort) => change({ sort, page: "" })))), el("tbody", {}, rows))
    : el("p", { class: "empty" }, given("find") || given("kind") ? "Nothing fits." : "The caches are empty."));
  const step = (by) => change({ page: found.page + by });
  pages.replaceChildren(
    el("span", {}, `${found.rows_in_all} files, page ${found.page} of ${found.pages}`), el("span", { class: "space" }),
    el("button", { type: "button", disabled: found.page <= 1, onclick: () => step(-1) }, "Previous"),
    el("button", { type: "button", disabled: found.page >= found.pages, onclick: () => step(1) }, "Next"));
}

function cell(name, value) {
  if (name === "size") return size(value);
  if (name === "used") return localTime(value);
  return name === "key" ? value.slice(0, 10) : value ?? "";
}

async function explain() {
  const text = given("why");
  if (text === asked) return;
  asked = text;
  if (!text) { reasons.replaceChildren(); return; }
  reasons.replaceChildren(el("p", { class: "quiet" }, "…"));
  try {
    const found = await act("/api/cache/why", { words: text });
    if (asked === text) reasons.replaceChildren(found.nodes ? nodes(found.nodes) : script(found), el("p", { class: "quiet" }, el("code", {}, found.command)));
  } catch (error) {
    if (asked === text) reasons.replaceChildren(problem(error));
    asked = asked === text ? "" : asked;
  }
}

function script(found) {
  const of = found.run ? el("a", { class: "mono", href: runAddress(found.run) }, found.run) : null;
  const sentence = found.state === "cached" ? ["It would be left out: its result is that of ", of] : of ? ["It would run. The nearest run is ", of] : ["It would run: no run has its values."];
  return el("div", {}, el("p", { class: "lead" }, sentence), found.changes?.length ? rows(["part", "name", "before", "now"], found.changes) : null);
}

function nodes(found) {
  return rows(["node", "state", "why", "key"], found);
}

function rows(names, found) {
  const text = (name, value) => name === "state" ? statusMark(value) : name === "key" ? (value ?? "").slice(0, 10) : value ?? "";
  return el("div", { class: "scroll" }, el("table", { class: "grid", "aria-label": "Reasons" },
    el("thead", {}, el("tr", {}, names.map((one) => el("th", { scope: "col" }, one)))),
    el("tbody", {}, found.map((row) => el("tr", {}, names.map((one) => el("td", { title: row[one] ?? "" }, text(one, row[one]))))))));
}

start();
onChange(show);
show();
