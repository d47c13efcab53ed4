"""The guard: ``if __name__ == "__main__":`` in any spelling, and the call in its body."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable


def is_guard(node: ast.stmt) -> bool:
    """Whether *node* is an ``if`` whose body runs only, or always, in the main script."""
    return isinstance(node, ast.If) and _asks_for_main(node.test)


def always_runs(node: ast.If) -> bool:
    """Whether being the main script is enough for the body to run: ``and debug`` is one more
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
    """Where the call that starts the program is looked for: the guards' bodies or, without
    a guard, the last statement of the module (that of ``main()`` or ``sys.exit(main())``).
    """
    guards = find_guards(tree)
    if guards:
        return [statement for guard in guards for statement in guard.body]
    return tree.body[-1:]
