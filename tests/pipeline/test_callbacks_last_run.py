"""What a LastRun keeps of a run, whichever engine runs it."""

from __future__ import annotations

import pickle

import pytest

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.callbacks import LastRun, is_item
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline


@node
def first(x: int) -> int:
    return x + 1


@node
def second(first: int) -> int:
    if first > 3:
        raise ValueError(first)
    return first * 2


@node
def third(second: int) -> int:
    return second


@node
def total(third: list[int]) -> int:
    return sum(third)


NODES = [first, second, third]
ENGINES = ["sequential", "threaded", "async", "parallel"]


def states(last: LastRun) -> dict[str, str]:
    return {"/".join(path): tally.state for path, tally in last.tallies.items() if tally.state}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run(engine: str) -> None:
    last = LastRun()
    Pipeline(NODES, engine=engine, callbacks=[last]).run(x=1)
    assert states(last) == dict.fromkeys(["first", "second", "third"], "succeeded")
    assert (last.tallies[()].ended, last.tallies[()].expected) == (3, 3)
    assert last["first"].seconds > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_that_fails(engine: str) -> None:
    last = LastRun()
    with pytest.raises(ValueError, match="4"):
        Pipeline(NODES, engine=engine, callbacks=[last]).run(x=3)
    assert states(last) == {"first": "succeeded", "second": "failed"}
    assert last["second"].error == "ValueError: 4"
    assert last.tallies[()].broken == 1
    assert "third" not in last


@pytest.mark.parametrize("engine", ENGINES)
def test_a_map(engine: str) -> None:
    last = LastRun()
    made = Pipeline(NODES, engine=engine, callbacks=[last])
    made.map({"x": [1, 2, 3, 4]}, map_over="x", on_error="keep")
    assert (last["second"].succeeded, last["second"].failed) == (2, 2)
    assert last["third"].succeeded == 2
    whole = last.tallies[()]
    assert (whole.items, whole.expected, whole.ended, whole.broken) == (True, 4, 4, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_map_inside(engine: str) -> None:
    last = LastRun()
    inner = Pipeline(NODES, name="inner").as_node(map_over="x")
    Pipeline([inner, total], engine=engine, callbacks=[last]).run(x=[0, 1, 2])
    assert last["inner"].state == last["total"].state == "succeeded"
    assert last["inner", "first"].succeeded == 3
    assert (last["inner"].expected, last["inner"].ended) == (3, 3)
    assert (last.tallies[()].expected, last.tallies[()].ended) == (2, 2)


def test_a_cached_run() -> None:
    last = LastRun()
    made = Pipeline(NODES, cache=MemoryCache(), callbacks=[last])
    made.run({"x": 1}, "second")
    made.run({"x": 1}, "third")
    assert states(last) == {"second": "cached", "third": "succeeded"}


def test_each_run_begins_anew() -> None:
    last = LastRun()
    made = Pipeline(NODES, callbacks=[last])
    with pytest.raises(ValueError, match="4"):
        made.run(x=3)
    made.run({"x": 1}, "first")
    assert states(last) == {"first": "succeeded"}


def test_an_error_that_cannot_be_told() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @node
    def silent() -> int:
        raise Silent

    last = LastRun()
    with pytest.raises(Silent):
        Pipeline([silent], callbacks=[last]).run()
    assert last["silent"].error == "Silent"


def test_of_a_pipeline_that_is_inside_another() -> None:
    """Its own callbacks hear of nothing outside."""
    last = LastRun()
    inner = Pipeline(NODES, name="inner", callbacks=[last])
    outer = Pipeline([inner.as_node(map_over="x"), total], name="outer")
    outer.run(x=[1, 2])
    assert last["first"].succeeded == 2
    assert (last.tallies[()].items, last.tallies[()].ended) == (True, 2)
    assert last.base == ("outer", "inner")


def test_what_starts_is_told_which_nodes_may_run() -> None:
    told = []

    class Told(LastRun):
        def on_pipeline_start(self, name, inputs, context):  # type: ignore[no-untyped-def]
            told.append(context.nodes)

    made = Pipeline(NODES, callbacks=[Told()])
    made.run(x=1)
    made.run(second=1)
    assert told == [("first", "second", "third"), ("third",)]


def test_it_crosses_to_other_processes_empty() -> None:
    last = LastRun()
    Pipeline(NODES, callbacks=[last]).run(x=1)
    assert pickle.loads(pickle.dumps(last)).tallies == {}


@pytest.mark.parametrize(
    ("name", "expected"), [("[3]", True), ("[]", False), ("[x]", False), ("3", False), ("", False)]
)
def test_parts_of_paths(name: str, expected: bool) -> None:
    assert is_item(name) is expected
