"""Python config files: run under the values of their heirs, then read as a Config and a sweep.

A file's own names decide what it sets: it is parsed to learn which names it assigns and which of
them only the file itself reads.
"""

from __future__ import annotations

import ast
import symtable
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType

from kohaku_ast.config.cells import is_cell
from kohaku_ast.config.config import Config
from kohaku_ast.config.config_gen import read_config_gen, read_sweep
from kohaku_ast.config.loading import BaseValues, ConfigLayer, Loading, execute
from kohaku_ast.config.text_values import TextValueError, none_word, parse_cell
from kohaku_ast.errors import (
    BrokenInstallation,
    ConfigError,
    KogineError,
    RefusedTarget,
    near,
    unreadable_config,
)
from kohaku_ast.files import read_input
from kohaku_ast.transform.find.source import decode, parse_text
from kohaku_ast.transform.program.bound_program import BoundProgram
from kohaku_ast.transform.program.load import load_program
from kohaku_ast.transform.program.program import Program, Request


def read_python_file(loading: Loading) -> ConfigLayer:
    """Run the file and return its own values and sweep, without those of its bases."""
    data = read_config(loading.path)
    code = _parse(data, loading)
    execute(loading, _compile_under_heirs(data, code, loading))
    return read_config_gen(loading, code.defined.keys() - code.read) or read_assignments(
        loading, code
    )


def read_config(path: str) -> bytes:
    """The bytes of the config file at *path*; raises ConfigError."""
    try:
        return read_input(path)
    except OSError as error:
        raise unreadable_config("config", path, error) from error


def _parse(data: bytes, loading: Loading) -> ModuleNames:
    try:
        text = decode(data, loading.file).text
        compile(text, loading.file, "exec", dont_inherit=True)
        return ModuleNames.of(text, loading.file)
    except (SyntaxError, ValueError, RecursionError, KogineError) as error:
        shown = "".join(traceback.format_exception_only(type(error), error)).rstrip()
        raise ConfigError(f"config {loading.path!r} is not Python:\n{shown}") from error


def _compile_under_heirs(data: bytes, code: ModuleNames, loading: Loading) -> list[CodeType]:
    """The file's code, with the values of its heirs where it defines the same names."""
    names = [name for name in loading.above if name in code.defined or name in code.imported]
    if not names:
        return [compile(data, loading.file, "exec", dont_inherit=True)]
    loading.consumed.update(set(names) & code.read)
    try:
        program = _program(data, names, code, loading)
    except BrokenInstallation:  # it is no fault of the config
        raise
    except KogineError as error:
        raise ConfigError(f"config {loading.path!r} cannot be inherited from: {error}") from error
    targets = {one.target for one in program.meant if one}
    values = _values(program, loading)
    return BoundProgram(program, {name: values[name] for name in targets}).codes()


def _program(data: bytes, names: Iterable[str], code: ModuleNames, loading: Loading) -> Program:
    targets = tuple((name, _text_kind(loading.above[name]), True) for name in names)
    try:
        return load_program(data, loading.file, Request(targets))
    except RefusedTarget:
        # Leave out a name that only a loop assigns and nothing reads: no value depends on it.
        rest = [name for name in names if name in code.read or not _is_refused(data, name, loading)]
        targets = tuple(one for one in targets if one[0] in rest)
        return load_program(data, loading.file, Request(targets))


def _text_kind(value: object) -> bool | str:
    """As in a Request: whether *value* is a cell, and its word if it may mean None."""
    return is_cell(value) and (none_word(value) or True)


def _is_refused(data: bytes, name: str, loading: Loading) -> bool:
    try:
        load_program(data, loading.file, Request(((name, False, True),)))
    except RefusedTarget:
        return True
    return False


def _values(program: Program, loading: Loading) -> dict[str, object]:
    """Target -> value; a cell is read as the type of the parameter in this file."""
    values = {}
    for one in program.meant:
        if one is None:
            continue
        value = loading.above[one.target]
        try:
            values[one.target] = parse_cell(value, one.reading) if is_cell(value) else value
        except TextValueError as error:
            raise ConfigError(f"{loading.path}:{one.line}: {one.target}: {error}") from None
    return values


RESERVED = {
    "_args": "args",
    "_kwargs": "kwargs",
    "_argv": "argv",
    "_metadata": "metadata",
    "_outputs": "outputs",
    "_inputs": "inputs",
    "_artifacts": "artifacts",
}
"""The names that fill a field of the Config, and the field each one fills."""

_KNOWN = [*RESERVED, "_overrides", "_script", "_sweep"]


def read_assignments(loading: Loading, code: ModuleNames) -> ConfigLayer:
    """The Config of what the file assigned: its *code* has run in the module of *loading*."""
    defined = {
        name: value
        for name in code.defined
        if name in (space := loading.module.__dict__)
        and not isinstance(value := space[name], BaseValues)
    }
    refuse_mistyped(set(defined) - code.read, loading.path)
    lines = {name: f"{loading.path}:{line}" for name, line in code.defined.items()}
    values, origins = _collect_overrides(defined, code.read, lines)
    config = Config(values, origins=origins)
    for name in RESERVED.keys() & defined.keys():
        config |= field_of(name, defined[name], lines[name])
    helpers = (code.read & values.keys()) - set(_targets_of(defined))
    config |= Config(optional=frozenset(helpers))
    if "_sweep" not in defined:
        return ConfigLayer(config)
    return ConfigLayer(config, read_sweep(defined["_sweep"], loading, lines, config))


def _collect_overrides(
    defined: Mapping[str, object], read: set[str], lines: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str]]:
    """Target -> value, and target -> file and line."""
    values = {name: value for name, value in defined.items() if not name.startswith("_")}
    origins = {name: lines[name] for name in values}
    where = lines.get("_overrides", "")
    for target, value in _targets_of(defined, where).items():
        if target in values and target not in read:
            raise ConfigError(
                f"{where}: {target!r} is in _overrides, and assigned at {origins[target]}: "
                "give it one value"
            )
        values[target], origins[target] = value, where
    return values, origins


def _targets_of(defined: Mapping[str, object], where: str = "") -> Mapping[str, object]:
    found = defined.get("_overrides", {})
    if not isinstance(found, Mapping) or not all(isinstance(target, str) for target in found):
        raise ConfigError(f"{where}: _overrides is a dict of targets to values, got {found!r}")
    return found


def field_of(name: str, value: object, where: str) -> Config:
    """A Config with *value* in the field that the reserved *name* fills."""
    try:
        return Config.from_dict({RESERVED[name]: value})
    except ConfigError as error:
        message = str(error).removeprefix("Config: ").replace(RESERVED[name], name, 1)
        raise ConfigError(f"{where}: {message}") from None


def refuse_mistyped(names: set[str], path: str) -> None:
    """Raise ConfigError for a private name that nothing reads and that resembles a reserved one."""
    private = [name for name in names - set(_KNOWN) if name.startswith("_") and len(name) > 3]
    for name in sorted(private):
        found = near(name, _KNOWN, 1, cutoff=0.75)
        if found:
            raise ConfigError(f"{path}: unknown reserved name {name!r}. Did you mean {found[0]!r}?")


_Definition = tuple[str, int]  # name and line
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_BRANCHES = (ast.If, ast.Try, ast.Match, ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True)
class ModuleNames:
    """The names of a config file, from its text."""

    #: Name -> line, as ``defined_names`` gives it.
    defined: Mapping[str, int]
    #: The names that it imports at top level.
    imported: set[str]
    #: The globals that the file itself reads.
    read: set[str]

    @classmethod
    def of(cls, text: str, path: str) -> ModuleNames:
        """The names of *text*; raises SyntaxError."""
        tree = parse_text(text, path)
        read = read_names(text, path) | _read_in_comprehensions(tree)
        return cls(defined_names(tree), _imported_names(tree), read)


def defined_names(tree: ast.Module) -> dict[str, int]:
    """Name -> line, for each name that the file assigns or defines at top level, in its order.

    Without imports, loop variables and what ``with``, ``except`` and ``case`` bind. Of several
    lines it is the last one that is sure to run, else the first.
    """
    found: dict[str, int] = {}
    for statement in tree.body:
        is_sure = not isinstance(statement, _BRANCHES)
        for name, line in _defined_in(statement):
            if is_sure or name not in found:
                found[name] = line
    return found


def _defined_in(node: ast.AST) -> Iterator[_Definition]:
    """The names that *node* and the statements in it define in the module's own scope."""
    yield from _assigned_in(node)
    if isinstance(node, ast.NamedExpr):
        yield node.target.id, node.lineno
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name, node.lineno
    for child in _same_scope(node):
        yield from _defined_in(child)


def _assigned_in(node: ast.AST) -> Iterator[_Definition]:
    """The names that an assignment binds, in its order."""
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AugAssign) or (isinstance(node, ast.AnnAssign) and node.value):
        targets = [node.target]
    elif type(node).__name__ == "TypeAlias":  # Python 3.12
        targets = [node.name]  # type: ignore[attr-defined]
    for target in targets:
        for inner in ast.walk(target):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                yield inner.id, inner.lineno


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The parts of *node* that run in its own scope: not the bodies of functions and classes."""
    inner: tuple[ast.AST, ...] = ()
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        inner = tuple(node.body)
    elif isinstance(node, ast.Lambda):
        inner = (node.body,)
    return (child for child in ast.iter_child_nodes(node) if child not in inner)


def scope_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below *node* that run in its own scope."""
    for child in _same_scope(node):
        yield child
        yield from scope_nodes(child)


def _imported_names(node: ast.AST) -> set[str]:
    found: set[str] = set()
    for child in _same_scope(node):
        if isinstance(child, (ast.Import, ast.ImportFrom)):
            found |= {one.asname or one.name.partition(".")[0] for one in child.names}
        found |= _imported_names(child)
    return found


def read_names(text: str, path: str) -> set[str]:
    """The globals that the file itself reads; a function that only calls itself reads nothing."""
    top = symtable.symtable(text, path, "exec")
    found = {one.get_name() for one in top.get_symbols() if one.is_referenced()}
    for scope in top.get_children():
        found |= _read_in(scope) - {scope.get_name()}
    return found


def _read_in(scope: symtable.SymbolTable) -> set[str]:
    # `lr = lr` in the body of a class reads the global, though the name is the class's own.
    is_class = scope.get_type() == "class"
    found = {
        one.get_name()
        for one in scope.get_symbols()
        if one.is_referenced() and (one.is_global() or is_class)
    }
    return found.union(*map(_read_in, scope.get_children()))


def _read_in_comprehensions(node: ast.AST) -> set[str]:
    """The names that comprehensions at top level read: symtable lacks them from Python 3.12 on."""
    found: set[str] = set()
    for child in _same_scope(node):
        if isinstance(child, _COMPREHENSIONS):
            names = [one for one in ast.walk(child) if isinstance(one, ast.Name)]
            stored = {one.id for one in names if isinstance(one.ctx, ast.Store)}
            found |= {one.id for one in names} - stored
        found |= _read_in_comprehensions(child)
    return found
