"""What a pipeline with a cache runs, loads and says."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import CacheWarning
from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline

ROOT = Path(__file__).parents[2]


class Log:
    """Names of what ran; says nothing about results."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __kogine_fingerprint__(self) -> str:
        return "log"

    def take(self) -> list[str]:
        found, self.names = self.names, []
        return found


LOG = Log()


@node
def top(x: int) -> int:
    LOG.names.append("top")
    return x + 1


@node("left right")
def pair(top: int) -> tuple[int, int]:
    LOG.names.append("pair")
    return top, -top


@node
def leaf(left: int, right: int, extra: int = 0) -> int:
    LOG.names.append("leaf")
    return left - right + extra


@pytest.fixture(params=["disk", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Any) -> Any:
    LOG.take()
    return DiskCache(tmp_path / "kept") if request.param == "disk" else MemoryCache()


def test_the_second_run_runs_nothing(cache: Any) -> None:
    pipeline = Pipeline([top, pair, leaf], cache=cache)
    first = pipeline.run(x=1)
    assert LOG.take() == ["top", "pair", "leaf"]
    assert pipeline.run(x=1) == first
    assert LOG.take() == []


def test_the_leaf_is_looked_up_first(cache: Any) -> None:
    pipeline = Pipeline([top, pair, leaf], cache=cache)
    pipeline.run({"x": 1}, "leaf")
    LOG.take()
    loaded: list[str] = []
    load = cache.load
    cache.load = lambda key: loaded.append(key) or load(key)  # type: ignore[func-returns-value]
    assert pipeline.run({"x": 1}, "leaf") == 4
    assert len(loaded) == 1


@pytest.mark.parametrize("other", [True, 1.0, "1"])
def test_the_type_of_an_input_counts(cache: Any, other: Any) -> None:
    pipeline = Pipeline([Node(repr, "shown", rename={"obj": "x"})], cache=cache)
    assert pipeline.run({"x": 1}, "shown") == "1"
    assert pipeline.run({"x": other}, "shown") == repr(other)


def test_a_given_intermediate_is_an_input_like_others(cache: Any) -> None:
    pipeline = Pipeline([top, pair, leaf], cache=cache)
    assert pipeline.run({"top": 5}, "leaf") == 10
    assert pipeline.run({"top": 6}, "leaf") == 12
    assert pipeline.run({"x": 4}, "leaf") == 10
    assert LOG.take() == ["pair", "leaf", "pair", "leaf", "top", "pair", "leaf"]


def test_a_default_is_the_value_that_it_is(cache: Any) -> None:
    pipeline = Pipeline([top, pair, leaf], cache=cache)
    assert pipeline.run({"x": 1}, "leaf") == 4
    assert pipeline.run({"x": 1, "extra": 5}, "leaf") == 9
    assert pipeline.run({"x": 1}, "leaf") == 4
    assert LOG.take() == ["top", "pair", "leaf", "leaf"]


def test_bound_values_count(cache: Any) -> None:
    for by, expected in ((1, 5), (2, 6), (1, 5)):
        pipeline = Pipeline([top, pair, leaf.bind(extra=by)], cache=cache)
        assert pipeline.run({"x": 1}, "leaf") == expected
    assert LOG.take().count("leaf") == 2


def test_a_bound_list_counts_as_it_is_now(cache: Any) -> None:
    @node
    def total(x: int, rows: list[int]) -> int:
        return x + sum(rows)

    rows = [1]
    pipeline = Pipeline([total.bind(rows=rows)], cache=cache)
    assert pipeline.run({"x": 0}, "total") == 1
    rows.append(1)
    assert pipeline.run({"x": 0}, "total") == 2


def test_none_is_a_hit(cache: Any) -> None:
    @node
    def nothing(x: int) -> None:
        LOG.names.append("nothing")

    pipeline = Pipeline([nothing], cache=cache)
    assert pipeline.run(x=1) == pipeline.run(x=1) == {"nothing": None}
    assert LOG.take() == ["nothing"]


def test_every_hit_is_a_copy(cache: Any) -> None:
    @node
    def rows(x: int) -> list[list[int]]:
        return [[x]]

    pipeline = Pipeline([rows], cache=cache)
    pipeline.run({"x": 1}, "rows")[0].append(9)
    pipeline.run({"x": 1}, "rows")[0].append(9)
    assert pipeline.run({"x": 1}, "rows") == [[1]]


def test_a_node_that_is_not_cached_runs_only_for_what_runs(cache: Any) -> None:
    pipeline = Pipeline([Node(top.function, "top", cache=False), pair, leaf], cache=cache)
    pipeline.run({"x": 1}, "leaf")
    pipeline.run({"x": 1}, "leaf")
    assert LOG.take() == ["top", "pair", "leaf"]
    pipeline.run({"x": 1}, "top")
    assert LOG.take() == ["top"]


def test_names_in_the_graph_do_not_count(cache: Any) -> None:
    first = Pipeline([top, pair, leaf], cache=cache)
    other = Pipeline(
        [top.with_names(x="begin", top="middle"), pair.with_names(top="middle"), leaf],
        cache=cache,
    )
    assert first.run({"x": 1}, "leaf") == other.run({"begin": 1}, "leaf")
    assert LOG.take() == ["top", "pair", "leaf"]


def test_which_output_is_read_counts(cache: Any) -> None:
    @node
    def shown(value: int) -> str:
        return str(value)

    def result(name: str) -> Any:
        nodes = [top, pair, shown.with_names(value=name)]
        return Pipeline(nodes, cache=cache).run({"x": 1}, "shown")

    assert (result("left"), result("right")) == ("2", "-2")


def test_map_keeps_each_item(cache: Any) -> None:
    pipeline = Pipeline([top, pair, leaf], cache=cache)
    pipeline.map({"x": [1, 2, 3]}, map_over="x", output_name="leaf")
    LOG.take()
    pipeline.map({"x": [0, 3, 2, 1]}, map_over="x", output_name="leaf")
    assert LOG.take() == ["top", "pair", "leaf"]


def test_a_nested_pipeline_is_looked_up_as_one_and_then_inside(cache: Any) -> None:
    inner = Pipeline([top, pair], name="inner")
    outer = Pipeline([inner.as_node(), leaf], cache=cache)
    outer.run({"x": 1}, "leaf")
    assert LOG.take() == ["top", "pair", "leaf"]
    outer.run({"x": 1}, "leaf")
    outer.run({"x": 1, "extra": 1}, "leaf")
    assert LOG.take() == ["leaf"]
    Pipeline([top, pair], cache=cache).run({"x": 1}, "left")
    assert LOG.take() == []


def test_nested_pipelines_differ_by_their_nodes_and_names(cache: Any) -> None:
    @node
    def double(v: int) -> int:
        return v * 2

    @node
    def triple(v: int) -> int:
        return v * 3

    def result(*nodes: Any) -> Any:
        inner = Pipeline(nodes, name="inner")
        return Pipeline([inner.as_node()], cache=cache).run({"v": 5}, "out")

    one = double.with_names(double="w"), triple.with_names(v="w", triple="out")
    other = double.with_names(double="out"), triple.with_names(triple="w")
    assert (result(*one), result(*other)) == (30, 10)


def numbers() -> Iterator[int]:
    yield from range(3)


def test_an_input_that_cannot_be_told_apart_is_said_once(cache: Any) -> None:
    @node
    def total(rows: Any) -> int:
        return sum(rows)

    @node
    def report(total: int, title: str) -> str:
        return f"{title} {total}"

    pipeline = Pipeline([total, report], cache=cache)
    inputs = [{"rows": numbers(), "title": "t"} for _ in range(3)]
    with pytest.warns(CacheWarning) as caught:
        assert [pipeline.run(one, "report") for one in inputs] == ["t 3"] * 3
    (one,) = caught
    text = str(one.message)
    assert re.search(
        r"'total' \(.*\.py:\d+\).*input 'rows'.*generator.*__kogine_fingerprint__", text
    )
    assert one.filename == __file__


def test_a_global_that_cannot_be_told_apart_is_said_once(cache: Any) -> None:
    rows = numbers()

    @node
    def total(x: int) -> int:
        return x if rows else 0

    @node
    def text(total: int) -> str:
        return str(total)

    pipeline = Pipeline([total, text], cache=cache)
    with pytest.warns(CacheWarning, match=r"generator \(.*closure rows\)") as caught:
        assert [pipeline.run({"x": x}, "text") for x in (1, 1, 2)] == ["1", "1", "2"]
    assert len(caught) == 1


def test_a_result_that_cannot_be_pickled_is_said_once(cache: Any) -> None:
    @node
    def stream(x: int) -> Any:
        return numbers()

    pipeline = Pipeline([stream], cache=cache)
    with pytest.warns(CacheWarning, match="generator.*cache=False") as caught:
        assert [list(pipeline.run({"x": 1}, "stream")) for _ in range(3)] == [[0, 1, 2]] * 3
    assert len(caught) == 1


def test_lambdas_and_local_classes_are_kept_by_cloudpickle(cache: Any) -> None:
    @node
    def adder(x: int) -> Any:
        LOG.names.append("adder")
        return lambda y: x + y

    pipeline = Pipeline([adder], cache=cache)
    assert pipeline.run({"x": 1}, "adder")(2) == pipeline.run({"x": 1}, "adder")(2) == 3
    assert LOG.take() == ["adder"]


def test_an_exception_is_not_kept(cache: Any) -> None:
    @node
    def flaky(x: int) -> int:
        LOG.names.append("flaky")
        if len(LOG.names) == 1:
            raise ValueError("once")
        return x

    pipeline = Pipeline([flaky], cache=cache)
    with pytest.raises(ValueError, match="once"):
        pipeline.run(x=1)
    assert pipeline.run({"x": 1}, "flaky") == 1
    assert LOG.take() == ["flaky", "flaky"]


def test_no_warning_where_nothing_is_wrong(cache: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pipeline([top, pair, leaf], cache=cache).run(x=1)


def test_without_a_cache_nothing_of_it_is_imported() -> None:
    program = (
        "import sys\n"
        "from kohaku_ast import Pipeline, node\n"
        "pipeline = Pipeline([node('y')(lambda x: x + 1)])\n"
        "pipeline.map({'x': [1]}, map_over='x')\n"
        "print([name for name in sys.modules if '.caching' in name])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"
