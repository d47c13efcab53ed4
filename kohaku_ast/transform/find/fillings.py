"""Calls that fill an object after its name is bound: ``spec.loader.exec_module(m)``,
``cfg.merge_from_file(path)``, ``parser.read(path)``, ``exec(text, names)``.

A path below such an object is set again after the call that fills it, where that is the next
statement that touches the object: nothing can have read the old value. What an override has put
into the object before any other such call is watched (``watching``).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, takewhile

from kohaku_ast.transform.find.assignments import Site, path_site
from kohaku_ast.transform.find.bindings import FUNCTIONS, Definition
from kohaku_ast.transform.find.paths import Step, called_name, is_closed, nodes_of, path_of

_FILLING = {
    "apply", "configure", "deserialize", "exec", "extend", "fill", "from", "load", "merge",
    "override", "parse", "populate", "read", "reload", "restore", "setdefault", "update",
}  # fmt: skip
"""The first words of functions and methods that fill an object."""
_FIRST_WORD = re.compile(r"_*([A-Z]?[a-z]+)")
_APART = (*FUNCTIONS, ast.ClassDef, ast.For, ast.AsyncFor, ast.While)


@dataclass(frozen=True)
class Place:
    """Where a statement stands."""

    #: The names of the functions and classes around it, from the outside in.
    scopes: tuple[str, ...]
    #: The statements below it, in its own block.
    rest: Sequence[ast.stmt]
    #: The statements of its function, or of the module.
    scope: Sequence[ast.stmt]


def refilled_sites(
    tree: ast.Module,
    definition: Definition,
    path: tuple[Step, ...],
    in_class: bool,
    binds_once: bool,
) -> list[Site]:
    """The sites of *path* below the name of *definition*: where it is bound, and after each of the
    statements that fill the object next and do not read it. *binds_once* is as for ``path_site``.

    The first site is one for ``begin`` if others follow: the path may not be there yet.
    """
    bound = path_site(definition, binds_once)
    full = (_root(definition), *path)
    filling = [] if in_class else _next_fillings(tree, definition)
    filling = list(takewhile(lambda one: not reads(one, full), filling))
    if not filling:
        return [bound]
    begin, again = (bound.template.replace(".set(", f".{one}(") for one in ("begin", "again"))
    below = [replace(bound, node=one, change="after", line=one.lineno) for one in filling]
    templates = [begin] * len(filling) + [again]
    return [replace(one, template=text) for one, text in zip([bound, *below], templates)]


def reads(node: ast.stmt, path: tuple[Step, ...]) -> bool:
    """Whether the call *node* reads *path*: ``cfg.lr`` of ``cfg.update(lr=cfg["lr"] * 2)``. A loop
    over a table reads it for its type.
    """
    return not any(_blocks(node)) and any(
        isinstance(one, (ast.Attribute, ast.Subscript)) and path_of(one) == path
        if not isinstance(one, ast.Call)
        else called_name(one.func) in ("get", "getattr") and _entry_of(one) == path
        for one in ast.walk(node)
    )


def _entry_of(call: ast.Call) -> tuple[Step, ...]:
    """The path that ``cfg.get("lr")`` or ``getattr(cfg, "lr")`` reads; empty if it is none."""
    owner = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    first, *more = [*owner, *call.args, call]
    above = path_of(first)
    key = getattr(more[0], "value", None)
    return (*above, key) if above and isinstance(key, str) else ()


def is_open(tree: ast.Module, definition: Definition) -> bool:
    """Whether the object of *definition* may have more names than the text shows."""
    return not is_bound_to_literal(definition) or bool(_next_fillings(tree, definition))


def is_bound_to_literal(definition: Definition) -> bool:
    """Whether *definition* binds its name to an object whose names the text shows, all of them."""
    is_value = definition.form != "import" and definition.value is not None
    return is_value and is_closed(definition.value)  # type: ignore[arg-type]


def _next_fillings(tree: ast.Module, definition: Definition) -> list[ast.stmt]:
    """The statements that fill the object of *definition* before another one touches it."""
    node, change = definition.bound_at
    if definition.looped or _root(definition) not in filled_names(tree):
        return []
    place = find_place(tree, node)
    if place is None:
        return []
    below = [node, *place.rest] if change == "before" else place.rest
    return _leading_fillings(below, _root(definition))  # type: ignore[arg-type]


def filled_names(tree: ast.Module) -> set[str]:
    """The names of all objects that some call of the script may fill."""
    found: set[str] | None = getattr(tree, "_kogine_filled", None)
    if found is None:
        calls = [one for one in nodes_of(tree) if isinstance(one, ast.Call)]
        used = [one for one in calls if _fills_by_name(called_name(one.func))]
        used += [one for one in calls if called_name(one.func) in _STORING]
        nodes = [node for call in used for node in ast.walk(call)]
        joined = [one for node in nodes_of(tree) if (one := _joined(node)) is not None]
        nodes += [one for each in joined for one in ast.walk(each)]
        nodes += [one for node in nodes_of(tree) if isinstance(node, ast.Subscript)
                  and isinstance(node.ctx, ast.Store) for one in ast.walk(node.value)]  # fmt: skip
        found = {one.id for one in nodes if isinstance(one, ast.Name)}
        found |= {str(path[0]) for one in nodes_of(tree) if (path := copied(one))}
        values = [one.value for one in nodes_of(tree) if isinstance(one, ast.Assign)]
        parts = [path_of(part) for value in values for part in _copied_parts(value)]
        found |= {str(path[0]) for path in parts if len(path) == 1}
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


def aliases(scope: Sequence[ast.stmt], name: str) -> list[str]:
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
    if not inner or not all(_onlyreads(part, name) for part in _heads(node)):
        return False
    in_loop = in_loop or isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    return all(_only_fills(one, name, in_loop) for one in inner)


def _onlyreads(node: ast.AST, name: str) -> bool:
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
    if not isinstance(node, ast.Assign) or not _onlyreads(node.value, name):
        return False
    return all(
        isinstance(one, ast.Subscript) and _is_object(one.value, name) and not path_of(one)
        for one in node.targets
    )


def _is_filling(node: ast.stmt, name: str) -> bool:
    """Whether *node* fills *name*: ``cfg.update(new)``, ``n = load_into(cfg)``, ``cfg |= new``,
    ``setattr(cfg, "lr", 0.1)``.
    """
    if (joined := _joined(node)) is not None:
        return _is_object(joined, name)
    if copied(node)[:1] == (name,):
        return True
    if (stored := _stored_by_name(node)) is not None and not _mentions(stored[1], name):
        return _is_object(stored[0], name)
    value = node.value if isinstance(node, (ast.Expr, ast.Assign, ast.AnnAssign)) else None
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if any(one is not None and _mentions(one, name) for one in targets):
        return False
    return any(_is_object(one, name) for one in may_fill(value))


def _joined(node: ast.AST) -> ast.expr | None:
    """What gets entries of a dict: ``cfg`` of ``cfg |= new``; not ``cfg.n`` of ``cfg.n |= 4``."""
    if not isinstance(node, ast.AugAssign) or not isinstance(node.op, ast.BitOr):
        return None
    value = node.value
    makes_dict = isinstance(value, ast.Call) and called_name(value.func) == "dict"
    is_dict = makes_dict or isinstance(value, ast.Dict)
    return node.target if is_dict or isinstance(node.target, ast.Name) else None


def copied(node: ast.AST) -> tuple[Step, ...]:
    """``d`` of ``d = d | new``, ``d = {**d, "lr": 2}`` and ``d = replace(d, lr=2)``; else empty."""
    if not isinstance(node, ast.Assign) or not (path := path_of(node.targets[0])):
        return ()
    parts = _copied_parts(node.value) or may_fill(node.value)
    return path if path in map(path_of, parts) else ()


def _copied_parts(value: ast.expr | None) -> list[ast.expr]:
    """The objects of which *value* may be a copy with other values."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
        return [value.left, value.right]
    if isinstance(value, ast.Dict):
        return [one for key, one in zip(value.keys, value.values) if key is None]
    is_copy = isinstance(value, ast.Call) and called_name(value.func) in _COPYING
    return _given_to(value) if is_copy else []  # type: ignore[arg-type]


def _is_added_to(node: ast.stmt, path: tuple[Step, ...]) -> bool:
    return isinstance(node, ast.AugAssign) and path_of(node.target) == path


_COPYING = ("copy", "deepcopy", "dict", "evolve", "model_copy", "replace", "_replace")


def copied_back(scope: Sequence[ast.stmt], name: str, path: tuple[Step, ...]) -> list[ast.stmt]:
    """The statements of *scope* that give *name* a copy of its object which they or others made
    under another name: ``d = e`` after ``e = {**d, "lr": 2}``. None if one of them makes the value
    at *path* from the old one: that is the program's logic.
    """
    copies, found = {name}, list[ast.stmt]()
    for one in fillings_in(scope, lambda node: isinstance(node, (ast.Assign, ast.AugAssign))):
        target = path_of(one.targets[0] if isinstance(one, ast.Assign) else one.target)  # type: ignore[attr-defined]
        value: ast.expr = one.value  # type: ignore[attr-defined]
        sources = {path_of(part)[:1] for part in [value, *_copied_parts(value)]}
        is_copy = any((each,) in sources for each in copies)
        if (is_copy or target[:1] in [(each,) for each in copies]) and any(
            reads(ast.Expr(value), (each, *path)) or _is_added_to(one, (each, *path))
            for each in copies
        ):
            return []
        if target == (name,) and path_of(value)[:1] != (name,) and is_copy:
            found.append(one)
        elif is_copy and len(target) == 1:
            copies.add(str(target[0]))
    return found


def _stored_by_name(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """The object and the value of ``setattr(cfg, "lr", 0.1)``, ``vars(cfg)["lr"] = 0.1``,
    ``object.__setattr__(cfg, "lr", 0.1)`` and ``cfg.__setitem__("lr", 0.1)``.
    """
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        owner = node.targets[0].value
        is_vars = isinstance(owner, ast.Call) and called_name(owner.func) == "vars"
        is_dict = isinstance(owner, ast.Attribute) and owner.attr == "__dict__"
        return (owner, node.value) if is_vars or is_dict else None
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or called_name(call.func) not in _STORING:
        return None
    given = _given_to(call)[-3:]
    is_literal = len(given) == 3 and isinstance(given[1], ast.Constant)
    return (given[0], given[2]) if is_literal else None


_STORING = ("setattr", "__setattr__", "setitem", "__setitem__")


def fills(node: ast.stmt, name: str) -> bool:
    """The same, or a loop: ``for k, v in config.items(): setattr(args, k, v)``."""
    if not isinstance(node, ast.For):
        return _is_filling(node, name)
    is_table = isinstance(node.iter, ast.Call) and called_name(node.iter.func) == "items"
    return is_table and any(
        isinstance(one, ast.stmt) and _is_entry(one, name) for one in ast.walk(node)
    )


def may_fill(value: ast.expr | None) -> list[ast.expr]:
    """The objects that the call *value* may fill; none if it is no such call."""
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not _fills_by_name(called_name(call.func)):
        return []
    return _given_to(call)


def _given_to(call: ast.Call) -> list[ast.expr]:
    """The object of a method, and the arguments."""
    own = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return [*own, *call.args, *(one.value for one in call.keywords)]


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


def fillings_in(
    statements: Sequence[ast.stmt], is_one: Callable[[ast.stmt], bool]
) -> Iterator[ast.stmt]:
    """Every simple statement for which *is_one* holds, not those in loops or in other scopes."""
    for one in statements:
        if is_one(one):
            yield one
        elif not isinstance(one, _APART):
            for block in _blocks(one):
                yield from fillings_in(block, is_one)


def find_place(tree: ast.Module, node: ast.AST) -> Place | None:
    """Where the statement stands that *node* is a part of."""
    scopes: list[str] = []
    scope: Sequence[ast.stmt] = tree.body
    block: Sequence[ast.stmt] = tree.body
    while True:
        at = next((at for at, one in enumerate(block) if _holds(one, node)), None)
        if at is None:
            return None
        statement = block[at]
        found = Place(tuple(scopes), block[at + 1 :], scope)
        if isinstance(statement, (*FUNCTIONS, ast.ClassDef)) and statement is not node:
            scopes.append(statement.name)
            scope = statement.body
        inner = [one for one in _blocks(statement) if any(_holds(each, node) for each in one)]
        if statement is node or not inner:
            return found
        block = inner[0]


def _holds(statement: ast.stmt, node: ast.AST) -> bool:
    return any(node is part for part in ast.walk(statement))
