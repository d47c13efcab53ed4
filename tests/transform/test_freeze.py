"""Values written into a script: which have a literal form, and where they go."""

from __future__ import annotations

import enum
import math
import os
import pathlib
from collections import OrderedDict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.config.text_values import MemberName
from kohaku_ast.errors import FreezeError
from kohaku_ast.transform.edit.freeze import freeze
from kohaku_ast.transform.edit.value_text import LiteralError, in_encoding, literal
from kohaku_ast.transform.find.source import Source
from kohaku_ast.transform.program.program import Request

Point = namedtuple("Point", "x y")


class Colour(enum.IntEnum):
    RED = 1


class Real(float):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(None, "None", id="None"),
        pytest.param(True, "True", id="a truth value"),
        pytest.param(-3, "-3", id="a negative integer"),
        pytest.param(0.1, "0.1", id="a float"),
        pytest.param(-0.0, "-0.0", id="minus zero"),
        pytest.param(1e300, "1e+300", id="a large float"),
        pytest.param(float("inf"), 'float("inf")', id="infinity"),
        pytest.param(float("-inf"), 'float("-inf")', id="minus infinity"),
        pytest.param(float("nan"), 'float("nan")', id="not a number"),
        pytest.param(1 - 2j, "(1-2j)", id="a complex number"),
        pytest.param(complex(-0.0, 1), "complex(-0.0, 1.0)", id="a complex minus zero"),
        pytest.param("it's", '"it\'s"', id="text with a quote"),
        pytest.param("a\r\nb\t\0", "'a\\r\\nb\\t\\x00'", id="text with line ends"),
        pytest.param("x" * 5000, "'" + "x" * 5000 + "'", id="long text"),
        pytest.param("\udc80", "'\\udc80'", id="half a surrogate"),
        pytest.param(b"\xff", "b'\\xff'", id="bytes"),
        pytest.param(..., "...", id="Ellipsis"),
        pytest.param([], "[]", id="an empty list"),
        pytest.param((1,), "(1,)", id="a tuple of one"),
        pytest.param((), "()", id="an empty tuple"),
        pytest.param({"a": [1, {"b": None}]}, "{'a': [1, {'b': None}]}", id="nested"),
        pytest.param({}, "{}", id="an empty dict"),
        pytest.param(set(), "set()", id="an empty set"),
        pytest.param({"b", "a"}, "{'a', 'b'}", id="a set of texts, sorted"),
        pytest.param(frozenset(), "frozenset()", id="an empty frozenset"),
        pytest.param(frozenset({1}), "frozenset({1})", id="a frozenset"),
        pytest.param(MemberName("FAST", "Args.Mode"), "Args.Mode.FAST", id="a member of an enum"),
    ],
)
def test_literal(value: object, text: str) -> None:
    assert literal(value) == text


_LOOP: list[object] = []
_LOOP.append(_LOOP)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(len, "builtin_function_or_method", id="a builtin"),
        pytest.param(lambda: 1, "function", id="a lambda"),
        pytest.param(os, "module", id="a module"),
        pytest.param(int, "type", id="a class"),
        pytest.param(object(), "object", id="an object"),
        pytest.param(range(3), "range", id="a range"),
        pytest.param(bytearray(b"x"), "bytearray", id="a bytearray"),
        pytest.param(Point(1, 2), "Point", id="a namedtuple is no tuple"),
        pytest.param(Colour.RED, "Colour", id="a member of an enum of another file"),
        pytest.param(Real(1.0), "Real", id="a kind of float"),
        pytest.param(OrderedDict(a=1), "collections.OrderedDict", id="a kind of dict"),
        pytest.param(pathlib.Path("x"), "pathlib.", id="a path where nothing is imported"),
        pytest.param({"a": (1, [len])}, "builtin_function", id="deep inside"),
        pytest.param({len: 1}, "builtin_function", id="as a key"),
        pytest.param(_LOOP, "nested", id="a list in itself"),
    ],
)
def test_no_literal(value: object, said: str) -> None:
    with pytest.raises(LiteralError, match=said):
        literal(value)


_hashable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers()
    | st.text() | st.binary() | st.just(...),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
_values = st.recursive(
    _hashable,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=3).map(tuple)
        | st.sets(_hashable, max_size=3)
        | st.dictionaries(_hashable, inner, max_size=3)
    ),
    max_leaves=12,
)


def shape(value: object) -> object:
    """Equal for equal values of one type at every depth; nan is nan, and -0.0 is not 0.0."""
    if isinstance(value, (list, tuple)):
        return type(value), [shape(inner) for inner in value]
    if isinstance(value, dict):
        return dict, [shape(item) for item in value.items()]
    if isinstance(value, (set, frozenset)):
        return type(value), sorted(repr(shape(inner)) for inner in value)
    return type(value), repr(value)


@given(_values)
def test_a_literal_evaluates_to_the_same_value(value: object) -> None:
    assert shape(eval(literal(value))) == shape(value)


@given(_values, st.sampled_from(["latin-1", "cp1252", "shift_jis", "ascii", "utf-8"]))
def test_a_literal_survives_the_encoding_of_its_file(value: object, encoding: str) -> None:
    text = in_encoding(literal(value), encoding)
    assert shape(eval(text.encode(encoding).decode(encoding))) == shape(value)


def test_an_integer_that_python_does_not_print() -> None:
    assert eval(literal(-(7**9000))) == -(7**9000)


def test_order_of_a_set_of_numbers_is_kept() -> None:
    assert literal(eval("{8, 0}")) == "{8, 0}"


def frozen(text: str, **values: object) -> str:
    targets = tuple((name, False, False) for name in values)
    return freeze(Source("train.py", text), Request(targets=targets), values)


def frozen_at(text: str, target: str, value: object) -> str:
    request = Request(targets=((target, False, False),))
    return freeze(Source("train.py", text), request, {target: value})


PATHLIB = "from pathlib import Path\n"


@pytest.mark.parametrize(
    ("before", "target", "value", "after"),
    [
        pytest.param("lr = 1  # note\n", "lr", 2, "lr = 2  # note\n", id="comment stays"),
        pytest.param("lr: float\n", "lr", 2.5, "lr: float = 2.5\n", id="declared only"),
        pytest.param("a = b = 1\n", "b", [2], "a = b = 1; b = [2]\n", id="one of a chain"),
        pytest.param("x = 1\r\ny = 2\r\n", "y", 3, "x = 1\r\ny = 3\r\n", id="CRLF"),
        pytest.param(PATHLIB + "d = Path('a')\n", "d", pathlib.Path("b"),
                     PATHLIB + "d = Path('b')\n", id="a path as the default"),
        pytest.param("import pathlib as p\nd = None\n", "d", pathlib.PurePosixPath("b"),
                     "import pathlib as p\nd = p.PurePosixPath('b')\n", id="a path by its module"),
        pytest.param("class A:\n  x: list = field(default_factory=list)\n", "A.x", [1],
                     "class A:\n  x: list = field(default_factory=(lambda: [1]))\n", id="factory"),
        pytest.param("p.add_argument('--lr', required=True)\n", "--lr", 3,
                     "p.add_argument('--lr', required=False, default=3)\n", id="option"),
        pytest.param("args = parser.parse_args()\n", "args.lr", 3,
                     "args = parser.parse_args(); args.lr = 3\n", id="path: parsed options"),
        pytest.param("cfg = dict(base)\n", "cfg.lr", 3, "cfg = dict(base); cfg['lr'] = 3\n",
                     id="path: a dict"),
        pytest.param("cfg = {**base}\n", "cfg.class", 3, "cfg = {**base}; cfg['class'] = 3\n",
                     id="path: an unpacked dict"),
        pytest.param("xs = load()\n", "xs[0]", 3, "xs = load(); xs[0] = 3\n", id="path: an index"),
        pytest.param("class A: pass\na = A()\n", "a.lr", 3, "class A: pass\na = A(); a.lr = 3\n",
                     id="path: an object of a plain class"),
    ],
)  # fmt: skip
def test_freezes(before: str, target: str, value: object, after: str) -> None:
    assert frozen_at(before, target, value) == after


@pytest.mark.parametrize(
    ("text", "target", "value", "said"),
    [
        pytest.param("f = 1\n", "f", len, "builtin_function_or_method", id="a function"),
        pytest.param("d = 'a'\n", "d", pathlib.Path("b"), "has not imported", id="an unknown path"),
        pytest.param(f"d = 1\n{PATHLIB}", "d", pathlib.Path("b"), "has not imported",
                     id="a path imported below"),
        pytest.param("class Path: ...\nd = Path('a')\n", "d", pathlib.Path("b"), "has not imported",
                     id="a path, and a Path of another kind"),
        pytest.param("def float(x): ...\nlr = 1\n", "lr", math.inf, "needs 'float'",
                     id="float means another thing"),
        pytest.param("from numpy import float\nlr = 1\n", "lr", [math.nan], "needs 'float'",
                     id="float is imported"),
        pytest.param("cfg = load()\n", "cfg.lr", 1, "item or an attribute", id="path: a call"),
        pytest.param("args = parser.parse_args()\n", "args.a.b", 1, "item or an attribute",
                     id="path: two steps"),
        pytest.param("class A(dict): ...\na = A()\n", "a.lr", 1, "item or an attribute",
                     id="path: an object of a class with bases"),
        pytest.param("def dict(x): ...\na = dict(b)\n", "a.lr", 1, "item or an attribute",
                     id="path: a function of that name"),
        pytest.param("args = parser.parse_args()\n", "args.class", 1, "item or an attribute",
                     id="path: no identifier"),
    ],
)  # fmt: skip
def test_refuses(text: str, target: str, value: object, said: str) -> None:
    with pytest.raises(FreezeError, match=said) as raised:
        frozen_at(text, target, value)
    assert repr(target) in str(raised.value)


def test_all_that_is_refused_is_named_at_once() -> None:
    with pytest.raises(FreezeError) as raised:
        frozen("a = 1\nb = 2\nc = 3\n", a=len, b=5, c=[os])
    message = str(raised.value)
    assert "'a' (line 1)" in message
    assert "'c' (line 3)" in message
    assert "'b'" not in message


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('"""Doc."""\nx = 1\n', '"""Doc."""; new = 2\nx = 1\n', id="docstring"),
        pytest.param(
            "from __future__ import annotations  # so\nx = 1\n",
            "from __future__ import annotations; new = 2  # so\nx = 1\n",
            id="future import",
        ),
        pytest.param(
            "#!/usr/bin/env python\n# coding: latin-1\n\nx = 1\n",
            "#!/usr/bin/env python\n# coding: latin-1\n\nnew = 2\nx = 1\n",
            id="shebang and cookie",
        ),
        pytest.param(
            "@a\n@b\ndef f(): ...\r\n", "new = 2\r\n@a\n@b\ndef f(): ...\r\n", id="decorators"
        ),
        pytest.param("if x: pass\n", "new = 2\nif x: pass\n", id="a block"),
    ],
)
def test_added_names_come_first(before: str, after: str) -> None:
    newline = "\r\n" if "\r\n" in after else "\n"
    text = before.replace("\r\n", "\n").replace("\n", newline)
    expected = after.replace("\r\n", "\n").replace("\n", newline)
    assert freeze(Source("train.py", text), Request(), {}, {"new": 2}) == expected


def test_an_added_name_without_a_literal_is_refused() -> None:
    with pytest.raises(FreezeError, match="'new'"):
        freeze(Source("train.py", "x = 1\n"), Request(), {}, {"new": len})
