"""Types of an edge that certainly cannot fit are an error; whatever might fit is not."""

from __future__ import annotations

import enum
import pathlib
import typing
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import pytest

from kohaku_ast import Node, Pipeline, PipelineError, node

Either = Union[int, str]  # noqa: UP007  # the old way to write them is what is tested
Maybe = Optional[int]  # noqa: UP045  # same
T = TypeVar("T")
B = TypeVar("B", bound=int)
UserId = NewType("UserId", int)


class Base: ...


class Child(Base): ...


class Other: ...


class HasName(Protocol):
    name: str


class Row(TypedDict):
    x: int


class Colour(enum.Enum):
    RED = 1


def edge(given: Any, wanted: Any) -> Pipeline:
    def give() -> Any: ...
    def take(x: Any) -> Any: ...

    give.__annotations__["return"] = given
    take.__annotations__["x"] = wanted
    return Pipeline([Node(give, "x"), Node(take, "y")])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param(int, int, id="the same"),
        pytest.param(int, float, id="int for float"),
        pytest.param(bool, int, id="bool for int"),
        pytest.param(Child, Base, id="subclass"),
        pytest.param(Base, Child, id="base class: it may be the subclass"),
        pytest.param(Any, int, id="Any given"),
        pytest.param(str, Any, id="Any wanted"),
        pytest.param(object, int, id="object"),
        pytest.param(Either, str, id="union given"),
        pytest.param(str, Either, id="union wanted"),
        pytest.param(Maybe, int, id="optional given"),
        pytest.param(None, Maybe, id="None for optional"),
        pytest.param(list[int], list, id="list of ints for list"),
        pytest.param(list[int], list[str], id="arguments of generics are not looked at"),
        pytest.param(list, Sequence, id="list for Sequence"),
        pytest.param(dict[str, int], Mapping[str, int], id="dict for Mapping"),
        pytest.param(list, Iterable, id="list for Iterable"),
        pytest.param(typing.List[int], list, id="typing.List"),  # noqa: UP006
        pytest.param(dict, Row, id="dict for TypedDict"),
        pytest.param(Row, dict, id="TypedDict for dict"),
        pytest.param(Child, HasName, id="protocol"),
        pytest.param(T, int, id="type variable"),
        pytest.param(B, float, id="bound type variable"),
        pytest.param(UserId, int, id="NewType"),
        pytest.param(Annotated[int, "m"], int, id="Annotated"),
        pytest.param(Literal["a"], str, id="literal for its type"),
        pytest.param(str, Literal["a", "b"], id="type for a literal of it"),
        pytest.param("int", int, id="text"),
        pytest.param("Missing", int, id="text that nobody can resolve"),
        pytest.param("int | str", "str", id="new style union as text"),
        pytest.param(OrderedDict, dict, id="ordered dict"),
        pytest.param(pathlib.PosixPath, pathlib.Path, id="path"),
        pytest.param(type[Base], type, id="type of a class"),
        pytest.param(3, int, id="no type at all"),
    ],
)
def test_edges_that_may_fit(given: Any, wanted: Any) -> None:
    assert edge(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted", "names"),
    [
        pytest.param(str, int, ("str", "int"), id="text for number"),
        pytest.param(float, int, ("float", "int"), id="float for int"),
        pytest.param(None, int, ("None", "int"), id="None"),
        pytest.param(int, list[int], ("int", "list"), id="number for list"),
        pytest.param(list, dict, ("list", "dict"), id="list for dict"),
        pytest.param(Base, Other, ("Base", "Other"), id="unrelated classes"),
        pytest.param(Either, list, ("int", "list"), id="no arm of a union"),
        pytest.param(str, Maybe, ("str", "int"), id="text for optional number"),
        pytest.param(int, Sized, ("int", "Sized"), id="int has no length"),
        pytest.param(Literal["a"], int, ("'a'", "int"), id="literal of another type"),
        pytest.param(Colour, str, ("Colour", "str"), id="enum for text"),
        pytest.param("str", "int", ("str", "int"), id="text of hints"),
        pytest.param(bytes, str, ("bytes", "str"), id="bytes for text"),
        pytest.param(UserId, str, ("UserId", "str"), id="NewType of another"),
    ],
)
def test_edges_that_cannot_fit(given: Any, wanted: Any, names: tuple[str, str]) -> None:
    with pytest.raises(PipelineError) as caught:
        edge(given, wanted)
    said = str(caught.value)
    assert "'x' cannot go from 'give' (" in said
    assert "to 'take' (" in said
    assert said.count("test_edge_types.py:") == 2, "both ends with file and line"
    assert all(name in said for name in names)


@node("a b")
def pair() -> tuple[int, str]:
    return 1, "b"


@node("a b")
def pair_of_one_kind() -> tuple[str, ...]:
    return "a", "b"


def test_each_output_of_a_tuple_has_its_own_type() -> None:
    def take(b: str) -> None: ...
    def wrong(a: str) -> None: ...

    assert Pipeline([pair, Node(take, "y")])
    assert Pipeline([pair_of_one_kind, Node(wrong, "y")])
    with pytest.raises(PipelineError, match="'a' cannot go from 'pair'"):
        Pipeline([pair, Node(wrong, "y")])


def test_edges_into_and_out_of_pipelines_are_checked() -> None:
    def take(z: str) -> None: ...

    inner = Pipeline([pair]).as_node(output_mapping={"a": "z"}, name="inner")
    with pytest.raises(
        PipelineError, match=r"'z' cannot go from 'inner' .*gives int.* to 'take' .*takes str"
    ):
        Pipeline([inner, Node(take, "y")])


def test_a_map_gives_lists_and_takes_many() -> None:
    def one(x: int) -> int:
        return x

    def many(y: list) -> int:  # type: ignore[type-arg]
        return len(y)

    def numbers() -> list[int]:
        return [1, 2]

    mapped = Pipeline([Node(one, "y")]).as_node(map_over="x")
    assert Pipeline([Node(numbers, "x"), mapped, Node(many, "n")]).run(output_name="n") == 2
