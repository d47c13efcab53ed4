"""Engines of the user's: they are given whole pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kohaku_ast import Callback, Engine, HyperNodesEngine, MemoryCache, Node, Pipeline, node


@node("y")
def double(x: int, k: int = 2) -> int:
    return x * k


@node("z")
def minus(y: int) -> int:
    if y > 100:
        raise ValueError("large")
    return -y


class Bare:
    """Calls the nodes itself, as the protocol's docstring shows."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def run(self, pipeline: Any, inputs: Mapping[str, Any], output_name: Any = None) -> Any:
        self.calls.append(("run", pipeline.name, output_name))
        plan, values = pipeline.plan(inputs, output_name), dict(inputs)
        for one in plan.nodes:
            given = {name: values[name] for name in one.inputs if name in values}
            values.update(zip(one.outputs, one.run(given)))
        return plan.result(values)

    def map(
        self,
        pipeline: Any,
        inputs: Mapping[str, Any],
        map_over: Any,
        map_mode: str = "zip",
        output_name: Any = None,
        on_error: str = "raise",
    ) -> list[Any]:
        self.calls.append(("map", map_over, map_mode, output_name))
        rows = zip(*[inputs[name] for name in map_over])
        fixed = {name: value for name, value in inputs.items() if name not in map_over}
        return [
            self.run(pipeline, {**fixed, **dict(zip(map_over, row))}, output_name) for row in rows
        ]


class Delegates(Bare):
    """Hands pipelines on to an engine of ours."""

    def __init__(self, kind: str = "threaded") -> None:
        super().__init__()
        self.inner = HyperNodesEngine(kind, kind, max_workers=2)

    def run(self, pipeline: Any, inputs: Mapping[str, Any], output_name: Any = None) -> Any:
        self.calls.append(("run", pipeline.name, output_name))
        return self.inner.run(pipeline, inputs, output_name)

    def map(
        self, pipeline: Any, inputs: Any, map_over: Any, *rest: Any, **options: Any
    ) -> list[Any]:
        self.calls.append(("map", map_over))
        return self.inner.map(pipeline, inputs, map_over, *rest, **options)


MADE = [Bare, Delegates, lambda: Delegates("sequential"), lambda: Delegates("parallel")]
IDS = ["bare", "threaded", "sequential", "parallel"]


@pytest.mark.parametrize("make", MADE, ids=IDS)
def test_results_are_those_of_ours(make: Any) -> None:
    engine: Engine = make()
    made, ours = Pipeline([double, minus], engine), Pipeline([double, minus])
    for wanted in (None, "z", ["z"], ["y", "z"]):
        assert made.run({"x": 3}, wanted) == ours.run({"x": 3}, wanted)
        for over, mode in ((["x"], "zip"), (["x", "k"], "product"), ({"xs": "x"}, "zip")):
            inputs = {
                "xs" if type(over) is dict else "x": [1, 2],
                "k": [5, 6] if "k" in over else 5,
            }
            assert made.map(inputs, over, mode, wanted) == ours.map(inputs, over, mode, wanted)
    assert made.map({"x": []}, "x") == []
    assert made.bind(k=7).run({"x": 1}, "y") == 7


@pytest.mark.parametrize("make", MADE, ids=IDS)
def test_pipelines_inside_use_it_as_well(make: Any) -> None:
    engine = make()
    inner = Pipeline([double, minus], name="inner")
    total = Node(sum, "t", rename={"iterable": "z"})
    made = Pipeline([inner.as_node(map_over="x"), total], engine, name="outer")
    assert made.run({"x": [1, 2, 3]}, "t") == -12
    flat = Pipeline([inner, Node(abs, "w", rename={"x": "z"})], engine, name="outer")
    assert flat.run({"x": 4})["w"] == 8


def test_it_is_an_engine_by_its_methods() -> None:
    assert isinstance(HyperNodesEngine(workers=3), Engine)
    assert HyperNodesEngine(workers=3).max_workers == 3
    assert not isinstance(object(), Engine)


def test_what_it_is_asked_for() -> None:
    engine = Bare()
    made = Pipeline([double, minus], engine)
    made.run({"x": 1})
    made.run({"x": 1}, "z")
    made.run({"x": 1}, ["y"])
    names = [call[2] for call in engine.calls]
    assert names == [None, "z", ["y"]]


@pytest.mark.parametrize("kind", ["sequential", "threaded", "async", "parallel"])
def test_cache_callbacks_and_failures_of_an_engine_that_hands_on(kind: str) -> None:
    class Told(Callback):
        def __init__(self) -> None:
            self.events: list[str] = []

        def on_pipeline_start(self, name: str, inputs: Any, context: Any) -> None:
            self.events.append(f"start {name}")

        def on_pipeline_end(self, name: str, outputs: Any, seconds: float, context: Any) -> None:
            self.events.append(f"end {name}")

        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            self.events.append(name)

        def on_node_cached(self, name: str, key: str, context: Any) -> None:
            self.events.append(f"{name} cached")

    told = Told()
    made = Pipeline([double, minus], Delegates(kind), MemoryCache(), [told], name="p")
    for _ in range(2):
        assert made.run({"x": 3}, "z") == -6
    assert told.events == [
        "start p",
        "double",
        "minus",
        "end p",
        "start p",
        "minus cached",
        "end p",
    ]
    with pytest.raises(ValueError, match="large"):
        made.run({"x": 300}, "z")
    assert made.last_error is not None
    assert made.last_error.node is minus
    kept = made.map({"x": [1, 300]}, "x", output_name="z", on_error="keep")
    assert (kept[0], bool(kept[1]), str(kept[1].exception)[:5]) == (-2, False, "large")


@pytest.mark.parametrize("kind", ["sequential", "threaded"])
def test_ours_run_pipelines_directly(kind: str) -> None:
    engine = HyperNodesEngine(kind, kind)
    made = Pipeline([double, minus])
    assert engine.run(made, {"x": 3}, "z") == -6
    assert engine.map(made, {"x": [1, 2]}, "x", output_name="z") == [-2, -4]
    assert engine.map(pipeline=made, inputs={"x": [1], "k": [3, 4]}, map_over=["x", "k"], map_mode="product") == [
        {"y": 3, "z": -3}, {"y": 4, "z": -4},
    ]  # fmt: skip
