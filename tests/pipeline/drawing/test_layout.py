"""Where boxes and links are: nothing touches anything."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kohaku_ast.display.graph_layout import Layers, Layout, Place, lay_out
from kohaku_ast.pipeline.drawing import make_sketch
from tests.pipeline.drawing.made import crawling, of_edges, training


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    count = draw(st.integers(1, 14))
    pairs = list(itertools.combinations(range(count), 2))
    return count, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


def overlap(one: Place, other: Place) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def check(layout: Layout) -> None:
    for one, other in itertools.combinations(layout.places, 2):
        assert not overlap(one, other)
    for place in layout.places:
        assert place.x >= 0
        assert place.y >= 0
        assert place.x + place.width <= layout.width
        assert place.y + place.height <= layout.height
    for number, inner in layout.inner.items():
        place = layout.places[number]
        assert inner.width <= place.width
        assert inner.height < place.height
        check(inner)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_two_boxes_touch(graph: tuple[int, list[tuple[int, int]]]) -> None:
    layout = lay_out(make_sketch(of_edges(*graph)))
    assert len(layout.places) == graph[0]
    check(layout)


FACING: dict[str, tuple[Callable[[Place], int], Callable[[Place], int], int]] = {
    "TB": (lambda one: one.y + one.height, lambda one: one.y, 1),
    "BT": (lambda one: one.y, lambda one: one.y + one.height, 1),
    "LR": (lambda one: one.x + one.width, lambda one: one.x, 0),
    "RL": (lambda one: one.x, lambda one: one.x + one.width, 0),
}
"""Orientation -> the edges where a link leaves a box and where it arrives, and the axis."""


@pytest.mark.parametrize("orient", FACING)
@settings(max_examples=30, deadline=None)
@given(graphs())
def test_every_orientation(orient: str, graph: tuple[int, list[tuple[int, int]]]) -> None:
    layout = lay_out(make_sketch(of_edges(*graph)), orient)
    check(layout)
    leaves, arrives, axis = FACING[orient]
    ends = {arrives(one) for one in layout.places}
    for step in layout.steps:
        end = layout.turned(*step.end)
        assert not step.is_last or end[axis] in ends
    starts = [layout.turned(*step.start)[axis] for step in layout.steps]
    for source in {step.source for step in layout.steps}:
        assert leaves(layout.places[source]) in starts


@pytest.mark.parametrize("orient", FACING)
def test_open_pipelines_in_every_orientation(orient: str) -> None:
    check(lay_out(make_sketch(training(), depth=2), orient))


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_every_link_leads_down_from_its_box_to_its_box(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    """Followed step by step, as drawn."""
    layout = lay_out(make_sketch(of_edges(*graph)))
    tops = {(place.x + place.width // 2, place.y): n for n, place in enumerate(layout.places)}
    for source, target in graph[1]:
        place = layout.places[source]
        reached = {(place.x + place.width // 2, place.y + place.height)}
        ends = set()
        for step in layout.steps:
            if step.source != source or not any(abs(x - step.start[0]) <= 1 for x, _ in reached):
                continue
            assert step.start[1] <= step.bend < step.end[1]
            reached.add(step.end)
            ends.add(step.end)
        assert any(near(end, tops) == target for end in ends)


def near(end: tuple[int, int], tops: dict[tuple[int, int], int]) -> int | None:
    for shift in (0, -1, 1):  # centres are rounded
        if (end[0] + shift, end[1]) in tops:
            return tops[end[0] + shift, end[1]]
    return None


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_link_passes_through_a_box(graph: tuple[int, list[tuple[int, int]]]) -> None:
    """Where it goes straight down; elsewhere it is between two layers."""
    layout = lay_out(make_sketch(of_edges(*graph)))
    for step in layout.steps:
        x = step.start[0]
        for number, place in enumerate(layout.places):
            passes = place.x < x < place.x + place.width and (
                step.start[1] < place.y + place.height and place.y < step.bend
            )
            assert not passes or number == step.source


@pytest.mark.parametrize("pipeline", [training(), crawling()], ids=["inputs", "a map inside"])
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_boxes_of_all_kinds(pipeline: object, depth: int) -> None:
    check(lay_out(make_sketch(pipeline, depth)))  # type: ignore[arg-type]


def test_the_same_picture_each_time() -> None:
    edges = [(0, 3), (1, 2), (2, 3), (0, 4), (3, 5), (1, 5)]
    assert lay_out(make_sketch(of_edges(6, edges))) == lay_out(make_sketch(of_edges(6, edges)))


def test_links_that_need_not_cross_do_not() -> None:
    crossed = [(0, 5), (1, 4), (2, 3)]
    assert Layers(6, crossed).crossings() == 0


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_crossings_are_counted_as_two_loops_would(
    graph: tuple[int, list[tuple[int, int]]],
) -> None:
    layers = Layers(*graph)
    counted = 0
    for row, following in itertools.pairwise(layers.rows):
        links = [
            (place, following.index(end))
            for place, vertex in enumerate(row)
            for end in layers.after.get(vertex, ())
        ]
        counted += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(links, 2))
    assert layers.crossings() == counted


def test_an_input_stands_beside_its_reader() -> None:
    """Not in the first row of a long chain."""
    sketch = make_sketch(training())
    layout = lay_out(sketch)
    tops = {box.title or box.lines[0]: layout.places[n].y for n, box in enumerate(sketch.boxes)}
    assert tops["lr: float = 0.001"] == tops["prep"]


def test_a_wide_graph_and_a_long_one_are_linear_in_size() -> None:
    for edges in ([(0, one) for one in range(1, 200)], [(n, n + 1) for n in range(199)]):
        layout = lay_out(make_sketch(of_edges(200, edges)))
        check(layout)
        assert math.isfinite(layout.width * layout.height)
