// Charts: figures of the server, drawn by plotly's script, which is loaded when a page needs it,
// or by the server as SVG.

import { drawing } from "./drawing.js";
import { el } from "./page.js";

let loading = null;

// Begin to load plotly's script: a page that will draw need not wait for its numbers first.
export function prepare() { plotly().catch(() => {}); }

// The policy of the page refuses styles as texts, not as properties. plotly sets some as attributes.
function setStylesAsProperties() {
  const set = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function setAttribute(name, value) {
    if (name === "style") this.style.cssText = value;
    else set.call(this, name, value);
  };
}

// plotly's script. Its style sheet for maps is left out: such an element stays empty, and the rules
// that plotly needs come into it one by one.
function plotly() {
  loading ??= new Promise((resolve, reject) => {
    setStylesAsProperties();
    const make = document.createElement;
    document.createElement = function create(tag, ...more) {
      const made = make.call(document, tag, ...more);
      if (tag === "style") Object.defineProperty(made, "textContent", { set() {} });
      return made;
    };
    const end = (work) => () => { document.createElement = make; work(); };
    const script = make.call(document, "script");
    script.src = "/static/plotly.min.js";
    script.onload = end(() => resolve(window.Plotly));
    script.onerror = end(() => { loading = null; reject(new Error('charts need plotly: pip install "kohaku-ast[web]"')); });
    document.head.append(script);
  });
  return loading;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map();

dark.addEventListener("change", () => {
  for (const [place, again] of drawn) {
    if (place.isConnected) again();
    else drawn.delete(place);
  }
});

function looks(layout) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = (one) => ({ ...one, gridcolor: colour("--line"), zerolinecolor: colour("--line"), linecolor: colour("--line-strong") });
  const font = { color: colour("--text"), family: style.fontFamily, size: 12 };
  const made = { ...layout, font, modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--line-strong"), activecolor: colour("--text"), remove: ["lasso", "select"] }, hoverlabel: { font: { family: style.fontFamily } }, legend: { orientation: "h", y: -0.22 } };
  for (const name of ["xaxis", "yaxis"]) if (layout[name]) made[name] = axis(layout[name]);
  return made;
}

// Draw `figure` into `place`; `open(id)` is called for the run of a point or line that is clicked.
// `place.dataset.drawn` counts: the tests wait for it.
export async function draw(place, figure, open = null) {
  const library = await plotly();
  const paint = () => library.react(place, figure.data, looks(figure.layout), { responsive: true, displaylogo: false });
  await paint();
  drawn.set(place, paint);
  place.removeAllListeners?.("plotly_click");
  if (open) place.on("plotly_click", ({ points: [point] }) => {
    const id = point.data.meta ?? point.data.ids?.[point.pointNumber];
    if (id) open(id);
  });
  place.dataset.drawn = Number(place.dataset.drawn ?? 0) + 1;
}

// Put the SVG `text` of the server into `place`. A part with `data-run` calls `open(id)` when it is
// clicked.
export function drawSvg(place, text, open = null) {
  place.replaceChildren(drawing(text));
  if (open) place.onclick = (event) => {
    const id = event.target.closest("[data-run]")?.dataset.run;
    if (id) open(id);
  };
  place.dataset.drawn = Number(place.dataset.drawn ?? 0) + 1;
}

// A place for a chart, with words for those who do not see it.
export function chart(id, label, kind = "") {
  return el("div", { class: `chart ${kind}`, id, role: "figure", "aria-label": label, tabindex: "0" });
}
