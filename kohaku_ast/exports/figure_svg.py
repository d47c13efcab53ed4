"""A figure of ``figures`` as SVG: without a script, a style sheet or an identifier.

Axes and letters have the colour of the text around, so that it suits light and dark pages. It draws
what ``figures`` makes, lines, points, boxes and parallel coordinates, and no other trace of plotly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from kohaku_ast.display.graph_layout import marked_up
from kohaku_ast.exports.figures import SCALE, Figure, scale_colour

WIDTH = 760
"""Of a figure, in its own units: it is as wide as the page lets it be."""
_TOP, _LEFT, _RIGHT, _BOTTOM = 12, 64, 14, 46
_LINE = 17
_FONT = "system-ui,-apple-system,Segoe UI,Roboto,DejaVu Sans,sans-serif"


def figure_svg(figure: Figure, title: str, height: int = 320, width: int = WIDTH) -> str:
    """*figure* as one SVG element; *title* is the picture in words."""
    traces = figure["data"]
    legend = _legend(traces, width) if figure["layout"].get("showlegend") else []
    is_parallel = bool(traces) and traces[0]["type"] == "parcoords"
    inner = _parallel(traces[0], height, width) if is_parallel else _plot(figure, height, width)
    whole = height + _LINE * (legend[-1][1] + 1) + 4 if legend else height
    body = "".join([*inner, *_legend_parts(legend, height)])
    name = marked_up(title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" '
        f'viewBox="0 0 {width} {whole}" font-family="{_FONT}" font-size="12" fill="currentColor" '
        f'stroke-linejoin="round" stroke-linecap="round">{body}</svg>'
    )


# --- axes ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """From values to places, in a figure or along an axis of parallel coordinates."""

    #: Value -> from 0 to 1; None for one that has no place.
    share: Callable[[Any], float | None]
    #: Value and text of each tick.
    ticks: list[tuple[Any, str]]


def number_axis(values: Sequence[Any], is_log: bool, room: float = 0.04) -> Axis:
    """An axis for the numbers of *values*, with *room* at both ends."""
    finite = [one for one in values if _is_usable(one, is_log)]
    low, high = (min(finite), max(finite)) if finite else (1.0, 10.0)
    if is_log:
        low, high = math.log10(low), math.log10(high)
    if low == high:
        spread = abs(low) * 0.1 or 0.5
        low, high = low - spread, high + spread
    low, high = low - (high - low) * room, high + (high - low) * room

    def share(value: Any) -> float | None:
        if not _is_usable(value, is_log):
            return None
        return ((math.log10(value) if is_log else value) - low) / (high - low)

    return Axis(share, log_ticks(low, high) if is_log else linear_ticks(low, high))


def _is_usable(value: Any, is_log: bool) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and (value > 0 or not is_log)


def text_axis(values: Sequence[Any]) -> Axis:
    """An axis with an equal part for each of *values*, in their order."""
    known = {one: place for place, one in enumerate(dict.fromkeys(values))}
    count = max(1, len(known))
    return Axis(
        lambda value: (known[value] + 0.5) / count, [(one, unescape(str(one))) for one in known]
    )


def linear_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round numbers between *low* and *high*."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(one for one in (1, 2, 5, 10) if (high - low) / (step * one) <= most)
    first = math.ceil(low / step)
    count = math.floor(high / step) - first + 1
    # Rounded: 3 * 0.1 would be 0.30000000000000004.
    found = [round((first + at) * step, 12) for at in range(max(0, count))]
    return [(one, f"{one:.6g}") for one in found]


def log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten between the exponents *low* and *high*; with few of them 2 and 5 times, too."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    every = max(1, len(powers) // 7)
    factors = (1, 2, 5) if len(powers) <= 3 else (1,)
    found = [factor * 10.0**one for one in powers[::every] for factor in factors]
    inside = [one for one in found if low <= math.log10(one) <= high]
    if len(inside) < 2:
        return [(one, f"{one:.4g}") for one, _ in linear_ticks(10**low, 10**high) if one > 0]
    return [(one, f"{one:g}") for one in inside]


# --- lines, points and boxes ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    """The place of a plot: values -> pixels."""

    x: Axis
    y: Axis
    left: float
    right: float
    top: float
    bottom: float

    def point(self, x: Any, y: Any) -> tuple[float, float] | None:
        across, up = self.x.share(x), self.y.share(y)
        return None if across is None or up is None else (self.at_x(across), self.at_y(up))

    def at_x(self, share: float) -> float:
        return self.left + share * (self.right - self.left)

    def at_y(self, share: float) -> float:
        return self.bottom - share * (self.bottom - self.top)


def _plot(figure: Figure, height: int, width: int) -> Iterator[str]:
    traces, layout = figure["data"], figure["layout"]
    bar = next((one["marker"] for one in traces if one.get("marker", {}).get("showscale")), None)
    right = width - (90 if bar else _RIGHT)
    frame = _frame(traces, layout, height, right)
    yield from _grid(frame, layout)
    for trace in traces:
        if trace["type"] == "box":
            yield from _box(trace, frame, len(traces))
        elif trace["mode"] == "lines":
            yield _line(trace, frame)
        else:
            yield from _dots(trace, frame)
    if bar:
        title = unescape(bar["colorbar"]["title"]["text"])
        yield from _colour_bar(bar, title, right + 24, frame.top, frame.bottom)


def _frame(traces: Sequence[Any], layout: Figure, height: int, right: float) -> _Frame:
    x_axis, y_axis = layout["xaxis"], layout["yaxis"]
    if traces and traces[0]["type"] == "box":
        xs = [one["name"] for one in traces]
    else:
        xs = [value for one in traces for value in one["x"]]
    ys = [value for one in traces for value in one["y"]]
    is_text = x_axis.get("type") == "category"
    room = 0.0 if traces and traces[0].get("mode") == "lines" else 0.04
    across = text_axis(xs) if is_text else number_axis(xs, x_axis.get("type") == "log", room)
    up = number_axis(ys, y_axis.get("type") == "log")
    widest = max([len(text) for _, text in up.ticks] or [0])
    left = max(_LEFT, 36 + 7 * widest)
    return _Frame(across, up, left, right, _TOP, height - _BOTTOM)


def _grid(frame: _Frame, layout: Figure) -> Iterator[str]:
    right, bottom = frame.right, frame.bottom
    lines, texts = [], []
    for value, text in frame.y.ticks:
        y = frame.at_y(frame.y.share(value) or 0.0)
        lines.append(f"M{_n(frame.left)} {_n(y)}H{_n(right)}")
        texts.append(_words(text, frame.left - 8, y + 4, "end"))
    room = (right - frame.left) / max(1, len(frame.x.ticks))
    for value, text in frame.x.ticks:
        x = frame.at_x(frame.x.share(value) or 0.0)
        lines.append(f"M{_n(x)} {_n(frame.top)}V{_n(bottom)}")
        texts.append(_words(_fit(text, room), x, bottom + 18, "middle"))
    yield f'<path fill="none" stroke="currentColor" stroke-opacity=".13" d="{"".join(lines)}"/>'
    yield (
        f'<path fill="none" stroke="currentColor" stroke-opacity=".5" '
        f'd="M{_n(frame.left)} {frame.top}V{_n(bottom)}H{_n(right)}"/>'
    )
    yield f'<g fill-opacity=".75">{"".join(texts)}</g>'
    middle = (frame.left + right) / 2
    yield _words(_title(layout["xaxis"]), middle, bottom + 38, "middle", ' font-weight="600"')
    up = (frame.top + bottom) / 2
    turn = f' font-weight="600" transform="rotate(-90 14 {_n(up)})"'
    yield _words(_title(layout["yaxis"]), 14, up, "middle", turn)


def _title(axis: Figure) -> str:
    return unescape(str(axis["title"]["text"]))


def _line(trace: Figure, frame: _Frame) -> str:
    points = [frame.point(x, y) for x, y in zip(trace["x"], trace["y"])]
    if trace["line"].get("shape") == "hv":
        points = _stairs(points)
    style = f'stroke="{trace["line"]["color"]}" stroke-opacity="{trace.get("opacity", 0.9)}"'
    hint = "" if trace.get("hoverinfo") == "skip" else _hint(trace["name"])
    lone = [point for point in points if point]
    if len(lone) == 1:
        return _dot(lone[0], 3, f'fill="{trace["line"]["color"]}"', hint)
    return f'<path fill="none" {style} stroke-width="1.6" d="{way(points)}">{hint}</path>'


def _stairs(points: Sequence[tuple[float, float] | None]) -> list[tuple[float, float] | None]:
    """*points* with a corner before each: first across, then up or down."""
    found: list[tuple[float, float] | None] = []
    for point in points:
        if found and found[-1] and point:
            found.append((point[0], found[-1][1]))
        found.append(point)
    return found


def way(points: Sequence[tuple[float, float] | None]) -> str:
    """The path through *points*, with a gap for each None."""
    parts, is_start = [], True
    for point in points:
        if point is not None:
            parts.append(f"{'M' if is_start else 'L'}{_n(point[0])} {_n(point[1])}")
        is_start = point is None
    return "".join(parts)


def _dots(trace: Figure, frame: _Frame) -> Iterator[str]:
    marker = trace["marker"]
    colours = marker["color"]
    if marker.get("showscale"):
        colours = _scaled(marker)
    elif isinstance(colours, str):
        colours = [colours] * len(trace["x"])
    for x, y, colour, text in zip(trace["x"], trace["y"], colours, trace["text"]):
        point = frame.point(x, y)
        if point:
            yield _dot(point, 4, f'fill="{colour}" fill-opacity=".75"', _hint(f"{text}: {y:.6g}"))


def _scaled(marker: Figure) -> list[str]:
    numbers = [one for one in marker["color"] if one is not None]
    low, high = min(numbers), max(numbers)
    scale = _turned(marker)
    return [
        "#888888" if one is None else scale_colour((one - low) / (high - low or 1), scale)
        for one in marker["color"]
    ]


def _turned(marker: Figure) -> Sequence[tuple[float, str]]:
    scale = marker.get("colorscale", SCALE)
    return [(1 - at, one) for at, one in scale][::-1] if marker.get("reversescale") else scale


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The three, interpolated as plotly does (Hazen)."""
    ordered = sorted(values)

    def at(share: float) -> float:
        place = min(max(share * len(ordered) - 0.5, 0.0), len(ordered) - 1.0)
        low = math.floor(place)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (place - low)

    return at(0.25), at(0.5), at(0.75)


def _box(trace: Figure, frame: _Frame, count: int) -> Iterator[str]:
    values, colour = trace["y"], trace["marker"]["color"]
    first, middle, third = quartiles(values)
    reach = 1.5 * (third - first)
    low = min(one for one in values if one >= first - reach)
    high = max(one for one in values if one <= third + reach)
    x = frame.at_x(frame.x.share(trace["name"]) or 0.0)
    half = min(50.0, (frame.right - frame.left) / count * 0.3)
    ys = [frame.at_y(frame.y.share(one) or 0.0) for one in (low, first, middle, third, high)]
    ends = "".join(f"M{_n(x - half / 2)} {_n(y)}h{_n(half)}" for y in (ys[0], ys[4]))
    stems = "".join(f"M{_n(x)} {_n(a)}V{_n(b)}" for a, b in ((ys[0], ys[1]), (ys[3], ys[4])))
    numbers = ", ".join(f"{one:.6g}" for one in (low, first, middle, third, high))
    hint = _hint(f"{trace['name']}: {numbers} ({len(values)} runs)")
    yield (
        f'<path stroke="{colour}" stroke-width="1.6" fill="{colour}" fill-opacity=".2" '
        f'd="M{_n(x - half)} {_n(ys[1])}H{_n(x + half)}V{_n(ys[3])}H{_n(x - half)}Z'
        f'M{_n(x - half)} {_n(ys[2])}h{_n(2 * half)}{stems}{ends}">{hint}</path>'
    )
    for place, (value, text) in enumerate(zip(values, trace["text"])):
        if trace["boxpoints"] != "all" and low <= value <= high:
            continue
        aside = ((place * 0.618) % 1 - 0.5) * half  # else equal numbers would be one dot
        dot = x + aside, frame.at_y(frame.y.share(value) or 0.0)
        yield _dot(dot, 2.5, f'fill="{colour}" fill-opacity=".8"', _hint(f"{text}: {value:.6g}"))


# --- parallel coordinates ------------------------------------------------------------------------


def _parallel(trace: Figure, height: int, width: int) -> Iterator[str]:
    dimensions, line = trace["dimensions"], trace["line"]
    axes = [_dimension_axis(one) for one in dimensions]
    top, bottom, left, right = 34, height - 14, 40.0, width - 110
    gap = (right - left) / max(1, len(axes) - 1)
    xs = [left + gap * place for place in range(len(axes))]
    colours = _scaled(line) if line["color"] else []
    # The best lie on top: they are drawn last.
    order = sorted(range(len(colours)), key=lambda at: line["color"][at])
    for at in order if line.get("reversescale") else order[::-1]:
        points = [
            None if share is None else (x, bottom - share * (bottom - top))
            for x, share in zip(
                xs, (axis.share(one["values"][at]) for axis, one in zip(axes, dimensions))
            )
        ]
        hint = _hint(f"{trace['customdata'][at]}: {line['color'][at]:.6g}")
        style = f'stroke="{colours[at]}" stroke-opacity=".7" stroke-width="1.5"'
        own = f'data-run="{marked_up(trace["ids"][at])}"'
        yield f'<path {own} fill="none" {style} d="{way(points)}">{hint}</path>'
    for x, axis, dimension in zip(xs, axes, dimensions):
        yield from _upright(x, axis, _fit(unescape(dimension["label"]), gap), top, bottom)
    if colours:
        yield from _colour_bar(line, "", width - 34, top, bottom, with_numbers=False)


def _dimension_axis(dimension: Figure) -> Axis:
    values = [one for one in dimension["values"] if one is not None]
    axis = number_axis([*values, *dimension.get("tickvals", ())], is_log=False, room=0.0)
    if "tickvals" not in dimension:
        return axis
    texts = map(unescape, dimension["ticktext"])
    return Axis(axis.share, [*zip(dimension["tickvals"], texts)])


def _upright(x: float, axis: Axis, label: str, top: float, bottom: float) -> Iterator[str]:
    yield f'<path stroke="currentColor" stroke-opacity=".6" d="M{_n(x)} {top}V{_n(bottom)}"/>'
    yield _words(label, x, top - 16, "middle", ' font-weight="600"')
    for value, text in axis.ticks[:: 1 + len(axis.ticks) // 20]:
        y = bottom - (axis.share(value) or 0.0) * (bottom - top)
        yield f'<circle cx="{_n(x)}" cy="{_n(y)}" r="2.5"/>'  # a dash would be a minus
        # Lines pass behind: an outline in the colour of the page keeps it readable.
        halo = ' stroke="Canvas" stroke-width="3" paint-order="stroke" font-size="11"'
        yield _words(_fit(text, 130), x + 9, y + 4, "start", halo)


def _colour_bar(
    marker: Figure, title: str, x: float, top: float, bottom: float, with_numbers: bool = True
) -> Iterator[str]:
    scale, steps = _turned(marker), 24
    height = (bottom - top) / steps
    for step in range(steps):
        y = bottom - (step + 1) * height
        colour = scale_colour(step / (steps - 1), scale)
        yield f'<path fill="{colour}" d="M{_n(x)} {_n(y)}h10v{_n(height + 0.5)}h-10z"/>'
    if with_numbers:
        for share, text in _bar_ticks(marker):
            y = bottom - share * (bottom - top)
            yield _words(text, x + 14, min(max(y + 4, top + 9), bottom), "start")
        yield _words(_fit(title, 104), x + 66, top - 2, "end", ' font-weight="600"')


def _bar_ticks(marker: Figure) -> list[tuple[float, str]]:
    """Share and text of each number beside a bar of colours."""
    bar = marker["colorbar"]
    if "tickvals" in bar:
        return [*zip(bar["tickvals"], bar["ticktext"])]
    numbers = [one for one in marker["color"] if one is not None]
    return [(1.0, f"{max(numbers):.4g}"), (0.0, f"{min(numbers):.4g}")]


# --- legend and words ----------------------------------------------------------------------------


def _legend(traces: Sequence[Any], width: int) -> list[tuple[float, int, str, str]]:
    """Place, line, colour and text of each entry."""
    found, x, line = [], float(_LEFT), 0
    for trace in traces:
        if trace.get("showlegend") is False:
            continue
        text = _fit(unescape(trace["name"]), width - _LEFT - 40)
        size = 30 + 7 * len(text)
        if x > _LEFT and x + size > width:
            x, line = float(_LEFT), line + 1
        found.append((x, line, trace.get("line", trace.get("marker"))["color"], text))
        x += size
    return found


def _legend_parts(legend: Sequence[tuple[float, int, str, str]], top: int) -> Iterator[str]:
    for x, line, colour, text in legend:
        y = top + _LINE * line + 8
        yield f'<path stroke="{colour}" stroke-width="3" d="M{_n(x)} {y}h14"/>'
        yield _words(text, x + 20, y + 4, "start")


def _words(text: str, x: float, y: float, anchor: str, more: str = "") -> str:
    return f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{more}>{marked_up(text)}</text>'


def _fit(text: str, room: float) -> str:
    """*text*, cut to about *room* pixels."""
    most = max(2, int(room / 6.5))
    return text if len(text) <= most else text[: most - 1] + "…"


def _hint(text: str) -> str:
    return f"<title>{marked_up(unescape(text))}</title>"


def _dot(point: tuple[float, float], radius: float, style: str, hint: str) -> str:
    return f'<circle cx="{_n(point[0])}" cy="{_n(point[1])}" r="{radius}" {style}>{hint}</circle>'


def _n(number: float) -> str:
    """A place in pixels, to a tenth."""
    return f"{number:.1f}".removesuffix(".0")
