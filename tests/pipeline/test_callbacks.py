"""What callbacks are told, where they are told it is, and that every start has its end."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from kohaku_ast import Callback, MemoryCache, Pipeline, node

ENGINES = ("sequential", "threaded", "async", "parallel")
engines = pytest.mark.parametrize("engine", ENGINES)


class Record(Callback):
    """Every event as a short text, with its path."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.contexts: list[Any] = []

    def _add(self, event: str, context: Any) -> None:
        self.events.append(f"{event} @ {'/'.join(context.path)}")
        self.contexts.append(context)

    def on_pipeline_start(self, name: str, inputs: Any, context: Any) -> None:
        self._add(f"pipeline {name} {dict(inputs)}", context)

    def on_pipeline_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
        assert seconds >= 0
        self._add(f"/pipeline {name} {dict(outputs)}", context)

    def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
        self._add(f"node {name} {dict(inputs)}", context)

    def on_node_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
        assert seconds >= 0
        self._add(f"/node {name} {dict(outputs)}", context)

    def on_node_cached(self, name: str, key: str, context: Any) -> None:
        assert key
        self._add(f"cached {name}", context)

    def on_nested_start(self, name: str, pipeline: str, context: Any) -> None:
        self._add(f"nested {name} {pipeline}", context)

    def on_nested_end(self, name: str, pipeline: str, seconds: float, context: Any) -> None:
        self._add(f"/nested {name} {pipeline}", context)

    def on_map_start(self, items: int, context: Any) -> None:
        self._add(f"map {items}", context)

    def on_map_end(self, seconds: float, context: Any) -> None:
        self._add("/map", context)

    def on_map_item_start(self, item: int, context: Any) -> None:
        self._add(f"item {item}", context)

    def on_map_item_end(self, item: int, seconds: float, context: Any) -> None:
        self._add(f"/item {item}", context)

    def on_error(self, name: str, error: BaseException, context: Any) -> None:
        self._add(f"error {name} {type(error).__name__}", context)


@node("y")
def double(x: int) -> int:
    return 2 * x


@node("z")
def inverse(y: int) -> float:
    return 1 / y


@pytest.fixture
def record() -> Record:
    return Record()


@engines
def test_a_run(engine: str, record: Record) -> None:
    Pipeline([double, inverse], engine=engine, callbacks=[record], name="p").run({"x": 1})
    assert record.events == [
        "pipeline p {'x': 1} @ p",
        "node double {'x': 1} @ p/double",
        "/node double {'y': 2} @ p/double",
        "node inverse {'y': 2} @ p/inverse",
        "/node inverse {'z': 0.5} @ p/inverse",
        "/pipeline p {'y': 2, 'z': 0.5} @ p",
    ]


@engines
def test_a_run_that_fails_has_all_its_ends(engine: str, record: Record) -> None:
    made = Pipeline([double, inverse], engine=engine, callbacks=[record], name="p")
    with pytest.raises(ZeroDivisionError):
        made.run({"x": 0})
    assert record.events == [
        "pipeline p {'x': 0} @ p",
        "node double {'x': 0} @ p/double",
        "/node double {'y': 0} @ p/double",
        "node inverse {'y': 0} @ p/inverse",
        "error inverse ZeroDivisionError @ p/inverse",
        "/node inverse {} @ p/inverse",
        "/pipeline p {} @ p",
    ]


@engines
def test_a_map(engine: str, record: Record) -> None:
    Pipeline([double], engine=engine, callbacks=[record], name="p").map({"x": [1, 2]}, map_over="x")
    assert record.events[0] == "map 2 @ p"
    assert record.events[-1] == "/map @ p"
    for item in (0, 1):
        assert [one for one in record.events if f"[{item}]" in one] == [
            f"item {item} @ p/[{item}]",
            f"node double {{'x': {item + 1}}} @ p/[{item}]/double",
            f"/node double {{'y': {2 * item + 2}}} @ p/[{item}]/double",
            f"/item {item} @ p/[{item}]",
        ]


@engines
@pytest.mark.parametrize("on_error", ["raise", "keep"])
def test_a_map_that_fails_has_all_its_ends(engine: str, on_error: str, record: Record) -> None:
    made = Pipeline([double, inverse], engine=engine, callbacks=[record])
    try:
        made.map({"x": [1, 0, 2]}, map_over="x", on_error=on_error)
    except ZeroDivisionError:
        assert on_error == "raise"
    check_pairs(record.events)
    assert "error inverse ZeroDivisionError @ pipeline/[1]/inverse" in record.events
    assert record.events[-1] == "/map @ pipeline"


@engines
def test_a_pipeline_inside(engine: str, record: Record) -> None:
    inner = Pipeline([double], name="inner").as_node(name="stage")
    Pipeline([inner, inverse], engine=engine, callbacks=[record], name="outer").run({"x": 1})
    assert record.events == [
        "pipeline outer {'x': 1} @ outer",
        "node stage {'x': 1} @ outer/stage",
        "nested stage inner @ outer/stage",
        "pipeline inner {'x': 1} @ outer/stage",
        "node double {'x': 1} @ outer/stage/double",
        "/node double {'y': 2} @ outer/stage/double",
        "/pipeline inner {'y': 2} @ outer/stage",
        "/nested stage inner @ outer/stage",
        "/node stage {'y': 2} @ outer/stage",
        "node inverse {'y': 2} @ outer/inverse",
        "/node inverse {'z': 0.5} @ outer/inverse",
        "/pipeline outer {'y': 2, 'z': 0.5} @ outer",
    ]
    depths = {one.path[-1]: one.depth for one in record.contexts}
    assert (depths["outer"], depths["inverse"], depths["double"]) == (0, 0, 1)


def test_one_that_follows_has_the_events_of_all_pipelines_inside() -> None:
    class All(Record):
        follows = True

    record = All()
    inner = Pipeline([double], name="inner", callbacks=[Record()]).as_node(name="stage")
    Pipeline([inner], callbacks=[record], name="outer").run({"x": 1})
    assert "node double {'x': 1} @ outer/stage/double" in record.events


@engines
def test_maps_inside_maps(engine: str, record: Record) -> None:
    inner = Pipeline([double, inverse], name="inner").as_node(map_over="x")
    made = Pipeline([inner], engine=engine, callbacks=[record], name="outer")
    made.map({"x": [[1, 2], [3]]}, map_over="x")
    check_pairs(record.events)
    found = Counter(one.split(" @ ")[0].split(" {")[0] for one in record.events)
    assert (found["map 2"], found["map 1"], found["/map"]) == (2, 1, 3)
    assert (
        found["item 0"],
        found["item 1"],
        found["node double"],
        found["nested inner inner"],
    ) == (3, 2, 3, 2)
    deepest = next(
        one for one in record.contexts if one.path == ("outer", "[1]", "inner", "[0]", "double")
    )
    assert (deepest.depth, deepest.item) == (1, 0)


@engines
def test_failures_deep_inside_have_all_their_ends(engine: str, record: Record) -> None:
    inner = Pipeline([double, inverse], name="inner").as_node(map_over="x")
    middle = Pipeline([inner], name="middle")
    made = Pipeline([middle], engine=engine, callbacks=[record], name="outer")
    with pytest.raises(ZeroDivisionError):
        made.map({"x": [[1], [1, 0]]}, map_over="x")
    check_pairs(record.events)
    errors = [one.split(" @ ")[1] for one in record.events if one.startswith("error")]
    assert errors == [
        "outer/[1]/middle/inner/[1]/inverse",
        "outer/[1]/middle/inner",
        "outer/[1]/middle",
    ]


@engines
def test_what_comes_from_the_cache_has_no_start(engine: str, record: Record) -> None:
    cache = MemoryCache()
    made = Pipeline([double, inverse], engine=engine, callbacks=[record], cache=cache, name="p")
    made.run({"x": 1})
    record.events.clear()
    made.run({"x": 1}, "z")
    assert record.events == [
        "pipeline p {'x': 1} @ p",
        "cached inverse @ p/inverse",
        "/pipeline p {'z': 0.5} @ p",
    ]


@engines
def test_inside_a_map_and_a_pipeline_the_cache_is_told_of_too(engine: str, record: Record) -> None:
    inner = Pipeline([double], name="inner").as_node(map_over="x", cache=False)
    made = Pipeline([inner], engine=engine, callbacks=[record], cache=MemoryCache(), name="p")
    for _ in range(2):
        made.map({"x": [[1], [2]]}, map_over="x")
    check_pairs(record.events)
    found = Counter(one.split(" @ ")[0].split(" {")[0] for one in record.events)
    assert (found["node double"], found["cached double"]) == (2, 2)


def check_pairs(events: list[str]) -> None:
    """Every start has exactly one end, after it, at the same place."""
    open_: Counter[str] = Counter()
    for event in events:
        what, _, path = event.partition(" @ ")
        if what.startswith(("cached", "error")):
            continue
        kind = " ".join(
            what.lstrip("/").split(" {")[0].split()[: 1 if "map" in what.split()[0] else 2]
        )
        open_[f"{kind} {path}"] += -1 if what.startswith("/") else 1
        assert open_[f"{kind} {path}"] >= 0, event
    assert not +open_


@engines
def test_one_event_is_told_at_a_time(engine: str) -> None:
    busy = threading.Lock()

    def alone(*_: Any) -> None:
        assert busy.acquire(blocking=False)
        busy.release()

    events = ("on_node_start", "on_node_end", "on_map_item_start", "on_map_item_end")
    made = Pipeline(
        [double, inverse],
        engine=engine,
        callbacks=[type("Alone", (Callback,), dict.fromkeys(events, alone))()],
    )
    made.map({"x": range(1, 30)}, map_over="x")


@pytest.mark.parametrize("event", ["on_pipeline_start", "on_node_start"])
def test_what_a_callback_sets_in_the_inputs_changes_neither_node_nor_cache(event: str) -> None:
    def set_(_: Any, __: str, inputs: Any, ___: Any) -> None:
        inputs["x"] = 100

    cache = MemoryCache()
    changing = [type("Sets", (Callback,), {event: set_})()]
    for callbacks in (changing, []):
        made = Pipeline([double], cache=cache, callbacks=callbacks)
        assert made.run({"x": 1}, double.outputs[0]) == double(1)


@engines
@pytest.mark.parametrize(
    "event", ["on_pipeline_start", "on_node_start", "on_node_end", "on_pipeline_end"]
)
def test_what_a_callback_raises_ends_the_run(engine: str, event: str) -> None:
    def raise_(*_: Any) -> None:
        raise LookupError("from the callback")

    made = Pipeline(
        [double], engine=engine, callbacks=[type("Bad", (Callback,), {event: raise_})()]
    )
    with pytest.raises(LookupError, match="from the callback"):
        made.run({"x": 1})
    with pytest.raises(LookupError):
        made.map({"x": [1, 2]}, map_over="x") if "node" in event else made.run({"x": 1})
