"""Hydra's own part of a config: what it sweeps, and what has no counterpart."""

from __future__ import annotations

import re
from itertools import pairwise

from kohaku_ast.config.cells import CellText, native
from kohaku_ast.config.match_keys import Key
from kohaku_ast.config.migrated import Left
from kohaku_ast.config.text_values import find_commas
from kohaku_ast.config.yaml_tree import Branch, Leaf

_CALL = re.compile(r"(\w+)\((.*)\)", re.S)


def take_sweep(tree: Branch) -> tuple[dict[Key, tuple[Leaf, str]], list[Left]]:
    """The axes in ``hydra.sweeper.params`` with their values as Python, and what is left.

    Takes ``hydra`` out of *tree*.
    """
    own = tree.items.pop("hydra", None)
    axes: dict[Key, tuple[Leaf, str]] = {}
    left: list[Left] = []
    for path, leaf in own.leaves(("hydra",)) if isinstance(own, Branch) else ():
        is_axis = path[:3] == ("hydra", "sweeper", "params") and len(path) > 3
        values = axis_text(leaf.value) if is_axis else ""
        if values:
            axes[tuple(".".join(path[3:]).split("."))] = leaf, values
        elif path != ("hydra", "mode"):
            left.append(Left(leaf.file, leaf.line, f"{'.'.join(path)}: a setting of Hydra itself"))
    return axes, left


def axis_text(value: object) -> str:
    """``"choice(1, 2)"``, ``"range(1, 9, 2)"`` or ``"1,2"`` as Python; ``""`` for what is none."""
    if not isinstance(value, str):
        return f"[{value!r}]" if isinstance(value, (bool, int, float)) else ""
    call = _CALL.fullmatch(value.strip())
    if call is None:
        return _listed(value)
    if call[1] == "choice":
        return _listed(call[2])
    numbers = call[2].replace(" ", "")
    is_range = call[1] == "range" and re.fullmatch(r"-?\d+(,-?\d+){0,2}", numbers)
    return f"range({', '.join(numbers.split(','))})" if is_range else ""


def _listed(text: str) -> str:
    cuts = [-1, *find_commas(text), len(text)]
    parts = [text[start + 1 : end].strip() for start, end in pairwise(cuts)]
    if any(char in part for part in parts for char in "[]{}()$"):
        return ""
    return repr([_value(part) for part in parts])


def _value(part: str) -> object:
    is_quoted = part[:1] in ("'", '"') and part[-1:] == part[:1]
    return part[1:-1] if is_quoted else native(CellText(part))
