// The page of one run: what its record says, its numbers, log, sources, files and environment.

import {
  act, address, api, ask, atMost, attempt, change, duration, el, frame, given, live,
  localTime, number, onChange, panel, problem, runAddress, say, sheet, size, statusMark,
} from "./page.js";
import { logPanel } from "./log.js";

const main = document.getElementById("main");
const id = decodeURIComponent(location.pathname.split("/")[2]);
const own = `/api/runs/${encodeURIComponent(id)}`;
const head = el("div");
const tabs = el("nav", { class: "tabs", "aria-label": "Parts of the run" });
const part = el("div");
const TABS = { "": "Overview", log: "Log", source: "Source", files: "Files", environment: "Environment" };
let run = null;
let turn = 0;
let painted = null;
let isLeaving = false;

// --- the head ------------------------------------------------------------------------------------

function paintHead() {
  document.title = `Run ${run.number} ${run.label} · kogine`;
  const tools = [];
  if (run.kind === "pipeline") tools.push(el("a", { class: "button", href: address(`/pipelines/${encodeURIComponent(run.id)}`) }, "Drawing"));
  if (given("trash")) tools.push(tool("Restore", restore));
  else {
    if (run.status === "running") tools.push(tool("Stop", stop, "danger"));
    tools.push(tool("Repeat…", repeat), tool("Delete", remove, run.status === "running" ? "off" : "danger"));
  }
  head.replaceChildren(
    el("div", { class: "title" }, el("h1", {}, `${run.number}  ${run.label}`), statusMark(run.status), el("span", { class: "space" }), ...tools, neighbours()),
    facts(), marks());
  tabs.replaceChildren(...Object.entries(TABS).map(([name, text]) =>
    el("a", { href: runAddress(id, { tab: name }), "aria-current": given("tab") === name ? "page" : null,
      onclick: (event) => { if (event.ctrlKey || event.metaKey || event.shiftKey) return; event.preventDefault(); change({ tab: name }); } }, text)));
}

function tool(text, work, kind = "") {
  return el("button", { type: "button", class: kind === "off" ? "" : kind, disabled: kind === "off", "data-action": text.replace("…", "").toLowerCase(), onclick: () => attempt(work) }, text);
}

function neighbours() {
  const step = (text, name, to) => to
    ? el("a", { class: "button", href: runAddress(to, { tab: given("tab") }), "aria-label": name, title: name }, text)
    : el("button", { type: "button", disabled: true, "aria-label": name, title: name }, text);
  return el("span", { class: "chips" }, step("‹", "The run before", run.older), step("›", "The run after", run.newer));
}

function facts() {
  const took = run.seconds ?? (run.status === "running" ? (Date.now() - new Date(run.started)) / 1000 : null);
  const pairs = [
    ["script", run.script], ["started", localTime(run.started)], [run.status === "running" ? "for" : "took", duration(took)],
    ["exit status", run.exit_status], ["host", run.host], ["commit", run.commit?.slice(0, 10)], ["attempt", run.attempt > 1 ? run.attempt : null],
    ["cached from", run.cached && el("a", { href: runAddress(run.cached) }, run.cached.slice(20, 28))],
    ["sweep", run.in_flow > 1 && el("a", { href: given("trash") ? address("/", { where: `flow == "${run.flow}"`, trash: 1 }) : address(`/sweeps/${run.flow}`) }, `${run.in_flow} runs`)],
    ["inside of", run.parent && el("a", { href: runAddress(run.parent) }, `${run.parent.slice(20, 28)}${run.node ? `, node ${run.node}` : ""}`)],
    ["id", el("span", { class: "mono" }, run.id)],
  ];
  return el("div", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
    .map(([name, value]) => el("span", {}, `${name} `, el("b", {}, value))));
}

function marks() {
  const tags = run.tags.map((name) => el("span", { class: "chip" }, name,
    el("button", { type: "button", "aria-label": `Remove the tag ${name}`, onclick: () => attempt(() => untag(name)) }, "×")));
  const buttons = [el("button", { type: "button", class: "small", "data-action": "tag", onclick: () => attempt(tag) }, "Add a tag"),
    el("button", { type: "button", class: "small", "data-action": "note", onclick: () => attempt(note) }, run.note ? "Edit the note" : "Add a note")];
  const bar = el("div", { class: "chips" }, ...tags, ...(given("trash") ? [] : buttons));
  return run.note ? el("div", { class: "stack" }, el("p", { class: "note" }, run.note), bar) : bar;
}

// --- overview ------------------------------------------------------------------------------------

function overview() {
  const left = [valuesPanel(), resultsPanel(), ...run.sheet.filter((one) => one.title).map((one) => panel(one.title, sheet(one.rows, one.title)))];
  const right = [errorPanel(), metricsPanel(), curves(), insidePanel(), commandPanel()];
  return el("div", { class: "columns" }, el("div", { class: "stack" }, left.filter(Boolean)), el("div", { class: "stack" }, right.filter(Boolean)));
}

function valuesPanel() {
  if (!run.values.length) return panel("Values", el("p", { class: "body quiet" }, "The script has no parameters that could be recorded."));
  const rows = run.values.map((one) => el("tr", { class: one.origin === null ? null : "given" },
    el("th", { scope: "row" }, one.target), el("td", {}, one.value), el("td", { class: "origin" }, one.origin ?? "")));
  return panel("Values", el("div", { class: "wide" }, el("table", { class: "sheet", id: "values", "aria-label": "Values" }, el("tbody", {}, rows))));
}

function resultsPanel() {
  const pairs = Object.entries(run.results).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
  return pairs.length ? panel("Results", sheet(pairs, "Results")) : null;
}

function errorPanel() {
  if (!run.error) return null;
  const made = panel(`${run.error.type}: ${run.error.message}`.split("\n")[0], el("pre", { class: "text wrap", tabindex: "0" }, run.error.traceback || run.error.message));
  made.classList.add("error");
  return made;
}

function metricsPanel() {
  const names = Object.keys(run.metrics);
  if (!names.length) return null;
  const column = (text) => el("th", { scope: "col", class: "number" }, text);
  const rows = names.map((name) => el("tr", { "data-metric": name }, el("th", { scope: "row" }, name),
    ...["last", "min", "max", "count"].map((what) => el("td", { class: "number", "data-what": what }, number(run.metrics[name][what])))));
  return panel("Metrics", el("div", { class: "wide" }, el("table", { class: "sheet", id: "metrics", "aria-label": "Metrics" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "metric"), column("last"), column("min"), column("max"), column("count"))), el("tbody", {}, rows))));
}

// The curves stay when the run has printed more: they are drawn anew in their places.
let drawn = null;

function curves() {
  const names = Object.keys(run.metrics).filter((name) => run.metrics[name].count > 1);
  if (!names.length) return null;
  if (drawn?.names.join() !== names.join()) {
    const box = el("div");
    drawn = { names, box };
    // Loaded when a run has curves: plotly's script is large.
    attempt(async () => {
      const { curvesPanel } = await import("./curves.js");
      drawn.panel = curvesPanel(run.id, names);
      box.replaceChildren(drawn.panel);
      await drawn.panel.read();
    });
  } else if (run.status === "running" || drawn.status !== run.status) drawn.panel?.read();
  drawn.status = run.status;
  return drawn.box;
}

function insidePanel() {
  if (!run.inside.length) return null;
  const rows = run.inside.map((one) => el("tr", {}, el("th", { scope: "row" }, one.node ?? ""), el("td", {}, el("a", { href: runAddress(one.id) }, one.label)), el("td", {}, statusMark(one.status))));
  return panel("Runs inside", el("table", { class: "sheet", "aria-label": "Runs inside" }, el("tbody", {}, rows)));
}

function commandPanel() {
  const line = (text) => el("div", { class: "command" }, el("code", { tabindex: "0" }, text),
    el("button", { type: "button", class: "small", onclick: () => copy(text) }, "Copy"));
  return panel("To run it again", el("div", { id: "commands" }, line(run.commands.repeat), line(run.commands.reproduce)));
}

async function copy(text) {
  await attempt(async () => { await navigator.clipboard.writeText(text); say("Copied."); });
}

// --- the log -------------------------------------------------------------------------------------

let log = null;

function logPart() {
  log = logPanel(id, { attempts: run.attempts, attempt: given("attempt"), choose: (number) => change({ attempt: number }) });
  return log;
}

// --- sources -------------------------------------------------------------------------------------

function sourcePart() {
  const box = el("div", { class: "stack" });
  attempt(async () => {
    const { texts, git } = await api(`${own}/source`);
    const name = given("text") || texts[0] || "";
    const choice = el("select", { "aria-label": "Text", onchange: () => change({ text: choice.value, diff: "" }) }, texts.map((one) => el("option", { value: one }, one)));
    choice.value = name;
    const other = el("input", { type: "text", "aria-label": "Another run", placeholder: "run, such as 12", value: given("diff") === "git" ? "" : given("diff"), size: 14 });
    const compare = el("form", { class: "chips", onsubmit: (event) => { event.preventDefault(); change({ diff: other.value.trim() }); } },
      el("span", { class: "quiet" }, "differences from"), el("button", { type: "button", class: "small", "aria-pressed": String(given("diff") === "git"), onclick: () => change({ diff: "git" }) }, "git"),
      run.before ? el("button", { type: "button", class: "small", "aria-pressed": String(given("diff") === String(run.before)), onclick: () => change({ diff: run.before }) }, `run ${run.before}`) : "",
      other, el("button", { type: "submit", class: "small" }, "Show"));
    const plain = given("diff") ? el("button", { type: "button", class: "small", onclick: () => change({ diff: "" }) }, "Source") : "";
    box.replaceChildren(el("div", { class: "bar" }, texts.length ? choice : "", compare, plain, el("span", { class: "space" }), el("span", { class: "quiet" }, git)));
    box.append(given("diff") ? await diff() : await source(name));
  }).then((done) => { if (done === null) box.append(el("p", { class: "quiet" }, "It cannot be shown.")); });
  return box;
}

async function source(name) {
  if (!name) return el("p", { class: "empty" }, "No text of the run was kept.");
  const found = await api(`${own}/source`, { name });
  if (found.text === null) return el("p", { class: "empty" }, `${name}: ${found.problem}.`);
  const lines = found.text.replace(/\n$/, "").split("\n").map((line) => el("span", {}, line));
  return panel(name, el("pre", { class: "text source", id: "source", tabindex: "0", "aria-label": name }, lines), found.is_cut ? el("span", { class: "quiet" }, "the start of it") : "");
}

async function diff() {
  const found = await api(`${own}/diff`, { with: given("diff") });
  const parts = [];
  if (found.rows.length) {
    const cells = (one) => [one.part, one.name, one.first ?? "", one.second ?? ""].map((text) => el("td", {}, text));
    parts.push(panel("Differences", el("div", { class: "wide" }, el("table", { class: "sheet", id: "differences", "aria-label": "Differences" },
      el("thead", {}, el("tr", {}, ...["part", "name", found.first, found.second].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, found.rows.map((one) => el("tr", {}, cells(one))))))));
  }
  if (found.text) parts.push(panel("Texts", el("pre", { class: "text diff", id: "diff", tabindex: "0", "aria-label": "Changes" }, found.text.replace(/\n$/, "").split("\n").map(changed))));
  if (!parts.length) parts.push(el("p", { class: "empty" }, found.state ?? "The runs do not differ."));
  return el("div", { class: "stack" }, parts);
}

function changed(line) {
  const kind = /^(\+\+\+|---|@@|diff |index )/.test(line) ? "place" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : null;
  return el("span", { class: kind }, line);
}

// --- files ---------------------------------------------------------------------------------------

function filesPart() {
  const box = el("div", { class: "files" });
  attempt(async () => {
    const { files } = await api(`${own}/files`);
    if (!files.length) { box.replaceWith(el("p", { class: "empty" }, "The run has left no files.")); return; }
    const shown = el("div");
    const rows = files.map((one) => el("tr", { "aria-selected": String(one.path === given("file")) },
      el("th", { scope: "row" }, el("a", { href: runAddress(id, { tab: "files", file: one.path }), onclick: (event) => { event.preventDefault(); change({ file: one.path }); } }, one.path)),
      el("td", { class: "number" }, size(one.size)), el("td", {}, one.problem || one.place)));
    const table = el("div", { class: "wide" }, el("table", { class: "sheet", id: "files", "aria-label": "Files" }, el("tbody", {}, rows)));
    box.replaceChildren(panel("Files", table), shown);
    const chosen = files.find((one) => one.path === given("file"));
    if (chosen) shown.replaceChildren(await preview(chosen));
  });
  return box;
}

async function preview(file) {
  const where = (parts) => address(`${own}/file`, { trash: given("trash"), path: file.path, ...parts });
  const save = el("a", { class: "button small", href: where({ download: 1 }) }, "Download");
  if (file.kind === "image") return panel(file.path, el("div", { class: "body" }, el("img", { src: where({}), alt: file.path })), save);
  try {
    const found = await api(`${own}/preview`, { path: file.path });
    const text = found.text === null ? el("p", { class: "body quiet" }, `${size(found.size)} that are no text.`)
      : el("pre", { class: "text", id: "preview", tabindex: "0", "aria-label": file.path }, found.text);
    return panel(file.path, text, found.is_cut ? el("span", { class: "quiet" }, "the start of it") : "", save);
  } catch (error) { return problem(error); }
}

// --- environment ---------------------------------------------------------------------------------

function environmentPart() {
  const groups = {};
  for (const [name, value] of Object.entries(run.environment)) {
    const [first, ...rest] = name.split(".");
    const [title, own_] = rest.length ? [first, rest.join(".")] : ["machine", name];
    (groups[title] ??= []).push([own_, value]);
  }
  groups.record = [["folder", run.folder], ["identity", run.identity], ["started in", run.cwd]];
  const shown = (names) => el("div", { class: "stack" }, names.filter((one) => groups[one]).map((one) => panel(one, sheet(groups[one], one))));
  const right = ["record", "git", "variables"];
  return el("div", { class: "columns" }, shown(Object.keys(groups).filter((one) => !right.includes(one))), shown(right));
}

// --- actions -------------------------------------------------------------------------------------

async function stop() {
  const whole = el("input", { type: "checkbox", name: "flow" });
  const text = el("div", { class: "stack" }, el("p", {}, "It gets SIGTERM, with its child processes."),
    run.in_flow > 1 ? el("label", { class: "chips" }, whole, `and the other runs of its sweep (${run.in_flow} in all)`) : "");
  if (!(await ask(`Stop run ${run.number}?`, text, { yes: "Stop", danger: true }))) return;
  const { ended } = await act(`${own}/stop`, { flow: whole.checked });
  say(ended ? "It has ended." : "It has SIGTERM, and has not ended yet.");
  await show();
}

async function repeat() {
  const values = el("textarea", { rows: "4", class: "mono", spellcheck: "false", "aria-label": "Other values", placeholder: "lr=0.2\nmain(epochs)=50" });
  const known = run.values.slice(0, 8).map((one) => el("button", { type: "button", class: "chip mono", onclick: () => { values.value += `${values.value && !values.value.endsWith("\n") ? "\n" : ""}${one.target}=${one.value}`; values.focus(); } }, `${one.target}=${one.value}`.slice(0, 40)));
  const content = el("div", { class: "stack" }, el("p", {}, "Today's script runs with the values of this run. Other values, one a line:"), values, el("div", { class: "chips" }, known));
  const lines = await ask(`Repeat run ${run.number}`, content, { yes: "Run", read: () => values.value.split("\n").map((one) => one.trim()).filter(Boolean) });
  if (!lines) return;
  const started = await act(`${own}/repeat`, { values: lines });
  if (started.id) location.href = runAddress(started.id);
  else say("It has started, and has no record yet.");
}

async function tag() {
  const input = el("input", { type: "text", required: true, "aria-label": "Tag", autocomplete: "off" });
  const name = await ask("Add a tag", input, { yes: "Add", read: () => input.value.trim() });
  if (!name) return;
  run.tags = (await act(`${own}/tag`, { add: [name] })).tags;
  paintHead();
}

async function untag(name) {
  run.tags = (await act(`${own}/tag`, { remove: [name] })).tags;
  paintHead();
}

async function note() {
  const input = el("textarea", { rows: "5", "aria-label": "Note", value: run.note });
  const text = await ask("Note", input, { yes: "Save", read: () => ({ text: input.value.trim() }) });
  if (!text) return;
  run.note = (await act(`${own}/note`, text)).note;
  paintHead();
}

// Do `work`, after which the run is elsewhere, and go to the address that it gives.
async function leave(work) {
  isLeaving = true;
  try { location.href = await work(); } catch (error) { isLeaving = false; throw error; }
}

const remove = () => leave(async () => {
  await act("/api/runs/delete", { runs: [run.id] });
  return address("/", { trash: 1 });
});

const restore = () => leave(async () => {
  const { runs } = await act("/api/runs/restore", { runs: [run.id] });
  return address(`/runs/${encodeURIComponent(runs[0])}`);
});

// --- start ---------------------------------------------------------------------------------------

const PARTS = { "": overview, log: logPart, source: sourcePart, files: filesPart, environment: environmentPart };

// What the address says beside the run itself: the part is painted anew when it changes.
const view = () => location.search;

async function show() {
  const mine = ++turn;
  try {
    const found = await api(own);
    if (mine !== turn || isLeaving) return;
    run = found;
  } catch (error) {
    main.replaceChildren(problem(error), el("p", {}, el("a", { href: address("/") }, "All runs")));
    return;
  }
  paint();
}

function paint() {
  if (!head.isConnected) main.replaceChildren(head, tabs, part);
  paintHead();
  const tab = given("tab");
  const isSame = painted === view();
  painted = view();
  if (tab === "log" && isSame) { log.read(); return; }
  if (tab !== "log") log = null;
  if (isSame && (tab === "source" || tab === "files")) return;
  part.replaceChildren((PARTS[tab] ?? overview)());
}

frame();
onChange(() => { if (run) paint(); });
show().then(() => live(((again) => (news) => { if (!isLeaving && (news.all || news.runs.includes(run?.id))) again(); })(atMost(1000, show))));
