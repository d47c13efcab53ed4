"""Where everything of a picture is, in pixels."""

from __future__ import annotations

from dataclasses import dataclass

from kohaku_ast.pipeline.drawing.layers import Layers
from kohaku_ast.pipeline.drawing.text import cells

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kohaku_ast.pipeline.drawing.shapes import Box, Sketch

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
    """A link on its way from one layer to the next."""

    #: The box that it comes from.
    source: int
    #: Where it starts.
    start: tuple[int, int]
    #: Down to there it goes straight: nothing of its layer is in its way.
    bend: int
    #: Where it ends.
    end: tuple[int, int]
    #: Whether it ends at a box.
    is_last: bool


@dataclass(frozen=True)
class Layout:
    """Where the boxes and links of one Sketch are."""

    width: int
    height: int
    #: A Place for each box.
    places: tuple[Place, ...]
    #: What the links are made of.
    steps: tuple[Step, ...]
    #: The layouts inside the boxes that are shown open, by box.
    inner: dict[int, Layout]


def lay_out(sketch: Sketch) -> Layout:
    """The same for the same *sketch*; no two boxes touch."""
    inner = {n: lay_out(box.inner) for n, box in enumerate(sketch.boxes) if box.inner is not None}
    sizes = [_size(box, inner.get(number)) for number, box in enumerate(sketch.boxes)]
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
    steps = _steps(layers, centres, places, tops, heights)
    return Layout(round(right) + MARGIN, height, places, tuple(steps), inner)


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
    """The centre of each vertex: near those of its neighbours."""
    centres = [0.0] * len(widths)
    for row in layers.rows:
        _set(centres, row, _apart([0.0] * len(row), [widths[one] for one in row]))
    for sweep in range(_SWEEPS):
        is_down = sweep % 2 == 0
        neighbours = layers.before if is_down else layers.after
        for row in layers.rows if is_down else reversed(layers.rows):
            wishes = [_wish(centres, neighbours.get(one, ()), centres[one]) for one in row]
            _set(centres, row, _apart(wishes, [widths[one] for one in row]))
    left = min((centres[n] - width / 2 for n, width in enumerate(widths)), default=0)
    return [centre - left + MARGIN for centre in centres]


def _set(centres: list[float], row: Sequence[int], found: Sequence[float]) -> None:
    for vertex, centre in zip(row, found):
        centres[vertex] = centre


def _wish(centres: Sequence[float], neighbours: Sequence[int], otherwise: float) -> float:
    return sum(centres[one] for one in neighbours) / len(neighbours) if neighbours else otherwise


def _apart(wishes: Sequence[float], widths: Sequence[int]) -> list[float]:
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
