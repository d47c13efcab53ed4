"""Sweeps: which Configs they give, in which order, and what is refused before anything runs."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import ConfigError


def rows(sweep: Sweep) -> list[dict[str, object]]:
    return [dict(config.globals_dict) for config in sweep]


AXES = st.dictionaries(
    st.sampled_from("abcde"), st.lists(st.integers(), min_size=1, max_size=4), max_size=4
)


@given(AXES)
def test_product_is_that_of_itertools(axes: dict[str, list[int]]) -> None:
    expected = [dict(zip(axes, row)) for row in itertools.product(*axes.values())]
    assert rows(Sweep(axes)) == expected
    assert rows(Sweep(**axes)) == expected  # of values, not of dicts
    assert rows(Sweep({name: iter(values) for name, values in axes.items()})) == expected
    assert (
        rows(Sweep.product(*[Sweep({name: values}) for name, values in axes.items()])) == expected
    )
    assert len(Sweep(axes)) == len(expected)


@given(st.integers(1, 5), st.integers(1, 4), st.data())
def test_zip_is_that_of_python(length: int, count: int, data: st.DataObject) -> None:
    column = st.lists(st.integers(), min_size=length, max_size=length)
    axes = {name: data.draw(column) for name in "abcd"[:count]}
    expected = [dict(zip(axes, row)) for row in zip(*axes.values())]
    assert rows(Sweep.zip(axes)) == expected
    assert rows(Sweep.zip({name: iter(values) for name, values in axes.items()})) == expected
    assert rows(Sweep({**axes, "__mode__": "zip"})) == expected
    assert rows(Sweep(axes).pair(*axes)) == expected
    assert len(Sweep.zip(axes)) == length


@given(AXES, st.sets(st.sampled_from("abcde")))
def test_what_a_config_fixes_is_no_axis(axes: dict[str, list[int]], names: set[str]) -> None:
    fixed = dict.fromkeys(names, "fixed")
    left = {name: values for name, values in axes.items() if name not in names}
    sweep = Sweep(axes) | Config(fixed)
    assert rows(sweep) == [{**fixed, **row} for row in rows(Sweep(left))]
    assert sweep.targets == tuple(left)
    assert rows(Config(fixed) | Sweep(axes)) == [{**fixed, **row} for row in rows(Sweep(axes))]  # type: ignore[arg-type]


@given(AXES, AXES)
def test_the_right_sweep_wins(left: dict[str, list[int]], right: dict[str, list[int]]) -> None:
    kept = {name: values for name, values in left.items() if name not in right}
    assert rows(Sweep(left) | Sweep(right)) == rows(Sweep({**kept}, right))


@given(AXES, st.integers(1, 9))
def test_first_and_chain_are_those_of_itertools(axes: dict[str, list[int]], n: int) -> None:
    sweep = Sweep(axes)
    assert rows(sweep.first(n)) == rows(sweep)[:n]
    assert rows(sweep + sweep) == rows(sweep) * 2
    assert (sweep.first(n).size, (sweep + sweep).size) == (min(n, len(sweep)), 2 * len(sweep))


def configs(*values: int) -> Iterator[Config]:
    for value in values:
        yield Config({"g": value})


RUNS = [
    pytest.param(Sweep(), [""], id="nothing is one run"),
    pytest.param(Sweep({"Args.lr": [1], "--bs": [2]}), ["Args.lr=1 --bs=2"], id="any target"),
    pytest.param(Sweep({("a", "b"): [(1, 2), (3, 4)]}), ["a=1 b=2", "a=3 b=4"], id="pairs"),
    pytest.param(
        Sweep({("a", "b"): [(1, 2), (3, 4)]}) | Config({"a": 0}), ["b=2", "b=4"], id="pair half fixed"
    ),
    pytest.param(
        Sweep.zip(a=[1, 2], b=[3, 4]) * Sweep(c=[5, 6]),
        ["a=1 b=3 c=5", "a=1 b=3 c=6", "a=2 b=4 c=5", "a=2 b=4 c=6"],
        id="zip in a product",
    ),
    pytest.param(Sweep(a=[1, 2], b=[5], c=[3, 4]).pair("a", "c"), ["a=1 c=3 b=5", "a=2 c=4 b=5"],
                 id="axes paired in the place of the first"),
    pytest.param(Sweep(a=[1]) + Sweep(b=[2]), ["a=1", "b=2"], id="chain"),
    pytest.param((Sweep(a=[1]) + Sweep(a=[2])) | Config({"a": 3}), [""], id="chain all fixed runs once"),
    pytest.param((Sweep(a=[1, 2]) + Sweep(b=[2])) | Config({"a": 3}), ["", "b=2"], id="chain half fixed"),
    pytest.param(Sweep(a=[1, 2]).first(1) | Config({"a": 3}), [""], id="first of what is fixed"),
    pytest.param(Sweep(a=[1, 2], b=[3, 4]).first(3).without("b"), ["a=1", "a=2"], id="an axis left out"),
    pytest.param(Sweep.of([{"a": 1}, Config({"b": 2})]), ["a=1", "b=2"], id="dicts and Configs"),
    pytest.param(Sweep.of(configs(1, 2)), ["g=1", "g=2"], id="generator"),
    pytest.param(Sweep.of(lambda: configs(1, 2)), ["g=1", "g=2"], id="function"),
    pytest.param(Sweep.of(lambda: {"a": [1, 2]}), ["a=1", "a=2"], id="function that gives axes"),
    pytest.param(Sweep.of(lambda: Sweep(a=[1])), ["a=1"], id="function that gives a Sweep"),
    pytest.param(Sweep.of(lambda: Config({"a": 1})), ["a=1"], id="function that gives a Config"),
    pytest.param(Sweep.of(Config({"a": 1})), [""], id="one Config does not vary"),
    pytest.param(
        Sweep.of([{"a": 1}, Config({"a": 2}) | Sweep(b=[3, 4])]),
        ["a=1", "b=3", "b=4"],
        id="conditional axis",
    ),
    pytest.param(Sweep.of([{"a": 1, "b": 2}]) | Config({"b": 3}), ["a=1"], id="source half fixed"),
    pytest.param(Sweep.of([{"a": 1, "b": 2}]).without("b"), ["a=1"], id="source half left out"),
    pytest.param(Config({"a": 1}) | Sweep.of([{"b": 2}]), ["b=2"], id="base of a source"),
    pytest.param(Sweep(a=[1, 2]) * (Config({"a": 3}) | Sweep(b=[4])), ["b=4"], id="fixed by the right"),
    pytest.param((Config({"a": 3}) | Sweep(b=[4])) * Sweep(a=[1]), ["b=4 a=1"], id="swept by the right"),  # type: ignore[operator]
    pytest.param(Sweep(a=["x y", "", len, int]), ["a='x y'", "a=''", "a=len", "a=int"], id="labels"),
    pytest.param(Sweep.of(configs(1, 2)) * Sweep(a=[3, 4]),
                 ["g=1 a=3", "g=1 a=4", "g=2 a=3", "g=2 a=4"], id="generator outside"),
    pytest.param(Sweep(a=[3, 4]) * Sweep.of(configs(1, 2)),
                 ["a=3 g=1", "a=3 g=2", "a=4 g=1", "a=4 g=2"], id="generator inside"),
]  # fmt: skip


@pytest.mark.parametrize(("sweep", "labels"), RUNS)
def test_runs(sweep: Sweep, labels: list[str]) -> None:
    assert [config.label for config in sweep] == labels


REFUSED = [
    pytest.param(lambda: Sweep({"a": [1]}, a=[2]), "'a' is swept twice", id="axis twice"),
    pytest.param(lambda: Sweep(a=[1]) * Sweep(a=[2]), "'a' is swept twice", id="product of the same"),
    pytest.param(lambda: Sweep({("a", "b"): [(1, 2)]}, b=[1]), "'b' is swept twice", id="pair and axis"),
    pytest.param(lambda: Sweep.zip({"a": [1]}, a=[2]), "'a' is swept twice", id="zip of the same"),
    pytest.param(lambda: Sweep.zip(a=[1, 2], b=[1]), "'a' has 2, 'b' has 1", id="unequal zip"),
    pytest.param(lambda: Sweep.zip(), "no axes", id="zip of nothing"),
    pytest.param(lambda: Sweep.zip(a="uniform:0:1", b=[1]), "is random", id="zip of draws"),
    pytest.param(lambda: Sweep.chain(), "no sweeps", id="chain of nothing"),
    pytest.param(lambda: Sweep({"__mode__": "zpi", "a": [1]}), "'product' or 'zip'", id="unknown mode"),
    pytest.param(lambda: Sweep([1, 2]), "a dict of axes is expected", id="list as axes"),  # type: ignore[arg-type]
    pytest.param(lambda: Sweep(a=[1]).pair("a", "b"), "'b' is no axis to pair", id="pair of no axis"),
    pytest.param(lambda: Sweep(a=[1, 2], b=[1]).pair("a", "b"), "'a' has 2", id="unequal pair"),
    pytest.param(lambda: Sweep(a=[1]).first(0), "n is at least 1", id="first none"),
    pytest.param(lambda: Sweep(a=[1]).draw(3, 0), "no random axis", id="draws of nothing"),
    pytest.param(lambda: Sweep(a="uniform:0:1").draw(0, 0), "n is at least 1", id="no draws"),
    pytest.param(lambda: iter(Sweep(a="uniform:0:1")), r"sweep.draw\(20, seed=0\)", id="not drawn"),
    pytest.param(lambda: Sweep.of([]), "lists no Configs", id="empty list"),
    pytest.param(lambda: Sweep.of({"a": [1]}), r"write Sweep\(\{", id="dict as a source"),
    pytest.param(lambda: Sweep.of("abc"), "neither Configs", id="text as a source"),
    pytest.param(lambda: Sweep.of(3), "neither Configs", id="number as a source"),  # type: ignore[arg-type]
    pytest.param(lambda: list(Sweep.of(lambda: 3)), "gives no Configs, but 3", id="function of 3"),
    pytest.param(lambda: list(Sweep.of([{}, 5])), "item 1 .* type int: 5", id="item"),
    pytest.param(lambda: list(Sweep.of([{1: 2}])), "item 0 .* type dict", id="item of numbers"),
    pytest.param(lambda: list(Sweep(a=iter(()))), "'a' is empty", id="empty iterator"),
    pytest.param(lambda: list(Sweep.zip(a=iter([1]), b=iter([1, 2]))), "'a' has 1, 'b' has more",
                 id="iterators of unequal length"),
    pytest.param(lambda: list(Sweep.of([{"a": 1}]) * Sweep(a=[2])), "'a' is an axis", id="source, axis"),
    pytest.param(lambda: list(Sweep(a=[2]) * Sweep.of([{"a": 1}])), "item 0 sets 'a'", id="axis, source"),
    pytest.param(lambda: len(Sweep.of(configs(1))), "has no length", id="length of a generator"),
    pytest.param(lambda: len(Sweep(a="uniform:0:1")), "has no length", id="length before draws"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "message"), REFUSED)
def test_refused(act: object, message: str) -> None:
    assert callable(act)
    with pytest.raises(ConfigError, match=message):
        act()


@pytest.mark.parametrize("other", [3, {"a": 1}, None])
def test_operators_leave_strangers_alone(other: object) -> None:
    for act in ("__or__", "__ror__", "__mul__", "__add__"):
        assert getattr(Sweep(a=[1]), act)(other) is NotImplemented


def test_fields_beside_targets_merge_too() -> None:
    right = Config(kwargs={"n": 2}, argv=["-v"])
    for sweep in (Sweep(a=[1]), Sweep.of([Config({"a": 1}, kwargs={"n": 1, "m": 1})])):
        (config,) = Config(kwargs={"k": 0}) | sweep | right  # type: ignore[misc]
        assert (config.kwargs["n"], config.kwargs["k"], config.argv) == (2, 0, ("-v",))  # type: ignore[has-type]


def test_values_know_where_they_came_from() -> None:
    base = Config({"a": 1}, origins={"a": "cfg.py:3"})
    (config,) = base | Sweep.from_dict({"b": [1]}, "cfg.py:4") * Sweep.of([{"c": 1}], "cfg.py")  # type: ignore[misc]
    assert config.origins == {"a": "cfg.py:3", "b": "cfg.py:4", "c": "cfg.py"}  # type: ignore[has-type]
    (config,) = Sweep(a=[1])
    assert config.origins == {"a": "Sweep"}


def test_random_axes_become_one_in_the_place_of_the_first() -> None:
    sweep = Sweep(a=[1, 2], b="uniform:0:1", c=[3], d="randint:0:9").draw(3, seed=5)
    assert [axis.targets for axis in sweep.axes] == [("a",), ("b", "d"), ("c",)]
    assert len(sweep) == 6
    assert {config.metadata["sweep_seed"] for config in sweep} == {5}
    assert rows(sweep) == rows(sweep)


def test_search_takes_one_value_out_of_the_space() -> None:
    space = Sweep(a="uniform:0:1", b=["x", "y"])
    kinds = [(axis.targets, axis.size, axis.shown) for axis in space.axes]
    assert kinds == [(("a",), None, "uniform:0.0:1.0"), (("b",), 2, "x, y")]
    (trial,) = space | Config({"a": 0.5, "b": "x"}, varied=("a", "b"))
    assert trial.label == "a=0.5 b=x"


def test_random_axes_in_a_chain_are_drawn() -> None:
    assert len((Sweep(a="uniform:0:1") + Sweep(b=[1])).first(9).draw(3, 0)) == 4


# --- size and form -------------------------------------------------------------------------------


def test_sweep_is_frozen_and_crosses_processes() -> None:
    sweep = Config({"z": 1}) | Sweep(a=[1, 2], b="range:0:3", c="uniform:0:1").draw(2, 0)
    with pytest.raises(AttributeError):
        sweep.parts = ()  # type: ignore[attr-defined]
    assert rows(pickle.loads(pickle.dumps(sweep))) == rows(sweep)  # type: ignore[arg-type]


REPRS = [
    pytest.param(Sweep(lr=[1, 2], bs=[1, 2]), "Sweep(lr: 2, bs: 2 = 4 runs)", id="grid"),
    pytest.param(Sweep.zip(a=[1], b=[2]), "Sweep(a, b: 1 = 1 run)", id="zip"),
    pytest.param(Sweep(a="uniform:0:1"), "Sweep(a: random)", id="random"),
    pytest.param(Sweep(a=itertools.count()).first(5), "Sweep(first 5 of a: ?)", id="endless"),
    pytest.param(
        Sweep.of([{}, {}]) + Sweep(a=[1]), "Sweep((2 Configs + a: 1) = 3 runs)", id="chain"
    ),
]


@pytest.mark.parametrize(("sweep", "shown"), REPRS)
def test_repr(sweep: Sweep, shown: str) -> None:
    assert repr(sweep) == shown


def test_notebook_shows_the_first_runs() -> None:
    shown = Sweep(lr=range(100))._repr_html_()
    assert shown.count("<tr>") == 21
    assert "100 in all" in shown


def test_notebook_uses_nothing_up() -> None:
    sweep = Sweep(lr=iter([1])) * Sweep.of(configs(1))
    assert "values of an iterator" in sweep._repr_html_()
    assert rows(sweep) == [{"lr": 1, "g": 1}]
