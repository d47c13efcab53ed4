// A run of a pipeline: its drawing with the states of now, its nodes, and what they have printed.

import {
  api, atMost, change, duration, el, frame, given, live, localTime, onChange, panel, problem,
  runAddress, sheet, statusMark,
} from "./page.js";
import { drawing } from "./drawing.js";

const main = document.getElementById("main");
const id = decodeURIComponent(location.pathname.split("/")[2]);
let found = null;
let turn = 0;

const head = el("div");
const picture = el("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "Drawing" });
const table = el("div", { class: "wide" });
const chosen = el("div", { class: "stack" });
const log = el("div");

async function show() {
  const own = ++turn;
  try {
    const answer = await api(`/api/pipelines/${encodeURIComponent(id)}`);
    if (own !== turn) return;
    const isFirst = found === null;
    found = answer;
    if (isFirst) build();
    fill();
  } catch (error) {
    if (own === turn) main.replaceChildren(problem(error));
  }
}

function build() {
  main.replaceChildren(head,
    el("div", { class: "columns drawn" },
      panel("Drawing", picture),
      el("div", { class: "stack" }, panel("Nodes", table), chosen, log)));
}

function fill() {
  document.title = `${found.name} · kogine`;
  head.replaceChildren(
    el("div", { class: "title" }, el("h1", {}, found.name), statusMark(found.status),
      el("span", { class: "space" }), el("a", { class: "button", href: runAddress(id) }, "The run's page")),
    el("div", { class: "facts" },
      el("span", {}, "inputs ", el("b", {}, found.label)),
      el("span", {}, "file ", el("b", {}, found.script)),
      el("span", {}, "started ", el("b", {}, localTime(found.started))),
      found.seconds === null ? null : el("span", {}, "took ", el("b", {}, duration(found.seconds))),
      found.items === null ? null : el("span", {}, "items ", el("b", {}, String(found.items)))),
    found.error ? problem({ message: `${found.error.type}: ${found.error.message}` }) : "");
  fillPicture();
  fillTable();
  fillChosen();
}

function fillPicture() {
  if (found.svg === null) {
    picture.replaceChildren(el("p", { class: "empty" }, `${found.nodes_in_all} nodes are too many to draw.`));
    return;
  }
  picture.replaceChildren(drawing(found.svg, choose));
  const old = "The record was made by an older kogine: it does not say how the nodes are joined.";
  if (!found.has_graph) picture.append(el("p", { class: "quiet" }, old));
  for (const link of picture.querySelectorAll("a")) {
    const name = new URLSearchParams(link.getAttribute("href").slice(1)).get("node");
    if (name === given("node")) link.setAttribute("aria-current", "true");
  }
}

function fillTable() {
  const rows = found.nodes.map((one) => el("tr", { "aria-selected": String(one.name === given("node")) },
    el("th", { scope: "row" }, el("a", { href: choice(one.name), onclick: (event) => choose(event) }, one.name)),
    el("td", {}, one.kind), el("td", {}, statusMark(one.status)),
    el("td", { class: "number" }, one.times ?? ""), el("td", { class: "number" }, duration(one.seconds))));
  const names = ["node", "kind", "state", "times", "took"];
  table.replaceChildren(el("table", { class: "grid", "aria-label": "Nodes" },
    el("thead", {}, el("tr", {}, names.map((one) => el("th", { scope: "col", class: ["times", "took"].includes(one) ? "number" : null }, one)))),
    el("tbody", {}, rows)));
  const hidden = found.nodes_in_all - found.nodes.length;
  if (hidden > 0) table.append(el("p", { class: "quiet" }, `and ${hidden} more`));
}

function choice(name) {
  const query = new URLSearchParams(location.search);
  query.set("node", name);
  return `?${query}`;
}

// A click on a node: without a new page, and back by the back button.
function choose(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const name = new URLSearchParams(event.currentTarget.getAttribute("href").slice(1)).get("node");
  change({ node: name === given("node") ? "" : name });
}

function fillChosen() {
  const node = found.nodes.find((one) => one.name === given("node"));
  chosen.hidden = !node;
  if (node) {
    const runs = node.runs.map((one) => el("a", { href: runAddress(one), class: "mono" }, one));
    chosen.replaceChildren(panel(`Node ${node.name}`, sheet([
      ["state", node.words], ["started", localTime(node.started)],
      ...Object.entries(node.results).map(([name, value]) => [`gives ${name}`, value]),
      ["error", node.error], ["why", node.why], ["key in the cache", node.key ?? ""],
      ["on", (node.workers ?? []).join(", ")],
      ["its runs", runs.length ? el("div", { class: "stack tight" }, runs.slice(0, 50)) : ""],
    ].filter(([, value]) => value !== ""), `Node ${node.name}`)));
  }
  fillLog(node);
}

let shownLog = "";

async function fillLog(node) {
  const run = node?.runs.length ? node.runs[0] : id;
  const title = run === id ? "What nodes have printed" : `What ${node.name} has printed`;
  if (run === id && !found.has_log) {
    shownLog = "";
    log.replaceChildren(panel(title, el("p", { class: "empty" }, "Nothing.")));
    return;
  }
  if (shownLog !== run) {
    shownLog = run;
    log.replaceChildren(panel(title, el("pre", { class: "text log", tabindex: "0", role: "log", "aria-label": title }),
      el("a", { href: runAddress(run, { tab: "log" }) }, "Whole log")));
  }
  try {
    const answer = await api(`/api/runs/${encodeURIComponent(run)}/log`);
    if (shownLog !== run) return;
    const text = log.querySelector("pre");
    const isAtEnd = text.scrollTop + text.clientHeight >= text.scrollHeight - 4;
    text.textContent = answer.lines.join("\n");
    if (isAtEnd) text.scrollTop = text.scrollHeight;
  } catch (error) {
    if (shownLog === run) log.replaceChildren(panel(title, problem(error)));
    shownLog = "";
  }
}

frame();
onChange(() => { if (found) fill(); });
show().then(() => live(atMost(1000, () => show())));
