"""What is left of a node that raised: its inputs, what had finished, and how to go on."""

from __future__ import annotations

from typing import Any

from kohaku_ast import Callback, MemoryCache, Node, Pipeline
from tests.pipeline.failing import Own, after, caught, engines, fail, failing, increase, shown


class TestLastError:
    @engines
    def test_it_holds_the_node_its_inputs_and_what_had_finished(self, engine: str) -> None:
        made = failing(engine=engine)
        error = caught(lambda: made.run({"x": 1, "mode": "own"}))
        found = made.last_error
        assert found is not None
        assert (found.node.name, found.inputs, found.results) == (
            "fail",
            {"y": 2, "mode": "own"},
            {"y": 2},
        )
        assert found.error is error
        assert (found.item, str(found)) == (
            None,
            f"in node 'fail' ({fail.where}), with y=2, mode='own'",
        )

    @engines
    def test_of_an_item_what_that_item_had_finished(self, engine: str) -> None:
        made = Pipeline(
            [increase, Node(lambda y: 1 // (y - 3), "z", name="div"), after], engine=engine
        )
        caught(lambda: made.map({"x": [0, 1, 2, 9]}, map_over="x"))
        found = made.last_error
        assert found is not None
        assert (found.item, found.inputs, found.results) == (2, {"y": 3}, {"y": 3})

    @engines
    def test_reproduce_raises_it_again_in_this_process(self, engine: str) -> None:
        made = failing(engine=engine)
        caught(lambda: made.run({"x": 1}))
        assert made.last_error is not None
        again = caught(made.last_error.reproduce)
        assert type(again) is Own
        assert again.__cause__ is None
        assert "in node" not in shown(again), "the second one has no note of the first"

    def test_reproduce_gives_the_outputs_once_the_cause_is_gone(self) -> None:
        table: dict[str, int] = {}
        made = Pipeline([Node(lambda key: table[key], "value", name="look")])
        caught(lambda: made.run({"key": "a"}))
        table["a"] = 5
        assert made.last_error is not None
        assert made.last_error.reproduce() == (5,)

    @engines
    def test_reproduce_of_an_async_node(self, engine: str) -> None:
        made = Pipeline([Node(later, "y")], engine=engine)
        caught(lambda: made.run({"x": 0}))
        assert made.last_error is not None
        assert isinstance(caught(made.last_error.reproduce), ZeroDivisionError)

    def test_of_a_pipeline_inside_both_have_one(self) -> None:
        inner = failing(name="inner")
        outer = Pipeline([inner, Node(lambda after: after, "end", name="end")])
        caught(lambda: outer.run({"x": 1}))
        assert inner.last_error is not None
        assert outer.last_error is not None
        assert (inner.last_error.node.name, outer.last_error.node.name) == ("fail", "inner")
        assert type(caught(outer.last_error.reproduce)) is Own

    def test_a_run_that_succeeds_keeps_it(self) -> None:
        made = failing()
        caught(lambda: made.run({"x": 1}))
        made.run({"x": 1, "mode": "no"})
        assert made.last_error is not None

    def test_before_a_failure_there_is_none(self) -> None:
        assert failing().last_error is None


async def later(x: int) -> float:
    return 1 / x


def test_resuming_is_the_cache() -> None:
    started: list[str] = []

    class Names(Callback):
        def on_node_start(self, name: str, inputs: Any, context: Any) -> None:
            started.append(name)

    made = failing(cache=MemoryCache(), callbacks=[Names()])
    caught(lambda: made.run({"x": 1}))
    assert made.run({"x": 1, "mode": "no"}, "after") == 2
    assert started == ["increase", "fail", "fail", "after"]


def test_what_finished_before_a_failed_item_is_in_the_cache() -> None:
    cache = MemoryCache()
    made = Pipeline([Node(lambda x: 1 // x, "y", name="n")], cache=cache)
    caught(lambda: made.map({"x": [1, 0, 2]}, map_over="x"))
    kept = made.map({"x": [1, 0, 2]}, map_over="x", output_name="y", on_error="keep")
    assert kept[0] == 1
    assert kept[2] == 0
