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
    namespace = _executed(code, path)
    if callable(namespace.get("config_gen")):
        return _of_call(namespace["config_gen"], path)  # type: ignore[arg-type]
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


def _executed(code: CodeType, path: str) -> dict[str, object]:
    """The config's namespace, after its code ran with its own folder importable."""
    module = ModuleType(os.path.splitext(os.path.basename(path))[0])
    module.__file__ = os.path.abspath(path)
    with _importable(os.path.dirname(os.path.abspath(path))), _own_errors(path):
        exec(code, module.__dict__)
    return module.__dict__


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
    return made | Config(origins={target: path for target in made.globals_dict})


def _bare(tree: ast.Module, namespace: Mapping[str, object], path: str) -> Config:
    """Every name that the file itself assigns or defines is an override."""
    names = list(dict.fromkeys(_defined(tree.body)))
    values = {name: namespace[name] for name in names if name in namespace}
    reserved = {name: value for name, value in values.items() if name in RESERVED}
    _refuse_mistyped(set(values) - _read_names(tree), path)
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
    return config | Config(
        origins=dict.fromkeys(config.globals_dict, path), optional=own_use
    )


def _refuse_mistyped(names: set[str], path: str) -> None:
    """A private name that nothing reads and that looks reserved is a typo, not a private name."""
    for name in sorted(name for name in names - set(RESERVED) if name.startswith("_")):
        found = near(name, list(RESERVED), 1, cutoff=0.75)
        if found:
            raise ConfigError(f"{path}: unknown reserved name {name!r}. Did you mean {found[0]!r}?")


def _defined(statements: list[ast.stmt]) -> Iterator[str]:
    """The names that top-level statements assign or define; loops and imports do not count."""
    for node in statements:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for inner in ast.walk(target):
                    if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                        yield inner.id
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            for block in ("body", "orelse", "finalbody"):
                yield from _defined(getattr(node, block, []))
            for handler in getattr(node, "handlers", []):
                yield from _defined(handler.body)


def _read_names(tree: ast.Module) -> set[str]:
    """The names that the config itself reads."""
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
