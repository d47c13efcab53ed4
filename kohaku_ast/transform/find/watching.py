"""``watched``: where a script may give an overridden value another one without an assignment to it:
``cfg.update(new)``, ``exec(text)``, ``parser.set_defaults(**config)``, ``from settings import *``.

A value is read above and below such a statement, so that a warning can name the line that replaced
it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

from kohaku_ast.transform.find.assignments import WATCHING, Site
from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.fillings import (
    Place,
    aliases,
    copied,
    copied_back,
    filled_names,
    fillings_in,
    fills,
    find_place,
    may_fill,
    reads,
)
from kohaku_ast.transform.find.option_facts import READS
from kohaku_ast.transform.find.options import find_options, parsing_functions
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import Step, called_name, nodes_of, path_of, split_path


def watched(tree: ast.Module, parameter: Parameter, names: Mapping[str, str]) -> Parameter:
    """*parameter*; of a value that stands in an object also the sites at which a call may give it
    another value: ``before`` and ``check`` read it above and below the call. *names*: what each
    imported name stands for.
    """
    if parameter.module is not None:
        return _watched_module(tree, parameter, names)
    if parameter.kind == "default":
        return _watched_default(tree, parameter)
    if parameter.kind == "global":
        return _watched_global(tree, parameter)
    if parameter.kind == "option":
        return _watched_option(tree, parameter)
    if parameter.kind == "class attribute":
        return _watched_field(tree, parameter)
    if parameter.kind not in ("entry", "stored"):
        return parameter
    roots = [str(one.path[0]) for one in parameter.definitions if one.path]
    if not filled_names(tree).intersection(roots or map(str, split_path(parameter.target))):
        return parameter  # for speed: to find where a value stands takes a look at every node
    found = _owner(tree, parameter)
    if found is None:
        return parameter
    place, name, path = found
    taken = {id(part) for site in parameter.sites for part in ast.walk(site.node)}
    fillings = [
        one
        for known in [name, *aliases(place.scope, name)]
        for one in fillings_in(place.scope, partial(fills, name=known))
        if one.lineno > parameter.line and id(one) not in taken
    ]
    back = [one for one in copied_back(place.scope, name, path) if one not in fillings]
    fillings += [one for one in back if one.lineno > parameter.line and id(one) not in taken]
    return _watching(parameter, name, fillings, path)


def _watched_global(tree: ast.Module, parameter: Parameter) -> Parameter:
    """The same, for what fills the namespace: ``exec(text)``, ``globals().update(more)``."""
    name = parameter.target
    assigned = [one for one in nodes_of(tree) if isinstance(one, ast.Assign)]
    modules = {
        target.id
        for one in assigned
        for target in one.targets
        if isinstance(target, ast.Name) and _is_own_module(one.value)
    }
    found = fillings_in(tree.body, partial(_fills_globals, modules=modules))
    below = [one for one in found if one.lineno > parameter.line]
    return _watching(parameter, "globals()", below, (name,))


def _watched_option(tree: ast.Module, parameter: Parameter) -> Parameter:
    """The same, for an option of argparse: ``parser.set_defaults(**config)``, and what the script
    does with the parsed arguments.
    """
    options = [one for one in find_options(tree) if one.target == parameter.target]
    if not options or options[0].library != "argparse":
        return parameter
    name = options[0].name
    for one in _spread_defaults(tree):
        parser = ast.unparse(one.value.func.value)
        # It may be something else that has a `set_defaults`.
        get = f"getattr({parser}, 'get_default', lambda name: None)"
        parameter = _watching(parameter, f"{{{name!r}: {get}({name!r})}}", [one], (name,))
    return _watched_below(tree, parameter, _parsed_names(tree), name)


def _watched_field(tree: ast.Module, parameter: Parameter) -> Parameter:
    """The same, for an attribute of a class, and of its object if one is made."""
    *_, owner, name = path = split_path(parameter.target)
    is_class = any(isinstance(one, ast.ClassDef) and one.name == path[0] for one in tree.body)
    if is_class and path[0] in filled_names(tree):
        found = fillings_in(tree.body, partial(_fills_or_loops, name=str(path[0])))
        below = [one for one in found if one.lineno > parameter.line]
        parameter = _watching(parameter, parameter.target.rpartition(".")[0], below, (name,))
    calls = [one for one in nodes_of(tree) if isinstance(one, ast.Call) and _is_given(one, owner)]
    if len(calls) != 1:
        return parameter  # other objects have the value
    holders = [(node, target) for node, target in _named_calls(tree) if node.value is calls[0]]
    return _watched_below(tree, parameter, holders, str(name))


def _watched_module(tree: ast.Module, parameter: Parameter, names: Mapping[str, str]) -> Parameter:
    """The same, for a value of a module: ``vars(hparams).update(new)``."""
    own = parameter.module[0] if parameter.module else ""
    known = {own: own, **names} if "(" not in parameter.target else {}
    for name, full in sorted(known.items(), key=lambda one: -len(one[1])):  # the nearest one first
        if not parameter.target.startswith(f"{full}.") or name not in filled_names(tree):
            continue
        path = split_path(f"{name}{parameter.target[len(full) :]}")[1:]
        functions = [one for one in nodes_of(tree) if isinstance(one, FUNCTIONS)]
        scopes = [tree.body, *(one.body for one in functions if not _binds(one, name))]
        found = [fillings_in(one, partial(_fills_or_loops, name=name)) for one in scopes]
        # A module that is loaded again has the overrides.
        below = [one for one in chain(*found) if "reload(" not in ast.unparse(one)]
        return _watching(parameter, name, below, path)
    return parameter


def _fills_or_loops(node: ast.stmt, name: str) -> bool:
    """The same as ``fills``, or any loop that stores into *name* by computed names."""
    stores = (_stores_by_name(one, {name}) for one in ast.walk(node))
    return fills(node, name) or (isinstance(node, ast.For) and any(stores))


def _binds(function: ast.AST, name: str) -> bool:
    """Whether *name* is another object in *function* than in the module."""
    return any(
        (isinstance(one, ast.arg) and one.arg == name)
        or (isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store))
        for one in ast.walk(function)
    )


def _watched_default(tree: ast.Module, parameter: Parameter) -> Parameter:
    """The same, for a default: ``f.__defaults__ = (3,)``, ``f.__kwdefaults__["lr"] = 3``."""
    owner, _, name = parameter.target.rstrip(")").partition("(")
    path = split_path(owner)
    kept = [(*path, "__defaults__"), (*path, "__kwdefaults__")]
    assigned = [one for one in nodes_of(tree) if isinstance(one, ast.Assign)]
    below = [one for one in assigned if path_of(one.targets[0])[: len(path) + 1] in kept]
    values = [site.node for site in parameter.sites]
    for node in nodes_of(tree) if below else ():
        if isinstance(node, ast.arguments):
            for index, one in enumerate(reversed(node.defaults), start=1):
                if one in values:
                    return _watching(parameter, owner, below, ("__defaults__", -index))
            if any(one in values for one in node.kw_defaults):
                return _watching(parameter, owner, below, ("__kwdefaults__", name))
    return parameter


def _is_given(call: ast.Call, owner: Step) -> bool:
    """Whether *call* makes an object of the class *owner*: ``Args()``, ``tyro.cli(Args)``."""
    return any(path_of(one)[-1:] == (owner,) for one in (call.func, *call.args))


def _watched_below(
    tree: ast.Module, parameter: Parameter, holders: Sequence[tuple[ast.Assign, str]], name: str
) -> Parameter:
    """*parameter*, watched as attribute *name* of what the *holders* bind, below them."""
    for node, holder in holders:
        place = find_place(tree, node)
        if place is None:
            continue
        below = [one for one in place.rest if _stores(one, (holder, name))]
        for known in [holder, *aliases(place.scope, holder)]:
            found = fillings_in(place.scope, partial(fills, name=known))
            below += [one for one in found if one.lineno > node.lineno]
        parameter = _watching(parameter, holder, below, (name,))
    return parameter


def _stores(node: ast.stmt, path: tuple[str, str]) -> bool:
    """Whether *node* gives *path* a value that is not made from the old one."""
    if not isinstance(node, ast.Assign) or path not in map(path_of, node.targets):
        return False
    return path not in [path_of(one) for one in ast.walk(node.value) if isinstance(one, ast.expr)]


def _spread_defaults(tree: ast.Module) -> list[Any]:
    """The statements ``parser.set_defaults(**config)``."""
    calls = [(one, one.value) for one in nodes_of(tree) if isinstance(one, ast.Expr)]
    return [
        statement
        for statement, call in calls
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "set_defaults"
        and path_of(call.func.value)
        and not all(one.arg for one in call.keywords)
    ]


def _parsed_names(tree: ast.Module) -> list[tuple[ast.Assign, str]]:
    """The statements that bind a name to the parsed arguments, with it: ``args`` of
    ``args, rest = parser.parse_known_args()``, ``opt`` of ``opt = parse_opt()``.
    """
    parsers = parsing_functions(tree, READS)
    return [pair for pair in _named_calls(tree) if called_name(pair[0].value.func) in parsers]


def _named_calls(tree: ast.Module) -> Iterator[tuple[Any, str]]:
    """The statements ``name = f()`` and ``name, rest = f()``, with the name."""
    for node in nodes_of(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            first = node.targets[0]
            first = first.elts[0] if isinstance(first, ast.Tuple) and first.elts else first
            if isinstance(first, ast.Name):
                yield node, first.id


def _watching(
    parameter: Parameter, owner: str, fillings: Sequence[ast.stmt], path: tuple[Step, ...]
) -> Parameter:
    """*parameter* with sites around *fillings*, which may give *path* below *owner* a value. A copy
    whose value is made from the old one is the program's logic.
    """
    full = (owner, *path)
    fillings = [one for one in fillings if not (copied(one) and reads(one, full))]
    if not fillings:
        return parameter
    sites = [
        Site(one, change, f"{{}}.{method}({owner})", one.lineno)
        for one in fillings
        for change, method in zip(("before", "after"), WATCHING)
    ]
    return replace(parameter, sites=(*parameter.sites, *sites), path=path)


def _owner(tree: ast.Module, parameter: Parameter) -> tuple[Place, str, tuple[Step, ...]] | None:
    """Where the value of *parameter* stands, the name of its object, and its path below that."""
    node = parameter.sites[0].node if parameter.sites else None
    place = find_place(tree, node) if node is not None else None
    if place is None:
        return None
    steps = split_path(parameter.target)
    if parameter.kind == "stored" and parameter.definitions and parameter.definitions[0].path:
        name, *path = parameter.definitions[0].path
    else:
        depth = len(place.scopes)
        if place.scopes != steps[:depth] or len(steps) < depth + 2:
            return None
        name, *path = steps[depth:]
    if parameter.path and tuple(path) != parameter.path:
        return None  # the name that is bound is a path itself
    return (place, str(name), tuple(path)) if str(name).isidentifier() and path else None


def _fills_globals(node: ast.stmt, modules: Set[str]) -> bool:
    """Whether *node* gives names of the module other values, unless it stands in a function;
    *modules*: the names of the module's own object.
    """
    if isinstance(node, ast.ImportFrom):
        return node.names[0].name == "*"
    if isinstance(node, ast.For):
        return any(_stores_by_name(one, modules) for one in ast.walk(node))
    value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
    given = may_fill(value)
    if isinstance(value, ast.Call) and called_name(value.func) == "exec" and len(given) == 1:
        return True
    return _stores_by_name(node, modules) or any(map(_is_namespace, given))


def _stores_by_name(node: ast.AST, modules: Set[str]) -> bool:
    """``globals()[key] = value`` and ``setattr(sys.modules[__name__], key, value)``."""
    if isinstance(node, ast.Assign):
        return any(isinstance(one, ast.Subscript) and _is_namespace(one.value)
                   for one in node.targets)  # fmt: skip
    if not isinstance(node, ast.Call) or called_name(node.func) != "setattr" or not node.args:
        return isinstance(node, ast.Expr) and _stores_by_name(node.value, modules)
    first = node.args[0]
    return _is_own_module(first) or (isinstance(first, ast.Name) and first.id in modules)


def _is_namespace(node: ast.expr) -> bool:
    """``globals()``, or in a module the same by another name."""
    is_call = isinstance(node, ast.Call) and not node.args
    return is_call and called_name(node.func) in ("globals", "locals", "vars")  # type: ignore[attr-defined]


def _is_own_module(node: ast.expr) -> bool:
    """``sys.modules[__name__]``."""
    if not isinstance(node, ast.Subscript) or path_of(node.value) != ("sys", "modules"):
        return False
    return isinstance(node.slice, ast.Name) and node.slice.id == "__name__"
