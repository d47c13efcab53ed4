"""A file is edited between two processes: which nodes run again, and which results come back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FLOW = """\
import functools
import sys

import helpers
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline
from models import Model, Settings

FACTOR = 2
TABLE = {"a": 1, "b": [2, 3]}


def ran(name):
    print(name, end=" ")


def inner(x):
    return x + 1


def middle(x):
    return inner(x) * 2


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def repeated(times):
    def decorate(function):
        @functools.wraps(function)
        def wrapped(x):
            return sum(function(x) for _ in range(times))

        return wrapped

    return decorate


def offset(by):
    def added(x):
        ran("closed")
        return x + by

    return added


closed = Node(offset(5), "closed")


@node
def body(x):
    '''A docstring.'''
    ran("body")
    return x + 1  # a comment


@node
def uses_helper(x):
    ran("uses_helper")
    return middle(x)


@node
def uses_constant(x):
    ran("uses_constant")
    return x * FACTOR + len(TABLE["b"])


@node
def uses_default(x, by=1):
    ran("uses_default")
    return x + by


@node
@repeated(2)
def decorated(x):
    ran("decorated")
    return x


@node
def uses_module(x):
    ran("uses_module")
    return helpers.scale(x)


@node
def uses_late_import(x):
    ran("uses_late_import")
    from late import late_scale

    return late_scale(x)


@node
def uses_class(x):
    ran("uses_class")
    return Model(Settings()).predict(x)


@node
def uses_recursion(x):
    ran("uses_recursion")
    return even(x)


@node
def uses_lambda(x):
    ran("uses_lambda")
    return sorted([x, -x], key=lambda one: one * 1)


@node
def leaf(body, uses_constant):
    ran("leaf")
    return body, uses_constant


NODES = [closed, body, uses_helper, uses_constant, uses_default, decorated, uses_module,
         uses_late_import, uses_class, uses_recursion, uses_lambda, leaf]

if __name__ == "__main__":
    X = 3
    pipeline = Pipeline(NODES, cache=DiskCache("kept"))
    for one in NODES:
        print("=", pipeline.run({"x": X}, one.outputs[0]))
"""
HELPERS = """\
import inside

SCALE = 10


def scale(x):
    return inside.deep(x) * SCALE


def unused(x):
    return x
"""
INSIDE = """\
DEPTH = 1


def deep(x):
    return x + DEPTH
"""
LATE = """\
from later import by


def late_scale(x):
    return x * by
"""
MODELS = """\
from dataclasses import dataclass


@dataclass
class Settings:
    width: int = 4


class Base:
    def shift(self):
        return 1


class Model(Base):
    \"\"\"Predicts.\"\"\"

    limit = 100

    def __init__(self, settings):
        self.settings = settings

    def predict(self, x):
        return min(x + self.settings.width + self.shift() + self.bonus, self.limit)

    @property
    def bonus(self):
        return 0

    @staticmethod
    def unused():
        return 0
"""
ALL = {
    "closed", "body", "uses_helper", "uses_constant", "uses_default", "decorated", "uses_module",
    "uses_late_import", "uses_class", "uses_recursion", "uses_lambda", "leaf",
}  # fmt: skip
FILES = {
    "flow.py": FLOW,
    "helpers.py": HELPERS,
    "inside.py": INSIDE,
    "late.py": LATE,
    "later.py": "by = 7\n",
    "models.py": MODELS,
}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def ran_nodes(folder: Path) -> tuple[set[str], str]:
    """The nodes that ran in a process of its own, and the values."""
    # Two edits within a second: bytecode is found by the time of its source, in seconds.
    flags = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "random"}
    done = subprocess.run(
        [sys.executable, "flow.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **flags, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names, values = set(), []
    for line in done.stdout.splitlines():
        before, _, value = line.partition("=")
        names.update(before.split())
        values.append(value)
    return names, "\n".join(values)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder after the first run."""
    folder = tmp_path_factory.mktemp("first")
    write(folder, FILES)
    names, values = ran_nodes(folder)
    assert names == ALL
    return folder, values


def edited(first: Path, folder: Path, name: str, old: str, new: str) -> Path:
    shutil.copytree(first / "kept", folder / "kept")
    assert FILES[name].count(old) == 1, old
    write(folder, {**FILES, name: FILES[name].replace(old, new)})
    return folder


MISSES = [
    ("flow.py", "return x + 1  #", "return x + 11  #", "body leaf", "own body"),
    ("flow.py", "return inner(x) * 2", "return inner(x) * 3", "uses_helper", "helper"),
    ("flow.py", "    return x + 1\n\n\ndef middle", "    return x + 9\n\n\ndef middle", "uses_helper", "helper of a helper"),
    ("flow.py", "FACTOR = 2", "FACTOR = 3", "uses_constant leaf", "constant"),
    ("flow.py", "FACTOR = 2", "FACTOR = 2.0", "uses_constant leaf", "type of a constant"),
    ("flow.py", '"b": [2, 3]', '"b": [2, 3, 4]', "uses_constant leaf", "inside a mutable constant"),
    ("flow.py", "by=1", "by=2", "uses_default", "default argument"),
    ("flow.py", "offset(5)", "offset(6)", "closed", "closure value"),
    ("flow.py", "@repeated(2)", "@repeated(3)", "decorated", "argument of a decorator"),
    ("flow.py", "sum(function(x)", "max(function(x)", "decorated", "body of a decorator"),
    ("flow.py", "n != 0 and", "n > 0 and", "uses_recursion", "helpers that call each other"),
    ("flow.py", "one * 1", "one * -1", "uses_lambda", "lambda inside"),
    ("flow.py", "X = 3", "X = 3.0", "all", "type of an input"),
    ("helpers.py", "SCALE = 10", "SCALE = 11", "uses_module", "constant of a local module"),
    ("helpers.py", "deep(x) * SCALE", "deep(x) + SCALE", "uses_module", "function of a local module"),
    ("inside.py", "DEPTH = 1", "DEPTH = 2", "uses_module", "constant of a module of a module"),
    ("late.py", "x * by", "x + by", "uses_late_import", "module imported inside the function"),
    ("later.py", "by = 7", "by = 8", "uses_late_import", "what that module imports"),
    ("models.py", "x + self.settings", "x - self.settings", "uses_class", "method"),
    ("models.py", "return 1", "return 2", "uses_class", "method of a base class"),
    ("models.py", "limit = 100", "limit = 1", "uses_class", "class attribute"),
    ("models.py", "width: int = 4", "width: int = 5", "uses_class", "default of a dataclass"),
    ("models.py", "def bonus(self):\n        return 0", "def bonus(self):\n        return 5", "uses_class", "property"),
]  # fmt: skip
HITS = [
    ("flow.py", "# a comment", "# another comment", "comment"),
    ("flow.py", "'''A docstring.'''", "'''Another,\n    longer one.'''", "docstring"),
    ("flow.py", "    '''A docstring.'''\n", "", "docstring removed"),
    ("flow.py", "return x + 1  #", "return (\n        x\n        + 1\n    )  #", "layout"),
    ("flow.py", "@node\ndef uses_default", "@node('uses_default', name='n')\ndef uses_default", "arguments of @node"),
    ("flow.py", "import functools\n", "import functools\nimport os\nUNUSED = 3\n", "lines above"),
    ("flow.py", "def even(n):\n    return n == 0 or odd(n - 1)\n\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n",
     "def odd(n):\n    return n != 0 and even(n - 1)\n\n\ndef even(n):\n    return n == 0 or odd(n - 1)\n", "order of functions"),
    ("helpers.py", "def unused(x):\n    return x", "def unused(x):\n    return -x", "function that no node reads"),
    ("models.py", '"""Predicts."""', '"""Predicts well."""', "docstring of a class"),
    ("models.py", "    @staticmethod\n    def unused():\n        return 0\n", "    # nothing\n    @staticmethod\n    def unused():\n        return 0\n", "comment in a class"),
    ("late.py", "from later import by", "# by\nfrom later import by", "comment in a module imported inside"),
    ("flow.py", "X = 3", "X = 2 + 1", "the same input, written otherwise"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"), [pytest.param(*one[:-1], id=one[-1]) for one in MISSES]
)
def test_runs_again(
    first: tuple[Path, str], tmp_path: Path, name: str, old: str, new: str, expected: str
) -> None:
    folder = edited(first[0], tmp_path, name, old, new)
    names, values = ran_nodes(folder)
    assert names == (set(expected.split()) if expected != "all" else ALL)
    (folder / "kept").rename(folder / "old")
    assert ran_nodes(folder)[1] == values, "what came back is what a run without a cache gives"


@pytest.mark.parametrize(
    ("name", "old", "new"), [pytest.param(*one[:-1], id=one[-1]) for one in HITS]
)
def test_comes_back(first: tuple[Path, str], tmp_path: Path, name: str, old: str, new: str) -> None:
    names, values = ran_nodes(edited(first[0], tmp_path, name, old, new))
    assert names == set()
    assert values == first[1]


def test_an_edit_undone_finds_the_first_results(first: tuple[Path, str], tmp_path: Path) -> None:
    folder = edited(first[0], tmp_path, "flow.py", "FACTOR = 2", "FACTOR = 3")
    assert ran_nodes(folder)[0]
    write(folder, FILES)
    assert ran_nodes(folder) == (set(), first[1])
