"""Config files: a Python file in, a Config out."""

from __future__ import annotations

import ast
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, ModuleType

from kohaku_ast.config.config import Config
from kohaku_ast.errors import ConfigError, near

LATER = {"_sweep"}
"""Reserved names that this version does not understand: never passed over in silence."""

RESERVED = {
    "_args": "args",
    "_kwargs": "kwargs",
    "_argv": "argv",
    "_metadata": "metadata",
    "_outputs": "outputs",
    "_overrides": "globals_dict",
}
"""The names with a meaning of their own in a bare config file, and the field each one fills."""


def load_config(path: str) -> Config:
    """The Config that the file at *path* describes.

    ``config_gen()`` if it has that function, else ``CONFIG``, else every name that the file
    itself assigns or defines. Raises ConfigError; an exception of the file's own code is in it
    with its traceback.
    """
    data = _read(path)
    tree, code = _compiled(data, path)
    with _known(path) as module:
        _execute(code, module, path)
        namespace = module.__dict__
        if callable(namespace.get("config_gen")):
            return _of_call(namespace["config_gen"], path)
        if "CONFIG" in namespace:
            return _checked(namespace["CONFIG"], f"{path}: CONFIG", path)
        return _bare(tree, namespace, path)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"can't open config {path!r}: {error.strerror}") from error


def _compiled(data: bytes, path: str) -> tuple[ast.Module, CodeType]:
    try:
        tree = ast.parse(data, path)
        return tree, compile(data, os.path.abspath(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        shown = "".join(traceback.format_exception_only(type(error), error)).rstrip()
        raise ConfigError(f"config {path!r} is not Python:\n{shown}") from error


@contextmanager
def _known(path: str) -> Iterator[ModuleType]:
    """A new module for the config, which ``sys.modules`` knows inside: a dataclass looks there
    for the module that it stands in.
    """
    module = ModuleType(os.path.splitext(os.path.basename(path))[0])
    module.__file__ = os.path.abspath(path)
    other = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        yield module
    finally:
        sys.modules.pop(module.__name__, None)
        if other is not None:
            sys.modules[module.__name__] = other


def _execute(code: CodeType, module: ModuleType, path: str) -> None:
    """Run the config's code, with its own folder importable."""
    with _importable(os.path.dirname(os.path.abspath(path))), _own_errors(path):
        exec(code, module.__dict__)


@contextmanager
def _importable(folder: str) -> Iterator[None]:
    """Modules beside the config can be imported, and leave no bytecode there."""
    before, flag = list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path[:] = before
        sys.dont_write_bytecode = flag


@contextmanager
def _own_errors(path: str) -> Iterator[None]:
    """An exception of the config's code becomes a ConfigError that shows its own frames."""
    try:
        yield
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        shown = "".join(traceback.format_exception(type(error), error, trace)).rstrip()
        raise ConfigError(f"config {path!r} raised an exception:\n{shown}") from error


def _of_call(function: Callable[[], object], path: str) -> Config:
    with _importable(os.path.dirname(os.path.abspath(path))), _own_errors(path):
        made = function()
    return _checked(made, f"{path}: config_gen()", path)


def _checked(made: object, what: str, path: str) -> Config:
    if not isinstance(made, Config):
        raise ConfigError(f"{what} is a {type(made).__name__}, not a Config: {made!r}")
    return made | Config(origins=dict.fromkeys(made.globals_dict, path))


def _bare(tree: ast.Module, namespace: Mapping[str, object], path: str) -> Config:
    """Every name that the file itself assigns or defines is an override."""
    names = list(dict.fromkeys(_defined(tree.body)))
    values = {name: namespace[name] for name in names if name in namespace}
    reserved = {name: value for name, value in values.items() if name in RESERVED}
    _refuse_mistyped(set(values) - _read_names(tree), path)
    for name in LATER & set(values):
        raise ConfigError(f"{path}: {name!r} is not understood: sweeps are not there yet")
    plain = {name: value for name, value in values.items() if not name.startswith("_")}
    fields = {RESERVED[name]: value for name, value in reserved.items()}
    overrides = fields.pop("globals_dict", {})
    if not isinstance(overrides, Mapping):
        raise ConfigError(f"{path}: _overrides is a dict of targets to values, got {overrides!r}")
    try:
        config = Config(globals_dict={**plain, **overrides}, **fields)  # type: ignore[arg-type]
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    own_use = frozenset(_read_names(tree) & set(plain))
    return config | Config(origins=dict.fromkeys(config.globals_dict, path), optional=own_use)


def _refuse_mistyped(names: set[str], path: str) -> None:
    """A private name that nothing reads and that looks reserved is a typo, not a private name."""
    for name in sorted(name for name in names - set(RESERVED) if name.startswith("_")):
        found = near(name, list(RESERVED), 1, cutoff=0.75)
        if found:
            raise ConfigError(f"{path}: unknown reserved name {name!r}. Did you mean {found[0]!r}?")


def _defined(statements: list[ast.stmt]) -> Iterator[str]:
    """The names that top-level statements assign or define; imports and loop variables do not
    count, nor what ``with``, ``except`` and ``case`` bind.
    """
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
            continue
        for target in _targets(node):
            for inner in ast.walk(target):
                if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    yield inner.id
        for block in ("body", "orelse", "finalbody"):
            yield from _defined(getattr(node, block, []))
        for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
            yield from _defined(part.body)


def _targets(node: ast.stmt) -> list[ast.expr]:
    """What the statement itself assigns to; of a walrus too, if it stands in a plain statement."""
    walruses: list[ast.expr] = [
        inner.target for inner in ast.walk(node) if isinstance(inner, ast.NamedExpr)
    ]
    if isinstance(node, ast.Assign):
        return [*node.targets, *walruses]
    if isinstance(node, (ast.AnnAssign, ast.AugAssign)):
        return [node.target, *walruses]
    return walruses if isinstance(node, ast.Expr) else []


def _read_names(tree: ast.Module) -> set[str]:
    """The names that the config itself reads."""
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
