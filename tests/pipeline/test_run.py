"""What runs for the values given and the outputs asked for; what is wrong is said before."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import pytest

from kohaku_ast import Node, Pipeline, PipelineError, node

RAN: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    RAN.clear()


def logged(name: str, output: str, function: Callable[..., Any]) -> Node:
    """A node that leaves its name behind when it runs."""
    parameters = ", ".join(Node(function, output).inputs)
    names: dict[str, Any] = {"function": function, "RAN": RAN}
    exec(f"def made({parameters}): RAN.append({name!r}); return function({parameters})", names)
    return Node(names["made"], output, name=name)


def diamond(**options: Any) -> Pipeline:
    """x -> top -> left, right -> bottom, and an end of its own."""
    return Pipeline(
        [
            logged("top", "t", lambda x: x + 1),
            logged("left", "l", lambda t: t * 2),
            logged("right", "r", lambda t, k: t * k),
            logged("bottom", "b", lambda l, r: l + r),  # noqa: E741
            logged("side", "s", lambda x, q: x - q),
        ],
        **options,
    )


@pytest.mark.parametrize(
    ("given", "asked", "result", "ran"),
    [
        pytest.param(
            {"x": 1, "k": 3, "q": 0},
            None,
            {"t": 2, "l": 4, "r": 6, "b": 10, "s": 1},
            "top left right bottom side",
            id="everything",
        ),
        pytest.param(
            {"x": 1, "k": 3},
            "b",
            10,
            "top left right bottom",
            id="one name: its value, its ancestors",
        ),
        pytest.param({"x": 1}, "l", 4, "top left", id="only what that needs is required"),
        pytest.param({"x": 1}, ["l"], {"l": 4}, "top left", id="a list: a dict"),
        pytest.param({"x": 1}, ("l", "t"), {"l": 4, "t": 2}, "top left", id="several"),
        pytest.param({"x": 1, "q": 1}, {"l", "s"}, {"l": 4, "s": 0}, "top left side", id="a set"),
        pytest.param(
            {"t": 5, "k": 1},
            "b",
            15,
            "left right bottom",
            id="a given intermediate replaces its node",
        ),
        pytest.param({"l": 1, "r": 2}, "b", 3, "bottom", id="and prunes what is above"),
        pytest.param({"t": 5, "r": 2}, "b", 12, "left bottom", id="in one branch"),
        pytest.param(
            {"x": 1, "r": 0, "q": 1},
            None,
            {"t": 2, "l": 4, "b": 4, "s": 0},
            "top left bottom side",
            id="in one branch, everything asked",
        ),
        pytest.param({"b": 7}, "b", 7, "", id="what is asked is given"),
        pytest.param({}, [], {}, "", id="nothing asked"),
    ],
)
def test_what_runs(given: dict[str, Any], asked: Any, result: Any, ran: str) -> None:
    assert diamond().run(given, asked) == result
    assert sorted(RAN) == sorted(ran.split())


def test_values_may_be_given_as_keywords() -> None:
    assert diamond().run({"x": 1}, "b", k=3) == diamond().run(x=1, k=3, output_name="b") == 10


def test_any_mapping_may_hold_the_values() -> None:
    assert diamond().run(types.MappingProxyType({"x": 1}), "l") == 4


@pytest.mark.parametrize(
    ("given", "asked", "words"),
    [
        pytest.param({"k": 1}, "b", ["the input 'x' is missing: 'top' ("], id="missing"),
        pytest.param(
            {},
            None,
            ["'x' is missing", "'k' is missing", "'q' is missing"],
            id="all that are missing at once",
        ),
        pytest.param(
            {"xx": 1, "k": 1},
            "b",
            ["'x' is missing", "no node reads the input 'xx'. Did you mean 'x'?"],
            id="misspelt: both sides",
        ),
        pytest.param(
            {"x": 1, "q": 2},
            "l",
            ["'q' would not be used: 'side' (", "does not run for what is asked for"],
            id="of a node that does not run",
        ),
        pytest.param(
            {"x": 1, "t": 2}, "l", ["'x' would not be used: 'top' ("], id="above what is given"
        ),
        pytest.param(
            {"x": 1, "zzz": 1}, "l", ["no node reads the input 'zzz'. There is:"], id="unlike any"
        ),
        pytest.param({"x": 1, 3: 1}, "l", ["no node reads the input 3"], id="name that is no text"),
        pytest.param({"x": 1}, "lft", ["no node gives 'lft'."], id="unknown output"),
        pytest.param(
            {"x": 1}, ["l", "bb", "rr"], ["'bb'", "'rr'"], id="all unknown outputs at once"
        ),
        pytest.param({"x": 1}, "x", ["'x' is an input: no node gives it"], id="an input asked for"),
        pytest.param({"x": 1}, 3, ["output_name is 3"], id="a number asked for"),
        pytest.param({"x": 1}, [["l"]], ["output_name is [['l']]"], id="a list in a list"),
        pytest.param(3, "l", ["inputs is a int: give a dict"], id="inputs no mapping"),
        pytest.param([("x", 1)], "l", ["inputs is a list"], id="inputs a list"),
    ],
)
def test_what_is_refused_before_anything_runs(given: Any, asked: Any, words: list[str]) -> None:
    with pytest.raises(PipelineError) as caught:
        diamond().run(given, asked)
    assert RAN == []
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_value_given_twice_is_refused() -> None:
    with pytest.raises(PipelineError, match="'x' is given twice"):
        diamond().run({"x": 1}, x=2)


def test_a_bound_input_that_is_given_says_so() -> None:
    made = Pipeline([Node(lambda x, k: x * k, "y", name="scale").bind(k=2)])
    with pytest.raises(
        PipelineError, match=r"the input 'k' would not be used: it is bound in 'scale'"
    ):
        made.run({"x": 1, "k": 3})


@node("y")
def optional(x: int, k: int = 5) -> int:
    return x + k


@node("z")
def other_default(y: int, k: int = 50) -> int:
    return y + k


def test_defaults_are_optional_inputs_each_nodes_own() -> None:
    made = Pipeline([optional, other_default])
    assert made.run({"x": 1}) == {"y": 6, "z": 56}
    assert made.run({"x": 1, "k": 0}) == {"y": 1, "z": 1}


def test_a_default_that_some_node_gives_is_not_used() -> None:
    made = Pipeline([Node(lambda: 9, "k", name="nine"), optional])
    assert made.run({"x": 1}, "y") == 10


def test_none_is_a_value() -> None:
    made = Pipeline([Node(lambda: None, "x", name="none"), Node(lambda x=3: x, "y", name="same")])
    assert made.run() == {"x": None, "y": None}
    assert made.run({"x": None}, "y") is None


@node("low high")
def halves(x: int) -> Any:
    return x // 2, x - x // 2


def test_several_outputs_by_tuple() -> None:
    made = Pipeline([halves, Node(lambda high: -high, "n", name="minus")])
    assert made.run({"x": 5}) == {"low": 2, "high": 3, "n": -3}
    assert made.run({"x": 5}, "n") == -3


def test_a_given_output_stays_though_its_node_runs_for_another() -> None:
    made = Pipeline([halves, Node(lambda low, high: (low, high), "both", name="both")])
    assert made.run({"x": 5, "high": 100}, "both") == (2, 100)
    assert made.run({"x": 5, "high": 100}) == {"low": 2, "high": 100, "both": (2, 100)}


@pytest.mark.parametrize(
    "returned",
    [
        pytest.param([1, 2], id="list"),
        pytest.param((1, 2), id="tuple"),
        pytest.param(types.SimpleNamespace, id="named tuple"),
    ],
)
def test_what_several_outputs_may_come_as(returned: Any) -> None:
    import collections

    if returned is types.SimpleNamespace:
        returned = collections.namedtuple("Pair", "a b")(1, 2)  # type: ignore[arg-type, call-arg]
    assert Pipeline([Node(lambda: returned, "a b", name="n")]).run() == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        pytest.param((1, 2, 3), "returned 3 of them", id="too many"),
        pytest.param((1,), "returned 1 of them", id="too few"),
        pytest.param(5, "returned a int", id="no tuple"),
        pytest.param("ab", "returned a str", id="text of the right length"),
        pytest.param({"a": 1, "b": 2}, "returned a dict", id="dict"),
        pytest.param({1, 2}, "returned a set", id="set: it has no order"),
        pytest.param(None, "returned a NoneType", id="None"),
    ],
)
def test_outputs_that_are_not_one_for_each_name(returned: Any, words: str) -> None:
    with pytest.raises(
        PipelineError, match=r"'n' \(.*test_run.py:\d+\) has 2 outputs \(a, b\)"
    ) as caught:
        Pipeline([Node(lambda: returned, "a b", name="n")]).run()
    assert words in str(caught.value)


def test_the_same_call_is_planned_once() -> None:
    made = diamond()
    assert made.plan(["x"], "l") is made.plan(["x"], "l")
    assert made.plan(["x"], "l") is not made.plan(["x"], ["l"])


def test_many_kinds_of_calls_do_not_fill_the_memory() -> None:
    count = 600
    made = Pipeline([Node(lambda x: x, f"o{at}", name=f"n{at}") for at in range(count)])
    for at in range(count):
        assert made.run({"x": at}, f"o{at}") == at
    assert len(made._plans) <= 256


def test_a_pipeline_can_run_itself_inside_a_node() -> None:
    made = Pipeline(
        [Node(lambda n: 1 if n < 2 else n * made.run({"n": n - 1}, "f"), "f", name="f")]
    )
    assert made.run({"n": 6}, "f") == 720
