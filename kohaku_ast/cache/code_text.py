"""The text of code as a normalized syntax tree, the outside names that it reads, and the modules
that a function imports when it runs: the user's own count by their whole text.

The values of such modules are not available: the import has not happened yet when a key is made,
and importing a module for a key would run it although a cached result may make that unnecessary.
State of this process: the digests that were taken before a module was loaded. The loaded module
has the text of that time, however its file is edited later.
"""

from __future__ import annotations

import ast
import importlib.machinery
import linecache
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from types import CodeType, FunctionType
from typing import NamedTuple

from kohaku_ast.user_code import asked, attribute, is_local_file

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Place = tuple[str, int]
"""Name and first line, as a code object has them."""


def text_of(function: FunctionType) -> str | None:
    """The syntax tree of *function*'s source as text, without the values of its own defaults.

    None if the source is not available, or *function* was not compiled from it: a file that was
    edited since, a rewritten script, ``exec``.
    """
    code = function.__code__
    text = _source(code.co_filename, function)
    found = _index(text, code.co_filename) if text else None
    if found is None:
        return None
    place = code.co_name, code.co_firstlineno
    nodes, codes = found[0].get(place, []), found[1].get(place, [])
    if len(nodes) != 1 or codes != [code]:
        return None
    try:
        return _definition_text(nodes[0], function)
    except (RecursionError, ValueError):
        return None  # an endless sum; an integer of more than 4,300 digits


def code_parts(code: CodeType) -> tuple[object, ...]:
    """The content of *code* as plain values, for code without source."""
    constants = tuple(
        code_parts(one) if isinstance(one, CodeType) else one for one in _constants(code)
    )
    return (
        code.co_name, code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars,
        code.co_cellvars, code.co_flags, code.co_argcount, code.co_posonlyargcount,
        code.co_kwonlyargcount, getattr(code, "co_exceptiontable", b""),
    )  # fmt: skip


def _constants(code: CodeType) -> tuple[object, ...]:
    """The constants of *code* without the docstring, which is the first one, if there is one."""
    first = code.co_consts[:1]
    if code.co_flags & 0x2 and first and isinstance(first[0], str) and code.co_name[0] != "<":
        return (None, *code.co_consts[1:])
    return code.co_consts


def _source(path: str, function: FunctionType) -> str:
    linecache.checkcache(path)
    return "".join(linecache.getlines(path, function.__globals__))


@lru_cache(maxsize=32)
def _index(
    text: str, path: str
) -> tuple[dict[Place, list[Definition]], dict[Place, list[CodeType]]] | None:
    """The definitions of a file, and their code objects."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were shown when the file was imported
            tree = ast.parse(text)
            module = compile(tree, path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None
    nodes: dict[Place, list[Definition]] = {}
    codes: dict[Place, list[CodeType]] = {}
    for node in _definitions(tree):
        nodes.setdefault(_place(node), []).append(node)
    for code in walk(module):
        codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
    return nodes, codes


def _definitions(tree: ast.Module) -> Iterator[Definition]:
    """The functions of *tree*, which loses its docstrings and other lone strings on the way."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [one for one in body if not _is_docstring(one)]
        if isinstance(node, Definition):
            yield node


def without_docstrings(tree: ast.Module) -> str:
    """A whole module as text, as :func:`text_of` gives a function."""
    for _ in _definitions(tree):
        pass
    return ast.dump(tree, annotate_fields=False)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _place(node: Definition) -> Place:
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    return node.name, min([node.lineno, *(one.lineno for one in node.decorator_list)])


def _definition_text(node: Definition, function: FunctionType) -> str:
    """*node* as text, without the values of defaults: these count by their current values."""
    parts = [
        ast.dump(child, annotate_fields=False)
        for child in [*_without_defaults(node.args), *_body(node), *_decorators(node, function)]
    ]
    return "\n".join([type(node).__name__, function.__code__.co_name, *parts])


def _without_defaults(arguments: ast.arguments) -> list[ast.AST]:
    bare = ast.arguments(
        arguments.posonlyargs, arguments.args, arguments.vararg, arguments.kwonlyargs,
        [], arguments.kwarg, [],
    )  # fmt: skip
    optional = [len(arguments.defaults), *(one is not None for one in arguments.kw_defaults)]
    return [bare, ast.Constant(str(optional))]


def _body(node: Definition) -> list[ast.AST]:
    return [node.body] if isinstance(node, ast.Lambda) else list(node.body)


def _decorators(node: Definition, function: FunctionType) -> list[ast.AST]:
    """The decorators except ours: ``cache=False`` does not change what a node computes."""
    if isinstance(node, ast.Lambda):
        return []
    returns = [node.returns] if node.returns else []
    marks = [one for one in node.decorator_list if not _is_ours(one, function)]
    return [*returns, ast.Constant("decorators"), *marks]


def _is_ours(mark: ast.expr, function: FunctionType) -> bool:
    named = mark.func if isinstance(mark, ast.Call) else mark
    attributes: list[str] = []
    while isinstance(named, ast.Attribute):
        attributes.append(named.attr)
        named = named.value
    found = function.__globals__.get(named.id) if isinstance(named, ast.Name) else None
    for name in reversed(attributes):
        found = asked(found, name)
    module = asked(found, "__module__")
    return isinstance(module, str) and module.partition(".")[0] == "kohaku_ast"


Chain = tuple[str, ...]
"""A name and the attributes that follow it: ``("helpers", "scale")``."""


class CodeImport(NamedTuple):
    """``from ..module import name, name``; no names for ``import module``."""

    level: int
    module: str
    names: tuple[str, ...]


_NAMES = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
_BETWEEN = {"CACHE", "EXTENDED_ARG", "PUSH_NULL", "NOP"}


def find_chains(code: CodeType) -> tuple[Chain, ...]:
    """Every chain that *code* and nested code read, sorted."""
    return tuple(sorted({chain for inner in walk(code) for chain in _chains(inner)}))


def find_imports(code: CodeType) -> tuple[CodeImport, ...]:
    """Every import statement inside *code*, sorted."""
    return tuple(sorted({one for inner in walk(code) for one in _imports(inner)}))


def find_names(code: CodeType) -> frozenset[str]:
    """Every name of a global or an attribute in *code*."""
    return frozenset(name for inner in walk(code) for name in inner.co_names)


def find_texts(code: CodeType) -> tuple[str, ...]:
    """Every text constant in *code*, sorted."""
    found = {one for inner in walk(code) for one in inner.co_consts if type(one) is str}
    return tuple(sorted(found))


def find_blobs(code: CodeType) -> frozenset[bytes]:
    """Every bytes constant in *code*."""
    return frozenset(one for inner in walk(code) for one in inner.co_consts if type(one) is bytes)


def walk(code: CodeType) -> Iterator[CodeType]:
    """*code* and every code object nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from walk(constant)


def _chains(code: CodeType) -> Iterator[Chain]:
    import dis  # only where a function is seen for the first time

    chain: list[str] = []
    for one in dis.get_instructions(code):
        if one.opname in _BETWEEN:
            continue
        if one.opname in _ATTRIBUTES and chain:
            chain.append(one.argval)
            continue
        if chain:
            yield tuple(chain)
        chain = [one.argval] if one.opname in _NAMES else []


def _imports(code: CodeType) -> Iterator[CodeImport]:
    import dis

    before: list[object] = [0, None]  # the level and the names lie on the stack
    for one in dis.get_instructions(code):
        if one.opname == "IMPORT_NAME":
            level, names = before[-2:]
            yield CodeImport(
                level if isinstance(level, int) else 0,
                one.argval,
                names if isinstance(names, tuple) else (),
            )
        elif one.opname not in _BETWEEN:
            before = [before[-1], one.argval]


@dataclass
class _ModuleText:
    """The digest of a module's text and of those of the user's modules that it imports."""

    digest: str
    #: Path -> time of change and size, of every file read.
    files: dict[str, tuple[int, int] | None]
    #: ``sys.path`` at that time.
    path: list[str]
    #: The spec of the module that was loaded since; a reload changes it.
    spec: object = None

    def is_current(self) -> bool:
        return self.path == sys.path and all(
            _signature(path) == found for path, found in self.files.items()
        )


_texts: dict[str, _ModuleText] = {}


def targets(one: CodeImport, package: str) -> list[str]:
    """The modules that an import statement may load, without their packages."""
    module = one.module
    if one.level:
        above = package.split(".")[: len(package.split(".")) - one.level + 1]
        module = ".".join([*above, module] if module else above)
    return [module, *(f"{module}.{name}" for name in one.names if name != "*")]


def parents(names: list[str]) -> list[str]:
    """The packages of *names*, which are loaded before them."""
    found = [part for name in names for part in _prefixes(name.rpartition(".")[0])]
    return [name for name in dict.fromkeys(found) if name and name not in names]


def module_text(name: str) -> str | None:
    """A digest of the text of the user's module *name* and of the user's modules it imports.

    None for a library, for a name that is no module, and for a module that was loaded before the
    first call, or reloaded since: its values are available.
    """
    loaded, before = sys.modules.get(name), _texts.get(name)
    if loaded is not None:
        return None if before is None else _loaded_text(before, loaded)
    if before is not None and before.spec is None and before.is_current():
        return before.digest
    path = find_file(name)
    if path is None:
        return None
    _texts[name] = _read_text(name, path)
    return _texts[name].digest


def _loaded_text(before: _ModuleText, loaded: object) -> str | None:
    spec = attribute(loaded, "__spec__")
    if before.spec is None and before.is_current():
        before.spec = spec
    return before.digest if spec is not None and spec is before.spec else None


def find_file(name: str) -> str | None:
    """The file of the user's module *name*, found without importing its package."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        path = attribute(loaded, "__file__")
    else:
        spec = None
        folders = None
        for part in _prefixes(name):
            spec = importlib.machinery.PathFinder.find_spec(part, folders)
            if spec is None:
                return None
            folders = spec.submodule_search_locations
        path = spec.origin if spec and spec.has_location else None
    return path if isinstance(path, str) and path.endswith(".py") and is_local_file(path) else None


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        yield ".".join(parts[:count])


def _signature(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _read_text(name: str, path: str) -> _ModuleText:
    """Read all files that importing *name* may load; the digest has them sorted by name."""
    texts: dict[str, str] = {}
    files: dict[str, tuple[int, int] | None] = {}
    waiting = [(name, path)]
    while waiting:
        module, file = waiting.pop()
        if module in texts:
            continue
        files[file] = _signature(file)
        tree = _parsed(file)
        texts[module] = without_docstrings(tree) if tree else _raw(file)
        package = module if file.endswith("__init__.py") else module.rpartition(".")[0]
        for found in _imported(tree, package) if tree else ():
            where = find_file(found)
            if where is not None:
                waiting.append((found, where))
    data = repr(sorted(texts.items())).encode("utf-8", "replace")
    return _ModuleText(blake2b(data, digest_size=16).hexdigest(), files, list(sys.path))


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found = targets(CodeImport(node.level, node.module or "", names), package)
        else:
            continue
        yield from found
        yield from parents(found)


def _parsed(path: str) -> ast.Module | None:
    try:
        with open(path, "rb") as file:
            return ast.parse(file.read())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return None


def _raw(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().decode("latin-1")
    except OSError:
        return ""
