"""The bounds of the loops at module level: 5000 of ``for epoch in range(5000)`` is the target
``for epoch``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kohaku_ast.transform.find.bindings import Definition, are_siblings
from kohaku_ast.transform.find.paths import called_name, is_setting

PREFIX = "for "
"""The start of the target of a bound."""

_RANGES = {"range", "trange", "arange", "irange", "tnrange"}
_COUNTS = ("epoch", "step", "iter", "episode", "generation", "round", "update", "sweep", "trial")
"""What the variable of a training loop counts, alone or as a part of its name."""
_COUNT_LETTERS = {"ep", "it", "itr", "gen"}
_TRAINS = {
    "backward", "step", "zero_grad", "train", "train_step", "training_step", "train_one_epoch",
    "train_epoch", "train_on_batch", "fit", "partial_fit", "apply_gradients", "minimize",
    "value_and_grad", "optimize", "learn",
}  # fmt: skip
"""Calls in the body of a training loop."""


@dataclass(frozen=True)
class LoopBound:
    """The bound of one loop, or the bounds of loops of which only one runs."""

    #: ``for epoch``, or ``for epoch[1]`` for the second loop of that variable.
    target: str
    #: The expression of each bound.
    values: tuple[ast.expr, ...]
    #: The line of each loop.
    lines: tuple[int, ...]
    #: Whether a person would tune it.
    is_training: bool


def is_loop(target: str) -> bool:
    """Whether *target* is that of a loop's bound."""
    return target.startswith(PREFIX)


def find_loops(names: Mapping[str, list[Definition]]) -> Iterator[LoopBound]:
    """The bounds of the loops of a module whose definitions are *names*, in the order of the file
    for each variable. The bounds of loops in sibling arms of one branch are one.
    """
    for name, definitions in names.items():
        groups: list[list[tuple[Definition, ast.expr]]] = []
        for one in definitions:
            bound = _bound_of(one, names)
            if bound is None:
                continue
            last = groups[-1] if groups else []
            if last and all(are_siblings(one.arms, other.arms) for other, _ in last):
                last.append((one, bound))
            else:
                groups.append([(one, bound)])
        for index, group in enumerate(groups):
            suffix = f"[{index}]" if len(groups) > 1 else ""
            yield _loop(f"{PREFIX}{name}{suffix}", group)


def _loop(target: str, group: list[tuple[Definition, ast.expr]]) -> LoopBound:
    return LoopBound(
        target,
        tuple(bound for _, bound in group),
        tuple(bound.lineno for _, bound in group),
        any(not one.looped and _is_training(one) for one, _ in group),
    )


def _bound_of(one: Definition, names: Mapping[str, list[Definition]]) -> ast.expr | None:
    """The end of the range that the loop of *one* goes through, if it is made of literals."""
    if one.form != "for" or not isinstance(one.node, ast.For):
        return None
    counted = _counted(_followed(one.node.iter, names), one.node.target, one.name)
    return _end_of_range(counted) if counted is not None else None


def _counted(node: ast.expr, target: ast.expr, name: str) -> ast.expr | None:
    """What the variable *name* of *target* goes through: all of *node*, or for ``i, x`` the part of
    ``enumerate(range(3))`` or ``zip(range(3), xs)`` that it counts.
    """
    if isinstance(target, ast.Name):
        return node
    if not isinstance(target, (ast.Tuple, ast.List)) or not isinstance(node, ast.Call):
        return None
    if any(isinstance(one, ast.Starred) for one in (*target.elts, *node.args)) or not node.args:
        return None
    names = [one.id if isinstance(one, ast.Name) else "" for one in target.elts]
    index = names.index(name) if name in names else len(node.args)
    called = called_name(node.func)
    if called == "enumerate":
        return node.args[0] if index == 0 else None
    if called == "zip":
        return node.args[index] if index < len(node.args) else None
    return _counted(node.args[0], target, name)  # a bar around it


def _followed(node: ast.expr, names: Mapping[str, list[Definition]]) -> ast.expr:
    """*node*, or the value of the name that it is: ``bar = tqdm(range(9))``, ``for i in bar``."""
    known = names.get(node.id, []) if isinstance(node, ast.Name) else []
    return known[0].value if len(known) == 1 and known[0].value is not None else node


def _end_of_range(node: ast.expr) -> ast.expr | None:
    """5 of ``range(5)``, ``range(1, 5)``, ``tqdm(range(5), desc="x")`` and ``islice(x, 5)``."""
    if isinstance(node, ast.NamedExpr):
        return _end_of_range(node.value)
    if not isinstance(node, ast.Call) or any(isinstance(one, ast.Starred) for one in node.args):
        return None
    name = called_name(node.func)
    if name in _RANGES or name == "islice":
        given = node.args[1:] if name == "islice" else node.args
        found = given[:1] if len(given) == 1 else given[1:2]
        return found[0] if found and _is_number(found[0]) else None
    return _end_of_range(node.args[0]) if node.args else None


def _is_number(node: ast.expr) -> bool:
    """Whether *node* is made of numbers: ``10_000``, ``int(1e5)``, ``5 * 100 + 1``."""
    texts = [one for one in ast.walk(node) if isinstance(one, ast.Constant)]
    is_count = all(type(one.value) in (int, float) for one in texts)
    return bool(texts) and is_count and is_setting(node)


def _is_training(one: Definition) -> bool:
    """Whether the loop trains: by what its variable counts, or by what its body does."""
    name = one.name.lower().strip("_")
    if name in _COUNT_LETTERS or any(word in name for word in _COUNTS):
        return True
    assert isinstance(one.node, ast.For)
    inside = [node for statement in one.node.body for node in ast.walk(statement)]
    return any(map(_trains, inside))


def _trains(node: ast.AST) -> bool:
    """Whether *node* is ``loss.backward()``, ``train(model)`` or ``w -= rate * slope``."""
    if isinstance(node, ast.Call):
        return called_name(node.func) in _TRAINS
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Add | ast.Sub) and _is_product(node.value, node.op)
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        is_same = ast.unparse(node.targets[0]) == ast.unparse(node.value.left)
        return is_same and _is_product(node.value.right, node.value.op)
    return False


def _is_product(node: ast.expr, operator: ast.operator) -> bool:
    """Whether *node* is a step of a descent: a product of names that is subtracted, or a matrix
    product.
    """
    inside = list(ast.walk(node))
    if any(isinstance(one, ast.MatMult) or _is_dot(one) for one in inside):
        return True
    names = [one for one in inside if isinstance(one, ast.Name)]
    has_product = any(isinstance(one, ast.Mult) for one in inside)
    return isinstance(operator, ast.Sub) and has_product and len(names) > 1


def _is_dot(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called_name(node.func) in ("dot", "matmul")
