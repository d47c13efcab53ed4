"""What counts of a function: the code and values that are alive, not what lies in a file by now."""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kohaku_ast.cache.code_identity import Unidentified, identify
from kohaku_ast.cache.fingerprint import fingerprint


def executed(source: str, **names: Any) -> dict[str, Any]:
    """The names of code that has no file."""
    names["__name__"] = "executed"
    exec(compile(source, "<executed>", "exec", dont_inherit=True), names)
    return names


def digest(source: str, **names: Any) -> bytes:
    return identify(executed(source, **names)["f"]).digest


BASE = "def f(x, y=1):\n    return x + 1"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(x, y=1):\n    return x + 1  # note", id="comment"),
        pytest.param("\n\ndef f(x, y=1):\n\n    return (x +\n        1)", id="layout"),
        pytest.param("def f(x, y=1):\n    'text'\n    return x + 1", id="docstring"),
    ],
)
def test_code_without_a_file_is_the_same_with_another(source: str) -> None:
    assert digest(source) == digest(BASE)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("def f(x, y=1):\n    return x + 2", id="constant"),
        pytest.param("def f(x, y=1):\n    return x - 1", id="operator"),
        pytest.param("def f(y, x=1):\n    return x + 1", id="parameters"),
        pytest.param("def f(x, y=1):\n    return len(x) + 1", id="name"),
        pytest.param("def f(x, y=1):\n    return [one + 1 for one in x]", id="comprehension"),
    ],
)
def test_code_without_a_file_differs_from_another(source: str) -> None:
    assert digest(source) != digest(BASE)


READS = "def g(x):\n    return x * k\ndef f(x):\n    return [g(one) for one in x]"


def test_reads_of_reads_count_in_code_without_a_file() -> None:
    assert digest(READS, k=1) != digest(READS, k=2)
    assert digest(READS, k=1) == digest(READS, k=1, unread=5)
    assert digest(READS, k={"a", "b"}) == digest(READS, k={"b", "a"})


def test_a_name_that_is_not_there_yet_counts_once_it_is() -> None:
    found = executed("def f(x):\n    return later(x)")
    before = identify(found["f"])
    assert before.holds()
    found["later"] = abs
    assert not before.holds()
    assert identify(found["f"]).digest != before.digest


CHANGES: list[Any] = [
    pytest.param(lambda names: names.update(k=2), id="constant set"),
    pytest.param(lambda names: names["table"].append(1), id="list changed in place"),
    pytest.param(lambda names: names["table"][0].update(a=2), id="dict in a list changed in place"),
    pytest.param(lambda names: setattr(names["Args"], "width", 9), id="class attribute set"),
    pytest.param(lambda names: setattr(names["Args"], "new", 9), id="class attribute added"),
    pytest.param(lambda names: setattr(names["g"], "__defaults__", (5,)), id="defaults set"),
    pytest.param(lambda names: names["g"].__kwdefaults__.update(z=5), id="keyword default set"),
    pytest.param(lambda names: setattr(names["g"], "__code__", (lambda x, y=2, *, z=3: 0).__code__), id="code set"),
    pytest.param(lambda names: names.update(g=len), id="helper replaced"),
    pytest.param(lambda names: setattr(names["module"], "deep", 8), id="constant of a module"),
    pytest.param(lambda names: names["add"](), id="closure"),
    pytest.param(lambda names: setattr(names["g"], "factor", 8), id="attribute of a function"),
    pytest.param(lambda names: names["registry"].update(b=print), id="registry"),
]  # fmt: skip
LIVE = """
k = 1
table = [{"a": 1}]
class Args:
    width = 1
def g(x, y=2, *, z=3):
    return x + y
g.factor = 2
def counter():
    count = 0
    def add():
        nonlocal count
        count += 1
    def read():
        return count
    return add, read
add, read = counter()
registry = {"a": g}
def f(x):
    return g(x) + k + len(table) + Args.width + module.deep + read() + g.factor + registry["a"](1)
registry["f"] = f
"""


@pytest.mark.parametrize("change", CHANGES)
def test_values_count_as_they_are_now(change: Callable[[dict[str, Any]], object]) -> None:
    module = types.ModuleType("module")
    exec("deep = 3", vars(module))
    names = executed(LIVE, module=module)
    before = identify(names["f"])
    assert before.holds()
    change(names)
    assert not before.holds()
    assert identify(names["f"]).digest != before.digest


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_that_was_edited_after_its_import_does_not_count(own_folder: Path) -> None:
    (own_folder / "edited.py").write_text("def f(x):\n    return x + 1\n")
    import edited  # type: ignore[import-not-found]

    (own_folder / "edited.py").write_text("def f(x):\n    return x + 2\n")
    old = identify(edited.f).digest
    importlib.invalidate_caches()
    new = importlib.reload(edited)
    assert identify(new.f).digest != old


def test_a_lazy_import_counts_by_its_text_before_and_after(own_folder: Path) -> None:
    (own_folder / "lazy.py").write_text("def g(x):\n    return x\n")
    (own_folder / "asks.py").write_text("def f(x):\n    import lazy\n    return lazy.g(x)\n")
    import asks  # type: ignore[import-not-found]

    before = identify(asks.f).digest
    asks.f(1)
    assert "lazy" in sys.modules
    assert identify(asks.f).digest == before
    (own_folder / "lazy.py").write_text("def g(x):\n    return x + 100\n")
    assert identify(asks.f).digest == before, "what is loaded is the old text"


def test_what_a_package_imports_relatively_counts(own_folder: Path) -> None:
    package = own_folder / "pack"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("def f(x):\n    from .two import g\n    return g(x)\n")
    (package / "two.py").write_text("from . import three\ndef g(x):\n    return three.K\n")
    (package / "three.py").write_text("K = 1\n")
    from pack.one import f  # type: ignore[import-not-found]

    before = identify(f).digest
    (package / "three.py").write_text("K = 22\n")
    assert identify(f).digest != before


def wrapping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def one(x: int) -> int:
    return x + 1


def two(x: int) -> int:
    return x + 2


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(wrapping, id="wraps of the user"),
        pytest.param(functools.lru_cache, id="lru_cache"),
        pytest.param(functools.partial, id="partial"),
        pytest.param(functools.singledispatch, id="singledispatch"),
        pytest.param(__import__("contextlib").contextmanager, id="contextmanager"),
        pytest.param(lambda f: types.MethodType(f, 1), id="method"),
        pytest.param(staticmethod, id="staticmethod"),
    ],
)
def test_what_is_wrapped_counts(wrap: Callable[[Any], Any]) -> None:
    assert fingerprint(wrap(one)) != fingerprint(wrap(two))
    assert fingerprint(wrap(one)) == fingerprint(wrap(one))
    assert identify(wrap(one)).digest != identify(wrap(two)).digest


def forget(local_code: Any) -> None:
    local_code._version.cache_clear()
    local_code.distribution_version.cache_clear()


def test_functions_of_libraries_count_by_name_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    from kohaku_ast import user_code

    library = types.ModuleType("somelib")
    library.__file__ = "/lib/site-packages/somelib/__init__.py"
    library.__version__ = "1.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "somelib", library)
    forget(user_code)
    first = digest("def f(x):\n    return somelib.g(x)", somelib=library)
    library.internal = 1  # type: ignore[attr-defined]
    assert digest("def f(x):\n    return somelib.g(x)", somelib=library) == first
    library.__version__ = "1.1"  # type: ignore[attr-defined]
    forget(user_code)
    assert digest("def f(x):\n    return somelib.g(x)", somelib=library) != first


def test_what_cannot_be_told_is_named() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(Unidentified, match=r"f: rows.*generator"):
        digest("def f(x):\n    return next(rows)", rows=numbers())


def test_locks_and_loggers_do_not_stand_in_the_way() -> None:
    import logging
    import threading

    source = "def f(x):\n    with lock:\n        log.info(x)"
    names = {"lock": threading.Lock(), "log": logging.getLogger("x")}
    assert digest(source, **names) == digest(source, **{**names, "lock": threading.Lock()})
