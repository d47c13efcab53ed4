"""Seeds that the text of a script sets: ``random.seed(42)``, ``torch.manual_seed(args.seed)``,
``seed_everything(SEED)``, ``KFold(random_state=0)``. Nothing is run.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from kohaku_ast.transform.find.bindings import FUNCTIONS
from kohaku_ast.transform.find.calls import Function, parameters_of
from kohaku_ast.transform.find.modules import import_names
from kohaku_ast.transform.find.options import find_options
from kohaku_ast.transform.find.paths import (
    Step,
    called_name,
    dotted_name,
    full_name,
    join_path,
    nodes_of,
    path_of,
)
from kohaku_ast.transform.find.source import Source

_SEEDERS = frozenset((
    "random.seed", "random.Random", "numpy.random.seed", "numpy.random.default_rng",
    "numpy.random.RandomState", "numpy.random.SeedSequence", "numpy.random.PCG64",
    "cupy.random.seed", "jax.random.key", "jax.random.PRNGKey", "tensorflow.random.set_seed",
    "tensorflow.keras.utils.set_random_seed", "tensorflow.random.Generator.from_seed",
))  # fmt: skip
_BY_NAME = frozenset((
    "seed_everything", "seed_all", "set_seed", "set_seeds", "set_random_seed", "set_all_seeds",
    "fix_seed", "fix_random_seed", "setup_seed", "manual_seed", "manual_seed_all",
))  # fmt: skip
"""Functions and methods of any library, or of the script."""
_KEYWORD = "random_state"
"""The seed of what scikit-learn makes, and its kin."""
_ARGUMENTS = ("seed", "a", "x", "random_seed")
_CHANGES = ("update", "setattr", "merge_from_file", "merge_from_list", "merge_from_dict")
_STARTS = ("Fire", "run", "cli", "CLI")
"""``fire.Fire(main)``, ``typer.run(main)``: the arguments of the command line come there."""
_PARSERS = ("parse_args", "parse_known_args", "parse_intermixed_args")
IMPORTED = "import "
"""The start of a target that is of another module."""
_DEEPEST = 5
"""Names behind names, and calls behind calls, that are followed."""


class Seed(NamedTuple):
    """A call that sets a seed."""

    #: ``random.seed``, ``numpy.random.default_rng``, ``seed_everything``, ``KFold(random_state)``.
    call: str
    line: int
    #: The seed as it stands there.
    text: str
    #: The literal behind it; empty if the text does not say the value.
    default: str = ""
    #: Full targets, in the file, that give it another value when they are overridden; the first
    #: one wins. ``import settings.SEED`` is that of another module.
    targets: tuple[str, ...] = ()


def seed_of(node: ast.Call, names: Mapping[str, str]) -> tuple[str, ast.expr] | None:
    """What the call *node* seeds, and with what; None if it sets no seed. *names* are imported."""
    name, last = full_name(dotted_name(node.func), names), called_name(node.func)
    if name in _SEEDERS or last in _BY_NAME:
        given = {one.arg: one.value for one in node.keywords}
        found = [*node.args[:1], *(given[one] for one in _ARGUMENTS if one in given)]
    else:
        found = [one.value for one in node.keywords if one.arg == _KEYWORD]
        name = f"{name or last}({_KEYWORD})"
    if not found or _is_none(found[0]) or isinstance(found[0], ast.Starred):
        return None  # `default_rng()` is not seeded
    return name or last, found[0]


def find_seeds(source: Source, is_script: bool = True) -> list[Seed]:
    """The seeds that *source* sets, in its order; raises SyntaxError. *is_script*: others import
    no function of it.
    """
    names = import_names(source.tree, source.package)
    calls = (one for one in nodes_of(source.tree) if isinstance(one, ast.Call))
    found = [(node, *seed) for node in calls if (seed := seed_of(node, names))]
    if not found:
        return []
    found.sort(key=lambda one: (one[0].lineno, one[0].col_offset))
    reader = _Reader(source.tree, is_script, names)
    return [
        Seed(name, node.lineno, ast.unparse(value), *reader.meaning(value, reader.scope_of(node)))
        for node, name, value in found
    ]


def find_value(source: Source, name: str) -> tuple[str, tuple[str, ...]]:
    """``default`` and ``targets``, as of a Seed, of *name* at module level; raises SyntaxError."""
    names = import_names(source.tree, source.package)
    reader, (first, _, rest) = _Reader(source.tree, False, names), name.partition(".")
    classes = [one for one in source.tree.body if isinstance(one, ast.ClassDef)]
    scope = next((one for one in classes if rest and one.name == first), source.tree)
    inner = name if scope is source.tree else rest
    return reader.meaning(ast.parse(inner, mode="eval").body, scope)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


_SCOPES = (*FUNCTIONS, ast.ClassDef, ast.Lambda)
Meaning = tuple[str, tuple[str, ...]]
"""``default`` and ``targets`` of a Seed."""
_UNKNOWN: Meaning = ("", ())


class _Reader:
    """What expressions of one file stand for, as far as its text says so for certain."""

    def __init__(self, tree: ast.Module, is_script: bool, imported: Mapping[str, str]) -> None:
        self._tree, self._is_script, self._imported = tree, is_script, imported
        self._nodes = nodes_of(tree)
        #: Id of each node -> the scopes around it, the innermost first.
        self._around: dict[int, tuple[ast.AST, ...]] = {}
        self._note(tree, (tree,))
        self._options = {one.name: one.target for one in find_options(tree)}
        stores = [one for one in self._nodes if isinstance(getattr(one, "ctx", None), ast.Store)]
        paths = [path_of(one) for one in stores if isinstance(one, ast.expr)]
        #: The attributes and keys that the file stores, but in its own instances.
        self._stored = {one[-1] for one in paths if len(one) > 1 and one[0] not in ("self", "cls")}
        self._names = [one for one in stores if isinstance(one, ast.Name)]
        self._global = {name for one in self._nodes if isinstance(one, (ast.Global, ast.Nonlocal))
                        for name in one.names}  # fmt: skip
        self._calls = [one for one in self._nodes if isinstance(one, ast.Call)]

    @cached_property
    def _changed(self) -> set[str]:
        """The names of values that calls may change: ``cfg.update(...)``, ``setattr(cfg, ...)``."""
        calls = [one for one in self._calls if called_name(one.func) in _CHANGES]
        return {each.id for one in calls for each in ast.walk(one) if isinstance(each, ast.Name)}

    @cached_property
    def _passed_on(self) -> set[str]:
        """The names that stand elsewhere than in a call of them: other code may call them."""
        starts = [one for one in self._calls if called_name(one.func) in _STARTS]
        started = [one.args[0] for one in starts if one.args]
        known = {id(one) for one in [*(one.func for one in self._calls), *started]}
        names = (one for one in self._nodes if isinstance(one, ast.Name) and id(one) not in known)
        return {one.id for one in names if isinstance(one.ctx, ast.Load)}

    def _note(self, node: ast.AST, around: tuple[ast.AST, ...]) -> None:
        waiting = [(node, around)]
        while waiting:
            one, scopes = waiting.pop()
            inner = (one, *scopes) if isinstance(one, _SCOPES) else scopes
            for child in ast.iter_child_nodes(one):
                self._around[id(child)] = inner
                waiting.append((child, inner))

    def scope_of(self, node: ast.AST) -> ast.AST:
        """The function, class or module that *node* stands in."""
        return self._around[id(node)][0]

    def meaning(self, node: ast.expr, scope: ast.AST, depth: int = 0) -> Meaning:
        """What *node*, in *scope*, stands for."""
        if _is_literal(node):
            return ast.unparse(node), ()
        path = path_of(node)
        if not path or depth > _DEEPEST:
            return _UNKNOWN
        if len(path) > 1:
            return self._below(path, scope, depth)
        return self._of_name(str(path[0]), scope, depth)

    def _of_name(self, name: str, scope: ast.AST, depth: int) -> Meaning:
        owner = self._owner(name, scope)
        if isinstance(owner, FUNCTIONS) and name in _own_names(owner):
            return self._of_argument(owner, name, depth)
        if self._is_imported(name, owner):
            return "", (IMPORTED + self._imported[name],)
        value = self._value(name, owner)
        if value is None:
            return _UNKNOWN
        target = name if owner is self._tree else f"{getattr(owner, 'name', '')}.{name}"
        default, targets = self.meaning(value, owner, depth + 1)
        return default, (target, *targets)

    def _owner(self, name: str, scope: ast.AST) -> ast.AST:
        """The function or module whose *name* is meant in *scope*."""
        for one in (scope, *self._around.get(id(scope), ())):
            binds = any(each.id == name and self.scope_of(each) is one for each in self._names)
            if (binds or name in _own_names(one)) and (
                one is scope or not isinstance(one, ast.ClassDef)
            ):
                return one
        return self._tree

    def _is_imported(self, name: str, owner: ast.AST) -> bool:
        return name in self._imported and owner is self._tree and not self._stores(name, owner)

    def _stores(self, name: str, owner: ast.AST) -> list[ast.Name]:
        return [one for one in self._names if one.id == name and self.scope_of(one) is owner]

    def _value(self, name: str, owner: ast.AST) -> ast.expr | None:
        """What the only statement that binds *name* in *owner* gives it; None if there are more."""
        stores = self._stores(name, owner)
        if len(stores) != 1 or name in self._global:
            return None
        for node in self._nodes:
            targets = node.targets if isinstance(node, ast.Assign) else []
            if isinstance(node, ast.AnnAssign) and node.value is not None:
                targets = [node.target]
            if stores[0] in targets and isinstance(node, (ast.Assign, ast.AnnAssign)):
                return node.value
        return None

    # --- arguments of functions ------------------------------------------------------------------

    def _of_argument(self, function: Function, name: str, depth: int) -> Meaning:
        """What the only call of *function* passes as *name*, or its default if none does."""
        if function.decorator_list:
            option = self._options.get(name)
            return ("", (option,)) if option and self._is_script else _UNKNOWN
        passed = self._all_passed(function, name)
        if passed is None:
            return _UNKNOWN
        if len(passed) == 1 and passed[0] is not None:
            return self.meaning(passed[0], self.scope_of(passed[0]), depth + 1)
        default = _default_of(function, name)
        if not self._is_script or default is None or any(passed):
            return _UNKNOWN
        text = ast.unparse(default) if _is_literal(default) else ""
        return text, (f"{function.name}({name})",)

    def _all_passed(self, function: Function, name: str) -> list[ast.expr | None] | None:
        """What each call of *function* passes as *name*, None for nothing; None instead of the list
        if the text does not show all.
        """
        functions = [one for one in self._nodes if isinstance(one, FUNCTIONS)]
        is_plain = self.scope_of(function) is self._tree and function.name not in self._passed_on
        if not is_plain or sum(one.name == function.name for one in functions) != 1:
            return None
        if self._stores(name, function):
            return None
        calls = [one for one in self._calls if called_name(one.func) == function.name]
        return [_passed(function, name, one) for one in calls]

    # --- attributes and entries ------------------------------------------------------------------

    def _below(self, path: tuple[Step, ...], scope: ast.AST, depth: int) -> Meaning:
        """``Cfg.seed``, ``cfg["seed"]``, ``args.seed`` of parsed arguments."""
        root = str(path[0])
        owner = self._owner(root, scope)
        if path[-1] in self._stored or root in self._changed or depth > _DEEPEST:
            return _UNKNOWN
        if isinstance(owner, FUNCTIONS) and root in _own_names(owner):
            passed = self._all_passed(owner, root) or [None]
            inner = path_of(passed[0]) if len(passed) == 1 and passed[0] is not None else ()
            outer = self.scope_of(passed[0]) if inner and passed[0] is not None else scope
            return self._below((*inner, *path[1:]), outer, depth + 1) if inner else _UNKNOWN
        if len(self._stores(root, owner)) > 1 or root in self._global:
            return _UNKNOWN
        if self._is_imported(root, owner):
            return "", (IMPORTED + self._imported[root] + join_path(path)[len(root) :],)
        value = self._value(root, owner)
        targets = (join_path(path),) if owner is self._tree else ()
        if isinstance(value, ast.Call) and len(path) == 2:
            return self._of_made(value, str(path[1]), targets)
        return "", targets

    def _of_made(self, call: ast.Call, name: str, targets: tuple[str, ...]) -> Meaning:
        """The attribute *name* of what *call* makes: of parsed arguments, or of a class."""
        if called_name(call.func) in _PARSERS:
            return "", (*targets, *([self._options[name]] if name in self._options else []))
        given = {one.arg for one in call.keywords}
        if call.args or None in given or name in given:
            return "", targets
        return "", (*targets, f"{dotted_name(call.func)}.{name}")


def _passed(function: Function, name: str, call: ast.Call) -> ast.expr | None:
    """The argument *name* of *call*; None if it passes none. The call itself stands for what its
    ``*args`` and ``**keywords`` may hold.
    """
    is_open = any(isinstance(one, ast.Starred) for one in call.args)
    if is_open or any(one.arg is None for one in call.keywords):
        return call
    given = dict(zip(_own_names(function), call.args))
    return (given | {str(one.arg): one.value for one in call.keywords}).get(name)


def _own_names(node: ast.AST) -> list[str]:
    """The names of the parameters of a function."""
    if isinstance(node, ast.Lambda):
        return [one.arg for one in node.args.args]
    return [one.arg for one, _ in parameters_of(node)] if isinstance(node, FUNCTIONS) else []


def _default_of(function: Function, name: str) -> ast.expr | None:
    return next((default for one, default in parameters_of(function) if one.arg == name), None)


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
