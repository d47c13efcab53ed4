"""The guard: ``if __name__ == "__main__":`` in any spelling, and the call in its body."""

from __future__ import annotations

import ast


def is_guard(node: ast.stmt) -> bool:
    """Whether *node* is an ``if`` whose body runs just because the file is the main script."""
    return isinstance(node, ast.If) and _holds_as_main(node.test)


def _holds_as_main(test: ast.expr) -> bool:
    """Whether *test* asks for ``__main__``: alone, in an ``and``, or in an ``or``."""
    if isinstance(test, ast.BoolOp):
        return any(map(_holds_as_main, test.values))
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
