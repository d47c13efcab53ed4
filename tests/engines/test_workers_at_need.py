"""Workers start when there is something to run, and are there at every depth of nested runs."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import time
from typing import Any

import pytest

from kohaku_ast import Callback, DiskCache, HyperNodesEngine, Node, Pipeline, node

ENGINES = ["sequential", "threaded", "async", "parallel"]


@node("y")
def double(x: int) -> int:
    return 2 * x


@node("z")
def minus(y: int) -> int:
    return -y


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each pool of processes."""
    found: list[int] = []

    class Counted(concurrent.futures.ProcessPoolExecutor):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            found.append(1)
            super().__init__(*args, **kwargs)

    monkeypatch.setattr(concurrent.futures, "ProcessPoolExecutor", Counted)
    return found


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_cached_results_start_no_worker(nested: bool, started: list[int], tmp_path: Any) -> None:
    nodes: list[Any] = [Pipeline([double]), minus] if nested else [double, minus]
    made = Pipeline(nodes, engine="parallel", cache=DiskCache(tmp_path / "kept"))
    first = made.run({"x": 3}, "z"), made.map({"x": [1, 2]}, map_over="x", output_name="z")
    count = len(started)
    assert count > 0
    again = made.run({"x": 3}, "z"), made.map({"x": [1, 2]}, map_over="x", output_name="z")
    assert (again, len(started)) == (first, count)
    assert made.map({"x": [2, 7]}, map_over="x", output_name="z") == [-4, -14]
    assert len(started) == count + 1, "one item runs"


def test_a_cached_map_inside_starts_none(started: list[int], tmp_path: Any) -> None:
    inner = Pipeline([double, minus]).as_node(map_over="x")
    made = Pipeline(
        [inner, Node(sum, "s", rename={"iterable": "z"})], "parallel", DiskCache(tmp_path / "k")
    )
    assert made.run({"x": [1, 2]}, "s") == -6
    count = len(started)
    assert made.run({"x": [1, 2]}, "s") == -6
    assert len(started) == count


def nested(nodes: list[Any], depth: int, engine: Any = None) -> Pipeline:
    made = Pipeline(nodes, name="deepest")
    for at in range(depth):
        made = Pipeline([made], name=f"depth{at}")
    return Pipeline([made], engine)


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("kind", ["threaded", "parallel", "async"])
def test_nodes_overlap_at_every_depth(kind: str, depth: int, tmp_path: Any) -> None:
    """Each node waits for the others: one after another they would never end."""
    engine = HyperNodesEngine(kind, max_workers=4)
    meet = [Node(meeting, f"m{at}", rename={"number": f"n{at}"}) for at in range(4)]
    made = nested([one.bind(folder=str(tmp_path)) for one in meet], depth, engine)
    found = made.run({f"n{at}": at for at in range(4)})
    assert found == {f"m{at}": 4 for at in range(4)}


def meeting(number: int, folder: str) -> int:
    open(os.path.join(folder, f"{number} {threading.get_ident()} {os.getpid()}"), "w").close()
    for _ in range(3000):
        if len(os.listdir(folder)) == 4:
            return 4
        time.sleep(0.01)
    return 0


class Told(Callback):
    def __init__(self) -> None:
        self.events: list[Any] = []

    def on_map_item_start(self, item: int, context: Any) -> None:
        self.events.append(("start", item))

    def on_map_item_cached(self, item: int, key: str, context: Any) -> None:
        self.events.append(("cached", item))
        assert (len(key), context.item, context.path[-1]) == (40, item, f"[{item}]")

    def on_map_item_end(self, item: int, seconds: float, context: Any) -> None:
        self.events.append(("end", item))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("inside", [False, True], ids=["map", "nested map"])
def test_callbacks_are_told_of_cached_items(engine: str, inside: bool, tmp_path: Any) -> None:
    told, cache = Told(), DiskCache(tmp_path / "kept")

    def run(values: list[int]) -> list[Any]:
        told.events.clear()
        if inside:
            inner = Pipeline([double, minus]).as_node(map_over="x", cache=False)
            Pipeline([inner], engine, cache, [told]).run({"x": values}, "z")
        else:
            made = Pipeline([double, minus], engine, cache, [told])
            made.map({"x": values}, map_over="x", output_name="z")
        return sorted(item for event, item in told.events if event == "cached")

    assert run([1, 2]) == []
    assert run([1, 5, 2]) == [0, 2]
    assert sorted(told.events) == sorted(
        [(event, at) for at in range(3) for event in ("start", "end")]
        + [("cached", 0), ("cached", 2)]
    )
    for item in (0, 2):
        own = [event for event, at in told.events if at == item]
        assert own == ["start", "cached", "end"]
