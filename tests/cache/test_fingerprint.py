"""Which values have one fingerprint, and which have different ones."""

from __future__ import annotations

import array
import collections
import copy
import datetime
import decimal
import enum
import functools
import logging
import operator
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType as View
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.cache.fingerprint import Unhashable, fingerprint

ROOT = Path(__file__).parents[2]


class Color(enum.Enum):
    RED = 1
    GREEN = 2


@dataclass
class Point:
    x: int
    y: int = 0
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Frozen:
    x: int


@dataclass
class Other:
    x: int
    y: int = 0
    tags: set[str] = field(default_factory=set)


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a: int, b: int) -> None:
        self.a, self.b = a, b


class Says:
    def __init__(self, said: object) -> None:
        self.said, self.lock = said, open

    def __kogine_fingerprint__(self) -> object:
        return self.said


class Callable_:
    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: int) -> int:
        return x * self.by


Pair = collections.namedtuple("Pair", "a b")


def adder(by: object) -> Any:
    return lambda x: x + by


def kept(**options: Any) -> Any:
    return functools.lru_cache(**options)(adder)


def noted(thing: Any) -> Any:
    thing.note = "n"
    return thing


def by_default(factory: Any) -> Any:
    return collections.defaultdict(factory, a=1)


def caused(error: Exception) -> Exception:
    error.__cause__ = KeyError(1)
    return error


def in_order(*names: str) -> Point:
    point = Point(1)
    point.__dict__.clear()
    for name in names:
        setattr(point, name, {"x": 1, "y": 0, "tags": set()}[name])
    return point


DIFFERENT = [
    pytest.param(1, "1", id="int and str"),
    pytest.param(1, True, id="int and bool"),
    pytest.param(1, 1.0, id="int and float"),
    pytest.param(True, "True", id="bool and str"),
    pytest.param(0.0, -0.0, id="signs of zero"),
    pytest.param(1.0, 1 + 0j, id="float and complex"),
    pytest.param(None, "None", id="None and str"),
    pytest.param("a", b"a", id="str and bytes"),
    pytest.param(b"a", bytearray(b"a"), id="bytes and bytearray"),
    pytest.param("a" * 1000, "a" * 999 + "b", id="long text"),
    pytest.param((1, 2), [1, 2], id="tuple and list"),
    pytest.param(["ab", "c"], ["a", "bc"], id="text at another border"),
    pytest.param([[1], 2], [[1, 2]], id="depth"),
    pytest.param({1, 2}, frozenset({1, 2}), id="set and frozenset"),
    pytest.param({1, 2}, [1, 2], id="set and list"),
    pytest.param({1, 2}, {1, 3}, id="items of a set"),
    pytest.param({"a": 1}, {"a": 2}, id="value of a dict"),
    pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of a dict, which can be seen"),
    pytest.param({1: 0}, {True: 0}, id="type of a key"),
    pytest.param({"a": 1}, collections.OrderedDict(a=1), id="dict and OrderedDict"),
    pytest.param((1, 2), Pair(1, 2), id="tuple and namedtuple"),
    pytest.param(Color.RED, Color.GREEN, id="enum members"),
    pytest.param(Color.RED, 1, id="enum member and its value"),
    pytest.param(Point(1), Point(2), id="fields"),
    pytest.param(Point(1), Other(1), id="dataclasses of two names"),
    pytest.param(Point(1, tags={"a"}), Point(1, tags={"b"}), id="set in a dataclass"),
    pytest.param(Slots(1, 2), Slots(2, 1), id="slots"),
    pytest.param(Path("a"), "a", id="path and str"),
    pytest.param(Path("a"), Path("b"), id="paths"),
    pytest.param(datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), id="date and datetime"),
    pytest.param(datetime.timedelta(1), datetime.timedelta(2), id="timedeltas"),
    pytest.param(decimal.Decimal("1.0"), decimal.Decimal("1.00"), id="decimals"),
    pytest.param(range(3), range(4), id="ranges"),
    pytest.param(len, max, id="builtin functions"),
    pytest.param([1].append, [2].append, id="methods of two lists"),
    pytest.param(lambda x: x + 1, lambda x: x + 2, id="lambdas on one line"),
    pytest.param(adder(1), adder(2), id="closures"),
    pytest.param(adder([1]), adder([2]), id="closures over lists"),
    pytest.param(functools.partial(adder, 1), functools.partial(adder, 2), id="partials"),
    pytest.param(operator.itemgetter(1), operator.itemgetter(2), id="itemgetters"),
    pytest.param(re.compile("a"), re.compile("a", re.I), id="patterns"),
    pytest.param(functools.lru_cache(adder(1)), functools.lru_cache(adder(2)), id="cached functions"),
    pytest.param(kept(maxsize=1), kept(maxsize=2), id="sizes of lru_cache"),
    pytest.param(kept(maxsize=1), kept(maxsize=None), id="lru_cache without a size"),
    pytest.param(kept(typed=True), kept(typed=False), id="types in lru_cache"),
    pytest.param(kept(), noted(kept()), id="attributes of a cached function"),
    pytest.param(functools.partial(adder), noted(functools.partial(adder)), id="those of a partial"),
    pytest.param(functools.cached_property(adder), functools.cached_property(Says), id="cached properties"),
    pytest.param(property(adder), property(adder, doc="d"), id="text of a property"),
    pytest.param(array.array("i"), array.array("f"), id="types of empty arrays"),
    pytest.param(collections.deque([1], 3), collections.deque([1], 4), id="sizes of deques"),
    pytest.param(collections.deque([1], 3), collections.deque([1]), id="a deque without a size"),
    pytest.param(by_default(int), by_default(list), id="factories"),
    pytest.param(by_default(lambda: 1), by_default(lambda: 2), id="factories of the user's"),
    pytest.param(collections.ChainMap({1: 2}, {3: 4}), collections.ChainMap({1: 2, 3: 4}), id="layers"),
    pytest.param(collections.OrderedDict(a=1, b=2), collections.OrderedDict(b=2, a=1), id="order"),
    pytest.param(View({"a": 1}), View(collections.OrderedDict(a=1)), id="what a view shows"),
    pytest.param(View(by_default(int)), View(by_default(list)), id="factory below a view"),
    pytest.param(re.compile("a"), re.compile(b"a"), id="patterns of text and of bytes"),
    pytest.param(decimal.Context(prec=3), decimal.Context(prec=4), id="contexts of decimals"),
    pytest.param(decimal.Context(traps=[]), decimal.Context(traps=[decimal.Inexact]), id="traps"),
    pytest.param(datetime.time(1), datetime.time(1, fold=1), id="fold"),
    pytest.param(datetime.time(1), datetime.time(1, tzinfo=datetime.timezone.utc), id="time zone"),
    pytest.param(ValueError(1), caused(ValueError(1)), id="cause of an exception"),
    pytest.param(Says(1), Says(2), id="what an object says of itself"),
    pytest.param(Says(1), 1, id="an object and what it says"),
    pytest.param(Callable_(1), Callable_(2), id="callable objects"),
    pytest.param(int, float, id="classes of Python"),
    pytest.param(Point, Other, id="classes of the user"),
    pytest.param(os, sys, id="modules of Python"),
    pytest.param(collections.Counter("ab"), collections.Counter("aab"), id="counters"),
    pytest.param(10**5000, 10**5000 + 1, id="integers beyond what str() takes"),
]  # fmt: skip
SAME = [
    pytest.param(float("nan"), -float("nan"), id="nan"),
    pytest.param({1, 2, 3}, {3, 2, 1}, id="order of a set"),
    pytest.param([{"b", "a"}], [{"a", "b"}], id="set in a list"),
    pytest.param({frozenset({1, 2}), "x"}, {"x", frozenset({2, 1})}, id="set in a set"),
    pytest.param(Point(1, tags={"a", "b"}), Point(1, tags={"b", "a"}), id="set in an object"),
    pytest.param(in_order("x", "y", "tags"), in_order("tags", "y", "x"), id="order of attributes"),
    pytest.param(adder(1), adder(1), id="closures"),
    pytest.param(10**20, int("1" + "0" * 20), id="integers"),
    pytest.param("ab" * 200, "".join(["ab"] * 200), id="text"),
    pytest.param(object(), object(), id="objects without state"),
    pytest.param(threading.Lock(), threading.Lock(), id="locks"),
    pytest.param(logging.getLogger("a"), logging.getLogger("a"), id="loggers"),
    pytest.param(Says({1, 2}), Says({2, 1}), id="what an object says of itself"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_differ(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)
    assert fingerprint([one]) != fingerprint([other])


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_cycles_end() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [1]
    other.append({"back": other})
    assert fingerprint(one) == fingerprint(copy.deepcopy(one)) != fingerprint(other)


def test_a_graph_of_objects_takes_linear_time() -> None:
    points = [Point(number) for number in range(300)]
    for point in points:
        point.others = points  # type: ignore[attr-defined]
    assert fingerprint(points[0])


def generator() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("value", "name"),
    [
        pytest.param(generator(), "generator", id="generator"),
        pytest.param([{"a": generator()}], "generator", id="deep inside"),
        pytest.param(sys.stdout.buffer, "_io.", id="open file"),
        pytest.param(threading.local(), "_thread._local", id="thread-local"),
    ],
)
def test_unhashable_names_the_type(value: object, name: str) -> None:
    with pytest.raises(Unhashable, match=re.escape(name)):
        fingerprint(value)


def test_too_deep_is_unhashable_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unhashable, match="deep"):
        fingerprint(deep)


def test_an_error_of_the_value_is_unhashable() -> None:
    class Bad:
        def __reduce_ex__(self, protocol: object) -> Any:
            raise ValueError("no")

    with pytest.raises(Unhashable, match="Bad"):
        fingerprint(Bad())


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
HASHABLE = st.recursive(
    PLAIN, lambda inner: st.tuples(inner, inner) | st.frozensets(inner), max_leaves=5
)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner) | st.dictionaries(HASHABLE, inner) | st.sets(HASHABLE),
    max_leaves=8,
)


def typed(value: Any) -> Any:
    """The reference: a text that is equal for what should be."""
    kind = type(value).__name__
    if isinstance(value, float):
        return f"{kind} {value!r}".replace("-nan", "nan")
    if isinstance(value, (tuple, list)):
        return f"{kind}[{','.join(map(typed, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{kind}{{{','.join(sorted(map(typed, value)))}}}"
    if isinstance(value, dict):
        return f"{kind}{{{','.join(typed(k) + ':' + typed(v) for k, v in value.items())}}}"
    return f"{kind} {value!r}"


@given(VALUES, VALUES)
def test_same_exactly_where_the_reference_is(one: Any, other: Any) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (typed(one) == typed(other))
    assert fingerprint(copy.deepcopy(one)) == fingerprint(one)


PROGRAM = """\
import datetime, enum, functools, pathlib
from dataclasses import dataclass
from kohaku_ast.cache.fingerprint import fingerprint

class Color(enum.Enum):
    RED = "red"

@dataclass
class Point:
    names: set

def f(x, names=frozenset({"a", "b", "c"})):
    return x in {"one", "two", "three"}

source = {}
exec("def made(x, y=2):\\n    'doc'\\n    return x in {'one', 'two', 'three'}", source)
for value in [
    {"a", "b", "c", 1, 2.5, None}, {"x": {"p", "q", "r"}}, Point({"a", "b", "c"}), f, Point, Color,
    Color.RED, functools.partial(f, names={"x", "y", "z"}), pathlib.Path("a"), source["made"],
    datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc), [f, f, {f, len}], print,
]:
    print(fingerprint(value).hex())
"""


def test_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    printed = {
        subprocess.run(
            [sys.executable, "program.py"],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "2", "random")
    }
    assert len(printed) == 1
    assert len(printed.pop().split()) == 13


def test_paths_of_another_system_are_others() -> None:
    assert fingerprint(PurePosixPath("a")) != fingerprint(Path("a"))
    assert fingerprint(Frozen(1)) == fingerprint(Frozen(1))
