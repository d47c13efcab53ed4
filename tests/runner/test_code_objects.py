"""Code with overrides is as good as any: it can be hashed, marshalled, pickled and compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle import compare

CHECKS = """
import marshal, types, cloudpickle
def rebuilt(function, data):
    return types.FunctionType(marshal.loads(data), function.__globals__)
def check(function):
    code = function.__code__
    print(isinstance(hash(code), int), code == code.replace(), code in {code: 1})
    marshalled, pickled = marshal.dumps(code), cloudpickle.dumps(function)
    print(function(1), cloudpickle.loads(pickled)(1))
    return marshalled
"""
WORKING_ELSEWHERE = CHECKS + "print(rebuilt(f, check(f))(1))\n"

PLAIN = [
    ("int", "5"), ("float", "-0.0"), ("str", "'some text'"), ("bytes", "b'x'"), ("None", "None"),
    ("tuple", "(1, (2.5, 'a'))"), ("bool", "True"), ("complex", "2j"),
]  # fmt: skip
MUTABLE = [
    ("list", "[1, 2]"), ("dict", "{'a': 1, 'b': 2}"), ("set", "{'x', 'y', 'z'}"),
    ("nested", "{'a': [1, {2: 3}]}"), ("tuple with a list", "(1, [2])"), ("empty", "[]"),
]  # fmt: skip


def check(folder: Path, text: str, value: str, checks: str) -> None:
    text += checks
    expected, got = compare(
        folder, text.encode(), [("k = None", f"k = {value}")],
        ["--as-is", f"f.k={value}"],
    )  # fmt: skip
    assert expected.status == 0, expected.stderr
    assert got == expected


@pytest.mark.parametrize(("kind", "value"), PLAIN)
def test_a_plain_value_is_a_constant(tmp_path: Path, kind: str, value: str) -> None:
    check(tmp_path, "def f(x):\n    k = None\n    return k, x\n", value, WORKING_ELSEWHERE)


@pytest.mark.parametrize(("kind", "value"), MUTABLE)
def test_a_list_is_new_each_time(tmp_path: Path, kind: str, value: str) -> None:
    text = "def f(x):\n    k = None\n    return sorted(k) if type(k) is set else k, x\n"
    fresh = "check(f)\nprint(f(1)[0] is f(1)[0], type(f(1)[0]), cloudpickle.loads(cloudpickle.dumps(f))(2))\n"
    check(tmp_path, text, value, CHECKS + fresh)


MARSHALLED = """
import marshal
def f(x):
    k = None
    return k, x
def g(x):
    return x
code = f.__code__
copy = marshal.loads(marshal.dumps(code))
again = marshal.loads(marshal.dumps(copy))
print(again == copy, copy.replace(co_consts=()) == code.replace(co_consts=()), copy.co_code == code.co_code)
print(code.replace() == code, marshal.loads(marshal.dumps(g.__code__)) == g.__code__)
"""


@pytest.mark.parametrize("value", ["5", "[1, 2]"])
def test_what_marshal_copies_differs_in_constants_alone(tmp_path: Path, value: str) -> None:
    """docs/explanation/how-the-rewrite-works.md says why ``copy == code`` is false."""
    check(tmp_path, MARSHALLED, value, "print(type(k := f(1)[0]), k)\n")


OBJECTS = (
    """
from pathlib import Path
from enum import Enum
class Color(Enum):
    red = 1
    blue = 2
def f(x, path: Path = Path("a"), color: Color = Color.red):
    return path, color, x
"""
    + CHECKS
)


def test_objects_too(tmp_path: Path) -> None:
    expected, got = compare(
        tmp_path, (OBJECTS + "check(f)\n").encode(),
        [('= Path("a")', '= Path("b")'), ("= Color.red", "= Color.blue")],
        ["f(path)=b", "f(color)=blue"],
    )  # fmt: skip
    assert expected.status == 0, expected.stderr
    assert got == expected


LOKY = """
from joblib import Parallel, delayed
def f(x):
    add = 1
    return x + add
if __name__ == "__main__":
    print(Parallel(n_jobs=2)(delayed(f)(i) for i in range(2)))
"""


def test_joblib_sends_a_function_with_a_local(tmp_path: Path) -> None:
    """The worker has read the value, so there is no warning that nobody did."""
    expected, got = compare(tmp_path, LOKY.encode(), [("add = 1", "add = 100")], ["f.add=100"])
    assert expected.stdout == "[100, 101]\n"
    assert got == expected


SPAWN = """
import multiprocessing
def f(x):
    add = 1
    return x + add
if __name__ == "__main__":
    with multiprocessing.get_context("METHOD").Pool(1) as pool:
        print(pool.map(f, range(2)))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_local_that_only_children_read_is_not_warned_of(tmp_path: Path, method: str) -> None:
    text = SPAWN.replace("METHOD", method)
    expected, got = compare(tmp_path, text.encode(), [("add = 1", "add = 100")], ["f.add=100"])
    assert expected.stdout == "[100, 101]\n"
    assert got == expected


EQUAL = """
a = 0.0
b = 1000.5
c = "no name"
t = (1, 1000.5)
def f():
    return 1000.5, "no name", (1, 1000.5), -0.0
print(a is b, a is f()[0], c is f()[1], t is f()[2], c is "no" " name", a, f()[3])
"""


@pytest.mark.parametrize(
    ("edit", "target"),
    [
        (("a = 0.0", "a = 1000.5"), "a=1000.5"),
        (('c = "no name"', "c = 'no name'"), "c=no name"),
        (('c = "no name"', "c = 'name'"), "c=name"),
        (("t = (1, 1000.5)", "t = (1, 1000.50)"), "t=(1, 1000.5)"),
        (("a = 0.0", "a = -0.0"), "a=-0.0"),
        (("b = 1000.5", "b = 3.5"), "b=3.5"),
    ],
)
def test_equal_constants_are_one_object(tmp_path: Path, edit: tuple[str, str], target: str) -> None:
    expected, got = compare(tmp_path, EQUAL.encode(), [edit], [target])
    assert got == expected
