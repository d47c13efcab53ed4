"""The page of a report: its head, style, sections and, if it is to have one, plotly's script.

Its content security policy lets nothing in and nothing run but the scripts that it names by hash:
a value of a run that looks like a script stays text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from kohaku_ast.display.graph_layout import marked_up
from kohaku_ast.errors import UsageError

_STYLE = """\
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#2da44e;--bad:#d1342f;--busy:#b8860b;
font:15px/1.5 system-ui,-apple-system,Segoe UI,Roboto,DejaVu Sans,sans-serif}
body{max-width:62rem;margin:0 auto;padding:1rem 1.2rem 3rem;background:Canvas;color:CanvasText}
h1{font-size:1.7rem;margin:.6rem 0}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:1px solid var(--line)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.92rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{text-align:left;vertical-align:top;padding:.22rem .9rem .22rem 0;white-space:pre-wrap}
thead th{border-bottom:1px solid var(--line);white-space:nowrap}
tbody tr:hover{background:var(--soft)}
.n{text-align:right}
.facts th{font-weight:600;white-space:nowrap;color:color-mix(in srgb,currentColor 75%,transparent)}
.facts td{overflow-wrap:anywhere}
.chips{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0;margin:.4rem 0 .8rem}
.chips li{border:1px solid var(--line);border-left:4px solid var(--busy);border-radius:4px;
padding:.15rem .7rem}
.chips .succeeded{border-left-color:var(--good)}
.chips .failed,.chips .lost{border-left-color:var(--bad)}
figure{margin:.8rem 0 1.4rem}
figcaption{font-size:.88rem;font-weight:600;margin-bottom:.3rem}
figure svg{display:block;width:100%;height:auto}
figure path:hover,figure circle:hover{stroke-opacity:1;stroke-width:3}
.pairs{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:0 1.5rem}
code,pre{font:.88em/1.45 ui-monospace,SFMono-Regular,Menlo,DejaVu Sans Mono,monospace}
pre{background:var(--soft);padding:.6rem .8rem;overflow-x:auto;border-radius:4px}
details{margin:.4rem 0}
summary{cursor:pointer}
.failure{border-left:4px solid var(--bad);padding-left:.7rem}
footer{margin-top:2.5rem;font-size:.85rem;opacity:.75}
@media print{body{max-width:none}nav{display:none}details>*{display:block}}
"""
_START = """\
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = dark ? "#e6e6e6" : "#202020", line = dark ? "#ffffff22" : "#00000018";
const figures = JSON.parse(document.getElementById("figures").textContent);
for (const [id, {data, layout}] of Object.entries(figures)) {
  const place = document.getElementById(id), drawing = place.firstElementChild;
  const box = document.createElement("div");
  box.style.height = drawing.getBoundingClientRect().height + 40 + "px";
  place.append(box);
  const axis = (one) => ({...one, gridcolor: line, zerolinecolor: line, linecolor: ink});
  const axes = {xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis)};
  const modebar = {bgcolor: "rgba(0,0,0,0)", color: "#888", activecolor: ink};
  const looks = {...layout, font: {color: ink}, modebar, ...axes};
  Plotly.newPlot(box, data, looks, {responsive: true, displaylogo: false})
    .then(() => drawing.remove(), () => box.remove());
}
"""


class Page:
    """Sections that become one HTML file."""

    def __init__(self, title: str, standalone: bool = False) -> None:
        """Raises UsageError if *standalone* lacks plotly."""
        self._title = title
        self._plotly = plotly_script() if standalone else ""
        self._sections: list[tuple[str, str]] = []
        self._count = 0
        self._figures: dict[str, Any] = {}

    def add(self, heading: str, parts: Iterable[str]) -> None:
        """A section of *parts*, which are HTML; none if they are empty."""
        body = "\n".join(filter(None, parts))
        if body:
            self._sections.append((heading, body))

    def figure(self, figure: dict[str, Any], drawing: str, caption: str) -> str:
        """A figure with its *drawing*, of which plotly's script may make one that can be zoomed."""
        self._count += 1
        name = f"figure{self._count}"
        if figure["data"] and figure["data"][0]["type"] != "parcoords":
            # plotly draws these by WebGL, and makes functions of texts, which the policy forbids.
            self._figures[name] = figure
        caption = f"<figcaption>{marked_up(caption)}</figcaption>"
        return f'<figure>{caption}<div id="{name}">{drawing}</div></figure>'

    def text(self, footer: str) -> str:
        """The page."""
        ids = [heading.lower().replace(" ", "-") for heading, _ in self._sections]
        links = "".join(
            f'<a href="#{name}">{heading}</a>' for name, (heading, _) in zip(ids, self._sections)
        )
        sections = "\n".join(
            f'<section id="{name}"><h2>{heading}</h2>\n{body}\n</section>'
            for name, (heading, body) in zip(ids, self._sections)
        )
        scripts = [self._plotly, _START] if self._plotly else []
        title = marked_up(self._title)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_policy(scripts)}">\n'
            '<meta name="viewport" content="width=device-width">\n<link rel="icon" href="data:,">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            f"<header><h1>{title}</h1><nav>{links}</nav></header>\n<main>\n{sections}\n</main>\n"
            f"<footer>{marked_up(footer)}</footer>\n{self._scripts(scripts)}</body>\n</html>\n"
        )

    def _scripts(self, scripts: list[str]) -> str:
        if not scripts:
            return ""
        # No `<` of a value can end the element.
        data = json.dumps(self._figures, allow_nan=False).replace("<", "\\u003c")
        tags = "".join(f"<script>{one}</script>\n" for one in scripts)
        return f'<script type="application/json" id="figures">{data}</script>\n{tags}'


def _policy(scripts: Iterable[str]) -> str:
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    pictures = "data: blob:" if hashes else "data:"  # plotly saves a figure by way of a blob
    style = "style-src 'unsafe-inline'"
    return f"default-src 'none'; {style}; img-src {pictures}; script-src {allowed}"


# --- tables --------------------------------------------------------------------------------------


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; columns of numbers are aligned at their right."""
    marks = [_mark([row[place] for row in rows]) for place in range(len(heads))]
    head = _row("th", heads, marks)
    body = "".join(_row("td", row, marks) for row in rows)
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'


def _row(tag: str, cells: Sequence[str], marks: Sequence[str]) -> str:
    inner = "".join(f"<{tag}{mark}>{marked_up(one)}</{tag}>" for one, mark in zip(cells, marks))
    return f"<tr>{inner}</tr>"


def _mark(cells: Sequence[str]) -> str:
    given = [one for one in cells if one]
    return ' class="n"' if given and all(map(_is_number, given)) else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
        return True
    except ValueError:
        return False


def pairs_table(pairs: Iterable[tuple[str, str]]) -> str:
    """A table of names and what they are."""
    rows = "".join(f"<tr><th>{marked_up(a)}</th><td>{marked_up(b)}</td></tr>" for a, b in pairs)
    return f'<div class="wide"><table class="facts"><tbody>{rows}</tbody></table></div>'


# --- plotly --------------------------------------------------------------------------------------


def plotly_script() -> str:
    """Plotly's script, as a script element can hold it. Raises UsageError without plotly."""
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise UsageError(
            'a standalone report needs plotly: pip install "kohaku-ast[web]"'
        ) from None
    return str(get_plotlyjs()).replace("</script", "<\\/script")
