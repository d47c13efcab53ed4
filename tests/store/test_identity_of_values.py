"""Equal content, equal fingerprint: in this process and in others."""

import os
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy
import pytest

from kohaku_ast.store.identity import UnstableError, fingerprint

ROOT = Path(__file__).parents[2]


def _of_text(text: str, name: str = "cfg") -> Any:
    module = ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module.__dict__["value"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"b", "a"}, {"a", "b"}, id="set"),
        pytest.param([[1], [1]], [[1]] * 2, id="shared or not"),
        pytest.param(float("nan"), float("nan"), id="nan"),
        pytest.param(Path("a/b"), Path("a//b"), id="Path"),
        pytest.param(partial(int, base=2), partial(int, base=2), id="partial"),
        pytest.param(numpy.add, numpy.add, id="ufunc"),
        pytest.param(dict[str, int], dict[str, int], id="type of types"),
    ],
)
def test_equal(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(list[int], list[str], id="types of types"),
        pytest.param(1, True, id="int and bool"),
        pytest.param(1, 1.0, id="int and float"),
        pytest.param(0.0, -0.0, id="zeros"),
        pytest.param("1", 1, id="text and number"),
        pytest.param("a", b"a", id="text and bytes"),
        pytest.param([1], (1,), id="list and tuple"),
        pytest.param(["ab", "c"], ["a", "bc"], id="where text ends"),
        pytest.param([[1], 2], [1, [2]], id="nesting"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order of a dict"),
        pytest.param({"a": 1}, OrderedDict(a=1), id="kind of mapping"),
        pytest.param({"a": 1}, MappingProxyType({"a": 1}), id="view of a dict"),
        pytest.param(Path("1"), "1", id="Path and text"),
        pytest.param(None, "None", id="None and its text"),
        pytest.param(len, max, id="builtins"),
        pytest.param(numpy.add, numpy.multiply, id="ufuncs"),
        pytest.param(numpy.float64(1), 1.0, id="number of numpy"),
    ],
)
def test_different(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


_PEERS = """
class A:
    def __init__(self, n): self.n = n
    def __hash__(self): return hash(str(self.n))
one, two = A({}), A({})
one.peer, two.peer = two, one
value = {{one, two}}
"""
_OF_INT = """
import functools
@functools.singledispatch
def value(x): return 1
@value.register
def _(x: int): return {}
"""
_PAIRS = {
    "lambda": ("value = lambda x: x + 1", "value = lambda x: x + 2"),
    "default": ("def value(x=1): pass", "def value(x=2): pass"),
    "global that it reads": ("N = 1\ndef value(): return N", "N = 2\ndef value(): return N"),
    "closure": (
        "def f(n):\n return lambda: n\nvalue = f(1)",
        "def f(n):\n return lambda: n\nvalue = f(2)",
    ),
    "class": (
        "class value:\n def f(self): return 1",
        "class value:\n def f(self): return 2",
    ),
    "dataclass": (
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n a: int = 1\nvalue = A()",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n a: int = 1\nvalue = A(2)",
    ),
    "abstract class": (
        "import abc\nclass value(abc.ABC):\n @abc.abstractmethod\n def f(self): pass",
        "import abc\nclass value(abc.ABC):\n @abc.abstractmethod\n def g(self): pass",
    ),
    "Enum": (
        "import enum\nclass E(enum.Enum):\n A = 1\n B = 2\nvalue = E.A",
        "import enum\nclass E(enum.Enum):\n A = 1\n B = 2\nvalue = E.B",
    ),
    "object with slots": (
        "class A:\n __slots__ = ('x',)\nvalue = A(); value.x = 1",
        "class A:\n __slots__ = ('x',)\nvalue = A(); value.x = 2",
    ),
    "recursive function": (
        "def value(n): return value(n - 1) if n else 1",
        "def value(n): return value(n - 1) if n else 2",
    ),
    "decorated": (
        "import functools\nvalue = functools.lru_cache(lambda: 1)",
        "import functools\nvalue = functools.lru_cache(lambda: 2)",
    ),
    "subclass of set": (
        "class S(set): pass\nvalue = S('abcdefg')",
        "class S(set): pass\nvalue = S('abcdefh')",
    ),
    "set of objects that know each other": (_PEERS.format(1, 2), _PEERS.format(1, 3)),
    "set of a class and its method": (
        "class A:\n def f(self): return A\nvalue = {A, A.f}",
        "class A:\n def f(self): return A, 1\nvalue = {A, A.f}",
    ),
    "method of an Enum": (
        "import enum\nclass E(enum.Enum):\n A = 1\n def f(self): return 1\nvalue = E.A",
        "import enum\nclass E(enum.Enum):\n A = 1\n def f(self): return 2\nvalue = E.A",
    ),
    "metaclass": (
        "class M(type):\n def f(cls): return 1\nclass value(metaclass=M): pass",
        "class M(type):\n def f(cls): return 2\nclass value(metaclass=M): pass",
    ),
    "annotation": ("def value(n: int): return n", "def value(n: float): return n"),
    "cached_property": (
        "import functools\nclass value:\n @functools.cached_property\n def f(self): return 1",
        "import functools\nclass value:\n @functools.cached_property\n def f(self): return 2",
    ),
    "generic class": (
        "import typing\nT = typing.TypeVar('T')\nclass value(typing.Generic[T]): n = 1",
        "import typing\nT = typing.TypeVar('T')\nclass value(typing.Generic[T]): n = 2",
    ),
    "generic function": (
        "import functools\n@functools.singledispatch\ndef value(x): return 1",
        "import functools\n@functools.singledispatch\ndef value(x): return 2",
    ),
    "generic function for one type": (_OF_INT.format(1), _OF_INT.format(2)),
    "array": (
        "import numpy\nvalue = numpy.arange(3)",
        "import numpy\nvalue = numpy.arange(3) + 1",
    ),
    "generator of numbers": (
        "import numpy\nvalue = numpy.random.default_rng(0)",
        "import numpy\nvalue = numpy.random.default_rng(1)",
    ),
}
_PRINT = """
import sys
from types import MappingProxyType, ModuleType
from kohaku_ast.store.identity import fingerprint
module = sys.modules["other"] = ModuleType("other")
exec(compile("\\n\\n" + sys.argv[1], "elsewhere.py", "exec"), module.__dict__)
del sys.modules["other"]
print(fingerprint(module.__dict__["value"]).hex())
"""


@pytest.mark.parametrize("pair", [pytest.param(pair, id=name) for name, pair in _PAIRS.items()])
def test_what_a_config_file_defines(pair: tuple[str, str]) -> None:
    first, again, other = (_printed(text, seed) for text, seed in zip((*pair[:1], *pair), "123"))
    assert first == again, "another process, another file and line"
    assert first != other


def _printed(text: str, seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PRINT, text], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert not done.stderr
    return done.stdout


def test_project_below_the_folder_of_python_is_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path))  # as /usr, with /usr/src/app
    found = set()
    for number in (1, 2):
        file = tmp_path / f"own_{number}.py"
        file.write_text(f"def f(): return {number}\n")
        monkeypatch.setitem(sys.modules, "own", module := ModuleType("own"))
        module.__file__ = str(file)
        exec(compile(file.read_text(), file, "exec"), module.__dict__)
        found.add(fingerprint(module.f))
    assert len(found) == 2


def test_module_without_a_file_is_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for number in (1, 2):
        monkeypatch.setitem(sys.modules, "made_up", module := ModuleType("made_up"))
        exec(f"def f(): return {number}", module.__dict__)
        found.add(fingerprint(module.f))
    assert len(found) == 2


def test_cycles_end() -> None:
    def make(end: int) -> list[object]:
        found: list[object] = [end]
        found.append({"me": found})
        return found

    assert fingerprint(make(1)) == fingerprint(make(1)) != fingerprint(make(2))


def test_a_class_is_the_same_when_an_object_of_it_was_pickled() -> None:
    kind = type("Kind", (), {"depth": 3})
    before = fingerprint(kind)
    kind().__reduce_ex__(4)
    assert "__slotnames__" in vars(kind)
    assert fingerprint(kind) == before


def test_a_class_and_its_object_are_the_same_as_copies() -> None:
    def make() -> type:
        found: dict[str, type] = {}
        exec("class Kind:\n    def me(self): return Kind", found)
        return found["Kind"]

    kind = make()
    assert fingerprint([kind, kind()]) == fingerprint([make(), make()()])
    assert fingerprint([kind(), kind]) == fingerprint([make()(), make()])


def test_shared_parts_are_walked_once() -> None:
    value: object = 1
    for _ in range(60):
        value = [value, value]
    fingerprint(value)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(threading.Lock, id="lock"),
        pytest.param(lambda: (n for n in []), id="generator"),  # type: ignore[var-annotated]
        pytest.param(lambda: sys.stdout, id="file"),
    ],
)
def test_what_has_no_content_is_unstable(make: Callable[[], object]) -> None:
    with pytest.raises(UnstableError):
        fingerprint([make()])
