// The curves of one run: a chart for each metric, with smoothing, a log axis and steps or seconds.
// The address has what is chosen.

import { api, change, el, given, panel } from "./page.js";
import { chart, draw } from "./chart.js";

const MOST = 12;

// A panel with the curves of the metrics `names` of the run `id`; its `read()` draws them anew.
export function curvesPanel(id, names) {
  const shown = names.slice(0, MOST);
  const places = shown.map((name, at) => chart(`curve-${at}`, `Curve of ${name}`, "small"));
  const problem = el("p", { class: "quiet", role: "alert" });
  const boxes = shown.map((name, at) => el("figure", { "data-metric": name }, el("figcaption", {}, name), places[at]));
  const more = names.length - shown.length;
  const made = panel("Curves", el("div", { class: "curves" }, problem, boxes, more > 0 ? el("p", { class: "quiet" }, `${more} more metrics: see Compare`) : ""), ...controls(() => made.read()));
  made.read = () => Promise.all(shown.map(async (metric, at) => {
    try {
      const parts = { runs: id, metric, smooth: given("smooth"), log: given("log"), over: given("over") };
      const figure = await api("/api/figures/curves", parts);
      const yaxis = { ...figure.layout.yaxis, title: undefined }; // its name stands above it
      const layout = { ...figure.layout, yaxis, showlegend: false, margin: { l: 48, r: 12, t: 8, b: 36 } };
      await draw(places[at], { ...figure, layout });
    } catch (error) { problem.textContent = error.message; }
  }));
  return made;
}

function controls(again) {
  const keep = (parts) => { change(parts, true); again(); };
  const text = el("output", {}, given("smooth", "0"));
  const smooth = el("input", { type: "range", min: "0", max: "0.99", step: "0.01", id: "smooth", "aria-label": "Smoothing",
    oninput: () => { text.textContent = smooth.value; }, onchange: () => keep({ smooth: smooth.value === "0" ? "" : smooth.value }) });
  smooth.value = given("smooth", "0");
  const log = el("input", { type: "checkbox", id: "log-axis", checked: given("log") === "1", onchange: () => keep({ log: log.checked ? "1" : "" }) });
  const over = el("select", { "aria-label": "Over", onchange: () => keep({ over: over.value === "step" ? "" : over.value }) },
    el("option", { value: "step" }, "step"), el("option", { value: "time" }, "seconds"));
  over.value = given("over", "step");
  return [el("label", { class: "chips" }, "smoothing", smooth, text), el("label", { class: "chips" }, log, "log axis"), el("label", { class: "chips" }, "over", over)];
}
