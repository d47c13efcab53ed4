"""Definitions that bind no name: values stored into attributes and items (``cfg.lr = 0.1``), and
keywords of calls that no name is bound to (``model.fit(x, epochs=5)``).
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from kohaku_ast.transform.find.bindings import (
    FUNCTIONS,
    Arms,
    Definition,
    Scope,
    Walk,
    are_siblings,
    assigned_targets,
    conditions,
    effective_definitions,
    find_definitions,
    is_unconditional,
    made_value,
)
from kohaku_ast.transform.find.calls import Function, parameters_of
from kohaku_ast.transform.find.paths import (
    Step,
    called_name,
    chains_in,
    dotted_name,
    find_entries,
    is_closed,
    is_dunder,
    is_mapping,
    is_setting,
    join_path,
    key_of,
    nodes_of,
    path_of,
)

Path = tuple[Step, ...]


@dataclass(frozen=True)
class StoredValue:
    """A value that a script stores into an attribute or an item."""

    target: str
    #: The statements that an override replaces.
    definitions: tuple[Definition, ...]
    #: Whether it stands where people keep settings.
    is_listed: bool
    #: The lines at which other methods of the class store a literal there.
    later: tuple[int, ...] = ()


def stored_in(
    prefix: str,
    scope: Scope,
    names: Mapping[str, list[Definition]],
    known: Mapping[str, object],
    entries: Collection[str],
) -> Iterator[StoredValue]:
    """What the statements of *scope* store; *names* has its definitions, *known* the targets that
    exist already, *entries* the functions that start the program.

    What a method stores into its first parameter is its class's (``stored_in_instances``).
    """
    owner = prefix.rpartition(".")[0]
    is_function = isinstance(scope, FUNCTIONS)
    is_method = is_function and "." in owner
    own = first_parameter(scope) if is_method else ""  # type: ignore[arg-type]
    for path, found in _by_path(scope).items():
        target, root = prefix + join_path(path), str(path[0])
        if root == own or getattr(known.get(target), "kind", "") == "local":
            continue  # `def f(): n = 1`, then `f.n = 2`: f.n is the local
        owners = effective_definitions(names.get(root, []))
        chosen = effective_stores(found, owners, is_again=target in known)
        makes_settings = not is_function or (not is_method and _returns(scope, root))  # type: ignore[arg-type]
        is_listed = (makes_settings or owner in entries) and not any(one.looped for one in found)
        if chosen:
            yield StoredValue(target, tuple(chosen), is_listed)


INITIALIZERS = ("__init__", "__post_init__", "__attrs_post_init__", "model_post_init")
"""Methods that run for each new object, of dataclasses, attrs and pydantic as well."""


def stored_in_instances(
    prefix: str, node: ast.ClassDef, known: Mapping[str, object]
) -> Iterator[StoredValue]:
    """What the methods of a class store into its instances (``self.width = 64``), each value in the
    first method that stores it, ``__init__`` before all.

    Those are listed that ``__init__``, or ``__post_init__``, alone stores and that are not None.
    """
    by_path: dict[Path, list[tuple[str, list[Definition]]]] = {}
    for method in sorted(_methods(node), key=lambda one: one.name not in INITIALIZERS):
        own = first_parameter(method)
        for path, stores in _by_path(method).items():
            if path[0] == own:
                by_path.setdefault(path[1:], []).append((method.name, stores))
    for path, ((first, stores), *others) in by_path.items():
        inner = join_path(path)
        target = f"{prefix}{inner}" if inner.startswith("[") else f"{prefix}.{inner}"
        # A property's own definition is no setting: what is stored through it is.
        is_again = target in known and getattr(known[target], "kind", "") != "other"
        if is_again and first not in INITIALIZERS:
            continue  # logic: the attribute of the class is the setting
        chosen = effective_stores(stores, [], is_again=is_again)
        if chosen:
            is_listed = first in INITIALIZERS and not others and not _is_none(chosen[0].value)
            again = [one for _, found in others for one in found]
            later = tuple(one.line for one in again if one.value and is_setting(one.value))
            yield StoredValue(target, tuple(chosen), is_listed, later)


def setter_of(definitions: Sequence[Definition]) -> str:
    """Why a property with a setter among *definitions* of its name has no value of its own; empty
    if there is none.
    """
    marks = [
        (one, mark)
        for one in definitions
        for mark in getattr(one.node, "decorator_list", ())
        if isinstance(mark, ast.Attribute) and mark.attr in ("setter", "deleter")
    ]
    for one, mark in marks:
        if called_name(mark.value) == one.name:
            return (
                f"it is a property with a {mark.attr} (line {one.line}), and no method of its "
                "class stores a value into it"
            )
    return ""


def _is_none(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _by_path(scope: Scope) -> dict[Path, list[Definition]]:
    """Path -> the statements of *scope* that store a value there, in the order of the file."""
    found: dict[Path, list[Definition]] = {}
    for one in Walk(_stores).scope(scope):
        if one.path and not any(map(is_dunder, map(str, one.path))):
            found.setdefault(one.path, []).append(one)
    return found


def _stores(node: ast.stmt, arms: Arms, looped: bool) -> Iterator[Definition]:
    """``cfg.lr = 0.1``, ``cfg["lr"]: float = 0.1``, ``cfg.a, cfg.b = 1, 2``."""
    found: list[tuple[ast.expr, str, ast.expr | None]] = []
    annotation: ast.expr | None = None
    if isinstance(node, ast.Assign):
        found = list(assigned_targets(node))
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        found, annotation = [(node.target, "value", node.value)], node.annotation
    elif isinstance(node, ast.Expr) and dotted_name(getattr(node.value, "func", None)) == _FROZEN:
        yield from _stores_in_frozen(node.value, node, arms, looped)  # type: ignore[arg-type]
    for target, form, value in found:
        path = path_of(target)
        if len(path) > 1:
            reads = (node.value,)  # type: ignore[attr-defined]
            name = ast.unparse(target)
            yield Definition(name, node, form, value, arms, looped, annotation, reads, path)


def _stores_in_frozen(
    call: ast.Call, node: ast.stmt, arms: Arms, looped: bool
) -> Iterator[Definition]:
    """``object.__setattr__(self, "lr", 0.1)``, as frozen dataclasses do."""
    owner, name, value = call.args if len(call.args) == 3 else [None] * 3
    if isinstance(owner, ast.Name) and isinstance(name, ast.Constant) and value is not None:
        path = (owner.id, str(name.value))
        yield Definition(".".join(path), node, "value", value, arms, looped, None, (value,), path)


_FROZEN = "object.__setattr__"


def effective_stores(
    stores: list[Definition], owners: Sequence[Definition], *, is_again: bool
) -> list[Definition]:
    """Those of *stores*, of one path, that an override replaces; *owners* are the definitions of
    the name that the path starts with. With *is_again* the text gives the path a value before them
    (an entry of a literal, an attribute of a class): then only those that would undo the override.
    """
    arms = owners[0].arms if owners else ()
    if is_again:
        return [
            one
            for one in stores
            if not one.looped and is_unconditional(one.arms, arms) and not one.reads_itself()
        ]
    chosen = effective_definitions([one for one in stores if not _changes(one)])
    if not chosen or not owners or _makes_empty(owners[0]):
        return chosen
    # `args = parse(); if debug: args.lr = 1`: the value is what parse() has made.
    is_certain = is_unconditional(chosen[0].arms, arms)
    arms = conditions(chosen[0].arms)
    return chosen if is_certain or any(conditions(one.arms) != arms for one in chosen) else []


def _changes(store: Definition) -> bool:
    """Whether the value is made from the one that stood there: ``cfg.n = cfg.n + 1``."""
    length = len(store.path)
    reads = [path_of(chain) for root in store.reads for chain in chains_in(root)]
    return any(read[:length] == store.path for read in reads)


def _makes_empty(owner: Definition) -> bool:
    """Whether the name is bound to an object without contents: ``{}``, ``ConfigDict()``."""
    value = owner.value
    if isinstance(value, ast.Call) and not value.args and not value.keywords:
        return called_name(value.func)[:1].isupper() or is_closed(value)
    return value is not None and is_closed(value)


def _methods(node: ast.ClassDef) -> list[Function]:
    """The methods that a class defines, without those that get no instance or class."""
    found = (one.node for one in find_definitions(node))
    return [
        one
        for one in found
        if isinstance(one, FUNCTIONS)
        and "staticmethod" not in [called_name(mark) for mark in one.decorator_list]
    ]


def first_parameter(function: Function) -> str:
    """The name of the first positional parameter; empty if there is none."""
    positional = [*function.args.posonlyargs, *function.args.args]
    return positional[0].arg if positional else ""


def _returns(function: Function, name: str) -> bool:
    """Whether *function* returns the object that its local *name* is bound to."""
    return any(
        isinstance(node, ast.Return) and isinstance(node.value, ast.Name) and node.value.id == name
        for node in ast.walk(function)
    )


def looped_names(tree: ast.Module) -> set[str]:
    """The names that a loop of the file assigns: they are state, not settings."""
    loops = [
        node for node in nodes_of(tree) if isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    ]
    return {
        node.id
        for loop in loops
        for node in ast.walk(loop)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def changed_attributes(tree: ast.Module) -> set[str]:
    """The attributes that the file changes in a loop or by ``+=``: they are state, no settings."""
    changed: set[str] = set()
    for node in nodes_of(tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Attribute):
            changed.add(node.target.attr)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            changed.update(
                inner.attr
                for inner in ast.walk(node)
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store)
            )
    return changed


@dataclass(frozen=True)
class PassedValue:
    """A literal that a call passes as a keyword, or in a dict."""

    target: str
    #: The last name of the function.
    function: str
    #: The value in the first such call, and in the calls in sibling arms of its branches.
    values: tuple[ast.expr, ...]
    is_listed: bool
    #: The lines of later calls of the function that pass the keyword.
    later: tuple[int, ...]
    #: Whether the call is a statement of its own, and no part of a larger expression.
    is_bare: bool


def keywords_in(
    prefix: str,
    scope: Scope,
    names: Mapping[str, list[Definition]],
    skipped: Collection[int],
    entries: Collection[str],
) -> Iterator[PassedValue]:
    """The literal keywords of the calls of *scope* that are no entries of a name or stored value:
    ``model.fit(x, epochs=5)``, ``hist = model.fit(x, epochs=5).history``.

    *names* has the definitions of *scope*; *skipped* are the ids of calls whose keywords belong to
    other parameters.
    """
    known = _entry_ids(scope, names)
    found: dict[tuple[str, str], list[tuple[Definition, bool, bool]]] = {}
    # A function without parameters makes settings; one that starts the run, results.
    is_made = isinstance(scope, FUNCTIONS) and not [*parameters_of(scope)]
    is_made = is_made and prefix[:-1] not in entries
    for statement in Walk(_heads).scope(scope):
        returned = ((name, value, is_made, True) for name, value in _returned(statement))
        for key, value, is_tuned, is_bare in chain(returned, _given(statement, skipped)):
            if is_setting(value) and id(value) not in known:
                known.add(id(value))  # the keyword of dict(...) in a call is that call's entry
                passed = replace(statement, value=value)
                found.setdefault(key, []).append((passed, is_tuned, is_bare))
    is_listed = not isinstance(scope, ast.ClassDef) and (not prefix or prefix[:-1] in entries)
    for (function, name), all_ in found.items():
        (first, is_tuned, is_bare), *rest = all_
        # Any of several `return` may be the one that runs.
        siblings = [one for one, *_ in rest if not function or are_siblings(one.arms, first.arms)]
        values = [one.value for one in (first, *siblings) if one.value is not None]
        last = function.rpartition(".")[2]
        later = tuple(one.value.lineno for one, *_ in rest if one.value and one not in siblings)
        listed = (is_listed or not function) and is_tuned and last not in _NO_SETTINGS
        owner = prefix[:-1] if not function and name.startswith("[") else prefix
        target = f"{owner}{function}{name}"
        yield PassedValue(target, last, tuple(values), listed, later, is_bare)


def _returned(statement: Definition) -> Iterator[tuple[tuple[str, str], ast.expr]]:
    """The entries of a dict that is returned: ``def get_config(): return {"lr": 0.1}``."""
    value = statement.value
    if isinstance(statement.node, ast.Return) and value is not None and is_mapping(value):
        for steps, inner in find_entries(value):
            yield ("", join_path(steps)), inner


def _given(
    statement: Definition, skipped: Collection[int]
) -> Iterator[tuple[tuple[str, str], ast.expr, bool, bool]]:
    """What the calls of *statement* pass by name: function and end of the target, value, whether a
    person may tune it, whether the call is bare.
    """
    for called in _calls_in(statement):
        is_class = called_name(called.call.func)[:1].isupper()
        for name, value in _passed(called.call, id(called.call) in skipped):
            is_data = is_class and name[:1] in (".", "[")
            yield (called.function, name), value, called.is_tuned and not is_data, called.is_bare


def _passed(call: ast.Call, is_skipped: bool) -> Iterator[tuple[str, ast.expr]]:
    """What *call* passes by name, with the end of its target: keywords, ``(epochs)``, and entries
    of dicts, ``.config.lr`` of ``init(config={"lr": 0.1})``, ``.lr`` of ``train({"lr": 0.1})``.
    """
    dicts = [one for one in call.args if is_mapping(one)]
    given: list[tuple[Path, ast.expr]] = [((), one) for one in dicts if len(dicts) == 1]
    for keyword in call.keywords:
        if keyword.arg and not is_skipped:
            yield f"({keyword.arg})", keyword.value
        if is_mapping(keyword.value):
            given.append(((keyword.arg,) if keyword.arg else (), keyword.value))
    for path, value in given:
        for steps, inner in find_entries(value, path):
            text = join_path(steps)
            yield text if text.startswith("[") else f".{text}", inner


def _entry_ids(scope: Scope, names: Mapping[str, list[Definition]]) -> set[int]:
    """The ids of the expressions of *scope* that are entries of a name or of a stored value."""
    bound = [one for found in names.values() for one in effective_definitions(found)]
    stored = [one for one in Walk(_stores).scope(scope) if one.path and not one.looped]
    values = (made_value(one) for one in (*bound, *stored))
    return {id(inner) for value in values if value for _, inner in find_entries(value)}


_NO_SETTINGS = {
    "print", "add_argument", "add_option", "add_parser", "add_subparsers", "add_argument_group",
    "set_defaults", "filterwarnings", "simplefilter", "basicConfig", "log", "dump", "dumps",
    "ArgumentParser", "ArgParser", "OptionParser",
}  # fmt: skip
"""Functions whose keywords nobody tunes: what they print, and how options are declared."""


_HELPERS = {
    "sorted", "min", "max", "sum", "zip", "enumerate", "open", "print", "tqdm", "trange", "dumps",
}  # fmt: skip
"""Functions whose keywords nobody tunes where the call is a part of an expression."""
_MAKES_VALUES = (
    ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return, ast.For, ast.AsyncFor, ast.With,
    ast.AsyncWith,
)  # fmt: skip
"""Statements in which people tune calls; the others ask for conditions."""


def _heads(node: ast.stmt, arms: Arms, looped: bool) -> Iterator[Definition]:
    """The expressions that the statement itself evaluates, without its blocks and annotation."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return  # decorators
    for field, value in ast.iter_fields(node):
        for one in value if isinstance(value, list) else [value]:
            inner = one.context_expr if isinstance(one, ast.withitem) else one
            if isinstance(inner, ast.expr) and field != "annotation":
                yield Definition("", node, "call", inner, arms, looped)


@dataclass(frozen=True)
class _Called:
    """A call inside a statement."""

    #: Its function as dotted text, without calls in it: ``Model.fit`` of ``Model(width=3).fit``.
    function: str
    call: ast.Call
    #: Whether a person may tune it.
    is_tuned: bool
    #: Whether its result is the statement's, and gets no single name.
    is_bare: bool


def _calls_in(statement: Definition) -> Iterator[_Called]:
    """The calls of ``y = await Model(width=3).fit(x)[0] * 2``, from the outside in."""
    node = statement.node
    is_bare = isinstance(node, ast.Expr) or (
        isinstance(node, ast.Assign)
        and any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets)
    )
    waiting: list[tuple[ast.AST | None, bool, bool]] = [
        (statement.value, isinstance(node, _MAKES_VALUES), is_bare)
    ]
    while waiting:
        inner, is_tuned, is_bare = waiting.pop()
        # Before Python 3.12 the positions inside an f-string are wrong.
        if isinstance(inner, (ast.Lambda, ast.JoinedStr, ast.Constant, ast.Name)):
            continue
        parts: list[ast.AST | None] = [*ast.iter_child_nodes(inner)] if inner else []
        if isinstance(inner, ast.Call):
            function = _without_calls(inner.func)
            if function:
                is_own = is_tuned and (is_bare or called_name(inner.func) not in _HELPERS)
                yield _Called(function, inner, is_own, is_bare)
            is_inner = is_tuned and called_name(inner.func) not in _NO_SETTINGS
            waiting += [(part, is_inner, False) for part in reversed(parts[1:])]
            parts = parts[:1]
        is_bare = is_bare and isinstance(inner, (ast.Call, ast.Attribute, ast.Await))
        waiting += [(part, is_tuned, is_bare) for part in reversed(parts)]


def _without_calls(node: ast.expr) -> str:
    """``Model.fit`` for ``Model(width=3).fit``, ``models[0].fit`` for itself, ``models.fit`` for
    ``models[i].fit``; empty if there is more than names, items and calls.
    """
    steps: list[Step] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(node.attr)
        elif isinstance(node, ast.Subscript):
            key = key_of(node.slice)
            steps += [] if key is None else [key]
        elif not isinstance(node, (ast.Call, ast.Await)):
            return ""
        node = node.func if isinstance(node, ast.Call) else node.value
    return join_path((node.id, *reversed(steps)))
