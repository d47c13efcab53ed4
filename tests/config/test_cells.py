"""Cells: what they are by themselves, and what they are for a parameter."""

from __future__ import annotations

import copy
import math
import pathlib
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.config.cells import CellList, CellMap, CellText, is_cell, native
from kohaku_ast.config.text_values import MemberName, TextValueError, parse_cell

BOOL, INT, FLOAT, STR, BYTES, LIST, TUPLE, DICT, SET, FROZENSET, NONE, ANY = [
    (kind,)
    for kind in (
        "bool", "int", "float", "str", "bytes", "list", "tuple", "dict", "set", "frozenset",
        "none", "any",
    )
]  # fmt: skip
PATH = ("path", "pathlib.PurePosixPath")
MODE = ("enum", "Mode", ("FAST", "SLOW"))
NULL = CellText("null", is_null=True)


def plain(text: str) -> CellText:
    return CellText(text)


def quoted(text: str) -> CellText:
    return CellText(text, is_quoted=True)


def cells(*texts: str) -> CellList:
    return CellList(map(plain, texts))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True), ("True", True), ("FALSE", False), ("tRue", "tRue"), ("yes", "yes"), ("on", "on"),
        ("null", None), ("~", None), ("None", None), ("Null", None), ("", ""),
        ("3", 3), ("-3", -3), ("+3", 3), ("1_000", 1000), ("0x1F", 31), ("-0x1f", -31), ("0o17", 15), ("0b1", 1),
        ("007", "007"), ("-01", "-01"), ("0_1", "0_1"), ("0", 0), ("1__0", "1__0"),
        ("1e-3", 0.001), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("00.5", 0.5), ("1.5_0", 1.5),
        ("inf", math.inf), ("-inf", -math.inf), (".inf", math.inf), ("-.INF", -math.inf), ("Infinity", math.inf),
        ("1:30", "1:30"), ("2020-01-01", "2020-01-01"), ("1 2", "1 2"), (" 3", " 3"), ("٣", "٣"), ("1.2.3", "1.2.3"),
        ("[1, 2]", "[1, 2]"), ("e3", "e3"), ("1e", "1e"), ("0x", "0x"),
    ],
)  # fmt: skip
def test_native_of_plain_text(text: str, value: Any) -> None:
    found = native(plain(text))
    assert (found, type(found)) == (value, type(value))
    assert native(quoted(text)) == text
    assert type(native(quoted(text))) is str


def test_native_is_recursive_and_leaves_the_rest_alone() -> None:
    cell = CellMap({plain("1"): CellList([plain("2"), quoted("3")]), quoted("4"): CellMap(a=NULL)})
    assert native(cell) == {1: [2, "3"], "4": {"a": None}}
    assert (type(native(cell)), type(native(cells()))) == (dict, list)
    assert native(marker := object()) is marker
    assert math.isnan(native(plain(".nan")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_cells_survive_copies(copied: Any) -> None:
    for cell in (quoted("1"), NULL, CellMap(a=CellList([quoted("2")]))):
        found = copied(cell)
        assert (found, type(found), native(found)) == (cell, type(cell), native(cell))


def test_what_is_a_cell() -> None:
    assert all(map(is_cell, [plain("1"), cells(), CellMap()]))
    assert not any(map(is_cell, ["1", [], {}, None]))
    assert (plain("1"), cells("1"), CellMap(a=plain("1"))) == ("1", ["1"], {"a": "1"})


@pytest.mark.parametrize(
    ("cell", "reading", "value"),
    [
        pytest.param(plain("yes"), BOOL, True, id="bool"),
        pytest.param(quoted("1"), BOOL, True, id="quoted bool"),
        pytest.param(plain("1e3"), INT, 1000, id="int in scientific notation"),
        pytest.param(quoted("3"), INT, 3, id="quoted int"),
        pytest.param(plain("3"), FLOAT, 3.0, id="float from int"),
        pytest.param(plain("007"), INT, 7, id="int with zeros"),
        pytest.param(plain("007"), STR, "007", id="text is never parsed"),
        pytest.param(plain("null"), STR, "null", id="text that is a word elsewhere"),
        pytest.param(plain("'a, b'"), STR, "a, b", id="text in quotes of its own"),
        pytest.param(quoted("'a'"), STR, "'a'", id="quoted text keeps its inner quotes"),
        pytest.param(plain("Hello, you"), STR, "Hello, you", id="comma"),
        pytest.param(plain("a/b"), PATH, pathlib.PurePosixPath("a/b"), id="path"),
        pytest.param(quoted("'a'"), PATH, pathlib.PurePosixPath("'a'"), id="quoted path"),
        pytest.param(plain("b'x'"), BYTES, b"x", id="bytes"),
        pytest.param(plain("FAST"), MODE, MemberName("FAST", "Mode"), id="member"),
        pytest.param(plain("0.1"), NONE, 0.1, id="number where the default is None"),
        pytest.param(quoted("0.1"), NONE, "0.1", id="quoted number where the default is None"),
        pytest.param(plain("(1, 2)"), ANY, (1, 2), id="Python literal where nothing is known"),
        pytest.param(plain("'a'"), ANY, "a", id="Python text where nothing is known"),
        pytest.param(quoted("'a'"), ANY, "'a'", id="quoted text where nothing is known"),
        pytest.param(plain(".inf"), ANY, math.inf, id="YAML's infinity where nothing is known"),
        pytest.param(cells("1", "a"), ANY, [1, "a"], id="list where nothing is known"),
        pytest.param(NULL, NONE, None, id="null where the default is None"),
        pytest.param(plain("tRUE"), NONE, True, id="word in any case where the default is None"),
        pytest.param(NULL, ("inferred", INT), None, id="null without annotation"),
        pytest.param(plain(".inf"), FLOAT, math.inf, id="YAML's infinity for a float"),
        pytest.param(plain("Infinity"), FLOAT, math.inf, id="JSON's infinity for a float"),
        pytest.param(cells("1", "2"), ("call", LIST, "f(", ")"), [1, 2], id="list for a call"),
        pytest.param(cells("2021", "1"), ("date", "date"), (2021, 1), id="list for a date"),
        pytest.param(quoted("2021-10-12"), ("date", "date"), (2021, 10, 12), id="quoted date"),
        pytest.param(NULL, ("optional", STR), None, id="null for an optional text"),
        pytest.param(plain("~"), ("optional", INT), None, id="tilde for an optional number"),
        pytest.param(quoted("null"), ("optional", STR), "null", id="quoted null for an optional text"),
        pytest.param(plain("3"), ("optional", INT), 3, id="optional number"),
        pytest.param(NULL, ("literal", ("a", None)), None, id="null among choices"),
        pytest.param(plain("3"), ("literal", ("3", 3)), 3, id="plain choice of two types"),
        pytest.param(quoted("3"), ("literal", (3, "3")), "3", id="quoted choice of two types"),
        pytest.param(quoted("3"), ("union", INT, STR), "3", id="quoted number of a union with text"),
        pytest.param(plain("3"), ("union", STR, INT), 3, id="plain number of a union with text"),
        pytest.param(cells("1"), ("union", INT, TUPLE), (1,), id="list for a union with tuple"),
        pytest.param(cells("1", "b"), LIST, [1, "b"], id="list"),
        pytest.param(cells("1", "2"), TUPLE, (1, 2), id="list for a tuple"),
        pytest.param(cells("1", "1"), SET, {1}, id="list for a set"),
        pytest.param(cells("1"), FROZENSET, frozenset({1}), id="list for a frozenset"),
        pytest.param(plain("[1, 2]"), LIST, [1, 2], id="text of a list"),
        pytest.param(quoted("(1, 2)"), LIST, [1, 2], id="quoted text of a tuple for a list"),
        pytest.param(CellMap({plain("1"): plain("2")}), DICT, {1: 2}, id="mapping"),
        pytest.param(plain("{'a': 1}"), DICT, {"a": 1}, id="text of a mapping"),
    ],
)  # fmt: skip
def test_cell_for_a_parameter(cell: Any, reading: Any, value: Any) -> None:
    found = parse_cell(cell, reading)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("cell", "reading", "words"),
    [
        pytest.param(plain("maybe"), BOOL, "expected bool, got 'maybe'", id="no bool"),
        pytest.param(plain("0.5"), INT, "expected int, got '0.5'", id="fraction for int"),
        pytest.param(NULL, FLOAT, "expected float, got null (for that word", id="null for a number"),
        pytest.param(NULL, STR, "expected str, got null (for that word", id="null for a text"),
        pytest.param(plain("1e999"), ("float",), "expected float, got '1e999': no float holds 1e999", id="beyond floats"),
        pytest.param(plain("-1e999"), ("none",), "no float holds -1e999", id="beyond floats, for None"),
        pytest.param(cells("1e999", "1"), LIST, "expected list, got [inf, 1]: no float holds 1e999", id="beyond floats in a list"),
        pytest.param(cells("1e999", "1"), TUPLE, "no float holds 1e999", id="beyond floats in a tuple"),
        pytest.param(CellMap({plain("a"): cells("1", "1e999")}), ("dict",), "no float holds 1e999", id="beyond floats deep in a dict"),
        pytest.param(CellMap({plain("a"): plain("1e999")}), ("any",), "no float holds 1e999", id="beyond floats of any type"),
        pytest.param(plain("1.5e9999"), ("inferred", ("number",)), "expected int", id="beyond numbers"),
        pytest.param(quoted("abc"), ("class", "Foo"), "text cannot make one", id="text for a class"),
        pytest.param(plain("abc"), ("class", "Foo"), "text cannot make one", id="word for a class"),
        pytest.param(quoted("null"), ("optional", INT), "int or None", id="quoted null for a number"),
        pytest.param(cells("1"), INT, "expected int, got [1]", id="list for a number"),
        pytest.param(cells("a"), STR, "expected str, got ['a']", id="list for a text"),
        pytest.param(cells("a"), PATH, "got ['a']", id="list for a path"),
        pytest.param(CellMap(a=plain("1")), LIST, "expected list, got {'a': 1}", id="mapping for a list"),
        pytest.param(CellMap(a=plain("1")), SET, "expected set, got {'a': 1}", id="mapping for a set"),
        pytest.param(CellMap(), INT, "expected int, got {}", id="mapping for a number"),
        pytest.param(CellMap(a=plain("1")), ("optional", INT), "int or None", id="mapping for an optional"),
        pytest.param(cells("1"), DICT, "expected dict, got [1]", id="list for a mapping"),
        pytest.param(plain("3"), LIST, "expected list, got '3'. Did you mean [3]?", id="number for a list"),
        pytest.param(plain("a.pt"), LIST, "got 'a.pt'. Did you mean [\"a.pt\"]?", id="text for a list"),
        pytest.param(plain("3"), TUPLE, "Did you mean (3,)?", id="number for a tuple"),
        pytest.param(CellList([cells("1")]), SET, "expected set, got [[1]]", id="lists in a set"),
        pytest.param(plain("fst"), MODE, "Did you mean 'FAST'?", id="near a member"),
        pytest.param(cells("a"), ("literal", ("a", "b")), "one of 'a', 'b'", id="list for a choice"),
        pytest.param(plain("x" * 5000), INT, "(5000 characters)", id="long text"),
        pytest.param(cells(*["1"] * 500), INT, "...", id="long list"),
    ],
)  # fmt: skip
def test_cell_that_does_not_fit(cell: Any, reading: Any, words: Any) -> None:
    with pytest.raises(TextValueError) as caught:
        parse_cell(cell, reading)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.text(), st.booleans())
def test_text_reaches_a_text_parameter_unchanged(text: str, is_quoted: Any) -> None:
    if is_quoted or text[:1] not in ("'", '"'):
        assert parse_cell(CellText(text, is_quoted), STR) == text


@given(st.floats(allow_nan=False) | st.integers() | st.booleans())
def test_repr_is_read_back(value: Any) -> None:
    found = native(plain(repr(value)))
    assert (found, type(found)) == (value, type(value))
    assert parse_cell(plain(repr(value)), (type(value).__name__,)) == value
