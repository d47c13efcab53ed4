// The page that compares runs: what differs, and figures; the address has every choice.

import {
  address, api, atMost, change, el, frame, given, headings, live, onChange, panel, problem, runAddress,
} from "./page.js";
import { chart, draw, drawSvg, prepare } from "./chart.js";

const main = document.getElementById("main");
const title = el("h1", {}, "Compare");
const query = el("input", { type: "search", class: "query", "aria-label": "Filter runs", spellcheck: "false", placeholder: 'Filter: lr > 0.1 and status == "succeeded"' });
const error = el("div");
const places = {
  table: el("div", { class: "scroll" }),
  curves: chart("curves", "Curves"), parallel: chart("parallel", "Parallel coordinates", "parallel"),
  scatter: chart("scatter", "Value against result"), box: chart("box", "Result by group"),
};
const everything = box("all", "all columns");
const controls = {
  metric: choice("metric", "Metric"), over: choice("over", "over"), smooth: slider(), log: box("log", "log"),
  goal: choice("goal", "Result"), x: choice("x", "Value"), colour: choice("colour", "Colour"), by: choice("by", "Group by"),
};
let found = null;
let turn = 0;

// --- controls ------------------------------------------------------------------------------------

function choice(name, label) {
  const made = el("select", { "aria-label": label, id: `choose-${name}`, onchange: () => change({ [name]: made.value }) });
  return made;
}

function box(name, label) {
  const made = el("input", { type: "checkbox", id: `choose-${name}`, onchange: () => change({ [name]: made.checked ? "1" : "" }) });
  return { made, label: el("label", { class: "chips" }, made, label) };
}

function slider() {
  const shown = el("span", { class: "quiet" });
  const made = el("input", { type: "range", min: "0", max: "0.95", step: "0.05", id: "choose-smooth", "aria-label": "Smoothing",
    oninput: () => { shown.textContent = made.value; }, onchange: () => change({ smooth: made.value === "0" ? "" : made.value }) });
  return { made, shown, label: el("label", { class: "chips" }, "smoothing", made, shown) };
}

function fill(select, names, usual, texts = (name) => name) {
  const now = given(select.id.replace("choose-", "")) || usual || "";
  const all = names.includes(now) || !now ? names : [...names, now];
  select.replaceChildren(...all.map((name) => el("option", { value: name }, texts(name))));
  select.value = now;
}

const goalText = (goal) => goal.replace(/^min:/, "least ").replace(/^max:/, "greatest ");

function fillControls() {
  fill(controls.metric, found.metrics, metric());
  fill(controls.over, ["step", "time"], "step", (name) => (name === "time" ? "over seconds" : "over steps"));
  fill(controls.goal, found.goals, found.goal, goalText);
  fill(controls.x, found.varied, found.varied[0]);
  fill(controls.colour, ["", ...found.varied], "", (name) => name || "one colour");
  fill(controls.by, found.varied, found.by);
  controls.smooth.made.value = given("smooth", "0");
  controls.smooth.shown.textContent = given("smooth", "0");
  controls.log.made.checked = given("log") === "1";
  everything.made.checked = given("all") === "1";
}

// The metric of the curves: that of the result, unless another one is chosen.
function metric() {
  const own = (given("goal") || found.goal).split(":").pop();
  return given("metric") || (found.metrics.includes(own) ? own : found.metrics[0]);
}

// --- one view ------------------------------------------------------------------------------------

const chosen = () => ({ runs: given("runs"), where: given("where"), script: given("script"), since: given("since") });

async function show() {
  const own = ++turn;
  query.value = given("where");
  query.form.hidden = Boolean(given("runs"));
  try {
    const next = await api("/api/compare", { ...chosen(), sort: given("sort"), all: given("all") });
    if (own !== turn) return; // a later view is on its way
    found = next;
    error.replaceChildren();
    title.textContent = `Compare ${found.runs} run${found.runs === 1 ? "" : "s"}`;
    document.title = `${title.textContent} · kogine`;
    fillControls();
    paintTable();
    await Promise.all([
      figure("curves", { metric: metric(), smooth: given("smooth"), log: given("log"), over: given("over") }, found.metrics.length),
      figure("parallel", { goal: given("goal") }, found.goal && found.varied.length),
      figure("scatter", { goal: given("goal"), x: given("x"), colour: given("colour") }, found.goal && found.varied.length),
      figure("box", { goal: given("goal"), by: given("by") || found.by }, found.goal && found.varied.length),
    ]);
  } catch (failure) {
    if (own === turn) error.replaceChildren(problem(failure));
  }
}

const open = (id) => { location.href = runAddress(id); };

async function figure(name, parts, isPossible) {
  const place = places[name], own = turn, section = place.closest("section");
  section.hidden = !isPossible;
  if (!isPossible) return;
  try {
    const made = await api(`/api/figures/${name}`, { ...chosen(), ...parts });
    if (own !== turn) return;
    section.querySelector(".problem")?.remove();
    if (made.svg) drawSvg(place, made.svg, open);
    else await draw(place, made, open);
    if (made.left_out) place.title = `${made.left_out} more runs have no line`;
  } catch (failure) {
    section.querySelector(".problem")?.remove();
    place.before(problem(failure));
  }
}

function paintTable() {
  const head = el("tr", {}, el("th", { scope: "col", class: "number" }, "#"), headings(found.columns, given("sort"), (sort) => change({ sort })));
  const rows = found.rows.map((row) => el("tr", { "data-run": row.id },
    el("td", { class: "number" }, el("a", { href: runAddress(row.id) }, row.number)),
    row.cells.map((cell, at) => el("td", { class: found.columns[at].number ? "number" : null, title: cell.length > 40 ? cell : null }, cell))));
  places.table.replaceChildren(el("table", { class: "grid", id: "differences", "aria-label": "Differing values" }, el("thead", {}, head), el("tbody", {}, rows)));
}

// --- start ---------------------------------------------------------------------------------------

function build() {
  frame();
  const form = el("form", { class: "bar", role: "search", onsubmit: (event) => { event.preventDefault(); change({ where: query.value.trim() }); } },
    query, el("button", { type: "submit" }, "Filter"));
  const bar = el("div", { class: "bar" }, el("label", {}, "Result", controls.goal), el("span", { class: "space" }),
    el("a", { href: address("/", { where: given("where") }) }, "The runs as a table"));
  const half = (...parts) => el("div", { class: "halves" }, ...parts);
  main.replaceChildren(el("div", { class: "title" }, title), form, error, bar,
    el("div", { class: "stack" },
      panel("Curves", places.curves, controls.metric, controls.over, controls.smooth.label, controls.log.label),
      panel("Parallel coordinates", places.parallel),
      half(panel("Value against result", places.scatter, controls.x, el("label", { class: "chips" }, "colour", controls.colour)),
        panel("Result by group", places.box, controls.by)),
      panel("Differing values", places.table, everything.label)));
}

build();
prepare();
onChange(show);
show().then(() => live(atMost(2000, show)));
