"""A node that is no function says itself what its results depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline


def one(x: int) -> int:
    return x + 1


def two(x: int) -> int:
    return x + 2


class Called:
    """A node that is nothing but its attributes."""

    is_async = False
    cache = True
    where = "nowhere:1"

    def __init__(self, function: Any, name: str = "y") -> None:
        self.name = name
        self.function = function
        self.inputs = ("x",)
        self.outputs = (name,)
        self.defaults: Mapping[str, Any] = {}
        self.bound: Mapping[str, Any] = {}

    def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return (self.function(**values),)


class Says(Called):
    """The same, with something in it that has no fingerprint, and says what counts."""

    def __init__(self, function: Any, said: Any) -> None:
        super().__init__(function)
        self.rows = (one for one in "")
        self.said = said

    def cache_identity(self) -> tuple[Any, ...]:
        return (self.function, self.said)


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((b"a", b"b"), id="bytes"),
        pytest.param(("1", "2"), id="text"),
        pytest.param((1, 1.0), id="number and number of another type"),
        pytest.param(((1, (2,)), ((1, 2),)), id="tuples of another shape"),
        pytest.param(([1], [2]), id="lists"),
        pytest.param((("code", b"a"), ("code", b"b")), id="digests under a name"),
    ],
)
def test_what_it_says_is_asked_for_by_every_run(said: tuple[Any, Any]) -> None:
    made = Says(one, said[0])
    pipeline = Pipeline([made], cache=MemoryCache())
    pipeline.run(x=1)
    assert pipeline.explain_cache(x=1)["y"].state == "kept"
    made.said = said[1]
    assert pipeline.explain_cache(x=1)["y"].state == "runs"
    made.said = said[0]
    assert pipeline.explain_cache(x=1)["y"].state == "kept"


@pytest.mark.parametrize("kind", [Called, lambda function: Says(function, 0)])
def test_functions_in_it_count_by_their_code(kind: Any) -> None:
    cache = MemoryCache()
    assert [Pipeline([kind(f)], cache=cache).run({"x": 1}, "y") for f in (one, two)] == [2, 3]


def test_what_is_below_it_counts_with_it() -> None:
    @node
    def z(y: int) -> int:
        return y * 10

    cache = MemoryCache()
    results = [Pipeline([Called(f), z], cache=cache).run({"x": 1}, "z") for f in (one, two, one)]
    assert results == [20, 30, 20]


def test_the_code_of_its_class_counts_too() -> None:
    def made(by: int) -> Any:
        class Times(Says):
            def run(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
                return (super().run(values)[0] * by,)

        return Times(one, 0)

    cache = MemoryCache()
    results = [Pipeline([made(by)], cache=cache).run({"x": 1}, "y") for by in (1, 2)]
    assert results == [2, 4]
