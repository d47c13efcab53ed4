"""What a text means for the definition it replaces."""

from typing import Any

from tests.semantics.case import case


def value(default: Any, text: str, written: Any, annotation: Any="") -> Any:
    """``x = default`` with ``x=text``, and as somebody would have written it."""
    head = "import pathlib, typing\nfrom pathlib import Path\nfrom typing import Literal, Optional, Union\n"
    script = f"{head}x{annotation} = {default}\nprint(repr(x), type(x))\n"
    name = f"{annotation} = {default} given {text!r}".lstrip(": ")
    return case(name, script, f"x={text}", (f" = {default}\n", f" = {written}\n"))


CASES = [
    value("1", "[1]", "[1]", ": typing.Any"), value("1", "x", "'x'", ": typing.Any"), value("1", "2", "2", ": typing.Any"), value("1", "0.5", "0.5", ": 'typing.Any'"),
    value("(1, 2)", "[3]", "(3,)", ": typing.Any"), value("[1]", "3", "3", ": Optional[typing.Any]"), value("True", "no", "False", ": typing.Any"), value("True", "{'a': 1}", "{'a': 1}", ": object"),
    value("'a'", "007", "'007'", ": typing.Any"),
    value("True", "no", "False"), value("True", "0", "False"), value("False", "ON", "True"),
    value("3", "1e3", "1000"), value("3", "1_000", "1000"), value("3", "-0x10", "-16"), value("3", "+4", "4"),
    value("3", "1e23", "10**23"), value("3", "2.0", "2"),
    value("0.1", "1", "1.0"), value("0.1", "inf", "float('inf')"), value("0.1", "-1e-3", "-1e-3"), value("0.1", "nan", "float('nan')"),
    value("-0.1", "1_0.5", "10.5"),
    value("'a'", "007", "'007'"), value("'a'", "1e3", "'1e3'"), value("'a'", "None", "'None'"), value("'a'", "'quoted'", "'quoted'"),
    value("'a'", "", "''"), value("'a'", "don't", '"don\'t"'), value("'a'", "x=y", "'x=y'"), value("'a'", " b ", "' b '"), value("'a'", "a\\nb", "'a\\\\nb'"),
    value("'a'", "'x,y'", "'x,y'"), value("'a'", "é\U0001d518", "'é\U0001d518'"), value("f'a{1}'", "b", "'b'"), value("'a' + 'b'", "c", "'c'"),
    value("None", "false", "False"), value("None", "TRUE", "True"), value("None", "inf", "float('inf')"), value("None", "-INF", "-float('inf')"),
    value("None", "nan", "float('nan')"), value("None", "no", "'no'"), value("None", "on", "'on'"), value("None", "'false'", "'false'"), value("None", "1e-3", "1e-3"),
    value("1", "0.9", "0.9"), value("1", "inf", "float('inf')"), value("-1", "None", "None"), value("10 * 2", "0.5", "0.5"), value("0.1", "None", "None"), value("True", "None", "None"),
    value("[1]", "None", "None"), value("Path('a')", "None", "None"), value("int(1e5)", "None", "None"), value("0.1", ".inf", "float('inf')"), value("0.1", "-.Inf", "-float('inf')"),
    value("None", "3", "3"), value("None", "abc", "'abc'"), value("None", "None if 0 else 1", "'None if 0 else 1'"), value("None", "[1, 2]", "[1, 2]"),
    value("[1]", "(2, 3)", "[2, 3]"), value("(1,)", "[2, 3]", "(2, 3)"), value("{1}", "{2}", "{2}"), value("{'a': 1}", "{'b': [2]}", "{'b': [2]}"),
    value("Path('a')", "b/c", "Path('b/c')"), value("pathlib.Path('a') / 'b'", "c", "pathlib.Path('c')"),
    value("b'a'", "b'b'", "b'b'"), value("1j", "2", "complex(2)"),
    value("1", "2.5", "2.5", ": float"), value("None", "2", "2.0", ": Optional[float]"), value("'a'", "none", "None", ": Optional[str]"),
    value("'a'", "b", "'b'", ": Literal['a', 'b']"), value("1", "2", "2", ": Literal[1, 2]"), value("None", "5", "'5'", ": 'str | None'"),
    value("1", "yes", "True", ": Union[bool, str]"), value("'a'", "b", "'b'", ": Union[str, Path]"),
    value("10 * 1024", "5", "5"), value("int(1e5)", "1e2", "100"), value("__import__('os').getenv('NOT_THERE', '1')", "2", "2"),
    value("0.1 if True else 1", "3", "3.0"), value("not True", "on", "True"), value("2 ** -1", "1", "1.0"), value("7 // 2", "9", "9"),
    value("dict(a=True)['a']", "false", "False"), value("dict(a=1)['a']", "none", "'none'"), value("dict(a=1)['a']", "'true'", "'true'"), value("dict(a=1)['a']", "-inf", "-float('inf')"),
    value("__import__('math').inf", "nan", "float('nan')"), value("getattr(int, 'amp', True)", "off", "False"), value("dict().get('amp', False)", "ON", "True"),
    value("dict(a=1)['a'] and isinstance(1, int)", "no", "False"),
    case("infinities of math", "import math\na = -math.inf\nb = math.inf\nc = math.pi / 2\nprint(a, b, c)\n", ("a=inf", "b=-inf", "c=3"), ("-math.inf", "math.inf"), ("b = math.inf", "b = -math.inf"), ("math.pi / 2", "3.0")),
    case("a constant behind the argument of a call", "import re, decimal\nclass np:\n    float32 = float\n    def array(xs, kind): return [kind(x) for x in xs]\np = re.compile('a', re.I)\nx = np.array([1, 2], np.float32)\ny = np.array([1], int)\nprint(p, x, y)\n",
         ("p=b", "x=[3]", "y=[4.5]"), ("'a', re.I", "'b', re.I"), ("[1, 2], np", "[3], np"), ("[1], int", "[4.5], int")),
    case("as it is", "x = 0.1\nprint(repr(x))\n", ("x=abc", "--as-is"), ("0.1", "'abc'")),
    case("as it is, a literal", "x = 'a'\nprint(repr(x))\n", ("--as-is", "--set", "x=1e3"), ("'a'", "1000.0")),
    case("set before the script's name", "x = 1\nprint(x)\n", ("-s", "x=2"), ("x = 1", "x = 2")),
    case("a name that is added", "print(sorted(n for n in globals() if not n.startswith('_')))\n", ("--add", "y=[1]"),
         ("print(", "y = [1]; print(")),
    case("an added name in a module with docstring and future imports", '"""doc"""\nfrom __future__ import annotations\nprint(__doc__, y, annotations.optional)\n',
         ("--add", "y=abc"), ("annotations\nprint", "annotations; y = 'abc'\nprint")),
]
