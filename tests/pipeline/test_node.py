"""A node is the function that it was, with names for a graph."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast import Node, Pipeline, PipelineError, node
from tests.pipeline.small_nodes import Scaled, add, plain


@node("low high")
def split(total: int) -> tuple[int, int]:
    return total // 2, total - total // 2


def test_it_is_called_as_the_function() -> None:
    assert add(1, 2) == add(1, right=2) == 3


def test_it_looks_like_the_function() -> None:
    assert add.__name__ == "add"  # type: ignore[attr-defined]
    assert add.__doc__ == "Adds."
    assert str(inspect.signature(add)) == "(left: 'int', right: 'int' = 10) -> 'int'"


def test_it_says_what_it_takes_and_gives() -> None:
    assert (add.inputs, add.outputs, dict(add.defaults)) == (
        ("left", "right"),
        ("total",),
        {"right": 10},
    )
    assert split.outputs == ("low", "high")
    assert repr(add) == "<node add(left, right) -> total>"


def test_where_is_the_line_of_its_definition() -> None:
    file, line = add.where.rsplit(":", 1)
    assert Path(file).name == "small_nodes.py"
    source = Path(inspect.getfile(add.function)).read_text().splitlines()
    assert source[int(line) - 1].startswith(("@node", "def add"))


@pytest.mark.parametrize(
    ("asked", "outputs"),
    [
        pytest.param("x", ("x",), id="one name"),
        pytest.param("x y", ("x", "y"), id="names in one text"),
        pytest.param(("x", "y"), ("x", "y"), id="tuple"),
        pytest.param(["x"], ("x",), id="list"),
    ],
)
def test_names_of_outputs(asked: Any, outputs: tuple[str, ...]) -> None:
    assert Node(plain, asked).outputs == outputs


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param("", "needs an output", id="none"),
        pytest.param("x x", "'x' is named twice", id="twice"),
        pytest.param("a-b", "'a-b' cannot name an output", id="no identifier"),
        pytest.param("class", "'class' cannot name an output", id="keyword"),
        pytest.param([3], "3 cannot name an output", id="number"),
    ],
)
def test_names_that_cannot_be(asked: Any, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        Node(plain, asked)


def test_without_a_name_the_output_is_called_as_the_function() -> None:
    assert node(plain).outputs == node()(plain).outputs == ("plain",)


def positional_only(x: int, y: int = 2, /, z: int = 3) -> tuple[int, int, int]:
    return x, y, z


def keyword_only(x: int, *, y: int, z: int = 3) -> tuple[int, int, int]:
    return x, y, z


@functools.wraps(plain)
def wrapped(*args: Any, **kwargs: Any) -> int:
    return plain(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "inputs", "given", "result"),
    [
        pytest.param(lambda: 5, (), {}, 5, id="no parameters"),
        pytest.param(lambda x: x, ("x",), {"x": 4}, 4, id="lambda"),
        pytest.param(
            positional_only, ("x", "y", "z"), {"x": 1, "z": 9}, (1, 2, 9), id="positional only"
        ),
        pytest.param(keyword_only, ("x", "y", "z"), {"x": 1, "y": 2}, (1, 2, 3), id="keyword only"),
        pytest.param(
            functools.partial(keyword_only, y=7), ("x", "y", "z"), {"x": 1}, (1, 7, 3), id="partial"
        ),
        pytest.param(wrapped, ("x",), {"x": 1}, 2, id="decorated with wraps"),
        pytest.param(Scaled(3), ("x",), {"x": 2}, 6, id="callable object"),
        pytest.param(Scaled(3).__call__, ("x",), {"x": 2}, 6, id="bound method"),
        pytest.param(Scaled, ("by",), {"by": 2}, Scaled, id="class"),
        pytest.param(abs, ("x",), {"x": -2}, 2, id="builtin"),
        pytest.param(lambda x=None: x, ("x",), {}, None, id="default None"),
        pytest.param(
            lambda given=1, c1=2, v0=3, r=4, split=5: (given, c1, v0, r, split),
            ("given", "c1", "v0", "r", "split"),
            {"c1": 0},
            (1, 0, 3, 4, 5),
            id="names that generated code might use",
        ),
    ],
)
def test_what_can_be_a_node(
    function: Any, inputs: tuple[str, ...], given: dict[str, Any], result: Any
) -> None:
    made = Node(function, "out")
    assert made.inputs == inputs
    found = Pipeline([made]).run(given, "out")
    assert found == result or type(found) is result
    (again,) = made.run(given)
    assert again == result or type(again) is result


@pytest.mark.parametrize(
    ("function", "words"),
    [
        pytest.param(lambda *args: 0, r"'\*args' has no names", id="star"),
        pytest.param(lambda **kwargs: 0, r"'\*\*kwargs' has no names", id="two stars"),
        pytest.param(3, "made of a function, not of 3", id="no function"),
        pytest.param(add, "is a node already", id="a node"),
        pytest.param(type, "cannot tell the parameters", id="builtin without a signature"),
    ],
)
def test_what_cannot_be_a_node(function: Any, words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        Node(function, "out")


def test_bound_values_are_no_inputs_any_more() -> None:
    bound = add.bind(right=5)
    assert (bound.inputs, dict(bound.bound), dict(bound.defaults)) == (("left",), {"right": 5}, {})
    assert bound(1) == 6
    assert Pipeline([bound]).run({"left": 1}) == {"total": 6}
    assert add.inputs == ("left", "right"), "bind gives a copy"


def test_what_is_bound_can_be_bound_anew() -> None:
    assert add.bind(right=5).bind(right=6)(1) == 7


def test_a_bound_call_fills_what_is_left_in_order() -> None:
    assert Node(positional_only, "out").bind(x=1)(5) == (1, 5, 3)
    assert Node(plain, "out").bind(x=1)() == 2
    assert add.bind(left=1)(5) == 6
    assert add.bind(left=1)(right=5) == 6
    with pytest.raises(TypeError):
        add.bind(left=1)(5, 6)


def test_binding_what_is_no_input_is_refused() -> None:
    with pytest.raises(
        PipelineError,
        match=r"'add' \(.*small_nodes.py:\d+\) has no input 'rigth'. Did you mean 'right'\?",
    ):
        add.bind(rigth=1)


def test_other_names() -> None:
    renamed = add.with_names("sum", left="a", total="b")
    assert (renamed.name, renamed.inputs, renamed.outputs) == ("sum", ("a", "right"), ("b",))
    assert Pipeline([renamed]).run({"a": 1}) == {"b": 11}
    assert renamed(1, right=2) == 3
    assert Node(plain, "y", rename={"x": "a"}).inputs == ("a",)


def test_a_renamed_node_keeps_what_is_bound() -> None:
    assert Pipeline([add.bind(right=1).with_names(right="r", left="l")]).run({"l": 1}) == {
        "total": 2
    }


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: add.with_names(lef="a"),
            "no input or output 'lef'. Did you mean 'left'",
            id="unknown",
        ),
        pytest.param(
            lambda: add.with_names(left="right"),
            "two parameters are called 'right'",
            id="two of a name",
        ),
        pytest.param(
            lambda: Node(plain, "y", rename={"z": "a"}),
            "no parameter 'z'. It has: x",
            id="unknown parameter",
        ),
    ],
)
def test_names_that_are_refused(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        make()


def test_a_method_is_a_node_of_its_object() -> None:
    scaled = Scaled(3)
    assert scaled.scale(2) == 6
    assert Pipeline([scaled.scale]).run({"x": 5}) == {"scaled": 15}


def test_a_parameter_may_be_called_self() -> None:
    assert Scaled.scale.bind(self=Scaled(3)).run({"x": 5}) == (15,)
