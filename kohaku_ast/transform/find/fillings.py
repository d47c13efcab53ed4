"""Calls that fill an object after its name is bound: ``spec.loader.exec_module(m)``,
``cfg.merge_from_file(path)``, ``parser.read(path)``, ``exec(text, names)``.

A path below such an object is set again after the call that fills it, where that is the next
statement that touches the object: nothing can have read the old value. What an override has put
into the object before any other such call is watched there, so that a warning names the line that
gave it another value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from kohaku_ast.transform.find.assignments import WATCHING, Site, path_site
from kohaku_ast.transform.find.bindings import FUNCTIONS, Definition
from kohaku_ast.transform.find.option_facts import READS
from kohaku_ast.transform.find.options import find_options, parsing_functions
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.paths import (
    Step,
    called_name,
    is_closed,
    nodes_of,
    path_of,
    split_path,
)

_FILLING = {
    "apply", "configure", "deserialize", "exec", "extend", "fill", "from", "load", "merge",
    "override", "parse", "populate", "read", "reload", "restore", "update",
}  # fmt: skip
"""The first words of functions and methods that fill an object."""
_FIRST_WORD = re.compile(r"_*([A-Z]?[a-z]+)")
_APART = (*FUNCTIONS, ast.ClassDef, ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True)
class _Place:
    """Where a statement stands."""

    #: The names of the functions and classes around it, from the outside in.
    scopes: tuple[str, ...]
    #: The statements below it, in its own block.
    rest: Sequence[ast.stmt]
    #: The statements of its function, or of the module.
    scope: Sequence[ast.stmt]


def refilled_sites(
    tree: ast.Module, definition: Definition, in_class: bool, binds_once: bool
) -> list[Site]:
    """The sites of a path below the name of *definition*: where it is bound, and after each of the
    statements that fill the object next. *binds_once* is as for ``path_site``.

    The first site is one for ``begin`` if others follow: the path may not be there yet.
    """
    bound = path_site(definition, binds_once)
    filling = [] if in_class else _next_fillings(tree, definition)
    if not filling:
        return [bound]
    begin, again = (bound.template.replace(".set(", f".{one}(") for one in ("begin", "again"))
    below = [replace(bound, node=one, change="after", line=one.lineno) for one in filling]
    templates = [begin] * len(filling) + [again]
    return [replace(one, template=text) for one, text in zip([bound, *below], templates)]


def is_open(tree: ast.Module, definition: Definition) -> bool:
    """Whether the object of *definition* may have more names than the text shows."""
    return not is_bound_to_literal(definition) or bool(_next_fillings(tree, definition))


def is_bound_to_literal(definition: Definition) -> bool:
    """Whether *definition* binds its name to an object whose names the text shows, all of them."""
    is_value = definition.form != "import" and definition.value is not None
    return is_value and is_closed(definition.value)  # type: ignore[arg-type]


def watched(tree: ast.Module, parameter: Parameter) -> Parameter:
    """*parameter*; of a value that stands in an object also the sites at which a call may give it
    another value: ``before`` and ``check`` read it above and below the call.
    """
    if parameter.module is not None:
        return parameter
    if parameter.kind == "global":
        return _watched_global(tree, parameter)
    if parameter.kind == "option":
        return _watched_option(tree, parameter)
    if parameter.kind == "class attribute":
        return _watched_field(tree, parameter)
    if parameter.kind not in ("entry", "stored"):
        return parameter
    roots = [str(one.path[0]) for one in parameter.definitions if one.path]
    if not _filled_names(tree).intersection(roots or map(str, split_path(parameter.target))):
        return parameter  # for speed: to find where a value stands takes a look at every node
    found = _owner(tree, parameter)
    if found is None:
        return parameter
    place, name, path = found
    taken = {id(part) for site in parameter.sites for part in ast.walk(site.node)}
    fillings = [
        one
        for known in [name, *_aliases(place.scope, name)]
        for one in _fillings_in(place.scope, partial(_fills, name=known))
        if one.lineno > parameter.line and id(one) not in taken
    ]
    return _watching(parameter, name, fillings, path)


def _watched_global(tree: ast.Module, parameter: Parameter) -> Parameter:
    """The same, for calls that fill the namespace: ``exec(text)``, ``globals().update(more)``."""
    name = parameter.target
    fillings = [
        one for one in _fillings_in(tree.body, _fills_globals) if one.lineno > parameter.line
    ]
    return _watching(parameter, "globals()", fillings, (name,))


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
    """The same, for an attribute of a class of which one object is made."""
    owner, name = split_path(parameter.target)[-2:]
    calls = [one for one in nodes_of(tree) if isinstance(one, ast.Call) and _is_given(one, owner)]
    if len(calls) != 1:
        return parameter  # other objects have the value
    holders = [(node, target) for node, target in _named_calls(tree) if node.value is calls[0]]
    return _watched_below(tree, parameter, holders, str(name))


def _is_given(call: ast.Call, owner: Step) -> bool:
    """Whether *call* makes an object of the class *owner*: ``Args()``, ``tyro.cli(Args)``."""
    return any(path_of(one)[-1:] == (owner,) for one in (call.func, *call.args))


def _watched_below(
    tree: ast.Module, parameter: Parameter, holders: Sequence[tuple[ast.Assign, str]], name: str
) -> Parameter:
    """*parameter*, watched as attribute *name* of what the *holders* bind, below them."""
    for node, holder in holders:
        place = _find_place(tree, node)
        if place is None:
            continue
        below = [one for one in place.rest if _stores(one, (holder, name))]
        for known in [holder, *_aliases(place.scope, holder)]:
            found = _fillings_in(place.scope, partial(_fills, name=known))
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
    parameter: Parameter, owner: str, fillings: list[ast.stmt], path: tuple[Step, ...]
) -> Parameter:
    """*parameter* with sites around *fillings*, which may give *path* below *owner* a value."""
    if not fillings:
        return parameter
    sites = [
        Site(one, change, f"{{}}.{method}({owner})", one.lineno)
        for one in fillings
        for change, method in zip(("before", "after"), WATCHING)
    ]
    return replace(parameter, sites=(*parameter.sites, *sites), path=path)


def _owner(tree: ast.Module, parameter: Parameter) -> tuple[_Place, str, tuple[Step, ...]] | None:
    """Where the value of *parameter* stands, the name of its object, and its path below that."""
    node = parameter.sites[0].node if parameter.sites else None
    place = _find_place(tree, node) if node is not None else None
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


def _next_fillings(tree: ast.Module, definition: Definition) -> list[ast.stmt]:
    """The statements that fill the object of *definition* before another one touches it."""
    node, change = definition.bound_at
    if definition.looped or _root(definition) not in _filled_names(tree):
        return []
    place = _find_place(tree, node)
    if place is None:
        return []
    below = [node, *place.rest] if change == "before" else place.rest
    return _leading_fillings(below, _root(definition))  # type: ignore[arg-type]


def _filled_names(tree: ast.Module) -> set[str]:
    """The names of all objects that some call of the script may fill."""
    found: set[str] | None = getattr(tree, "_kogine_filled", None)
    if found is None:
        calls = [one for one in nodes_of(tree) if isinstance(one, ast.Call)]
        used = [one for one in calls if _fills_by_name(called_name(one.func))]
        used += [one for one in calls if called_name(one.func) == "setattr"]
        nodes = [node for call in used for node in ast.walk(call)]
        joined = [one for node in nodes_of(tree) if (one := _joined(node)) is not None]
        nodes += [one for each in joined for one in ast.walk(each)]
        nodes += [one for node in nodes_of(tree) if isinstance(node, ast.Subscript)
                  and isinstance(node.ctx, ast.Store) for one in ast.walk(node.value)]  # fmt: skip
        found = {one.id for one in nodes if isinstance(one, ast.Name)}
        pairs = [pair for one in nodes_of(tree) if (pair := _alias(one))]
        while more := {name for alias, name in pairs if alias in found} - found:
            found |= more
        tree._kogine_filled = found  # type: ignore[attr-defined]
    return found


def _alias(node: ast.AST) -> tuple[str, str] | None:
    """``("cfg", "_C")`` for ``cfg = _C``."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Name):
        return None
    first = node.targets[0]
    return (first.id, node.value.id) if isinstance(first, ast.Name) else None


def _aliases(scope: Sequence[ast.stmt], name: str) -> list[str]:
    """Other names of the object *name* in the order of *scope*: ``cfg`` where ``cfg = _C``."""
    known = [name]
    for one in scope:
        pair = _alias(one)
        if pair is not None and pair[1] in known and pair[0] not in known:
            known.append(pair[0])
    return known[1:]


def _root(definition: Definition) -> str:
    return str(definition.path[0]) if definition.path else definition.name


def _leading_fillings(statements: Sequence[ast.stmt], name: str) -> list[ast.stmt]:
    """Those at the start of *statements* that fill *name*, up to the first that does something
    else with it; the block of a ``with`` goes on as if it stood there.
    """
    found: list[ast.stmt] = []
    for one in statements:
        if not _mentions(one, name) or isinstance(one, FUNCTIONS):
            continue
        if isinstance(one, (ast.With, ast.AsyncWith)) and not _only_fills(one, name):
            if not any(_mentions(item, name) for item in one.items):
                found += _leading_fillings(one.body, name)
            break
        if not _only_fills(one, name):
            break
        found.append(one)
    return found


def _only_fills(node: ast.stmt, name: str, in_loop: bool = False) -> bool:
    """Whether all that *node* does with *name* is to fill it, and to read attributes and items of
    it: ``for k, v in load(args.config).items(): setattr(args, k, v)``.
    """
    if _is_filling(node, name) or isinstance(node, FUNCTIONS):
        return True
    if isinstance(node, ast.ClassDef):
        return False
    if in_loop and _is_entry(node, name):
        return True
    inner = [one for one in chain(*_blocks(node)) if _mentions(one, name)]
    if not inner or not all(_only_reads(part, name) for part in _heads(node)):
        return False
    in_loop = in_loop or isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    return all(_only_fills(one, name, in_loop) for one in inner)


def _only_reads(node: ast.AST, name: str) -> bool:
    """Whether *node* has *name* only where an attribute or item of it is read: ``cfg.path``,
    ``cfg["path"]``, ``hasattr(cfg, key)``, ``key in vars(cfg)``.
    """
    read = [
        part.value if not isinstance(part, ast.Call) else part.args[0]
        for part in ast.walk(node)
        if (isinstance(part, (ast.Attribute, ast.Subscript)) and isinstance(part.ctx, ast.Load))
        or (isinstance(part, ast.Call) and part.args and called_name(part.func) in _READING)
    ]
    bare = [one for one in ast.walk(node) if isinstance(one, ast.Name) and one.id == name]
    return all(any(one is each for each in read) for one in bare)


_READING = ("hasattr", "getattr", "vars")


def _heads(node: ast.stmt) -> Iterator[ast.AST]:
    """The parts of *node* that stand in no block."""
    for name, value in ast.iter_fields(node):
        if name not in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from (one for one in (value if isinstance(value, list) else [value])
                        if isinstance(one, ast.AST))  # fmt: skip


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a compound statement."""
    for part in (node, *getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        for field in ("body", "orelse", "finalbody"):
            block = getattr(part, field, None)
            if isinstance(block, list):
                yield block


def _is_entry(node: ast.stmt, name: str) -> bool:
    """``setattr(cfg, key, value)`` and ``cfg[key] = value``, for keys that the text lacks."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        first = call.args[0] if call.args else None
        return called_name(call.func) == "setattr" and _is_object(first, name)
    if not isinstance(node, ast.Assign) or not _only_reads(node.value, name):
        return False
    return all(
        isinstance(one, ast.Subscript) and _is_object(one.value, name) and not path_of(one)
        for one in node.targets
    )


def _is_filling(node: ast.stmt, name: str) -> bool:
    """Whether *node* is a call that fills *name*: ``cfg.update(new)``, ``n = load_into(cfg)``; or
    ``cfg |= new``.
    """
    if (joined := _joined(node)) is not None:
        return _is_object(joined, name)
    value = node.value if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if any(one is not None and _mentions(one, name) for one in targets):
        return False
    return any(_is_object(one, name) for one in _may_fill(value))


def _joined(node: ast.AST) -> ast.expr | None:
    """What gets entries of a dict: ``cfg`` of ``cfg |= new``; not ``cfg.n`` of ``cfg.n |= 4``."""
    if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.BitOr):
        return None
    value = node.value
    makes_dict = isinstance(value, ast.Call) and called_name(value.func) == "dict"
    is_dict = makes_dict or isinstance(value, ast.Dict)
    return node.target if is_dict or isinstance(node.target, ast.Name) else None


def _fills(node: ast.stmt, name: str) -> bool:
    """The same, or a loop: ``for k, v in config.items(): setattr(args, k, v)``."""
    if not isinstance(node, ast.For):
        return _is_filling(node, name)
    is_table = isinstance(node.iter, ast.Call) and called_name(node.iter.func) == "items"
    return is_table and any(
        isinstance(one, ast.stmt) and _is_entry(one, name) for one in ast.walk(node)
    )


def _may_fill(value: ast.expr | None) -> list[ast.expr]:
    """The objects that the call *value* may fill; none if it is no such call."""
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not _fills_by_name(called_name(call.func)):
        return []
    own = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return [*own, *call.args, *(one.value for one in call.keywords)]


def _fills_globals(node: ast.stmt) -> bool:
    """Whether *node* gives names of the module other values, unless it stands in a function."""
    value = node.value if isinstance(node, (ast.Expr, ast.Assign)) else None
    given = _may_fill(value)
    if isinstance(value, ast.Call) and called_name(value.func) == "exec" and len(given) == 1:
        return True
    return any(
        isinstance(one, ast.Call)
        and called_name(one.func) in ("globals", "locals", "vars")
        and not one.args
        for one in given
    )


def _fills_by_name(function: str) -> bool:
    word = _FIRST_WORD.match(function)
    return word is not None and word[1].lower() in _FILLING


def _is_object(node: ast.expr | None, name: str) -> bool:
    """Whether *node* is the object *name*, or one in it: ``cfg``, ``cfg.opt``, ``cfg.__dict__``,
    ``vars(cfg)``.
    """
    if isinstance(node, ast.Call) and called_name(node.func) == "vars" and node.args:
        node = node.args[0]
    return node is not None and path_of(node)[:1] == (name,)


def _mentions(node: ast.AST, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(node))


def _fillings_in(
    statements: Sequence[ast.stmt], fills: Callable[[ast.stmt], bool]
) -> Iterator[ast.stmt]:
    """Every simple statement that *fills*, not those in loops or in other scopes."""
    for one in statements:
        if fills(one):
            yield one
        elif not isinstance(one, _APART):
            for block in _blocks(one):
                yield from _fillings_in(block, fills)


def _find_place(tree: ast.Module, node: ast.AST) -> _Place | None:
    """Where the statement stands that *node* is a part of."""
    scopes: list[str] = []
    scope: Sequence[ast.stmt] = tree.body
    block: Sequence[ast.stmt] = tree.body
    while True:
        at = next((at for at, one in enumerate(block) if _holds(one, node)), None)
        if at is None:
            return None
        statement = block[at]
        found = _Place(tuple(scopes), block[at + 1 :], scope)
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)) and statement is not node:
            scopes.append(statement.name)
            scope = statement.body
        inner = [one for one in _blocks(statement) if any(_holds(each, node) for each in one)]
        if statement is node or not inner:
            return found
        block = inner[0]


def _holds(statement: ast.stmt, node: ast.AST) -> bool:
    return any(node is part for part in ast.walk(statement))
