// Pipelines and systems in the files of the project, and the drawing of one of them.

import { act, api, change, el, frame, given, onChange, panel, problem } from "./page.js";
import { drawing } from "./drawing.js";

const main = document.getElementById("main");
const list = el("div");
const shown = el("div", { class: "stack", "aria-live": "polite" });
let found = [];
let turn = 0;

async function start() {
  frame();
  main.replaceChildren(el("h1", {}, "Pipelines and systems"),
    el("p", { class: "quiet lead" }, "What has a name in a file of the project. A drawing runs the body of its file, in a process of its own, as kogine pipeline graph does."),
    el("div", { class: "columns picked" }, list, shown));
  try {
    const answer = await api("/api/drawings");
    found = answer.found;
    const nothing = `No file below ${answer.folder} defines a pipeline or a system.`;
    if (!found.length) list.replaceChildren(el("p", { class: "empty" }, nothing));
    fill();
  } catch (error) {
    list.replaceChildren(problem(error));
  }
}

function fill() {
  fillList();
  draw();
}

function fillList() {
  if (!found.length) return;
  const rows = found.map((one) => el("tr", { "aria-selected": String(isChosen(one)) },
    el("td", {}, el("a", { href: choice(one), onclick: (event) => pick(event, one) }, one.name)),
    el("td", {}, one.kind), el("td", { class: "mono" }, `${one.file}:${one.line}`)));
  list.replaceChildren(el("div", { class: "scroll" }, el("table", { class: "grid", "aria-label": "Pipelines and systems" },
    el("thead", {}, el("tr", {}, ["name", "kind", "file"].map((one) => el("th", { scope: "col" }, one)))),
    el("tbody", {}, rows))));
}

function isChosen(one) { return one.file === given("file") && one.name === given("name"); }

function choice(one) {
  const query = new URLSearchParams(location.search);
  query.set("file", one.file);
  query.set("name", one.name);
  return `?${query}`;
}

function pick(event, one) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  change({ file: one.file, name: one.name });
}

async function draw() {
  const own = ++turn;
  const [file, name] = [given("file"), given("name")];
  if (!file) { shown.replaceChildren(); return; }
  shown.replaceChildren(el("p", { class: "empty" }, `Drawing ${file}:${name} …`));
  try {
    const made = await act("/api/drawings", { file, name });
    if (own !== turn) return;
    const picture = el("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "Drawing" }, drawing(made.svg));
    const words = el("pre", { class: "text", tabindex: "0", "aria-label": "In words" }, made.words);
    shown.replaceChildren(panel(`${made.kind} ${name} of ${file}`, picture), panel("In words", words, el("code", {}, made.command)));
  } catch (error) {
    if (own === turn) shown.replaceChildren(problem(error));
  }
}

onChange(fill);
start();
