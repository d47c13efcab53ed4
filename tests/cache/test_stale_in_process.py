"""What is edited, set or loaded again while the process lives, as in a notebook: never the old value."""

from __future__ import annotations

import copyreg
import gc
import importlib
import linecache
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.memory import MemoryCache
from kohaku_ast.errors import CacheWarning
from kohaku_ast.pipeline.node import Node, node
from kohaku_ast.pipeline.pipeline import Pipeline

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(path: Path, text: str) -> None:
    """Write *text*, with another time than any file before: coarse clocks hide quick edits."""
    write.time = getattr(write, "time", 10**9) + 10  # type: ignore[attr-defined]
    path.write_text(text)
    os.utime(path, (write.time, write.time))  # type: ignore[attr-defined]
    importlib.invalidate_caches()
    linecache.checkcache(str(path))


class Notebook:
    """Cells, run one after another in a ``__main__`` without a file."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, has_source: bool) -> None:
        self.module = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", self.module)
        self.count = 0
        self.has_source = has_source
        self.run("from kohaku_ast.pipeline.node import node")

    def run(self, text: str) -> None:
        self.count += 1
        name = f"/tmp/ipykernel_1/{self.count}.py" if self.has_source else "<stdin>"
        if self.has_source:
            linecache.cache[name] = len(text), None, text.splitlines(True), name
        exec(compile(text, name, "exec", dont_inherit=True), vars(self.module))

    def __getitem__(self, name: str) -> Any:
        return getattr(self.module, name)


@pytest.fixture(params=[True, False], ids=["notebook", "prompt"])
def notebook(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Notebook:
    return Notebook(monkeypatch, request.param)


CELL = """\
BY = 1
def helper(x):
    return x + BY
class Model:
    def go(self, x):
        return helper(x)
@node
def f(x):
    ran.append(1)
    return Model().go(x)
ran = []
"""
EDITS = [
    pytest.param("BY = 2", id="constant"),
    pytest.param("def helper(x):\n    return x + 2", id="helper"),
    pytest.param("class Model:\n    def go(self, x):\n        return x + 2", id="class"),
    pytest.param("Model.go = lambda self, x: x + 2", id="method"),
    pytest.param("helper.__code__ = (lambda x: x + 2).__code__", id="code, as autoreload does"),
    pytest.param("import functools\nhelper = functools.partial(lambda a, b: a + b, 2)", id="partial"),
]  # fmt: skip


def fingerprintless(notebook: Notebook) -> None:
    """The list that notes the runs is no constant of the program."""
    notebook.run("class Ran(list):\n    def __kogine_fingerprint__(self): return 0\nran = Ran()")


@pytest.mark.parametrize("edit", EDITS)
def test_a_cell_is_run_again_with_an_edit(notebook: Notebook, edit: str) -> None:
    notebook.run(CELL)
    fingerprintless(notebook)
    pipeline = Pipeline([notebook["f"]], cache=MemoryCache())
    assert [pipeline.run({"x": 1}, "f") for _ in range(2)] == [2, 2]
    notebook.run(edit)
    assert [pipeline.run({"x": 1}, "f") for _ in range(2)] == [3, 3]
    assert len(notebook["ran"]) == 2


def test_a_cell_that_is_run_again_as_it_was_hits(notebook: Notebook) -> None:
    cache = MemoryCache()
    for _ in range(3):
        notebook.run(CELL)
        fingerprintless(notebook)
        Pipeline([notebook["f"]], cache=cache).run({"x": 1}, "f")
    assert not notebook["ran"]


LAZY = "def f(x):\n    import lazy\n    return lazy.BY + x\n"


def test_a_file_is_edited_before_a_function_imports_it(own_folder: Path) -> None:
    write(own_folder / "lazy.py", "BY = 1\n")
    write(own_folder / "asks.py", LAZY)
    cache = MemoryCache()
    pipeline = Pipeline([Node(importlib.import_module("asks").f, "y")], cache=cache)
    pipeline.run({"x": 1}, "y")
    del sys.modules["lazy"]  # as in a process that found the result
    assert pipeline.explain_cache({"x": 1}, "y")["f"].state == "kept"
    write(own_folder / "lazy.py", "BY = 2\n")
    assert pipeline.run({"x": 1}, "y") == 3


def test_what_an_unloaded_module_imports_is_edited(own_folder: Path) -> None:
    write(own_folder / "lazy.py", "from lazier import BY\n")
    write(own_folder / "lazier.py", "BY = 1\n")
    write(own_folder / "asks.py", LAZY)
    pipeline = Pipeline([Node(importlib.import_module("asks").f, "y")], cache=MemoryCache())
    pipeline.run({"x": 1}, "y")
    del sys.modules["lazy"], sys.modules["lazier"]
    write(own_folder / "lazier.py", "BY = 2\n")
    assert pipeline.run({"x": 1}, "y") == 3


def test_a_module_that_a_function_imports_is_reloaded(own_folder: Path) -> None:
    write(own_folder / "lazy.py", "BY = 1\n")
    write(own_folder / "asks.py", LAZY)
    pipeline = Pipeline([Node(importlib.import_module("asks").f, "y")], cache=MemoryCache())
    assert [pipeline.run({"x": 1}, "y") for _ in range(2)] == [2, 2]
    write(own_folder / "lazy.py", "BY = 2\n")
    assert pipeline.run({"x": 1}, "y") == 2, "what is loaded is the old text"
    importlib.reload(sys.modules["lazy"])
    assert pipeline.run({"x": 1}, "y") == 3


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("import helpers\ndef f(x): return helpers.by(x)\n", id="by the module"),
        pytest.param("import helpers as h\ndef f(x): return getattr(h, 'by')(x)\n", id="getattr"),
    ],
)
def test_a_module_is_reloaded(own_folder: Path, text: str) -> None:
    write(own_folder / "helpers.py", "def by(x):\n    return x + 1\n")
    write(own_folder / "asks.py", text)
    pipeline = Pipeline([Node(importlib.import_module("asks").f, "y")], cache=MemoryCache())
    assert pipeline.run({"x": 1}, "y") == 2
    write(own_folder / "helpers.py", "def by(x):\n    return x + 2\n")
    importlib.reload(sys.modules["helpers"])
    assert pipeline.run({"x": 1}, "y") == 3


def test_what_a_lazy_module_makes_is_asked_for_again(own_folder: Path) -> None:
    write(own_folder / "lazily.py", "TABLE = {'by': 1000}\ndef __getattr__(n): return TABLE[n]\n")
    write(own_folder / "asks.py", "import lazily\ndef f(x):\n    return lazily.by + x\n")
    pipeline = Pipeline([Node(importlib.import_module("asks").f, "y")], cache=MemoryCache())
    assert pipeline.run({"x": 1}, "y") == 1001
    sys.modules["lazily"].TABLE["by"] = 2000
    assert pipeline.run({"x": 1}, "y") == 2001


class Base:
    by = 1


@node
def among(x: int) -> int:
    return sum(one.by for one in Base.__subclasses__()) + x


def test_a_subclass_is_made() -> None:
    pipeline = Pipeline([among], cache=MemoryCache())
    before = pipeline.run({"x": 1}, "among")
    sub = type("Sub", (Base,), {"by": 5})
    assert pipeline.run({"x": 1}, "among") == before + 5
    sub.by = 7  # type: ignore[attr-defined]
    assert pipeline.run({"x": 1}, "among") == before + 7


def new_class(by: int) -> Any:
    return type("Same", (), {"by": by, "__module__": __name__})


def new_function(by: int) -> Any:
    return types.FunctionType((lambda: by).__code__, {}, closure=(types.CellType(by),))


REGISTRY: dict[str, Any] = {}


@node
def registered(x: int) -> Any:
    found = REGISTRY["found"]
    return found.by if isinstance(found, type) else found()  # type: ignore[attr-defined]


@node
def given(found: Any) -> Any:
    return found.by if hasattr(found, "by") else found()


@pytest.mark.parametrize("new", [new_class, new_function])
def test_new_code_where_old_code_lay_in_memory_is_new(new: Callable[[int], Any]) -> None:
    pipeline = Pipeline([registered, given], cache=MemoryCache())
    for by in range(5):
        REGISTRY["found"] = new(by)
        assert pipeline.run({"x": 1}, "registered") == by
        assert pipeline.run({"found": REGISTRY["found"]}, "given") == by
        REGISTRY.clear()
        gc.collect()


def test_the_class_of_an_input_is_changed() -> None:
    pipeline = Pipeline([given], cache=MemoryCache())
    made = new_class(1)
    assert [pipeline.run({"found": made()}, "given") for _ in range(2)] == [1, 1]
    made.by = 2
    assert pipeline.run({"found": made()}, "given") == 2


def with_keyword(x: int, *, by: int = 1) -> int:
    return x + by


def with_attribute(x: int) -> int:
    return x + with_attribute.by  # type: ignore[attr-defined,no-any-return]


with_attribute.by = 1  # type: ignore[attr-defined]
ALL: list[Any] = [with_attribute]

CHANGES: list[Any] = [
    pytest.param(with_keyword, lambda: setattr(with_keyword, "__kwdefaults__", {"by": 9}), id="keyword defaults replaced"),
    pytest.param(lambda x: ALL[0](x), lambda: setattr(with_attribute, "by", 9), id="attribute of a function in a list"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "change"), CHANGES)
def test_a_helper_is_changed(function: Any, change: Callable[[], None]) -> None:
    def f(x: int) -> int:
        return function(x)  # type: ignore[no-any-return]

    pipeline = Pipeline([Node(f, "y")], cache=MemoryCache())
    assert pipeline.run({"x": 1}, "y") == 2
    change()
    assert pipeline.run({"x": 1}, "y") == 10


inner = Pipeline([Node(with_keyword, "z")], name="inner", cache=MemoryCache())


def test_a_pipeline_that_a_node_runs_counts_by_its_nodes() -> None:
    def f(x: int) -> Any:
        return inner.run({"x": x}, "z")

    pipeline = Pipeline([Node(f, "y")], cache=MemoryCache())
    first = pipeline.run({"x": 1}, "y")
    inner.run({"x": 2})  # its plans and its cache are no part of what it computes
    assert pipeline.explain_cache({"x": 1}, "y")["f"].state == "kept"
    with_keyword.__kwdefaults__ = {"by": first + 100}
    assert pipeline.run({"x": 1}, "y") == first + 101


def test_a_bare_object_is_itself_and_no_other() -> None:
    here, there = object(), object()

    @node
    def which(mode: object) -> str:
        return "here" if mode is here else "there"

    pipeline = Pipeline([which], cache=MemoryCache())
    with pytest.warns(CacheWarning, match="object"):
        assert pipeline.run({"mode": here}, "which") == "here"
    assert pipeline.run({"mode": there}, "which") == "there"


def test_an_error_while_a_key_is_made_is_said_and_the_node_runs() -> None:
    class Odd:
        def cache_identity(self) -> Any:
            raise ValueError("odd")

    thing = Odd()

    def f(x: int) -> int:
        return x if thing else 0

    pipeline = Pipeline([Node(f, "y")], cache=MemoryCache())
    with pytest.warns(CacheWarning, match="'f'.*Odd"):
        assert pipeline.run({"x": 1}, "y") == 1


LIBRARY = """\
import sys
from kohaku_ast.cache.disk import DiskCache
from kohaku_ast.pipeline.node import Node
from kohaku_ast.pipeline.pipeline import Pipeline

{0}
def f(x):
    {1}
    return somelib.by + x

print(Pipeline([Node(f, "y")], cache=DiskCache("kept")).run({{"x": 1}}, "y"))
"""


@pytest.mark.parametrize("place", [0, 1], ids=["at the top", "inside the function"])
@pytest.mark.parametrize("distribution", ["somelib", "python_somelib"])
def test_another_version_of_a_library(tmp_path: Path, place: int, distribution: str) -> None:
    site = tmp_path / "site-packages"
    texts = ["", ""]
    texts[place] = "import somelib"
    (tmp_path / "flow.py").write_text(LIBRARY.format(*texts))
    printed = []
    for version, by in (("1.0", 1), ("1.0", 2), ("1.1", 2)):
        for old in site.glob("*.dist-info"):
            (old / "METADATA").unlink()
            (old / "top_level.txt").unlink()
            old.rmdir()
        info = site / f"{distribution}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Name: {distribution}\nVersion: {version}\n")
        (info / "top_level.txt").write_text("somelib\n")
        write(site / "somelib.py", f"by = {by}\n")
        done = subprocess.run(
            [sys.executable, "-B", "flow.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(site)])},
            capture_output=True,
            text=True,
            check=True,
        )
        printed.append(int(done.stdout))
    assert printed == [2, 2, 3], "a library counts by its version, not by its text"


def result(notebook: Notebook, cell: str) -> list[Any]:
    """What ``f`` gives before the cell, again, and after it."""
    pipeline = Pipeline([notebook["f"]], cache=MemoryCache())
    before = [pipeline.run({"x": 3}, "f"), pipeline.run({"x": 3}, "f")]
    notebook.run(cell)
    return [*before, pipeline.run({"x": 3}, "f")]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param(
            "from fractions import Fraction\nFraction.acc = lambda self: 1\n"
            "@node\ndef f(x): return Fraction(x).acc()",
            "Fraction.acc = lambda self: 2",
            id="attribute of a library's class, again",
        ),
        pytest.param(
            "import textwrap\n@node\ndef f(x): return textwrap.fill('a')",
            "added = 1\ntextwrap.TextWrapper.fill = lambda self, text: 'b'",
            id="attribute of a library's class, new",
        ),
        pytest.param(
            "class M:\n    k: int\n@node\ndef f(x): return str(M.__annotations__)",
            "M.__annotations__['k'] = float",
            id="annotation of a class",
        ),
        pytest.param(
            "def g(x: int): return x\n@node\ndef f(x): return str(g.__annotations__)",
            "g.__annotations__['x'] = float",
            id="annotation of a function",
        ),
        pytest.param(
            "def g(x): return x\n@node\ndef f(x): return g.__doc__",
            "g.__doc__ = 'new'",
            id="docstring",
        ),
        pytest.param(
            "import types\ns = types.ModuleType('settings')\ns.K = 1\n@node\ndef f(x): return s.K",
            "s.K = 2",
            id="module made at run time",
        ),
        pytest.param(
            "import abc\nclass B(abc.ABC): pass\nclass A: pass\n"
            "@node\ndef f(x): return isinstance(A(), B)",
            "B.register(A)",
            id="registered class",
        ),
        pytest.param(
            "import copyreg, copy\nclass A:\n    def __init__(self, k): self.k = k\n"
            "@node\ndef f(x): return copy.copy(A(x)).k",
            "def reduced(one): return A, (one.k + 1,)\ncopyreg.pickle(A, reduced)",
            id="copyreg",
        ),
    ],
)
def test_libraries_and_descriptions_are_changed(notebook: Notebook, text: str, cell: str) -> None:
    saved, fill = copyreg.dispatch_table.copy(), textwrap.TextWrapper.fill
    try:
        notebook.run(text)
        first, again, after = result(notebook, cell)
        fresh = notebook["f"](3)
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(saved)
        textwrap.TextWrapper.fill = fill  # type: ignore[method-assign]
        if hasattr(Fraction, "acc"):
            del Fraction.acc  # type: ignore[attr-defined]
    assert first == again
    assert first != after == fresh
