"""Which names the statements of a scope bind, which of these definitions an override replaces, and
the guard.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kohaku_ast.transform.find.paths import Step, chains_in, path_of

Scope = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
"""A body of statements that binds names of its own."""

Condition = tuple[int, int]
"""The id of an `if`, `try` or `match`, and the number of one of its arms."""
Arms = tuple[Condition, ...]
"""The branches around a statement, from the outside in."""

# A comprehension evaluates its parts many times; a lambda is another scope; before Python 3.12
# the positions inside an f-string are wrong.
_NOT_ENTERED = (
    ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.JoinedStr,
)  # fmt: skip

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
"""The two statements that define a function."""


@dataclass(frozen=True)
class Definition:
    """One place where a statement of a scope binds a name."""

    name: str
    #: The statement; for a name bound by ``case`` the ``match_case``.
    node: ast.AST
    #: ``value``: one expression of its own; ``declared``: an annotation without a value;
    #: ``unpacked``/``chained``: shares its right side with other names; ``import``, ``def``,
    #: ``class``, ``with``, ``case``, ``except``, ``for``, ``star``, ``type``: bound by these.
    form: str
    #: The expression that the name is bound to, if it is one.
    value: ast.expr | None
    #: The branches around it.
    arms: Arms
    #: Whether it runs once for each turn of a loop.
    looped: bool = False
    annotation: ast.expr | None = None
    #: Every expression that is evaluated to bind it: these may read the old value.
    reads: tuple[ast.AST, ...] = ()
    #: For a value that is stored into an attribute or item, the names from the outside in
    #: (``("cfg", "opt", "lr")``); ``name`` is then the whole expression (``cfg.opt["lr"]``).
    path: tuple[Step, ...] = ()

    @property
    def shown(self) -> ast.AST:
        """The node whose position stands for it: a ``match_case`` has none."""
        return self.node.pattern if isinstance(self.node, ast.match_case) else self.node

    @property
    def line(self) -> int:
        """The line where it stands, for messages."""
        return int(self.shown.lineno)  # type: ignore[attr-defined]

    @property
    def bound_at(self) -> tuple[ast.AST, str]:
        """The statement beside which the name is bound: ``after`` it or, for a name that a block
        begins with, ``before`` the first one of the block.
        """
        if self.form in ("with", "case"):
            return self.node.body[0], "before"  # type: ignore[attr-defined]
        return self.node, "after"

    def reads_itself(self) -> bool:
        """Whether the new value is made from the old one (``x = x * 2``)."""
        if self.path:
            return any(self._reads_path(node) for root in self.reads for node in chains_in(root))
        return any(
            isinstance(node, ast.Name) and node.id == self.name and isinstance(node.ctx, ast.Load)
            for root in self.reads
            for node in ast.walk(root)
        )

    def _reads_path(self, chain: ast.expr) -> bool:
        """Whether *chain* reads the value at the path, something in it, or an object that holds
        it.
        """
        read = path_of(chain)
        length = min(len(read), len(self.path))
        return bool(read) and self.path[:length] == read[:length]


def made_value(one: Definition) -> ast.expr | None:
    """The expression that makes what the name is bound to: for ``with Pool(2) as pool`` the call,
    whose ``__enter__`` may give another object.
    """
    if one.form != "with":
        return one.value
    items: list[ast.withitem] = one.node.items  # type: ignore[attr-defined]
    return next((item.context_expr for item in items if _is_bound(item.optional_vars, one)), None)


def _is_bound(node: ast.expr | None, one: Definition) -> bool:
    return isinstance(node, ast.Name) and node.id == one.name


def find_definitions(scope: Scope) -> list[Definition]:
    """Every binding in the own body of *scope*, in the order of the file."""
    return Walk(_bindings).scope(scope)


Binder = Callable[[ast.stmt, Arms, bool], Iterator[Definition]]
"""A statement, the branches around it, whether it is in a loop -> what the statement binds."""


def _bindings(node: ast.stmt, arms: Arms, looped: bool) -> Iterator[Definition]:
    for walrus in _walruses(node):
        assert isinstance(walrus.target, ast.Name)
        yield Definition(
            walrus.target.id, node, "value", walrus.value, arms, looped, reads=(walrus.value,)
        )
    for name, form, value in _bound_by(node):
        annotation = node.annotation if isinstance(node, ast.AnnAssign) else None
        reads = tuple(_evaluated(node))
        yield Definition(name, node, form, value, arms, looped, annotation, reads)


class Walk:
    """Goes through the statements of one scope, without the scopes inside it."""

    def __init__(self, bound_by: Binder) -> None:
        self.bound_by = bound_by
        self.is_module = False
        # One list: generators inside generators took quadratic time for a chain of `elif`.
        self.found: list[Definition] = []

    def scope(self, scope: Scope) -> list[Definition]:
        """The definitions that the walk's Binder finds in *scope*, in the order of the file."""
        self.is_module = isinstance(scope, ast.Module)
        self._body(scope.body, (), False)
        return self.found

    def _body(self, statements: list[ast.stmt], arms: Arms, looped: bool) -> None:
        for statement in statements:
            self.found += self.bound_by(statement, arms, looped)
            self._inner(statement, arms, looped)

    def _inner(self, node: ast.stmt, arms: Arms, looped: bool) -> None:
        """The definitions in the blocks of a compound statement."""
        if isinstance(node, ast.If):
            # The guard's body always runs when the file is run as a script, and its else when a
            # child of the script or another module imports it.
            body_arms: Arms = (*arms, (id(node), 0))
            if self.is_module and always_runs(node):
                body_arms = arms or ((id(node), _ALWAYS),)
            self._body(node.body, body_arms, looped)
            self._body(node.orelse, (*arms, (id(node), 1)), looped)
        elif isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
            self._body(node.body, arms, True)
            self._body(node.orelse, (*arms, (id(node), 1)), looped)
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._body(node.body, arms, looped)
        elif isinstance(node, ast.Match):
            for number, case in enumerate(node.cases):
                case_arms = (*arms, (id(node), number))
                for name in _captured(case.pattern):
                    self.found.append(Definition(name, case, "case", None, case_arms, looped))
                self._body(case.body, case_arms, looped)
        elif _is_try(node):
            self._tried(node, arms, looped)  # type: ignore[arg-type]

    def _tried(self, node: ast.Try, arms: Arms, looped: bool) -> None:
        # The else block continues the body, the finally block runs in any case.
        self._body(node.body, (*arms, (id(node), 0)), looped)
        for number, handler in enumerate(node.handlers, 1):
            handler_arms = (*arms, (id(node), number))
            if handler.name:
                bound = Definition(handler.name, handler, "except", None, handler_arms, looped)
                self.found.append(bound)
            self._body(handler.body, handler_arms, looped)
        self._body(node.orelse, (*arms, (id(node), 0)), looped)
        self._body(node.finalbody, arms, looped)


def _is_try(node: ast.stmt) -> bool:
    return isinstance(node, ast.Try) or type(node).__name__ == "TryStar"  # Python 3.11


def _bound_by(node: ast.stmt) -> Iterator[tuple[str, str, ast.expr | None]]:
    """Each name the statement itself binds, how, and to which expression."""
    if isinstance(node, ast.Assign):
        for target, form, value in assigned_targets(node):
            if isinstance(target, ast.Name):
                yield target.id, form, value
    elif isinstance(node, ast.AnnAssign):
        if isinstance(node.target, ast.Name):
            yield node.target.id, "value" if node.value else "declared", node.value
    elif isinstance(node, ast.ClassDef):
        yield node.name, "class", None
    elif isinstance(node, FUNCTIONS):
        yield node.name, "def", None
    elif isinstance(node, ast.ImportFrom) and node.module == "__future__":
        return  # only another `from __future__` import may follow it, so no value can
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            if alias.name == "*":
                yield "*", "star", None
            else:
                yield alias.asname or alias.name.partition(".")[0], "import", None
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            for name in _names(item.optional_vars):
                yield name, "with", None
    elif isinstance(node, (ast.For, ast.AsyncFor)):
        for name in _names(node.target):
            yield name, "for", None
    elif type(node).__name__ == "TypeAlias":  # Python 3.12
        yield node.name.id, "type", None  # type: ignore[attr-defined]


def assigned_targets(node: ast.Assign) -> Iterator[tuple[ast.expr, str, ast.expr | None]]:
    """Each single target of *node*, how it is assigned, and its own part of the right side."""
    for target in node.targets:
        chained = len(node.targets) > 1
        if not isinstance(target, (ast.Tuple, ast.List)):
            yield target, "chained" if chained else "value", None if chained else node.value
            continue
        own = dict(_paired(target, node.value)) if not chained else {}
        for inner in _single(target):
            yield inner, "value" if inner in own else "unpacked", own.get(inner)


def _single(target: ast.expr) -> Iterator[ast.expr]:
    """The names, attributes and items that an assignment target is made of."""
    if isinstance(target, ast.Starred):
        yield from _single(target.value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _single(element)
    else:
        yield target


def _paired(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of an unpacking that have an element of the right side to themselves: with a
    star, those before it and, counted from the end, those behind it.
    """
    if not isinstance(target, (ast.Tuple, ast.List)):
        yield target, value
    elif isinstance(value, (ast.Tuple, ast.List)):
        pairs = [*zip(target.elts, value.elts)]
        starred = [is_starred(inner) or is_starred(element) for inner, element in pairs]
        before = starred.index(True) if True in starred else len(pairs)
        behind = _behind_star(target.elts, value.elts) if before < len(pairs) else []
        for inner, element in [*pairs[:before], *behind]:
            yield from _paired(inner, element)


def _behind_star(
    targets: list[ast.expr], values: list[ast.expr]
) -> list[tuple[ast.expr, ast.expr]]:
    """The pairs behind the one star among *targets*; none if *values* have a star, or too few."""
    if any(map(is_starred, values)) or len(values) < len(targets) - 1:
        return []
    pairs = [*zip(reversed(targets), reversed(values))]
    return pairs[: [is_starred(inner) for inner, _ in pairs].index(True)]


def is_starred(node: ast.expr) -> bool:
    """Whether *node* is ``*something``."""
    return isinstance(node, ast.Starred)


def _names(target: ast.expr | None) -> Iterator[str]:
    """The plain names that an assignment target binds."""
    for one in _single(target) if target is not None else ():
        if isinstance(one, ast.Name):
            yield one.id


def _captured(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        name = getattr(node, "rest" if isinstance(node, ast.MatchMapping) else "name", None)
        if isinstance(name, str):
            yield name


def _evaluated(node: ast.stmt) -> Iterator[ast.AST]:
    """The expressions that the statement itself evaluates, without its blocks."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        yield from node.decorator_list
        return
    for value in ast.iter_child_nodes(node):
        if isinstance(value, (ast.expr, ast.withitem)):
            yield value


def _walruses(node: ast.stmt) -> Iterator[ast.NamedExpr]:
    """The ``:=`` that bind a name of this scope when the statement runs once."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.While)):
        return
    waiting: list[ast.AST] = list(_evaluated(node))
    while waiting:
        inner = waiting.pop(0)
        if isinstance(inner, ast.NamedExpr):
            yield inner
        if not isinstance(inner, _NOT_ENTERED):
            waiting.extend(ast.iter_child_nodes(inner))


def is_guard(node: ast.stmt) -> bool:
    """Whether *node* is an ``if`` whose body runs only, or always, in the main script."""
    return isinstance(node, ast.If) and _asks_for_main(node.test)


def always_runs(node: ast.If) -> bool:
    """Whether the body runs whenever the file is the main script: ``and debug`` is one more
    condition, ``or debug`` is none.
    """
    return _asks_for_main(node.test, all)


def _asks_for_main(test: ast.expr, enough: Callable[[Iterable[bool]], bool] = any) -> bool:
    """Whether *test* asks for ``__main__``: alone, in ``or``, or in *enough* parts of ``and``."""
    if isinstance(test, ast.BoolOp):
        parts = (_asks_for_main(value, enough) for value in test.values)
        return enough(parts) if isinstance(test.op, ast.And) else any(parts)
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return False
    sides = (test.left, test.comparators[0])
    is_equal = isinstance(test.ops[0], ast.Eq)
    return is_equal and any(map(_is_name, sides)) and any(map(_is_main, sides))


def _is_name(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "__name__"


def _is_main(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == "__main__"


def find_guards(tree: ast.Module) -> list[ast.If]:
    """The guards of the module, in the order of the file; only top-level ones count."""
    return [node for node in tree.body if isinstance(node, ast.If) and is_guard(node)]


def entry_statements(tree: ast.Module) -> list[ast.stmt]:
    """The statements in which the call that starts the program is looked for: the guards' bodies
    or, without a guard, the last statement of the module (``main()``, ``sys.exit(main())``).
    """
    guards = find_guards(tree)
    if guards:
        return [statement for guard in guards for statement in guard.body]
    return tree.body[-1:]


_NEVER = {"for", "except", "star", "declared"}


def effective_definitions(definitions: list[Definition]) -> list[Definition]:
    """The definitions of one name that an override replaces, the first one first.

    These are the first one in the file, those in sibling arms of its branches, and later ones that
    would undo the override: unconditional, and not made from the old value. Empty if the name is
    bound only by or inside loops, or by ``except``.
    """
    usable = [one for one in definitions if not one.looped and one.form not in _NEVER]
    if not usable:
        return _declared(definitions)
    first = usable[0]
    chosen: dict[Condition | None, list[Definition]] = {_innermost(first.arms): [first]}
    for one in usable[1:]:
        if one.reads_itself():
            continue
        is_sibling = are_siblings(one.arms, first.arms) and not _is_logic(one, chosen)
        if is_sibling or is_unconditional(one.arms, first.arms):
            chosen.setdefault(_innermost(one.arms), []).append(one)
    kept = {id(one) for all_ in chosen.values() for one in all_}
    return [one for one in usable if id(one) in kept]


def _declared(definitions: list[Definition]) -> list[Definition]:
    """``lr: float``: an override gives the annotation a value."""
    return [one for one in definitions if one.form == "declared" and not one.looped][:1]


_ALWAYS = -1
"""The number of an arm that is no condition, and the outermost: the body of the guard."""


def conditions(arms: Arms) -> Arms:
    """Those of *arms* that do not always run."""
    return arms[1:] if arms and arms[0][1] == _ALWAYS else arms


def is_unconditional(later: Arms, first: Arms) -> bool:
    """Whether the later one runs whenever the first one did."""
    needed = conditions(later)
    return conditions(first)[: len(needed)] == needed


def are_siblings(one: Arms, other: Arms) -> bool:
    """Whether the two stand in different arms of one `if`, `try` or `match`: only one of them
    runs.
    """
    other_arms = dict(other)
    return any(statement in other_arms and other_arms[statement] != arm for statement, arm in one)


def _innermost(arms: Arms) -> Condition | None:
    """The condition that stands directly around. All of one condition have the same outer ones."""
    return (conditions(arms) or (None,))[-1]


def _is_logic(one: Definition, chosen: Mapping[Condition | None, list[Definition]]) -> bool:
    """Whether, in its own arm, it is a later conditional re-assignment.

    *chosen* has the earlier ones by their innermost condition.
    """
    outer: tuple[Condition | None, ...] = (None, *conditions(one.arms))[:-1]
    return any(
        not are_siblings(earlier.arms, one.arms)
        for condition in outer
        for earlier in chosen.get(condition, ())
    )


def by_name(definitions: list[Definition]) -> dict[str, list[Definition]]:
    """Name -> its definitions; names in the order of their first one."""
    found: dict[str, list[Definition]] = {}
    for one in definitions:
        found.setdefault(one.name, []).append(one)
    return found


def classes_in(scope: Scope) -> dict[str, ast.ClassDef]:
    """The classes of *scope* as its own statements name them: ``Mode``, ``Args.Mode``."""
    found: dict[str, ast.ClassDef] = {}
    for name, definitions in by_name(find_definitions(scope)).items():
        for one in effective_definitions(definitions):
            if isinstance(one.node, ast.ClassDef):
                found.setdefault(name, one.node)
                for inner, node in classes_in(one.node).items():
                    found.setdefault(f"{name}.{inner}", node)
    return found
