"""Maps inside maps share the workers of their engine: how many ran at once is measured."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast import HyperNodesEngine, NativeEngine, Node, Pipeline
from kohaku_ast.engines.executor_engine import workers_at


@pytest.mark.parametrize(
    ("most", "by_depth"),
    [
        pytest.param(16, [16, 4, 1, 1], id="all, the square root, one"),
        pytest.param(10, [10, 3, 1], id="rounded down"),
        pytest.param(2, [2, 1, 1], id="two"),
        pytest.param(1, [1, 1, 1], id="one"),
    ],
)
def test_what_is_reported_by_depth(most: int, by_depth: list[int]) -> None:
    engine = NativeEngine("threaded", max_workers=most)
    assert [engine.workers(depth) for depth in range(len(by_depth))] == by_depth


@given(st.integers(1, 500), st.integers(0, 6))
def test_never_less_than_one_nor_more_than_all(most: int, depth: int) -> None:
    assert 1 <= workers_at(most, depth) <= most


class Gauge:
    """How many are inside at once, in the threads of this process."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self._lock = threading.Lock()

    def __call__(self, x: Any) -> Any:
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
        os.sched_yield()
        with self._lock:
            self.now -= 1
        return x


def nested(function: Callable[..., Any], depth: int, engine: Any) -> Pipeline:
    """Maps in maps around one node, with two nodes beside each other at every depth."""
    made = Pipeline([Node(function, "y", rename={"x": "x"}, name="leaf")], name="leaf")
    for at in range(depth):
        beside = Node(function, f"beside{at}", name=f"beside{at}")
        made = Pipeline([made.as_node(map_over="x"), beside], name=f"depth{at}")
    return Pipeline(made.nodes, engine=engine)


def table(width: int, depth: int) -> Any:
    return 1 if not depth else [table(width, depth - 1)] * width


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize(
    ("nodes", "items"),
    [
        pytest.param("threaded", "threaded", id="threads for both"),
        pytest.param("sequential", "threaded", id="threads for items"),
        pytest.param("threaded", "sequential", id="threads for nodes"),
    ],
)
@pytest.mark.parametrize("most", [1, 2, 4])
def test_threads_never_go_above_it(most: int, nodes: str, items: str, depth: int) -> None:
    gauge = Gauge()
    engine = HyperNodesEngine(nodes, items, max_workers=most)
    made = nested(gauge, depth, engine)
    made.run({"x": table(5, depth)})
    made.map({"x": table(3, depth + 1)}, map_over="x")
    assert 1 <= gauge.peak <= most


def test_all_workers_are_used_by_one_map() -> None:
    barrier = threading.Barrier(4)

    def meet(x: int) -> int:
        barrier.wait(20)
        return x

    outer = Pipeline(
        [Pipeline([Node(meet, "y")]).as_node(map_over="x")],
        engine=NativeEngine(map_executor="threaded", max_workers=4),
    )
    assert outer.run({"x": list(range(8))}, "y") == list(range(8))


def test_the_inner_map_takes_over_workers_that_the_outer_one_does_not_need() -> None:
    """Two outer items and a budget of four: two more work inside, by the square root of four."""
    barrier = threading.Barrier(4)

    def meet(x: int) -> int:
        barrier.wait(20)
        return x

    inner = Pipeline([Node(meet, "y")]).as_node(map_over="x")
    made = Pipeline([inner], engine=NativeEngine(map_executor="threaded", max_workers=4))
    assert made.map({"x": [[1, 2], [3, 4]]}, map_over="x", output_name="y") == [[1, 2], [3, 4]]


def enter_and_leave(x: Any, log: str) -> Any:
    """Leaves two lines in a file to which all processes append."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b"+\n")
    sum(range(20_000))
    os.write(file, b"-\n")
    os.close(file)
    return x


def peak_of(log: Path) -> int:
    now = peak = 0
    for line in log.read_text().split():
        now += 1 if line == "+" else -1
        peak = max(peak, now)
    assert now == 0
    return peak


@pytest.mark.parametrize(
    ("nodes", "items"),
    [
        pytest.param("parallel", "parallel", id="processes for both"),
        pytest.param("sequential", "parallel", id="processes for items"),
        pytest.param("parallel", "sequential", id="processes for nodes"),
        pytest.param("threaded", "parallel", id="threads and processes"),
    ],
)
@pytest.mark.parametrize("depth", [1, 2])
def test_processes_never_go_above_it(nodes: str, items: str, depth: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    engine = HyperNodesEngine(nodes, items, max_workers=3)
    made = nested(enter_and_leave, depth, engine)
    made.run({"x": table(3, depth), "log": str(log)})
    made.map({"x": table(3, depth + 1), "log": str(log)}, map_over="x")
    assert 1 <= peak_of(log) <= 3
