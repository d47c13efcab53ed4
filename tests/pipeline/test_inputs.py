"""Inputs as text: read as the nodes say, refused if they do not fit, guessed only aloud."""

# ruff: noqa: UP007, UP045  # both ways to write a union are read

from __future__ import annotations

import enum
import pathlib
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, Union

import pytest

from kohaku_ast.errors import ValueMismatch
from kohaku_ast.pipeline.edge_types import UNKNOWN
from kohaku_ast.pipeline.inputs import read_input, reading_of
from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline
from kohaku_ast.pipeline.script_node import script


class Mode(enum.Enum):
    FAST = "f"
    SLOW = "s"


class Shape:
    class Kind(enum.Enum):
        ROUND = 1


Count = NewType("Count", int)


def taking(hint: Any, *default: Any) -> Pipeline:
    """A node with one input ``x``."""

    def function(x: Any = None) -> int:
        return 0

    function.__annotations__ = {} if hint is UNKNOWN else {"x": hint}
    function.__defaults__ = default or None
    return Pipeline([Node(function)])


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        pytest.param(int, "1e3", 1000, id="int"),
        pytest.param(float, "3", 3.0, id="float"),
        pytest.param(bool, "no", False, id="bool"),
        pytest.param(str, "12", "12", id="str stays text"),
        pytest.param(str, "a,b", "a,b", id="str with a comma"),
        pytest.param(list, "[1, 2]", [1, 2], id="list"),
        pytest.param(list[int], "1, 2", [1, 2], id="list without brackets"),
        pytest.param(tuple[int, ...], "(1, 2)", (1, 2), id="tuple"),
        pytest.param(dict[str, int], "{'a': 1}", {"a": 1}, id="dict"),
        pytest.param(Path, "a/b", Path("a/b"), id="path"),
        pytest.param(pathlib.PurePosixPath, "a", pathlib.PurePosixPath("a"), id="pure path"),
        pytest.param(Mode, "SLOW", Mode.SLOW, id="enum"),
        pytest.param(Shape.Kind, "Kind.ROUND", Shape.Kind.ROUND, id="enum in a class"),
        pytest.param(Optional[Mode], "FAST", Mode.FAST, id="optional enum"),
        pytest.param(Optional[int], "none", None, id="optional"),
        pytest.param(Union[int, str], "x", "x", id="union"),
        pytest.param(int | None, "4", 4, id="new union"),
        pytest.param(Literal["a", 2], "2", 2, id="literal"),
        pytest.param(Annotated[int, "words"], "4", 4, id="annotated"),
        pytest.param(Count, "4", 4, id="new type"),
        pytest.param("int", "4", 4, id="in quotes"),
    ],
)
def test_read_as_the_annotation(hint: Any, text: str, value: Any) -> None:
    found, note = read_input(taking(hint).graph, "x", text)
    assert (type(found), found, note) == (type(value), value, "")


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [(1, "3", 3), (0.5, "3", 3.0), ("a", "3", "3"), (False, "yes", True), ([], "[3]", [3])],
)
def test_read_as_the_default(default: Any, text: str, value: Any) -> None:
    found, note = read_input(taking(UNKNOWN, default).graph, "x", text)
    assert (type(found), found, note) == (type(value), value, "")


def test_a_default_of_none_may_be_given_again() -> None:
    assert read_input(taking(int, None).graph, "x", "None") == (None, "")
    assert read_input(taking(int, None).graph, "x", "3") == (3, "")


@pytest.mark.parametrize(
    ("hint", "default", "text", "value"),
    [
        pytest.param(UNKNOWN, (), "3", 3, id="nothing is said"),
        pytest.param(UNKNOWN, (None,), "a b", "a b", id="None says nothing"),
        pytest.param(Any, (), "[1]", [1], id="Any"),
        pytest.param(Sequence[int], (), "[1]", [1], id="a protocol"),
        pytest.param(Callable[[], int], (), "f", "f", id="a callable"),
        pytest.param(Union[int, Shape], (), "3", 3, id="a union with a class"),
        pytest.param("Missing", (), "3", 3, id="a name that is not there"),
    ],
)
def test_what_is_unclear_is_said(hint: Any, default: Any, text: str, value: Any) -> None:
    found, note = read_input(taking(hint, *default).graph, "x", text)
    assert found == value
    assert note.startswith(f"x={text}: 'function' (")
    assert f"read as the {type(value).__name__} {value!r}" in note


@pytest.mark.parametrize(
    ("hint", "text", "said"),
    [
        pytest.param(int, "1.5", "expected int, got '1.5'", id="int"),
        pytest.param(bool, "maybe", "expected bool", id="bool"),
        pytest.param(Mode, "FASTER", "expected member of Mode (FAST, SLOW)", id="enum"),
        pytest.param(Literal["a", "b"], "c", "expected one of 'a', 'b'", id="literal"),
        pytest.param(Optional[int], "x", "expected int or None", id="optional"),
        pytest.param(list[int], "[1, 2", "expected list", id="list"),
    ],
)
def test_what_does_not_fit_is_refused(hint: Any, text: str, said: str) -> None:
    with pytest.raises(ValueMismatch) as raised:
        read_input(taking(hint).graph, "x", text)
    assert said in str(raised.value)
    assert "'function' (" in str(raised.value)


@node
def giving(n: int) -> list[int]:
    return [n]


@node
def plain(giving, n):  # type: ignore[no-untyped-def]
    return giving


def test_who_says_the_most_is_asked() -> None:
    """Of two readers the one with a type; of an output the node that gives it."""
    graph = Pipeline([plain, giving]).graph
    assert read_input(graph, "n", "3") == (3, "")
    assert read_input(graph, "giving", "1, 2") == ([1, 2], "")


def test_each_value_of_a_map_is_one_of_that_type() -> None:
    inner = Pipeline([giving], name="inner").as_node(map_over="n")
    assert read_input(Pipeline([inner]).graph, "n", "[1, 2]")[0] == [1, 2]


def test_inside_a_pipeline() -> None:
    inner = Pipeline([giving], name="inner").as_node(input_mapping={"m": "n"})
    assert read_input(Pipeline([inner]).graph, "m", "1e2") == (100, "")


def test_a_name_that_nobody_knows_is_left_to_the_pipeline() -> None:
    assert read_input(Pipeline([giving]).graph, "m", "3") == (3, "")


def test_targets_of_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("import math\nname = 'a'\nlr = 0.1\nx = math.pi\ny = lr\n")
    graph = Pipeline([script("train.py", outputs="y")]).graph
    assert read_input(graph, "lr", "1") == (1.0, "")
    assert read_input(graph, "name", "1") == ("1", "")
    with pytest.raises(ValueMismatch, match="expected float"):
        read_input(graph, "lr", "high")


def test_readings_are_those_of_scripts() -> None:
    assert reading_of(typing.Optional[int]) == ("optional", ("int",))
    assert reading_of(UNKNOWN, 3) == ("int",)
    assert reading_of(UNKNOWN) == ("any",)
