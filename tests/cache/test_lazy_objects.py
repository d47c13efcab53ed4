"""Objects of libraries that raise, or import modules, when they are asked for anything; and what is
registered between two runs of one process.

The oracle of a run with a cache is the same run without one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """\
import sys
import warnings
warnings.simplefilter("error")
from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.pipeline.node import node
from kohaku_ast.pipeline.pipeline import Pipeline
{text}
def results():
    return [Pipeline([node(f)], cache=one).run({{"x": 3}}, "f") for one in (cache, None)]
cache = MemoryCache()
print(*results(), *results())
before = set(sys.modules)
{change}
print(*results(), set(sys.modules) - before)
"""


def run(folder: Path, text: str, change: str = "") -> list[str]:
    """What the program prints: the results with a cache and without, and after the change."""
    (folder / "flow.py").write_text(PROGRAM.format(text=text, change=change))
    path = os.pathsep.join([str(ROOT), str(folder / "site-packages")])
    done = subprocess.run(
        [sys.executable, "-B", "flow.py"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


RAISES = """\
    def __getattribute__(self, name): raise RuntimeError(name)
"""
LIBRARIES = {
    "an object that raises for every attribute": f"class Lazy:\n{RAISES}class Holds:\n    one = Lazy()\n",
    "an object that has no attributes and raises": "class Lazy:\n    __slots__ = ()\n    def __getattr__(self, name): raise RuntimeError(name)\nclass Holds:\n    one = Lazy()\n",
    "a class that is computed": "class Lazy:\n    @property\n    def __class__(self): raise RuntimeError\n    @property\n    def __dict__(self): raise RuntimeError\nclass Holds:\n    one = Lazy()\n",
    "attributes that are a property": "class Lazy:\n    __dict__ = property(lambda self: 1 / 0)\nclass Holds:\n    one = Lazy()\n",
    "an object in the place of a module": f"import sys\nclass Lazy:\n{RAISES}sys.modules['somelib.inner'] = Lazy()\n",
    "a module of another class": f"import sys, types\nclass Lazy(types.ModuleType):\n{RAISES}sys.modules['somelib.inner'] = Lazy('somelib.inner')\n",
    "a module with its own __getattr__": "def __getattr__(name): raise RuntimeError(name)\n",
    "a module that is loaded when it is used": "import importlib.util, sys\nspec = importlib.util.find_spec('colorsys')\nspec.loader = importlib.util.LazyLoader(spec.loader)\ncolorsys = sys.modules['colorsys'] = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(colorsys)\ndel sys.modules['colorsys']\nsys.modules['somelib.colors'] = colorsys\nclass Holds:\n    one = colorsys\n",
    "a metaclass that raises": f"class Meta(type):\n{RAISES}class Holds(metaclass=Meta): pass\n",
    "a table whose keys raise": "import shutil\nclass Key:\n    def __repr__(self): raise RuntimeError\nshutil._ARCHIVE_FORMATS[Key()] = Key()\n",
    "items that cannot be compared": "import shutil\nclass Key:\n    def __eq__(self, other): raise RuntimeError\n    __hash__ = object.__hash__\nshutil._ARCHIVE_FORMATS['a'] = Key()\n",
}  # fmt: skip
USES = "import somelib\ndef f(x): return x + 1\n"


@pytest.mark.parametrize("words", LIBRARIES)
def test_a_lazy_object_of_a_library_is_left_alone(tmp_path: Path, words: str) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "somelib.py").write_text(LIBRARIES[words])
    assert run(tmp_path, USES) == ["4 4 4 4", "4 4 set()"]


REAL = {
    "pydantic": "from pydantic import BaseModel\nclass Settings(BaseModel):\n    by: int = 1\ndef f(x): return x + Settings().by\n",
    "mock": "from unittest import mock\nm = mock.MagicMock(return_value=1)\ndef f(x): return x + 1\n",
    "click": "import click\n@click.command()\n@click.option('--by', default=1)\ndef main(by): pass\ndef f(x): return x + 1\n",
    "rich": "import rich.console, rich.progress\ndef f(x): return x + 1\n",
    "weak proxy": "import weakref, fractions\nclass A: pass\nfractions.Fraction.dead = weakref.proxy(A())\ndef f(x): return x + 1\n",
}  # fmt: skip


@pytest.mark.parametrize("library", REAL)
def test_real_libraries(tmp_path: Path, library: str) -> None:
    if library == "pydantic":
        pytest.importorskip(library)
    assert run(tmp_path, REAL[library])[0] == "4 4 4 4"


GENERIC = "import functools\n@functools.singledispatch\ndef sd(x): return 'object'\n"
METHOD = "import functools\nclass C:\n    @functools.singledispatchmethod\n    def m(self, x): return 'object'\n"
REGISTERED = {
    "singledispatch": (GENERIC + "def f(x): return sd(x)\n", "sd.register(int, lambda x: 'int')"),
    "singledispatch by a decorator": (
        GENERIC + "def f(x): return sd(x)\n",
        "@sd.register\ndef _(x: int): return 'int'\n",
    ),
    "singledispatch, again": (
        GENERIC + "sd.register(int, lambda x: 'number')\ndef f(x): return sd(x)\n",
        "sd.register(int, lambda x: 'int')",
    ),
    "singledispatch in a helper": (
        GENERIC + "def helper(x): return [sd(one) for one in [x]]\ndef f(x): return helper(x)[0]\n",
        "sd.register(int, lambda x: 'int')",
    ),
    "singledispatchmethod": (
        METHOD + "def f(x): return C().m(x)\n",
        "C.__dict__['m'].register(int, lambda self, x: 'int')",
    ),
    "singledispatchmethod of a parent": (
        METHOD + "class D(C): pass\ndef f(x): return D().m(x)\n",
        "C.__dict__['m'].register(int, lambda self, x: 'int')",
    ),
    "generic function of a library": (
        "from somelib import sd\ndef f(x): return sd(x)\n",
        "sd.register(int, lambda x: 'int')",
    ),
    "generic method of a library": (
        "from somelib import C\ndef f(x): return C().m(x)\n",
        "C.__dict__['m'].register(int, lambda self, x: 'int')",
    ),
    "abstract class of Python": (
        ("import collections.abc\nclass Mine: pass\n"
        "def f(x): return str(isinstance(Mine(), collections.abc.Sized))\n"),
        "collections.abc.Sized.register(Mine)",
    ),
    "abstract number": (
        "import numbers\nclass Mine: pass\ndef f(x): return str(issubclass(Mine, numbers.Real))\n",
        "numbers.Integral.register(Mine)",
    ),
    "abstract class of the user's": (
        ("import abc\nclass Base(abc.ABC): pass\nclass Mine: pass\n"
        "def f(x): return str(isinstance(Mine(), Base))\n"),
        "Base.register(Mine)",
    ),
    "closure of a library's decorator": (
        "from somelib import hooked\n@hooked\ndef g(x): return 'object'\ndef f(x): return g(x)\n",
        "g.__closure__[1].cell_contents.append(lambda x: 'int')",
    ),
}  # fmt: skip
SOMELIB = (
    GENERIC + METHOD + "def hooked(function):\n    hooks = []\n    def call(x):\n"
    "        for one in hooks: return one(x)\n        return function(x)\n    return call\n"
)


@pytest.mark.parametrize("words", REGISTERED)
def test_what_is_registered_between_two_runs(tmp_path: Path, words: str) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "somelib.py").write_text(SOMELIB)
    text, change = REGISTERED[words]
    before, after = run(tmp_path, text, change)
    old = before.split()
    new = after.split()[:2]
    assert len(set(old)) == 1
    assert len(set(new)) == 1, "the result of before"
    assert old[0] != new[0], "the case changes nothing"
