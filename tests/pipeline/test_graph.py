"""What a graph is told when it is made: errors name both ends, and where they are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from kohaku_ast import Callback, Node, Pipeline, PipelineError, node


def make(function: Callable[..., Any], output: str, name: str | None = None) -> Node:
    return Node(function, output, name=name)


@node("b")
def first(a: int) -> int:
    return a + 1


@node("c")
def second(b: int, k: int = 1) -> int:
    return b * k


def test_nodes_are_sorted_into_an_order_in_which_they_run() -> None:
    assert [one.name for one in Pipeline([second, first]).nodes] == ["first", "second"]


def test_nodes_that_could_change_places_stay_in_the_order_given() -> None:
    nodes = [make(lambda a: a, f"o{at}", f"n{at}") for at in (3, 1, 2)]
    assert [one.name for one in Pipeline(nodes).nodes] == ["n3", "n1", "n2"]


def test_inputs_and_outputs() -> None:
    made = Pipeline([first, second], name="both")
    assert (made.inputs, made.outputs) == (("a", "k"), ("b", "c"))
    assert repr(made) == "<pipeline both(a, k) -> b, c, 2 nodes>"


def test_nodes_may_be_pipelines_and_nodes_of_pipelines() -> None:
    inner = Pipeline([first], name="inner")
    assert Pipeline([inner, second]).run({"a": 1}, "c") == 2
    assert Pipeline([inner.as_node(), second]).run({"a": 1}, "c") == 2
    assert Pipeline(iter([first, second])).run({"a": 1}, "c") == 2


def test_an_empty_pipeline_gives_nothing() -> None:
    assert Pipeline([]).run() == {}


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        pytest.param(
            lambda: [
                make(lambda z: z, "x", "one"),
                make(lambda x: x, "y", "two"),
                make(lambda y: y, "z", "three"),
            ],
            "form a cycle: one -> two -> three -> one",
            id="circle",
        ),
        pytest.param(
            lambda: [
                make(lambda x: x, "y", "start"),
                make(lambda y, q: y, "p", "two"),
                make(lambda p: p, "q", "three"),
            ],
            "form a cycle: two -> three -> two",
            id="circle behind a node that is in none",
        ),
        pytest.param(
            lambda: [make(lambda x: x, "x", "me")],
            r"'me' \(.*test_graph.py:\d+\) takes its own output 'x'",
            id="itself",
        ),
        pytest.param(
            lambda: [first, make(lambda: 0, "b", "other")],
            r"two nodes give 'b': 'first' \(.*:\d+\) and 'other' \(.*:\d+\)",
            id="two producers",
        ),
        pytest.param(lambda: [first, first], "'first' .* is in the list twice", id="a node twice"),
        pytest.param(
            lambda: [first, Pipeline([first], name="inner")],
            "two nodes give 'b': 'first' .* and 'inner'",
            id="a pipeline that gives it too",
        ),
        pytest.param(lambda: [print], "'print' is no node: decorate it", id="bare function"),
        pytest.param(lambda: [3], "3 is no node", id="no function at all"),
        pytest.param(lambda: first, "a list of nodes", id="a node, not a list"),
        pytest.param(lambda: "first", "a list of nodes", id="text"),
        pytest.param(lambda: None, "a list of nodes", id="nothing"),
    ],
)
def test_what_is_no_graph(nodes: Callable[[], Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        Pipeline(nodes())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(
            {"engine": "threded"},
            "unknown engine 'threded' .*Did you mean 'threaded'",
            id="engine misspelt",
        ),
        pytest.param({"engine": 3}, "3 is no engine", id="engine a number"),
        pytest.param(
            {"engine": type("Mine", (), {})}, r"the class Mine: give Mine\(\)", id="engine a class"
        ),
        pytest.param(
            {"callbacks": Callback()}, "callbacks is .*: give a list", id="one callback, no list"
        ),
        pytest.param(
            {"callbacks": [Callback]},
            r"the class Callback: give Callback\(\)",
            id="callback a class",
        ),
        pytest.param({"callbacks": [print]}, "print.* is no callback", id="callback a function"),
        pytest.param(
            {"cache": "folder"},
            r"cache is 'folder': give DiskCache\('folder'\)",
            id="cache a folder",
        ),
        pytest.param({"cache": 3}, "cache is 3", id="cache a number"),
    ],
)
def test_options_that_are_refused_when_it_is_made(options: dict[str, Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        Pipeline([first], **options)


def test_a_long_chain_needs_no_recursion() -> None:
    count = 3 * sys.getrecursionlimit()
    nodes = [Node(lambda x: x + 1, f"v{at + 1}", rename={"x": f"v{at}"}) for at in range(count)]
    assert Pipeline(nodes[::-1]).run({"v0": 0}, f"v{count}") == count


class Counted:
    """A node that counts how often the graph asks for its inputs."""

    asked = 0
    bound: dict[str, Any] = {}  # noqa: RUF012
    cache, is_async, where = True, False, "here"

    def __init__(self, at: int) -> None:
        self.name, self.outputs, self._inputs = f"n{at}", (f"v{at + 1}",), (f"v{at}", f"v{at // 2}")
        self.defaults: dict[str, Any] = {}

    @property
    def inputs(self) -> tuple[str, ...]:
        Counted.asked += 1
        return self._inputs

    def run(self, values: Any) -> tuple[int]:
        return (values[self._inputs[0]] + 1,)


def test_making_and_planning_is_linear_in_the_nodes() -> None:
    def asked(count: int) -> int:
        nodes = [Counted(at) for at in range(1, count)]
        Counted.asked = 0
        Pipeline(nodes).plan(["v1", "v0"], f"v{count}")
        return Counted.asked

    small, large = asked(50), asked(500)
    assert large <= 11 * small


def test_anything_with_the_attributes_of_a_node_is_one() -> None:
    assert Pipeline([Counted(1)]).run({"v1": 4, "v0": 0}) == {"v2": 5}
