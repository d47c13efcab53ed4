"""One object given twice is not two equal objects, and a pickle counts with the classes it names."""

from __future__ import annotations

import datetime
import enum
import pickle
from importlib import import_module
from typing import Any

import pytest

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline


class Settings:
    def __init__(self, width: int) -> None:
        self.width = width


class Mode(enum.Enum):
    ONE = 1


@node
def is_same(a: Any, b: Any) -> bool:
    return a is b


@node
def appended(a: list[Any], b: list[Any]) -> list[Any]:
    a = [*a]
    inner = a[0] if a and isinstance(a[0], list) else a
    inner.append(1)
    seen = [*b, *(b[0] if b and isinstance(b[0], list) else ())]
    inner.pop()
    return seen


def keys(made: Any, *runs: dict[str, Any]) -> list[str | None]:
    pipeline = Pipeline([made], cache=MemoryCache())
    return [pipeline.explain_cache(run)[made.name].key for run in runs]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: [1, 2], id="list"),
        pytest.param(lambda: {"a": 1}, id="dict"),
        pytest.param(lambda: {1, 2}, id="set"),
        pytest.param(lambda: bytearray(b"ab"), id="bytearray"),
        pytest.param(lambda: Settings(3), id="object"),
        pytest.param(lambda: import_module("numpy").arange(3), id="array"),
        pytest.param(
            lambda: import_module("pandas").DataFrame({"a": [1]}),
            id="table",
            marks=pytest.mark.libraries,
        ),
    ],
)
def test_the_same_object_and_equal_ones(make: Any) -> None:
    pipeline = Pipeline([is_same], cache=MemoryCache())
    one = make()
    runs = [{"a": one, "b": one}, {"a": make(), "b": make()}]
    for run in [*runs, *reversed(runs)]:
        assert pipeline.run(run, "is_same") == Pipeline([is_same]).run(run, "is_same")
    same, equal, again = keys(is_same, *runs, {"a": make(), "b": make()})
    assert same != equal == again


def test_an_object_inside_two_inputs() -> None:
    inner: list[Any] = []
    runs = [{"a": [inner], "b": [inner]}, {"a": [[]], "b": [[]]}]
    pipeline = Pipeline([appended], cache=MemoryCache())
    for run in [*runs, *runs]:
        assert pipeline.run(run, "appended") == Pipeline([appended]).run(run, "appended")


@pytest.mark.parametrize(
    "one",
    [
        pytest.param("text", id="text"),
        pytest.param((1, "a"), id="tuple"),
        pytest.param(Mode.ONE, id="member of an enum"),
        pytest.param(Settings, id="class"),
        pytest.param(len, id="function"),
        pytest.param(datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), id="date"),
    ],
)
def test_what_cannot_change_may_be_shared(one: Any) -> None:
    copy = pickle.loads(pickle.dumps(one))
    assert len(set(keys(is_same, {"a": one, "b": one}, {"a": one, "b": copy}))) == 1


def test_a_given_pickle_counts_with_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    @node
    def width(blob: bytes) -> int:
        return pickle.loads(blob).twice()  # type: ignore[no-any-return]

    class Wide(Settings):
        def twice(self) -> int:
            return self.width * 2

    monkeypatch.setitem(globals(), "Wide", Wide)
    Wide.__qualname__ = "Wide"
    pipeline = Pipeline([width], cache=MemoryCache())
    blob = pickle.dumps(Wide(3))
    assert [pipeline.run({"blob": blob}, "width") for _ in range(2)] == [6, 6]
    Wide.twice = lambda self: self.width * 5  # type: ignore[method-assign]
    assert pipeline.run({"blob": blob}, "width") == 15
    assert len(set(keys(width, {"blob": b"\x80no pickle."}, {"blob": b"\x80no pickle?"}))) == 2
