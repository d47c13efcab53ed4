"""``explain_cache`` says why each node would or would not run, and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline

FACTOR = 2


def helper(x: int) -> int:
    return x * FACTOR


@node
def top(x: int) -> int:
    return helper(x)


@node(cache=False)
def middle(top: int) -> int:
    return top


@node
def leaf(middle: int) -> int:
    return middle


def states(pipeline: Pipeline, **inputs: Any) -> dict[str, tuple[str, str]]:
    report = pipeline.explain_cache(inputs, "leaf")
    return {row.node: (row.state, row.why) for row in report.rows}


@pytest.fixture(params=["disk", "memory"])
def pipeline(request: pytest.FixtureRequest, tmp_path: Path) -> Pipeline:
    cache = DiskCache(tmp_path) if request.param == "disk" else MemoryCache()
    return Pipeline([top, middle, leaf], cache=cache)


def test_before_and_after_a_run(pipeline: Pipeline) -> None:
    assert states(pipeline, x=1) == {
        "top": ("runs", "no result of it was ever kept"),
        "middle": ("runs", "cache=False"),
        "leaf": ("runs", "no result of it was ever kept"),
    }
    pipeline.run({"x": 1}, "leaf")
    assert states(pipeline, x=1) == {
        "top": ("not needed", "all that reads it is kept"),
        "middle": ("not needed", "all that reads it is kept"),
        "leaf": ("kept", "nothing that it depends on has changed"),
    }


def test_other_inputs(pipeline: Pipeline) -> None:
    pipeline.run({"x": 1}, "leaf")
    assert states(pipeline, x=2)["top"] == (
        "runs",
        "it is as it was; nothing is kept for these values of 'x'",
    )


def test_what_has_changed_is_named(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline.run({"x": 1}, "leaf")
    monkeypatch.setitem(globals(), "FACTOR", 3)
    found = states(pipeline, x=1)
    assert found["top"] == ("runs", "changed since it was kept: helper: FACTOR")
    assert found["leaf"] == ("runs", "it is as it was; what changed is above it: top")


def test_what_has_no_key_says_why(pipeline: Pipeline) -> None:
    state, why = states(pipeline, x=(one for one in "a"))["top"]
    assert state == "runs"
    assert "'x' holds a generator" in why


def test_without_a_cache() -> None:
    assert set(states(Pipeline([top, middle, leaf]), x=1).values()) == {
        ("runs", "the pipeline has no cache")
    }


def test_it_prints_as_a_table(pipeline: Pipeline) -> None:
    pipeline.run({"x": 1}, "leaf")
    lines = str(pipeline.explain_cache({"x": 1}, "leaf")).splitlines()
    assert lines[-1].split()[:2] == ["leaf", "kept"]
    assert pipeline.explain_cache({"x": 1}, "leaf")["leaf"].key


def test_a_default_and_a_bound_value_that_changed_are_named() -> None:
    cache = MemoryCache()

    def made(by: int, bound: int) -> Pipeline:
        @node
        def leaf(x: int, by: int = by, bound: int = 0) -> int:
            return x + by + bound

        return Pipeline([leaf.bind(bound=bound)], cache=cache)

    made(1, 1).run(x=1)
    assert states(made(1, 1), x=1)["leaf"][0] == "kept"
    assert states(made(2, 1), x=1)["leaf"][1] == "changed since it was kept: leaf: default by"
    assert states(made(1, 2), x=1)["leaf"][1] == "changed since it was kept: leaf: bound bound"
    assert states(made(1, 1), x=1, by=2)["leaf"][1].endswith("these values of 'x', 'by'")


def test_a_node_that_is_new_above_is_named(pipeline: Pipeline) -> None:
    pipeline.run({"x": 1}, "leaf")

    @node("top")
    def other(x: int) -> int:
        return x

    found = states(Pipeline([other, middle, leaf], cache=pipeline.cache), x=1)
    assert found["other"] == ("runs", "no result of it was ever kept")
    assert found["leaf"] == ("runs", "it is as it was; what changed is above it: other")


def test_the_nodes_of_a_pipeline_inside_are_told_of(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    @node
    def end(leaf: int) -> int:
        return leaf

    inner = Pipeline([top, leaf.with_names(middle="top")], name="inner")
    outer = Pipeline([inner, end], cache=pipeline.cache)
    outer.run({"x": 1}, "end")
    monkeypatch.setitem(globals(), "FACTOR", 3)
    found = {row.node: row.state for row in outer.explain_cache({"x": 1}, "end").rows}
    assert found == {"inner": "runs", "inner.top": "runs", "inner.leaf": "runs", "end": "runs"}
    outer.run({"x": 1}, "end")
    found = {row.node: row.state for row in outer.explain_cache({"x": 1}, "end").rows}
    assert found == {"inner": "not needed", "end": "kept"}


def test_it_runs_nothing_and_says_nothing(
    pipeline: Pipeline, recwarn: pytest.WarningsRecorder
) -> None:
    @node
    def fails(x: int) -> int:
        raise AssertionError("it runs")

    rows = Pipeline([fails], cache=pipeline.cache).explain_cache(x=(one for one in "a"))
    assert rows["fails"].state == "runs"
    assert not recwarn.list
