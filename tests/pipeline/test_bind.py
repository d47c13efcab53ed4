"""``Pipeline.bind``: values that runs use unless they give others."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from kohaku_ast import MemoryCache, Node, Pipeline, PipelineError, node


@node("y")
def scale(x: int, by: int) -> int:
    return x * by


@node("z")
def add(y: int, d: int = 1) -> int:
    return y + d


@node
def fail_if_run(z: int) -> int:
    raise AssertionError


plain = Pipeline([scale, add], name="plain")
ENGINES = ["sequential", "threaded", "async", "parallel"]


@pytest.mark.parametrize("engine", ENGINES)
def test_bound_values_are_used(engine: str) -> None:
    made = Pipeline([scale, add], engine).bind(by=3)
    assert made.run(x=2) == {"y": 6, "z": 7}
    assert made.run({"x": 2, "by": 5}, "y") == 10, "a given value wins"
    assert made.map({"x": [1, 2]}, "x", output_name="z") == [4, 7]
    assert made.map({"x": [1, 2], "by": [1, 10]}, ["x", "by"], output_name="y") == [1, 20]
    assert made.bind(x=2).run(output_name="y") == 6


def test_it_is_a_copy() -> None:
    made = plain.bind(by=3)
    assert (plain.inputs, dict(plain.bound)) == (("x", "by", "d"), {})
    assert (made.inputs, dict(made.bound)) == (("x", "d"), {"by": 3})
    with pytest.raises(PipelineError, match="the input 'by' is missing"):
        plain.run(x=2)
    assert dict(made.bind(by=4, d=0).bound) == {"by": 4, "d": 0}


def test_unbind() -> None:
    made = plain.bind(x=1, by=3)
    assert made.unbind("by").inputs == ("by", "d")
    assert made.unbind().inputs == plain.inputs
    assert made.unbind("by").run({"by": 2}, "y") == 2
    assert made.run({}, "y") == 3


def test_what_a_run_does_not_need_is_left_out() -> None:
    assert plain.bind(x=2, by=3, d=5).run({}, "y") == 6
    assert plain.bind(x=2, by=3).run({"y": 1}) == {"z": 2}
    assert plain.bind(x=2).run({}, []) == {}


def test_a_bound_output_replaces_its_node() -> None:
    made = Pipeline([scale, add]).bind(y=10)
    assert made.run() == {"z": 11}
    assert made.run({}, ["y", "z"]) == {"y": 10, "z": 11}


def test_names_that_it_does_not_have() -> None:
    with pytest.raises(
        PipelineError, match=r"pipeline 'plain' has no input 'buy'. Did you mean 'by'"
    ):
        plain.bind(buy=1)
    with pytest.raises(PipelineError, match=r"has no bound input 'by'\. It has none"):
        plain.unbind("by")


@pytest.mark.parametrize("engine", ENGINES)
def test_inside_another(engine: str) -> None:
    made = Pipeline([plain.bind(by=3), Node(abs, "w", rename={"x": "z"})], engine)
    assert made.inputs == ("x", "d")
    assert made.run(x=-2)["w"] == 5
    with pytest.raises(PipelineError, match="no node reads the input 'by'"):
        made.run(x=1, by=2)
    mapped = Pipeline([plain.bind(by=3).as_node(map_over="x")], engine)
    assert mapped.run({"x": [1, 2]}, "y") == [3, 6]
    opened = Pipeline([plain.bind(by=3).as_node({"by": "by"})], engine)
    assert (opened.run({"x": 1}, "y"), opened.run({"x": 1, "by": 9}, "y")) == (3, 9)


def test_a_bound_list_can_vary() -> None:
    assert plain.bind(x=[1, 2], by=3).map(map_over="x", output_name="y") == [3, 6]


def test_the_cache_tells_bound_values_apart() -> None:
    cache = MemoryCache()

    def run(inner: Pipeline, **options: Any) -> Any:
        return Pipeline([inner.as_node(**options)], cache=cache).run({"x": 2}, "y")

    assert [run(plain.bind(by=by)) for by in (3, 4, 3)] == [6, 8, 6]
    kept = Pipeline([scale, add], cache=cache)
    assert [kept.bind(by=by).run({"x": 2}, "y") for by in (3, 4, 3)] == [6, 8, 6]
    assert kept.bind(by=3).explain_cache({"x": 2}, "y")["scale"].state == "kept"
    values = [3]
    bound = plain.bind(by=values)
    assert run(bound) == [3, 3]
    values.append(4)
    assert run(bound) == [3, 4, 3, 4]


def test_it_pickles() -> None:
    made = pickle.loads(pickle.dumps(plain.bind(by=3)))
    assert (made.run({"x": 2}, "y"), dict(made.bound)) == (6, {"by": 3})
