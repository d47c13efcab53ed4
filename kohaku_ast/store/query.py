"""Query: the language of ``--where``, such as ``lr > 0.1 and status == "failed"``.

Python's own parser reads the text, and an allow-list of nodes says what may stand in it. Nothing
of the text is ever evaluated as Python.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kohaku_ast.errors import UsageError

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "MISSING"})()
"""The value of a name that a run does not have."""

Values: TypeAlias = "Callable[[str], object]"
"""Name -> its value in one run, or ``MISSING``."""
_Read: TypeAlias = "Callable[[Values], Any]"
_Test: TypeAlias = "Callable[[Values], bool | None]"
"""None: the run lacks a name, or two values have no order. It counts neither as true nor as false,
so that ``not`` of it does not match, either.
"""

_MOST_TEXT = 10_000
_MOST_DEPTH = 50
"""Levels of parentheses and ``not``: far below those at which Python's stack would end."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_TOKEN = re.compile(
    r"""
    (?P<text> '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" )
  | (?P<quoted> `[^`]+` )
  | (?P<option> (?<![\w)\]'"`.]) --[A-Za-z][\w-]* )
  | (?P<duration> (?<![\w.]) \d+(?:\.\d+)?[smhdw] (?!\w) )
  | (?P<colon> (?<=[\w)\]`]) : (?=[A-Za-z_`]) )
  | (?P<line> [\r\n\t\f\v] )
    """,
    re.VERBOSE | re.DOTALL,
)


class Query:
    """A condition on one run."""

    def __init__(self, text: str) -> None:
        """Raises UsageError, which shows the place, for text that the grammar does not have."""
        self.text = text
        #: Every name in it -> where it stands, from 0.
        self.names: dict[str, int] = {}
        self._test = _Reader(text, self.names).read()

    def matches(self, values: Values) -> bool:
        """Whether a run with these *values* fits; never raises."""
        return self._test(values) is True

    def error(self, reason: str, name: str) -> UsageError:
        """The error about *name*, with its place in the text."""
        return _error(self.text, self.names[name], reason)

    def __repr__(self) -> str:
        return f"Query({self.text!r})"


def _error(text: str, column: int, reason: str) -> UsageError:
    """*reason* with the part of *text* around *column*, and a mark below it."""
    line = re.sub(r"\s", " ", text)
    start = max(0, column - 40)
    shown = line[start : start + 72]
    return UsageError(f"{reason}\n  {shown}\n  {' ' * (min(column, len(line)) - start)}^")


class _Reader:
    """Turns the text of a query into a function."""

    def __init__(self, text: str, names: dict[str, int]) -> None:
        self.text = text
        self._names = names
        #: Place of what Python's grammar lacks -> its value, or its name.
        self._values: dict[int, float] = {}
        self._quoted: dict[int, str] = {}
        self._depth = 0

    def read(self) -> _Test:
        if len(self.text) > _MOST_TEXT:
            raise UsageError(f"a query of {len(self.text)} characters: at most {_MOST_TEXT}")
        if not self.text.strip():
            raise UsageError("an empty query: write a condition, such as 'loss < 0.5'")
        # Every stand-in is as long as what it stands for: places stay.
        plain = _TOKEN.sub(self._stand_in, self.text)
        self._indent = len(plain) - len(plain.lstrip())
        self._plain = plain.lstrip()
        return self._test(self._parsed(self._plain).body)

    def _parsed(self, plain: str) -> ast.Expression:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes in texts
                return ast.parse(plain, mode="eval")
        except SyntaxError as error:
            column = (error.offset or 1) - 1 + self._indent
            raise self._error(column, _explained(self.text, error.msg)) from None
        except (ValueError, RecursionError, MemoryError, OverflowError, AssertionError) as error:
            raise self._error(0, f"not a query: {error or type(error).__name__}") from None

    def _stand_in(self, found: re.Match[str]) -> str:
        text, start = found[0], found.start()
        if found["text"]:
            return re.sub(r"[\r\n]", " ", text)
        if found["colon"]:
            return "."
        if found["line"]:
            return " "
        if found["duration"]:
            self._values[start] = float(text[:-1]) * UNITS[text[-1]]
        else:
            self._quoted[start] = text.strip("`")
        return "q" * len(text)

    # --- conditions ----------------------------------------------------------------------------

    def _test(self, node: ast.expr) -> _Test:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise self._refused(node, "nested too deeply")
        try:
            return self._condition(node)
        finally:
            self._depth -= 1

    def _condition(self, node: ast.expr) -> _Test:
        if isinstance(node, ast.BoolOp):
            return _any_or_all([*map(self._test, node.values)], isinstance(node.op, ast.Or))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return _not(self._test(node.operand))
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        return _truth(self._operand(node))

    def _comparison(self, node: ast.Compare) -> _Test:
        operands = [self._operand(one) for one in (node.left, *node.comparators)]
        tests = []
        for left, operator, right, place in zip(operands, node.ops, operands[1:], node.comparators):
            compare = _COMPARE.get(type(operator))
            if compare is None:
                raise self._refused(
                    place, "'is' is no comparison of a query: write ==", before=True
                )
            tests.append(_compared(left, compare, right))
        return tests[0] if len(tests) == 1 else _any_or_all(tests, is_any=False)

    # --- operands ------------------------------------------------------------------------------

    def _operand(self, node: ast.expr) -> _Read:
        if isinstance(node, (ast.Tuple, ast.List)):
            return _sequence([self._operand(one) for one in node.elts])
        if isinstance(node, (ast.Constant, ast.UnaryOp)):
            return _constant(self._literal(node))
        start = self._start(node)
        if isinstance(node, ast.Name) and start in self._values:
            return _constant(self._values[start])
        name = self._name(node)
        if name in _NUMBERS:
            return _constant(_NUMBERS[name])
        self._names.setdefault(name, start)
        return lambda values: values(name)

    def _literal(self, node: ast.expr) -> object:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            value = self._signed(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.Constant):
            if node.value is None or type(node.value) in (int, float, str, bool):
                return node.value
            raise self._refused(node, f"a query has no {type(node.value).__name__}")
        raise self._refused(node, _WHAT.get(type(node), "a query has no such expression"))

    def _signed(self, node: ast.expr) -> Any:
        """The number behind a sign."""
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.Name) and node.id in _NUMBERS:
            return _NUMBERS[node.id]
        raise self._refused(node, "a sign belongs to a number")

    def _name(self, node: ast.expr) -> str:
        """The name that *node* is: ``lr``, ``model.lr``, ``main(epochs)``, ``layers[0]``."""
        if not self._is_name(node):
            raise self._refused(node, _WHAT.get(type(node), "a query has no such expression"))
        start, end = self._start(node), self._end(node)
        parts, place = [], start
        for at in sorted(one for one in self._quoted if start <= one < end):
            parts += [_tidy(self.text[place:at]), self._quoted[at]]
            place = at + len(_TOKEN.match(self.text, at)[0])  # type: ignore[index]
        parts.append(_tidy(self.text[place:end]))
        return "".join(parts)

    def _is_name(self, node: ast.expr) -> bool:
        """Whether it has the form of a target."""
        calls = 0
        while True:
            if isinstance(node, ast.Name):
                return True
            is_item = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
            if isinstance(node, ast.Attribute) or is_item:
                node = node.value  # type: ignore[attr-defined]
            elif isinstance(node, ast.Call) and _names_parameter(node) and not calls:
                node, calls = node.func, 1
            else:
                return False

    def _start(self, node: ast.expr) -> int:
        return self._column(node.col_offset)

    def _end(self, node: ast.expr) -> int:
        return self._column(node.end_col_offset or 0)

    def _column(self, offset: int) -> int:
        """The place in the text: Python counts bytes."""
        return self._indent + len(self._plain.encode()[:offset].decode("utf-8", "replace"))

    def _refused(self, node: ast.expr, reason: str, before: bool = False) -> UsageError:
        column = self._start(node)
        if before:  # the operator in front of it
            column = self.text.rfind("is", 0, column)
        return self._error(column, reason)

    def _error(self, column: int, reason: str) -> UsageError:
        return _error(self.text, column, reason)


_NUMBERS = {"inf": math.inf, "nan": math.nan}
_WHAT: Mapping[type, str] = {
    ast.Call: "a query calls nothing; a target has one name in its parentheses: main(epochs)",
    ast.BinOp: "a query does not calculate: compare a name with a value",
    ast.UnaryOp: "a query does not calculate: compare a name with a value",
    ast.Lambda: "a query has no functions",
    ast.IfExp: "a query has no if: write and, or, not",
    ast.JoinedStr: "a query has no f-strings",
    ast.Dict: "a query has no dicts",
    ast.Set: "a set is written as a list: [1, 2]",
    ast.NamedExpr: "a query assigns nothing: a comparison is written ==",
    ast.BoolOp: "a condition is no value: compare names with values",
    ast.Compare: "a condition is no value: compare names with values",
}


def _tidy(name: str) -> str:
    """*name* as targets are written: no blanks outside of keys, and these in double quotes."""
    return re.sub(r"""'([^'"]*)'|("[^"]*")|\s+""", _tidied, name)


def _tidied(found: re.Match[str]) -> str:
    return f'"{found[1]}"' if found[1] is not None else found[2] or ""


def _names_parameter(node: ast.Call) -> bool:
    """Whether it is ``f(name)``."""
    return len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Name)


def _explained(text: str, message: str) -> str:
    """Python's *message* for an error, or a better one."""
    if re.search(r"(?<![=!<>])=(?!=)", _TOKEN.sub("", text)):
        return "a comparison is written ==, not ="
    if re.search(r"&&|\|\||(?<!\w)!(?!=)", text):
        return "write and, or, not"
    return f"not a query: {message}"


# --- functions that read one run -----------------------------------------------------------------


def _constant(value: object) -> _Read:
    return lambda _: value


def _sequence(parts: list[_Read]) -> _Read:
    def read(values: Values) -> object:
        found = [part(values) for part in parts]
        return MISSING if any(one is MISSING for one in found) else found

    return read


def _not(test: _Test) -> _Test:
    def negated(values: Values) -> bool | None:
        found = test(values)
        return None if found is None else not found

    return negated


def _any_or_all(tests: list[_Test], is_any: bool) -> _Test:
    def test(values: Values) -> bool | None:
        is_unknown = False
        for one in tests:
            found = one(values)
            if found is is_any:
                return is_any
            is_unknown = is_unknown or found is None
        return None if is_unknown else not is_any

    return test


def _truth(read: _Read) -> _Test:
    def test(values: Values) -> bool | None:
        found = read(values)
        return None if found is MISSING else bool(found)

    return test


def _compared(left: _Read, compare: Callable[[Any, Any], bool | None], right: _Read) -> _Test:
    def test(values: Values) -> bool | None:
        first, second = left(values), right(values)
        if first is MISSING or second is MISSING:
            return None
        return compare(first, second)

    return test


def _is_equal(left: object, right: object) -> bool:
    return left == right


def _is_in(left: object, right: object) -> bool | None:
    if isinstance(right, str):
        return left in right if isinstance(left, str) else None
    return left in right if isinstance(right, (list, dict)) else None


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    def test(left: object, right: object) -> bool | None:
        try:
            return compare(left, right)
        except TypeError:  # a text and a number
            return None

    return test


def _negated(compare: Callable[[Any, Any], bool | None]) -> Callable[[Any, Any], bool | None]:
    def test(left: object, right: object) -> bool | None:
        found = compare(left, right)
        return None if found is None else not found

    return test


_COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], bool | None]] = {
    ast.Eq: _is_equal,
    ast.NotEq: _negated(_is_equal),
    ast.Lt: _ordered(lambda left, right: left < right),
    ast.LtE: _ordered(lambda left, right: left <= right),
    ast.Gt: _ordered(lambda left, right: left > right),
    ast.GtE: _ordered(lambda left, right: left >= right),
    ast.In: _is_in,
    ast.NotIn: _negated(_is_in),
}
