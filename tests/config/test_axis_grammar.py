"""The text of an axis, and what Python gives as one: accepted, refused, drawn."""

from __future__ import annotations

import enum
import itertools
import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.config.axis_grammar import parse_axis, read_axis
from kohaku_ast.config.cells import CellText
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.config.text_values import parse_cell
from kohaku_ast.errors import ConfigError


def values(text: str) -> list[object]:
    return [value for (value,) in parse_axis("lr", text, "--sweep").rows()]


TEXTS = [
    pytest.param("0.1,0.2", ["0.1", "0.2"], id="two values"),
    pytest.param(" 0.1 , 0.2 ", ["0.1", "0.2"], id="blanks around values"),
    pytest.param("0.1", ["0.1"], id="one value"),
    pytest.param("[1,2],[3,4]", ["[1,2]", "[3,4]"], id="two lists"),
    pytest.param("[1,2]", ["[1,2]"], id="one list is one value"),
    pytest.param("{'a': 1, 'b': 2}", ["{'a': 1, 'b': 2}"], id="one dict"),
    pytest.param("'a,b',c", ["'a,b'", "c"], id="comma in quotes"),
    pytest.param("range:5", ["0", "1", "2", "3", "4"], id="range from nought"),
    pytest.param("range:2:5", ["2", "3", "4"], id="range leaves its end out"),
    pytest.param("range:0:10:3", ["0", "3", "6", "9"], id="range with a step"),
    pytest.param("range:5:0:-2", ["5", "3", "1"], id="range downwards"),
    pytest.param("range:0:0.4:0.1", ["0.0", "0.1", "0.2", "0.3"], id="range of decimals is exact"),
    pytest.param("range:1e2:3e2:1e2", ["100", "200"], id="range in scientific notation"),
    pytest.param("linspace:0:1:5", ["0.0", "0.25", "0.5", "0.75", "1.0"], id="linspace"),
    pytest.param("linspace:1:0:3", ["1.0", "0.5", "0.0"], id="linspace downwards"),
    pytest.param(
        "linspace:0:1:11",
        ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "1.0"],
        id="linspace without noise",
    ),
    pytest.param(
        "geomspace:1e-5:1e-1:5",
        ["1e-05", "0.0001", "0.001", "0.01", "0.1"],
        id="geomspace without noise",
    ),
    pytest.param("geomspace:-1:-100:3", ["-1.0", "-10.0", "-100.0"], id="geomspace below nought"),
    pytest.param("choice:a:b", ["a", "b"], id="choice"),
    pytest.param("choice:'a:b':[1,2]", ["'a:b'", "[1,2]"], id="choice with colons and commas"),
    pytest.param("0,range:1:3", ["0", "1", "2"], id="form among values"),
    pytest.param("'range:1:2'", ["'range:1:2'"], id="quoted form is text"),
    pytest.param("http://x,C:/data", ["http://x", "C:/data"], id="colons without a form"),
    pytest.param("uniform,range", ["uniform", "range"], id="names of forms alone"),
    pytest.param("rangy:fast", ["rangy:fast"], id="almost a form without numbers"),
    pytest.param("12:30", ["12:30"], id="a time"),
]


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_text_is_read(text: str, expected: list[str]) -> None:
    found = values(text)
    assert found == expected
    assert all(isinstance(value, CellText) and not value.is_quoted for value in found)
    assert parse_axis("lr", text, "x").size == len(expected)


BAD_TEXTS = [
    pytest.param("", "empty", id="nothing"),
    pytest.param("0.1,,0.2", "write ''", id="empty value"),
    pytest.param("0.1,", "write ''", id="comma at the end"),
    pytest.param("range:", "'' is not a number", id="range of nothing"),
    pytest.param("range:a:b", "'a' is not a number", id="range of words"),
    pytest.param("range:0:inf", "'inf' is not a number", id="endless range"),
    pytest.param("range:0:1:2:3", "has 4 fields: write range:START:STOP", id="range, four fields"),
    pytest.param("range:0:10:0", "step is 0", id="range with a step of 0"),
    pytest.param("range:5:0", "holds no value", id="empty range"),
    pytest.param("range:0:1e999", "out of reach", id="range beyond floats"),
    pytest.param("uniform:0:1e999", "no float holds 1e999", id="uniform beyond floats"),
    pytest.param("normal:-1e999:1", "no float holds -1e999", id="normal beyond floats"),
    pytest.param("linspace:0:1", "has 2 fields: write linspace", id="linspace without a count"),
    pytest.param("linspace:0:1:1", "'1' is no such number", id="linspace of one value"),
    pytest.param("linspace:0:1:2.5", "'2.5' is no such number", id="linspace of half a value"),
    pytest.param("linspace:1:1:3", "both of its ends are 1", id="linspace of equal ends"),
    pytest.param("geomspace:0:1:3", "above 0", id="geomspace from nought"),
    pytest.param("geomspace:-1:1:3", "above 0", id="geomspace across nought"),
    pytest.param("choice:a::b", "empty", id="empty choice"),
    pytest.param("uniform:1:0", "1.0 is not below", id="low above high"),
    pytest.param("uniform:0:nan", "not a finite number", id="uniform to nan"),
    pytest.param("uniform:a:1", "'a' is not a number", id="uniform from a word"),
    pytest.param("uniform:0", "has 1 fields: write uniform", id="uniform without a high end"),
    pytest.param("loguniform:0:1", "not above 0", id="loguniform from nought"),
    pytest.param("randint:0:1.5", "not an integer", id="randint to a fraction"),
    pytest.param("randint:3:3", "not below", id="randint of nothing"),
    pytest.param("normal:0:0", "not above 0", id="normal without a deviation"),
    pytest.param("uniform:0:1,2", "stands alone", id="random among values"),
    pytest.param("rnage:0:5", "Did you mean 'range'", id="mistyped range"),
    pytest.param("log_uniform:1e-3:1", "Did you mean 'loguniform'", id="mistyped loguniform"),
]


@pytest.mark.parametrize(("text", "message"), BAD_TEXTS)
def test_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_axis("lr", text, "--sweep")
    assert str(caught.value).startswith(f"--sweep: the axis lr={text}")
    assert message in str(caught.value)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FLOATS, min_size=1))
def test_floats_come_back_from_text(numbers: list[float]) -> None:
    found = values(",".join(map(repr, numbers)))
    assert [parse_cell(value, ("float",)) for value in found] == numbers


@given(st.lists(st.text() | st.lists(st.integers() | st.text()), min_size=1))
def test_literals_come_back_from_text(literals: list[object]) -> None:
    found = values(",".join(map(repr, literals)))
    readings = [("str",) if isinstance(one, str) else ("list",) for one in literals]
    assert [parse_cell(v, reading) for v, reading in zip(found, readings)] == literals


@given(st.integers(-999, 999), st.integers(-999, 999), st.integers(-50, 50).filter(bool))
def test_range_is_pythons(start: int, stop: int, step: int) -> None:
    expected = list(range(start, stop, step))
    if expected:
        assert list(map(int, values(f"range:{start}:{stop}:{step}"))) == expected  # type: ignore[arg-type]
    else:
        with pytest.raises(ConfigError, match="holds no value"):
            values(f"range:{start}:{stop}:{step}")


@given(st.integers(1, 500), st.integers(1, 4))
def test_range_of_decimals_has_no_noise(count: int, places: int) -> None:
    step = Decimal(1).scaleb(-places)
    found = values(f"range:0:{count * step}:{step}")
    assert list(map(Decimal, found)) == [step * number for number in range(count)]  # type: ignore[arg-type]


@given(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9), st.integers(2, 50))
def test_spaces_hold_both_ends_and_rise(first: float, last: float, count: int) -> None:
    if first == last:
        return
    for form in ("linspace", "geomspace"):
        found = [float(value) for value in values(f"{form}:{first!r}:{last!r}:{count}")]  # type: ignore[arg-type]
        assert (found[0], found[-1], len(found)) == (first, last, count)
        assert found == sorted(found, reverse=first > last)


def test_long_range_is_not_stored() -> None:
    axis = parse_axis("i", "range:1000000000", "--sweep")
    assert axis.size == 1_000_000_000
    assert next(axis.rows()) == ("0",)
    assert axis.shown == "0, 1, 2, 3, 4, 5, ..."


# --- random --------------------------------------------------------------------------------------


def drawn(n: int = 300, seed: int = 0, **axes: str) -> list[dict[str, float]]:
    sweep = Sweep(**axes).draw(n, seed)
    return [{k: float(str(v)) for k, v in c.globals_dict.items()} for c in sweep]


@pytest.mark.parametrize(
    ("form", "low", "high"),
    [
        pytest.param("uniform:-1:2", -1, 2, id="uniform"),
        pytest.param("loguniform:1e-5:1e-1", 1e-5, 1e-1, id="loguniform"),
        pytest.param("randint:3:9", 3, 8, id="randint leaves its end out"),
    ],
)
def test_draws_stay_in_their_bounds(form: str, low: float, high: float) -> None:
    found = [row["x"] for row in drawn(x=form)]
    assert low <= min(found) < low + (high - low) / 3
    assert high >= max(found) > high - (high - low) / 3


def test_randint_gives_every_integer_and_no_other() -> None:
    assert {row["x"] for row in drawn(x="randint:3:9")} == {3, 4, 5, 6, 7, 8}


def test_loguniform_is_even_in_the_exponent() -> None:
    below = sum(row["x"] < 1e-3 for row in drawn(2000, x="loguniform:1e-5:1e-1"))
    assert 900 < below < 1100


def test_normal_has_its_mean_and_deviation() -> None:
    found = [row["x"] for row in drawn(4000, x="normal:5:2")]
    assert abs(np.mean(found) - 5) < 0.15
    assert abs(np.std(found) - 2) < 0.15


def test_wide_randint_stays_below_its_end() -> None:
    class Highest(random.Random):
        def random(self) -> float:
            return 1 - 2**-53

    distribution = parse_axis("x", f"randint:0:{2**62}", "x").distribution
    assert distribution is not None
    assert int(distribution.draw(Highest())) < 2**62


def test_draws_are_the_same_everywhere() -> None:
    (row,) = drawn(1, 7, a="uniform:0:1", b="randint:0:1000")
    assert row == {
        "a": random.Random("7:a").random(),
        "b": int(random.Random("7:b").random() * 1000),
    }


@given(st.integers(), st.sampled_from(list(itertools.permutations("abc"))))
def test_draws_depend_on_nothing_but_seed_and_name(seed: int, order: tuple[str, ...]) -> None:
    alone = drawn(3, seed, a="uniform:0:1")
    together = drawn(3, seed, **dict.fromkeys(order, "uniform:0:1"))
    assert [row["a"] for row in together] == [row["a"] for row in alone]


def test_another_seed_draws_others() -> None:
    assert drawn(5, 1, a="uniform:0:1") != drawn(5, 2, a="uniform:0:1")


# --- Python --------------------------------------------------------------------------------------


class Mode(enum.Enum):
    FAST = 1
    SLOW = 2


PYTHON = [
    pytest.param([1, "a", None], [1, "a", None], id="list of anything"),
    pytest.param((1, 2), [1, 2], id="tuple"),
    pytest.param(range(3), [0, 1, 2], id="range"),
    pytest.param({3, 1, 2}, [1, 2, 3], id="set, sorted"),
    pytest.param({"b", 1}, ["b", 1], id="set that cannot be sorted"),
    pytest.param({"a": 1}.keys(), ["a"], id="keys of a dict"),
    pytest.param((n * n for n in range(3)), [0, 1, 4], id="generator"),
    pytest.param(Mode, [Mode.FAST, Mode.SLOW], id="enum"),
    pytest.param([[1, 2], [3]], [[1, 2], [3]], id="lists as values"),
    pytest.param(["range:0:3"], ["range:0:3"], id="form in a list is text"),
    pytest.param("range:0:3", ["0", "1", "2"], id="form"),
    pytest.param(np.array([1, 2]), [1, 2], id="array"),
    pytest.param(np.linspace(0, 1, 3), [0.0, 0.5, 1.0], id="array of floats"),
    pytest.param(CellText("1,range:2:4"), ["1", "2", "3"], id="text of a data file"),
]


@pytest.mark.parametrize(("given_", "expected"), PYTHON)
def test_python_is_read(given_: object, expected: list[object]) -> None:
    assert [value for (value,) in read_axis("x", given_, "Sweep").rows()] == expected


def test_array_gives_python_numbers() -> None:
    ((value,),) = read_axis("x", np.array([1], dtype=np.int8), "Sweep").rows()
    assert type(value) is int


def test_matrix_gives_its_rows_as_arrays() -> None:
    rows = [value for (value,) in read_axis("x", np.eye(2), "Sweep").rows()]
    assert [type(row) for row in rows] == [np.ndarray, np.ndarray]
    assert [list(row) for row in rows] == [[1, 0], [0, 1]]  # type: ignore[call-overload]


def test_matrix_for_two_targets_gives_python_numbers() -> None:
    axis = read_axis(("a", "b"), np.array([[1, 2], [3, 4]]), "Sweep")
    assert list(axis.rows()) == [(1, 2), (3, 4)]


def test_list_changed_later_changes_no_axis() -> None:
    given_ = [1, 2]
    axis = read_axis("x", given_, "Sweep")
    given_.append(3)
    assert list(axis.rows()) == [(1,), (2,)]


BAD_PYTHON = [
    pytest.param("x", [], "empty", id="empty list"),
    pytest.param("x", range(0), "empty", id="empty range"),
    pytest.param("x", np.array([]), "empty", id="empty array"),
    pytest.param("x", 0.1, "write [0.1]", id="number"),
    pytest.param("x", None, "write [None]", id="None"),
    pytest.param("x", len, "write [len]", id="function"),
    pytest.param("x", np.array(3), "not a list", id="array of no dimension"),
    pytest.param("x", {"a": 1}, "not a list", id="dict"),
    pytest.param("x", b"ab", "not a list", id="bytes"),
    pytest.param("x", "adam", "write a list, ['adam']", id="text"),
    pytest.param("x", "0.1,0.2", "write a list", id="text with a comma"),
    pytest.param("x", "http://x", "write a list", id="text with a colon"),
    pytest.param("x", "rnage:0:5", "Did you mean 'range'", id="mistyped form"),
    pytest.param(3, [1], "named by its target", id="number as a target"),
    pytest.param("", [1], "named by its target", id="empty target"),
    pytest.param((), [1], "named by its target", id="no targets"),
    pytest.param(("a", "a"), [(1, 2)], "names a target twice", id="a target twice in a tuple"),
    pytest.param(("a", "b"), [(1, 2), (3,)], "row 1 of 'a', 'b' is not 2 values", id="short row"),
    pytest.param(("a", "b"), [1, 2], "row 0 of 'a', 'b' is not 2 values: 1", id="row of one value"),
    pytest.param(("a", "b"), ["ab"], "row 0", id="text as a row"),
    pytest.param(("a", "b"), "range:0:2", "write a list", id="form for two targets"),
]


@pytest.mark.parametrize(("key", "given_", "message"), BAD_PYTHON)
def test_python_is_refused(key: object, given_: object, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_axis(key, given_, "cfg.py:3")
    assert str(caught.value).startswith("cfg.py:3: ")
    assert message in str(caught.value)
