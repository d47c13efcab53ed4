"""Text into values: what is accepted, what is refused, and that repr() is always read back."""

from __future__ import annotations

import math
import pathlib
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kohaku_ast.config.cells import find_commas
from kohaku_ast.config.text_values import (
    MemberName,
    TextValueError,
    parse_as_is,
    parse_cell,
    parse_value,
)
from kohaku_ast.value_types import Reading, describe

BOOL, INT, FLOAT, COMPLEX, STR, BYTES = [
    (kind,) for kind in ("bool", "int", "float", "complex", "str", "bytes")
]
LIST, TUPLE, DICT, SET, FROZENSET = [
    (kind,) for kind in ("list", "tuple", "dict", "set", "frozenset")
]
NONE, ANY, PATH = ("none",), ("any",), ("path", "pathlib.Path")
MODE = ("enum", "Mode", ("FAST", "SLOW"))
NESTED = ("enum", "Args.Mode", None)
SOLVER = ("literal", ("sgd", "adam", 3, True, None))
NUMBER = ("union", STR, FLOAT, INT, BOOL)


def case(name: str, text: str, reading: Reading, *value: object) -> object:
    return pytest.param(text, reading, *value, id=name)


ACCEPTED = [
    case("bool word", "Yes", BOOL, True),
    case("bool off", "off", BOOL, False),
    case("bool digit", "1", BOOL, True),
    case("bool with blanks", " TRUE ", BOOL, True),
    case("int", "3", INT, 3),
    case("negative int", "-3", INT, -3),
    case("int with underscores", "1_000", INT, 1000),
    case("hexadecimal int", "0x10", INT, 16),
    case("int in scientific notation", "1e3", INT, 1000),
    case("int beyond a float, exactly", "1e23", INT, 10**23),
    case("int from a fraction and an exponent", "-1.25e2", INT, -125),
    case("whole number with a point", "3.0", INT, 3),
    case("whole after a negative exponent", "1200e-2", INT, 12),
    case("zero with any exponent", "0e999999999", INT, 0),
    case("int with leading zeros", "007", INT, 7),
    case("float", "0.1", FLOAT, 0.1),
    case("float from int", "3", FLOAT, 3.0),
    case("float with underscores", "1_000.5", FLOAT, 1000.5),
    case("minus infinity", "-inf", FLOAT, -math.inf),
    case("float from hexadecimal", "0x10", FLOAT, 16.0),
    case("complex", "1+2j", COMPLEX, 1 + 2j),
    case("str that looks like an int", "007", STR, "007"),
    case("str that looks like a float", "1e3", STR, "1e3"),
    case("str that looks like None", "None", STR, "None"),
    case("empty str", "", STR, ""),
    case("str keeps its blanks", " a ", STR, " a "),
    case("quoted str", "'a, b'", STR, "a, b"),
    case("quoted str with escapes", r'"a\n\"b\""', STR, 'a\n"b"'),
    case("triple quoted str", "'''a'b'''", STR, "a'b"),
    case("empty quoted str", "''", STR, ""),
    case("two quoted strings are text", "'a' 'b'", STR, "'a' 'b'"),
    case("lone quote is text", "'", STR, "'"),
    case("quote never closed", r"'a\'", STR, r"'a\'"),
    case("comma in a call's brackets", "f(a, b)", STR, "f(a, b)"),
    case("comma in inner quotes", 'say "a, b"', STR, 'say "a, b"'),
    case("bracketed text", "[a, b]", STR, "[a, b]"),
    case("str of many brackets", "(" * 10000, STR, "(" * 10000),
    case("invalid escape", r"'\d'", STR, r"\d"),
    case("bytes", "b'a,b'", BYTES, b"a,b"),
    case("none reads a literal", "[1, 2]", NONE, [1, 2]),
    case("none reads text", "adam", NONE, "adam"),
    case("none knows YAML's words", "true", NONE, True),
    case("none knows no word of bool", "no", NONE, "no"),
    case("none knows a signed infinity", "-INF", NONE, -math.inf),
    case("none keeps quoted words", "'null'", NONE, "null"),
    case("any knows YAML's words of truth", "False", ANY, False),
    case("any knows them in lower case", "false", ANY, False),
    case("any knows an infinity", "-inf", ANY, -math.inf),
    case("any keeps a choice called none", "none", ANY, "none"),
    case("any keeps null", "null", ANY, "null"),
    case("any knows no word of bool", "off", ANY, "off"),
    case("any keeps quoted words", "'false'", ANY, "false"),
    case("number is an int", "3", ("number",), 3),
    case("number is a float", "0.5", ("number",), 0.5),
    case("number is infinite", ".inf", ("number",), math.inf),
    case("inferred is None", "None", ("inferred", INT), None),
    case("date as parts", "2021-10-12", ("date", "date"), (2021, 10, 12)),
    case("date as a tuple", "(2021, 10)", ("date", "date"), (2021, 10)),
    case(
        "datetime without seconds", "2021-10-12T08:30", ("date", "datetime"), (2021, 10, 12, 8, 30)
    ),
    case("class reads a literal", "[1]", ("class", "Foo"), [1]),
    case("YAML's infinity", "-.Inf", FLOAT, -math.inf),
    case("any reads None", "None", ANY, None),
    case("any keeps text with a hash", "12#3", ANY, "12#3"),
    case("any keeps leading zeros", "007", ANY, "007"),
    case("any keeps hostile brackets", "[" * 9999, ANY, "[" * 9999),
    case("any keeps hostile signs", "-" * 99999 + "1", ANY, "-" * 99999 + "1"),
    case("any keeps a null byte", "1\0", ANY, "1\0"),
    case("list", "[1, 'a']", LIST, [1, "a"]),
    case("list from tuple", "(1, 2)", LIST, [1, 2]),
    case("tuple from list", "[1, 2]", TUPLE, (1, 2)),
    case("tuple of one", "(1,)", TUPLE, (1,)),
    case("dict", "{'a': [1, 2]}", DICT, {"a": [1, 2]}),
    case("empty set", "set()", SET, set()),
    case("empty set in braces", "{}", SET, set()),
    case("set from list", "[1, 1]", SET, {1}),
    case("frozenset from set", "{1}", FROZENSET, frozenset({1})),
    case("frozenset as Python writes it", "frozenset({1})", FROZENSET, frozenset({1})),
    case("path", "~/a b", PATH, pathlib.Path("~/a b")),
    case("quoted path", "'a,b'", PATH, pathlib.Path("a,b")),
    case("optional None", "null", ("optional", INT), None),
    case("optional value", "3", ("optional", INT), 3),
    case("optional str None", "None", ("optional", STR), None),
    case("optional str quoted None", "'None'", ("optional", STR), "None"),
    case("union takes Python's own type", "1", NUMBER, 1),
    case("union float", "1.0", NUMBER, 1.0),
    case("union bool word", "off", NUMBER, False),
    case("union text", "auto", NUMBER, "auto"),
    case("union quoted number", "'1'", NUMBER, "1"),
    case("union list", "[1]", ("union", STR, LIST), [1]),
    case("literal str", "adam", SOLVER, "adam"),
    case("literal quoted", "'adam'", SOLVER, "adam"),
    case("literal int", "3", SOLVER, 3),
    case("literal bool", "yes", SOLVER, True),
    case("literal None", "null", SOLVER, None),
    case("enum member", "FAST", MODE, "FAST"),
    case("enum member in full", "Mode.FAST", MODE, "FAST"),
    case("enum with unknown members", "Mode.ANY", NESTED, "ANY"),
    case("nested enum in full", "Args.Mode.ANY", NESTED, "ANY"),
]

REFUSED = [
    case("bool from a number", "2", BOOL),
    case("bool from a float", "1.0", BOOL),
    case("empty bool", "", BOOL),
    case("bool from None", "None", BOOL),
    case("bool from a prefix", "t", BOOL),
    case("int from a fraction", "0.1", INT),
    case("int from true", "true", INT),
    case("int from True", "True", INT),
    case("int from inf", "inf", INT),
    case("int from nan", "nan", INT),
    case("int from nothing", "", INT),
    case("int too small to be whole", "1e-999999999", INT),
    case("int that fills the memory", "1e999999999", INT),
    case("int with a long exponent", "1e" + "9" * 5000, INT),
    case("int in other digits", "٣", INT),
    case("int with two underscores", "1__0", INT),
    case("int expression", "10*1024", INT),
    case("quoted int", "'3'", INT),
    case("int with a comma", "1,000", INT),
    case("int not quite whole", "1.00000000000000000001", INT),
    case("float from a word", "fast", FLOAT),
    case("float from True", "True", FLOAT),
    case("float from nothing", "", FLOAT),
    case("float list", "0.1,0.2", FLOAT),
    case("float from huge hexadecimal", "0x" + "f" * 999, FLOAT),
    case("float with null byte", "1\0", FLOAT),
    case("complex from a word", "i", COMPLEX),
    case("str with comma", "a,b", STR),
    case("str with comma after a word's apostrophe", "don't, can't", STR),
    case("str of two quoted parts", "'a','b'", STR),
    case("str with unpaired bracket", "smile :(, ok", STR),
    case("long str with comma", "a, " * 1000, STR),
    case("path with comma", "a,b", PATH),
    case("any with comma", "1,2", ANY),
    case("none with comma", "a,b", NONE),
    case("bytes from text", "abc", BYTES),
    case("bytes from str", "'abc'", BYTES),
    case("list from a number", "1", LIST),
    case("list from text", "'ab'", LIST),
    case("list from bare items", "1,2", LIST),
    case("list from two lists", "[1],[2]", LIST),
    case("list never closed", "[1, 2", LIST),
    case("list from set", "{1}", LIST),
    case("list with names", "[a]", LIST),
    case("list and a comment", "[1] # two", LIST),
    case("hostile brackets", "(" * 10000, LIST),
    case("hostile nested lists", "[" * 5000 + "]" * 5000, LIST),
    case("hostile signs", "-" * 99999 + "1", LIST),
    case("hostile sum", "1+" * 50000 + "1", TUPLE),
    case("hostile words run together", "1if 1else " * 300 + "1", LIST),
    case("hostile quotes", "'" + "\\'" * 100000, LIST),
    case("null byte in list", "[1\0]", LIST),
    case("half a surrogate", "['\udc80']", LIST),
    case("tuple from bare items", "1,", TUPLE),
    case("dict from a list", "[1]", DICT),
    case("dict with a list as key", "{[]: 1}", DICT),
    case("set of lists", "[[1]]", SET),
    case("set from dict", "{1: 2}", SET),
    case("frozenset from a number", "1", FROZENSET),
    case("optional int from text", "fast", ("optional", INT)),
    case("optional int from NONE", "NONE", ("optional", INT)),
    case("optional list with comma", "1,2", ("optional", LIST)),
    case("union with no fit", "fast", ("union", INT, FLOAT)),
    case("unknown choice", "rmsprop", SOLVER),
    case("choice in the wrong case", "Adam", SOLVER),
    case("empty choice", "", SOLVER),
    case("unknown member", "MEDIUM", MODE),
    case("member in the wrong case", "fast", MODE),
    case("member of another class", "Other.FAST", MODE),
    case("member by value", "1", NESTED),
    case("empty member", "", NESTED),
    case("class without member", "Mode.", MODE),
]


@pytest.mark.parametrize(("text", "reading", "value"), ACCEPTED)
def test_accepts(text: str, reading: Reading, value: object) -> None:
    found = parse_value(text, reading)
    assert found == value
    assert isinstance(found, type(value))


@pytest.mark.parametrize(("text", "reading"), REFUSED)
def test_refuses(text: str, reading: Reading) -> None:
    with pytest.raises(TextValueError) as caught:
        parse_value(text, reading)
    assert 10 < len(str(caught.value)) < 1200


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        case("type and value", "0.1", INT, ("expected int", "'0.1'")),
        case("choices and a near one", "adm", SOLVER, ("'sgd', 'adam', 3", "mean 'adam'")),
        case("members and a near one", "fast", MODE, ("Mode (FAST, SLOW)", "mean 'FAST'")),
        case("whole reading", "x", ("optional", INT), ("expected int or None", "'x'")),
        case("sweep", "0.1,0.2", FLOAT, ("`--sweep lr=0.1,0.2`", "`--as-is 'lr=(0.1,0.2)'`")),
        case(
            "quotes for text",
            "a,b",
            STR,
            ("`--sweep lr=a,b`", '`--as-is \'lr=("a","b")\'`', "`'lr=\"a,b\"'`"),
        ),
        case("open list is no sweep", "[1, 2", LIST, ("expected list, got '[1, 2'",)),
        case("long text is cut", "x" * 5000, INT, ("expected int", "(5000 characters)")),
    ],
)
def test_message_says(text: str, reading: Reading, words: tuple[str, ...]) -> None:
    with pytest.raises(TextValueError) as caught:
        parse_value(text, reading, "lr")
    assert [word for word in words if word not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        case("type", "int", ("int",)),
        case("optional", "int or None", ("optional", INT)),
        case("union", "int or str", ("union", INT, STR)),
        case("choices", "one of 'a', 'b'", ("literal", ("a", "b"))),
        case("enum", "member of Mode (FAST, SLOW)", MODE),
        case("enum with unknown members", "member of Args.Mode", NESTED),
        case("path", "path", PATH),
        case("nothing known", "any value", ANY),
    ],
)
def test_describe(reading: str, words: Reading) -> None:
    assert describe(words) == reading


@pytest.mark.parametrize(
    ("text", "value"),
    [("1,2", (1, 2)), ("fast", "fast"), ("1e-3", 0.001), ("a,b", "a,b"), ("", "")],
)
def test_as_is_refuses_nothing(text: str, value: object) -> None:
    assert parse_as_is(text) == value


def test_cell_may_hold_commas() -> None:
    assert parse_cell("Hello, world", STR) == "Hello, world"


def test_nan_is_a_float() -> None:
    assert math.isnan(parse_value("nan", FLOAT))  # type: ignore[arg-type]


def test_member_keeps_its_class_over_pickle() -> None:
    found = pickle.loads(pickle.dumps(parse_value("FAST", MODE)))
    assert isinstance(found, MemberName)
    assert (found, found.class_text) == ("FAST", "Mode")


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("1,2", [1]),
        ("[1,2],(3,4)", [5]),
        ("'a,b',\"c,d\"", [5]),
        ("don't,can't", [5]),
        ("rb'a,b'", []),
        ("),(", [1]),
        ("", []),
    ],
)
def test_find_commas(text: str, places: list[int]) -> None:
    assert find_commas(text) == places


def test_nothing_is_written_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "from kohaku_ast.config.text_values import parse_as_is\n"
        r"""for text in [r"'\d'", "1if 1else 2", "1is 1", "0x1for x in y"]: parse_as_is(text)"""
    )
    subprocess.run([sys.executable, "-W", "always", "-c", code], check=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "kind"), [("3", "int"), ("1e3", "int"), ("0.1", "float"), ("'a'", "str")]
)
def test_common_text_costs_no_import(text: str, kind: str) -> None:
    # From the files themselves: the package's front door is another module's business.
    code = f"""
import sys, types
for name, folder in (("kohaku_ast", "kohaku_ast"), ("kohaku_ast.config", "kohaku_ast/config")):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [{str(pathlib.Path(__file__).parents[2])!r} + "/" + folder]
before = set(sys.modules)
from kohaku_ast.config.text_values import parse_value
parse_value({text!r}, ({kind!r},))
print(*sorted(set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        "__future__",  # no more than the line that all modules begin with
        "kohaku_ast.config.cells",
        "kohaku_ast.config.text_values",
    ]


# --- what repr() writes is read back -------------------------------------------------------------

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
    st.binary(),
)
keys = st.integers() | st.text() | st.tuples(st.booleans(), st.text())
nested = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(keys, inner), max_leaves=10
)


@given(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.complex_numbers(allow_nan=False),
        st.text(),
        st.binary(),
        st.lists(nested),
        st.lists(nested).map(tuple),
        st.dictionaries(keys, nested),
        st.sets(keys),
        st.frozensets(keys),
    )
)
def test_repr_is_read_back(value: object) -> None:
    kind = type(value).__name__
    found = parse_value(repr(value), (kind,))
    assert (found, type(found)) == (value, type(value))
    if value == value and "inf" not in repr(value):
        assert parse_value(repr(value), ("union", STR, (kind,))) == value


@given(st.text())
def test_text_is_never_changed_unless_quoted(text: str) -> None:
    if text[:1] not in ("'", '"'):
        assert parse_cell(text, STR) == text


@given(st.text(alphabet="'\"\\[](){},#b1e-_.\n\0 aNjx", max_size=40), st.sampled_from(ACCEPTED))
def test_any_text_gives_a_value_or_our_error(text: str, accepted: object) -> None:
    reading = accepted.values[1]  # type: ignore[attr-defined]
    try:
        parse_value(text, reading)
    except TextValueError as refused:
        message = str(refused)
        assert message  # most texts are accepted: nothing has to raise


@given(st.integers(), st.integers(min_value=0, max_value=30))
def test_scientific_integers_are_exact(number: int, power: int) -> None:
    assert parse_value(f"{number}e{power}", INT) == number * 10**power
    assert parse_value(f"{number}{'0' * power}.0e-{power}", INT) == number
