// The page of a sweep: how far it is, what failed, the best so far; it follows while runs go on.

import {
  act, address, api, ask, atMost, attempt, change, duration, el, frame, given, live, localTime, onChange,
  panel, problem, runAddress, say, statesMeter, statusMark,
} from "./page.js";
import { chart, draw } from "./chart.js";

const main = document.getElementById("main");
const flow = decodeURIComponent(location.pathname.split("/")[2]);
const error = el("div");
const head = el("div");
const place = chart("best-so-far", "The best result so far");
const goal = el("select", { "aria-label": "Result", id: "choose-goal", onchange: () => change({ goal: goal.value }) });
const parts = { best: el("div"), running: el("div"), failures: el("div"), chart: panel("Best so far", place, goal) };
let sweep = null;
let turn = 0;

const own = () => `flow == "${flow}"`;
const goalText = (name) => name.replace(/^min:/, "least ").replace(/^max:/, "greatest ");

async function show() {
  const mine = ++turn;
  try {
    const next = await api(`/api/sweeps/${encodeURIComponent(flow)}`, { goal: given("goal") });
    if (mine !== turn) return; // a later view is on its way
    sweep = next;
    error.replaceChildren();
    paint();
    parts.chart.hidden = !sweep.best.length;
    if (!sweep.best.length) return;
    const figure = await api("/api/figures/best", { where: own(), goal: sweep.goal });
    if (mine === turn) await draw(place, figure, (id) => { location.href = runAddress(id); });
  } catch (failure) {
    if (mine === turn) error.replaceChildren(problem(failure));
  }
}

function paint() {
  document.title = `Sweep of ${sweep.scripts.join(", ")} · kogine`;
  paintHead();
  goal.replaceChildren(...sweep.goals.map((name) => el("option", { value: name }, goalText(name))));
  goal.value = sweep.goal;
  parts.best.replaceChildren(sweep.best.length ? bestPanel() : panel("Best runs", el("p", { class: "body quiet" }, "No run with a number has succeeded yet.")));
  parts.running.replaceChildren(...(sweep.running.length ? [runningPanel()] : []));
  parts.failures.replaceChildren(...(sweep.failures.length ? [failuresPanel()] : []));
}

function paintHead() {
  const tools = [
    sweep.running.length ? el("button", { type: "button", class: "danger", "data-action": "stop", onclick: () => attempt(stop) }, "Stop the sweep") : "",
    el("a", { class: "button", href: address("/compare", { where: own() }) }, "Compare"),
    el("a", { class: "button", href: address("/", { where: own() }) }, "The runs as a table"),
  ];
  head.replaceChildren(
    el("div", { class: "title" }, el("h1", {}, `Sweep of ${sweep.scripts.join(", ")}`), statusMark(sweep.is_live ? "running" : ending(), sweep.is_live ? "running" : "ended"),
      el("span", { class: "space" }), ...tools),
    facts(), progress());
}

// The state of a sweep that has ended: the worst one of its runs.
const ending = () => ["failed", "lost", "interrupted"].find((state) => sweep.states[state]) ?? "succeeded";

function facts() {
  const pairs = [
    ["started", localTime(sweep.started)], [sweep.is_live ? "for" : "took", duration(sweep.seconds)],
    ["left", sweep.seconds_left === null ? null : `about ${duration(sweep.seconds_left)}`],
    ["varied", sweep.varied.join(", ")], ["host", sweep.host],
  ];
  return el("div", { class: "facts" }, pairs.filter(([, value]) => value).map(([name, value]) => el("span", { "data-fact": name }, `${name} `, el("b", {}, value))));
}

function progress() {
  const of = sweep.total === null ? "" : ` of ${sweep.total}`;
  return el("div", { class: "progress", id: "progress" },
    el("b", {}, `${sweep.finished}${of} finished`), statesMeter(sweep.states, Math.max(sweep.total ?? 0, sweep.runs)));
}

function link(run) {
  return el("a", { href: runAddress(run.id) }, run.number);
}

function table(id, caption, names, rows) {
  const heads = names.map((name) => el("th", { scope: "col" }, name));
  return el("div", { class: "wide" }, el("table", { class: "grid", id, "aria-label": caption },
    el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows)));
}

function bestPanel() {
  const names = ["#", ...sweep.best_columns.map(goalText)];
  const rows = sweep.best.map((run) => el("tr", { "data-run": run.id }, el("td", {}, link(run)), run.cells.map((cell) => el("td", {}, cell))));
  return panel("Best runs", table("best", "Best runs", names, rows));
}

function runningPanel() {
  const rows = sweep.running.map((run) => el("tr", { "data-run": run.id }, el("td", {}, link(run)), el("td", {}, run.label), el("td", {}, duration(run.seconds)), el("td", {}, run.numbers)));
  return panel("Running now", table("running", "Running now", ["#", "run", "for", "numbers"], rows));
}

function failuresPanel() {
  const groups = sweep.failures.map((group) => el("details", { class: "failure" },
    el("summary", {}, el("b", {}, `${group.count} run${group.count === 1 ? "" : "s"}`), " ", el("code", {}, group.error)),
    el("p", {}, "runs ", group.runs.flatMap((run, at) => [at ? ", " : "", link(run)]), group.count > group.runs.length ? ", …" : ""),
    el("pre", { class: "text wrap", tabindex: "0" }, group.lines.join("\n"))));
  const made = panel("Failures", el("div", { class: "body", id: "failures" }, groups));
  made.classList.add("error");
  return made;
}

async function stop() {
  const isSure = await ask("Stop the sweep?", el("p", {}, "Its runs end now; kogine run --resume goes on later."), { yes: "Stop", danger: true });
  if (!isSure) return;
  await act(`/api/runs/${encodeURIComponent(sweep.running[0].id)}/stop`, { flow: true });
  say("The sweep was stopped.");
  await show();
}

frame();
main.replaceChildren(error, head, el("div", { class: "stack" }, parts.running, parts.failures,
  el("div", { class: "halves" }, parts.chart, parts.best)));
onChange(show);
show().then(() => live(atMost(1000, show)));
// Between two events the time and the rest go on.
setInterval(() => { if (sweep?.is_live && !document.hidden) show(); }, 5000);
