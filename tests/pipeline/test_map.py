"""A pipeline over many values: which go together, in what order, and what is refused."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest

from kohaku_ast import Node, Pipeline, PipelineError, node


@node("y")
def scale(x: Any, k: Any = 2) -> Any:
    return x * k


@node("z")
def less(y: Any, d: int = 1) -> Any:
    return y - d


made = Pipeline([scale, less])


def asked(given: dict[str, Any], over: Any, mode: str = "zip", **options: Any) -> Any:
    return made.map(given, map_over=over, map_mode=mode, output_name="z", **options)


@pytest.mark.parametrize(
    ("given", "over", "mode", "result"),
    [
        pytest.param({"x": [1, 2, 3]}, "x", "zip", [1, 3, 5], id="one input"),
        pytest.param({"x": [3, 1, 2]}, ["x"], "zip", [5, 1, 3], id="in their order"),
        pytest.param(
            {"x": [1, 2], "k": 10}, "x", "zip", [9, 19], id="fixed inputs are the same for all"
        ),
        pytest.param({"x": [1, 2], "k": [3, 4]}, ["x", "k"], "zip", [2, 7], id="zip"),
        pytest.param(
            {"x": [1, 2], "k": [3, 4]},
            ["x", "k"],
            "product",
            [2, 3, 5, 7],
            id="product: the last goes fastest",
        ),
        pytest.param(
            {"x": [1, 2], "k": [3, 4]},
            ["k", "x"],
            "product",
            [2, 5, 3, 7],
            id="product in the order of map_over",
        ),
        pytest.param({"k": [[1], [2]], "x": 2}, ["k"], "zip", [], id="a list as an item"),
        pytest.param({"x": [], "k": 1}, "x", "zip", [], id="empty"),
        pytest.param(
            {"x": [], "k": [1, 2]}, ["x", "k"], "product", [], id="product with an empty one"
        ),
        pytest.param({"x": [], "k": []}, ["x", "k"], "zip", [], id="zip of empty ones"),
        pytest.param({"xs": [1, 2]}, {"xs": "x"}, "zip", [1, 3], id="renamed"),
        pytest.param(
            {"xs": [1, 2], "k": [3, 4]},
            {"xs": "x", "k": "k"},
            "product",
            [2, 3, 5, 7],
            id="one renamed, one not",
        ),
        pytest.param({"y": [1, 2]}, "y", "zip", [0, 1], id="over an intermediate"),
        pytest.param({"x": 1, "d": [0, 1]}, "d", "zip", [2, 1], id="over an optional input"),
    ],
)
def test_results_in_the_order_of_the_items(
    given: dict[str, Any], over: Any, mode: str, result: list[Any]
) -> None:
    if given.get("k") == [[1], [2]]:
        assert made.map(given, map_over=over, output_name="y") == [[1, 1], [2, 2]]
        return
    assert asked(given, over, mode) == result


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(lambda: (1, 2), id="tuple"),
        pytest.param(lambda: range(1, 3), id="range"),
        pytest.param(lambda: (one for one in (1, 2)), id="generator"),
        pytest.param(lambda: iter([1, 2]), id="iterator"),
        pytest.param(lambda: {1: "a", 2: "b"}, id="keys of a dict"),
        pytest.param(lambda: array.array("i", [1, 2]), id="array"),
        pytest.param(lambda: np.array([1, 2]), id="numpy array"),
        pytest.param(lambda: map(int, "12"), id="map"),
    ],
)
def test_any_iterable_will_do(values: Any) -> None:
    assert asked({"x": values()}, "x") == [1, 3]


def test_without_output_name_an_item_is_a_dict_as_from_run() -> None:
    assert made.map({"x": [1, 2]}, map_over="x") == [made.run({"x": 1}), made.run({"x": 2})]
    assert made.map({"x": [1]}, map_over="x", output_name=["z"]) == [{"z": 1}]


def test_inputs_may_be_given_as_keywords() -> None:
    assert made.map(x=[1, 2], k=10, map_over="x", output_name="z") == [9, 19]


@pytest.mark.parametrize(
    ("given", "over", "options", "words"),
    [
        pytest.param(
            {"x": [1, 2], "k": [1, 2, 3]},
            ["x", "k"],
            {},
            "'x' has 2, 'k' has 3",
            id="zip of unequal lengths",
        ),
        pytest.param({"x": [1]}, None, {}, "needs the input that varies", id="nothing varies"),
        pytest.param({"x": [1]}, [], {}, "needs the input that varies", id="an empty list varies"),
        pytest.param({"x": [1]}, 3, {}, "map_over is 3", id="a number varies"),
        pytest.param({"x": [1]}, [3], {}, r"map_over is \[3\]", id="a number in a list"),
        pytest.param(
            {"xs": [1]},
            "x",
            {},
            "'x', which is not among the inputs .xs.. Did you mean 'xs'",
            id="not given",
        ),
        pytest.param({"x": 3}, "x", {}, "needs several values, not one int", id="one number"),
        pytest.param(
            {"x": "abc"}, "x", {}, "not one str: 'abc'. Put it into a list", id="one text"
        ),
        pytest.param(
            {"x": [1], "k": 2}, {"x": "k"}, {}, "'k' twice", id="renamed to one that is given"
        ),
        pytest.param(
            {"a": [1], "b": [2]}, {"a": "x", "b": "x"}, {}, "'x' twice", id="two renamed to one"
        ),
        pytest.param(
            {"xs": [1]}, {"xs": "xx"}, {}, "no node reads the input 'xx'", id="renamed to none"
        ),
        pytest.param(
            {"x": []},
            "x",
            {"output_name": "q"},
            "no node gives 'q'",
            id="unknown output, even for no items",
        ),
        pytest.param({"k": []}, "k", {}, "'x' is missing", id="missing input, even for no items"),
        pytest.param({"x": [1]}, "x", {"map_mode": "zipp"}, "map_mode is 'zipp'", id="mode"),
        pytest.param({"x": [1]}, "x", {"on_error": "skip"}, "on_error is 'skip'", id="on_error"),
    ],
)
def test_what_is_refused_before_anything_runs(
    given: dict[str, Any], over: Any, options: Any, words: str
) -> None:
    with pytest.raises(PipelineError, match=words):
        made.map(given, map_over=over, **{"output_name": "z", **options})


def inverse(x: int) -> float:
    return 1 / x


class TestFailure:
    ENGINES = ("sequential", "threaded", "async", "parallel")

    @pytest.mark.parametrize("engine", ENGINES)
    def test_raise_ends_the_map_with_the_first_item_that_failed(self, engine: str) -> None:
        failing = Pipeline([Node(inverse, "y")], engine=engine)
        with pytest.raises(ZeroDivisionError) as caught:
            failing.map({"x": [1, 0, 2, 0]}, map_over="x")
        assert "item 1, with x=0" in notes(caught.value)
        assert failing.last_error is not None
        assert failing.last_error.item == 1

    @pytest.mark.parametrize("engine", ENGINES)
    def test_keep_puts_a_failed_item_in_its_place(self, engine: str) -> None:
        failing = Pipeline([Node(inverse, "y")], engine=engine)
        found = failing.map({"x": [1, 0, 2, 0]}, map_over="x", output_name="y", on_error="keep")
        assert [found[0], found[2]] == [1.0, 0.5]
        assert [(one.index, type(one.exception)) for one in found[1::2]] == [
            (1, ZeroDivisionError),
            (3, ZeroDivisionError),
        ]
        assert [one for one in found if one] == [1.0, 0.5]
        assert found[1].failure.inputs == {"x": 0}
        assert found[1].failure.item == 1
        assert repr(found[1]).startswith("<item 1 failed: ZeroDivisionError: division by zero")
        with pytest.raises(ZeroDivisionError):
            found[3].failure.reproduce()


def notes(error: BaseException) -> str:
    return "\n".join([*getattr(error, "__notes__", ())])
