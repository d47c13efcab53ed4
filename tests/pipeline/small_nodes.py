"""Nodes of every sort that are found by name in other processes, too."""

from __future__ import annotations

from kohaku_ast import node


@node(output_name="total")
def add(left: int, right: int = 10) -> int:
    """Adds."""
    return left + right


def plain(x: int) -> int:
    return x + 1


class Scaled:
    """A callable object, and methods as nodes."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __call__(self, x: int) -> int:
        return self.by * x

    @node("scaled")
    def scale(self, x: int) -> int:
        return self.by * x
