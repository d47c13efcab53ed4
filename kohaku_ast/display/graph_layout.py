"""The layout of a graph's picture: where its boxes and links are, in pixels.

The method of Sugiyama, Tagawa and Toda (1981): layers by the longest path from a source, free
places where a link passes a layer, and sweeps that order each layer by the mean position (the
barycentre) of the neighbours in the previous layer.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right, insort
from dataclasses import dataclass, replace
from html import escape

from kohaku_ast.display.text import exact_time, short_repr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Box:
    """A box: a node, a pipeline, or inputs that the same nodes read."""

    #: "node", "pipeline" or "inputs".
    kind: str
    #: The name, or "" for inputs.
    title: str
    #: The lines below the title.
    lines: tuple[str, ...]
    #: The tooltip, with all details.
    hint: str
    #: "succeeded", "cached", "failed", "running", "skipped", or "".
    state: str = ""
    #: The inside of a pipeline that is shown open.
    inner: Sketch | None = None
    #: Opens one that is shown closed.
    open: Callable[[], Sketch] | None = None
    #: The address that it leads to on a page; empty for none.
    link: str = ""


@dataclass(frozen=True)
class Link:
    """A link from one box to another, both by their positions in the Sketch."""

    source: int
    target: int
    #: The names of the values that it stands for.
    names: tuple[str, ...]


@dataclass(frozen=True)
class Sketch:
    """The boxes and links of one pipeline. Links go from earlier boxes to later ones."""

    name: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    #: What it is a picture of, and what a box stands for.
    what: tuple[str, str] = ("pipeline", "node")


# Characters that XML 1.0 cannot have, escaped or not.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def marked_up(text: str) -> str:
    """*text* escaped for an element or an attribute of XML or HTML."""
    return escape(_UNWRITABLE.sub("\ufffd", text)).replace("\r", "\ufffd")


def one_line(text: str, most: int) -> str:
    """*text* in at most *most* cells, without line ends; a longer one ends in an ellipsis."""
    text = " ".join(text[: 4 * most + 4].split())
    if cells(text) <= most:
        return text
    while cells(text) >= most:
        text = text[:-1]
    return text.rstrip() + "…"


def cells(text: str) -> int:
    """The width of *text* in letters: Chinese and Japanese ones count twice."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF")
        for one in text
    )


def listed(names: Iterable[str], most: int) -> str:
    """``a, b and 3 more``: names within about *most* letters, the first always."""
    names = list(names)
    shown = names[:1]
    for name in names[1:]:
        if sum(map(cells, shown)) + 2 * len(shown) + cells(name) > most:
            break
        shown.append(name)
    left = len(names) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


def value_text(value: object, most: int = 24) -> str:
    """A short repr of *value*."""
    return one_line(short_repr(value), most)


def time_text(seconds: float) -> str:
    """``3 ms``, ``1.2 s``, ``3m04s``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return exact_time(seconds)


def default_text(value: object, most: int = 24) -> str:
    """A short repr of the default *value* of an input; "" if it is a script's own default."""
    return "" if value is ... else value_text(value, most)


_ORDERINGS = 8


class Layers:
    """The vertices in layers: boxes by their numbers, then the places that links pass."""

    def __init__(self, boxes: int, links: Sequence[tuple[int, int]]) -> None:
        """*links* go from lower to higher numbers."""
        #: The layer of each vertex.
        self.layer_of = _longest_ways(boxes, links)
        #: Source vertex -> the vertices that follow it in the next layer.
        self.after: dict[int, list[int]] = {}
        #: Target vertex -> the vertices before it in the previous layer.
        self.before: dict[int, list[int]] = {}
        #: Box -> the vertices that its links pass, from layer to layer.
        self.passed: dict[int, list[int]] = {}
        self._join(links)
        #: The vertices of each layer, in order.
        self.rows: list[list[int]] = [[] for _ in range(max(self.layer_of, default=-1) + 1)]
        for vertex, layer in enumerate(self.layer_of):
            self.rows[layer].append(vertex)
        self._order()

    def _join(self, links: Sequence[tuple[int, int]]) -> None:
        """Connect the vertices. All links of one box share the places that they pass."""
        for source, target in sorted(set(links)):
            way = self.passed.setdefault(source, [])
            start = self.layer_of[source]
            while start + len(way) + 1 < self.layer_of[target]:
                self.layer_of.append(start + len(way) + 1)
                self._add(way[-1] if way else source, len(self.layer_of) - 1)
                way.append(len(self.layer_of) - 1)
            steps = self.layer_of[target] - start - 1
            self._add(way[steps - 1] if steps else source, target)

    def _add(self, source: int, target: int) -> None:
        self.after.setdefault(source, []).append(target)
        self.before.setdefault(target, []).append(source)

    def _order(self) -> None:
        best, fewest = [list(row) for row in self.rows], self.crossings()
        for sweep in range(_ORDERINGS):
            if not fewest:
                break
            self._sweep(is_down=sweep % 2 == 0)
            found = self.crossings()
            if found < fewest:
                best, fewest = [list(row) for row in self.rows], found
        self.rows = best

    def _sweep(self, is_down: bool) -> None:
        neighbours = self.before if is_down else self.after
        place: dict[int, int] = {}
        for row in self.rows if is_down else reversed(self.rows):
            own = {vertex: number for number, vertex in enumerate(row)}
            means = {
                vertex: _mean([place[one] for one in neighbours[vertex]])
                if vertex in neighbours
                else float(own[vertex])
                for vertex in row
            }
            row.sort(key=lambda vertex: (means[vertex], own[vertex]))  # used at once
            place = {vertex: number for number, vertex in enumerate(row)}

    def crossings(self) -> int:
        """How many links cross others between two layers."""
        return sum(map(self._crossings_below, self.rows, self.rows[1:]))

    def _crossings_below(self, row: list[int], following: list[int]) -> int:
        place = {vertex: number for number, vertex in enumerate(following)}
        seen: list[int] = []
        count = 0
        for vertex in row:
            ends = sorted(place[one] for one in self.after.get(vertex, ()))
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
        return count


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _longest_ways(boxes: int, links: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box; a source is in the layer just before its first follower."""
    layer_of = [0] * boxes
    for source, target in sorted(links, key=lambda link: link[1]):
        layer_of[target] = max(layer_of[target], layer_of[source] + 1)
    followers: dict[int, list[int]] = {}
    for source, target in links:
        followers.setdefault(source, []).append(layer_of[target])
    inner = {target for _, target in links}
    for box, layers in followers.items():
        if box not in inner:
            layer_of[box] = min(layers) - 1
    return layer_of


LETTER = 7.3
"""The width of a letter at 12 pixels; monospaced fonts differ a little."""
LINE = 16
PAD = 8
"""From the edge of a box to its text."""
MARGIN = 12
"""From the edge of a picture to its boxes."""
_GAP, _BETWEEN = 24, 36  # between boxes side by side, and between layers
_PASSING = 10  # the room for a link that passes a layer
_SWEEPS = 6


@dataclass(frozen=True)
class Place:
    """A rectangle."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Step:
    """A piece of a link, from one layer to the next."""

    #: The box that it comes from.
    source: int
    #: Where it starts.
    start: tuple[int, int]
    #: Down to this y it is straight: no box of its layer is in its way.
    bend: int
    #: Where it ends.
    end: tuple[int, int]
    #: Whether it ends at a box.
    is_last: bool


ORIENTS = ("TB", "LR", "BT", "RL")
"""Where the links of a picture lead: from top to bottom, from left to right, and back."""


@dataclass(frozen=True)
class Layout:
    """Where the boxes and links of one Sketch are. Steps are as in a picture from top to bottom;
    ``turned`` gives their points in this one.
    """

    width: int
    height: int
    #: A Place for each box.
    places: tuple[Place, ...]
    #: The pieces of the links.
    steps: tuple[Step, ...]
    #: The layouts inside the boxes that are shown open, by box.
    inner: dict[int, Layout]
    #: One of ORIENTS.
    orient: str = "TB"

    def turned(self, x: int, y: int) -> tuple[int, int]:
        """A point of a step in this picture."""
        if self.orient in ("BT", "RL"):
            y = (self.height if self.orient == "BT" else self.width) - y
        return (x, y) if self.orient in ("TB", "BT") else (y, x)


def lay_out(sketch: Sketch, orient: str = "TB") -> Layout:
    """The layout of *sketch*, in which no two boxes touch. Equal sketches get equal layouts."""
    inner = {
        n: lay_out(box.inner, orient) for n, box in enumerate(sketch.boxes) if box.inner is not None
    }
    is_lying = orient in ("LR", "RL")
    sizes = [_size(box, inner.get(number)) for number, box in enumerate(sketch.boxes)]
    sizes = [(height, width) for width, height in sizes] if is_lying else sizes
    layers = Layers(len(sizes), [(link.source, link.target) for link in sketch.links])
    widths = [size[0] for size in sizes] + [_PASSING] * (len(layers.layer_of) - len(sizes))
    centres = _across(layers, widths)
    tops, heights = _down(layers, sizes)
    places = tuple(
        Place(round(centres[n] - w / 2), tops[layers.layer_of[n]], w, h)
        for n, (w, h) in enumerate(sizes)
    )
    right = max((centres[n] + width / 2 for n, width in enumerate(widths)), default=0)
    height = (tops[-1] + heights[-1] if tops else 0) + MARGIN
    steps = tuple(_steps(layers, centres, places, tops, heights))
    across = round(right) + MARGIN
    width, height = (height, across) if is_lying else (across, height)
    made = Layout(width, height, (), steps, inner, orient)
    return replace(made, places=tuple([_turned(made, place) for place in places]))


def _turned(layout: Layout, place: Place) -> Place:
    ends = [
        layout.turned(place.x, place.y),
        layout.turned(place.x + place.width, place.y + place.height),
    ]
    (left, top), (right, bottom) = map(min, zip(*ends)), map(max, zip(*ends))
    return Place(left, top, right - left, bottom - top)


def header_height(box: Box) -> int:
    """The height of the text at the top of a box."""
    return LINE * (bool(box.title) + len(box.lines)) + PAD


def _size(box: Box, inner: Layout | None) -> tuple[int, int]:
    # The title is bold: a little wider in some fonts.
    letters = max([cells(box.title) * 1.04, *map(cells, box.lines)])
    width, height = round(letters * LETTER) + 2 * PAD, header_height(box) + PAD // 2
    if inner is not None:
        width, height = max(width, inner.width), header_height(box) + inner.height
    return width + width % 2, height


def _across(layers: Layers, widths: Sequence[int]) -> list[float]:
    """The centre of each vertex, near those of its neighbours."""
    centres = [0.0] * len(widths)
    for row in layers.rows:
        _set(centres, row, _spread([0.0] * len(row), [widths[one] for one in row]))
    for sweep in range(_SWEEPS):
        is_down = sweep % 2 == 0
        neighbours = layers.before if is_down else layers.after
        for row in layers.rows if is_down else reversed(layers.rows):
            wishes = [_wish(centres, neighbours.get(one, ()), centres[one]) for one in row]
            _set(centres, row, _spread(wishes, [widths[one] for one in row]))
    left = min((centres[n] - width / 2 for n, width in enumerate(widths)), default=0)
    return [centre - left + MARGIN for centre in centres]


def _set(centres: list[float], row: Sequence[int], found: Sequence[float]) -> None:
    for vertex, centre in zip(row, found):
        centres[vertex] = centre


def _wish(centres: Sequence[float], neighbours: Sequence[int], otherwise: float) -> float:
    return sum(centres[one] for one in neighbours) / len(neighbours) if neighbours else otherwise


def _spread(wishes: Sequence[float], widths: Sequence[int]) -> list[float]:
    """The centres nearest to *wishes*, by least squares, that keep the order and the gaps: an
    isotonic regression, solved by pooling adjacent violators.
    """
    offsets, at = [], 0.0
    for number, width in enumerate(widths):
        at += (widths[number - 1] + width) / 2 + _GAP if number else 0
        offsets.append(at)
    pools: list[tuple[float, int]] = []  # mean, how many
    for wish, offset in zip(wishes, offsets):
        mean, count = wish - offset, 1
        while pools and pools[-1][0] > mean:
            other, more = pools.pop()
            mean, count = (mean * count + other * more) / (count + more), count + more
        pools.append((mean, count))
    starts = [mean for mean, count in pools for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets)]


def _down(layers: Layers, sizes: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """The top and the height of each layer."""
    tops, heights, y = [], [], MARGIN
    for row in layers.rows:
        height = max(sizes[one][1] for one in row if one < len(sizes))
        tops.append(y)
        heights.append(height)
        y += height + _BETWEEN
    return tops, heights


def _steps(
    layers: Layers,
    centres: Sequence[float],
    places: Sequence[Place],
    tops: Sequence[int],
    heights: Sequence[int],
) -> Iterator[Step]:
    for source in range(len(places)):
        for vertex in [source, *layers.passed.get(source, ())]:
            layer, place = layers.layer_of[vertex], places[source]
            y = place.y + place.height if vertex == source else tops[layer]
            start = (round(centres[vertex]), y)
            for target in layers.after.get(vertex, ()):
                end = (round(centres[target]), tops[layer + 1])
                is_last = target < len(places)
                yield Step(source, start, tops[layer] + heights[layer], end, is_last)
