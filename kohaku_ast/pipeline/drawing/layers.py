"""The boxes of a picture in layers, and in an order in which few links cross.

The method of Sugiyama, Tagawa and Toda (1981): layers by the longest way from a source, places
that are kept free where a link passes a layer, and sweeps that order each layer by the mean
position (the barycentre) of the neighbours in the layer before.
"""

from __future__ import annotations

from bisect import bisect_right, insort

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SWEEPS = 8


class Layers:
    """Vertices are the boxes by their numbers, and above them places that links pass."""

    def __init__(self, boxes: int, links: Sequence[tuple[int, int]]) -> None:
        """*links* go from lower to higher numbers."""
        #: The layer of each vertex.
        self.layer_of = _longest_ways(boxes, links)
        #: Source vertex -> the vertices that follow it in the next layer.
        self.after: dict[int, list[int]] = {}
        #: The other way.
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
        """All links of one box share the places that they pass: a bus, not a bundle."""
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
        for sweep in range(_SWEEPS):
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
    """The layer of each box; what nothing leads to stands just above the first that follows."""
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
