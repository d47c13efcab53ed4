"""Config files of a workflow that look at the Outcomes of the scripts before."""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Sequence
from pathlib import Path

from kohaku_ast.config.config import Config
from kohaku_ast.config.load import load
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.flow.run import Previous


def asks_for_previous(path: str) -> bool:
    """Whether the ``config_gen`` of the file at *path* has a parameter ``previous``.

    Nothing is run to find out: that is to happen when there are Outcomes.
    """
    try:
        body = ast.parse(Path(path).read_bytes()).body if path.endswith(".py") else []
    except (OSError, SyntaxError, ValueError):
        return False  # who loads it says what is wrong
    functions = [one for one in body if isinstance(one, ast.FunctionDef)]
    return any(one.name == "config_gen" and "previous" in _parameters(one) for one in functions)


def _parameters(function: ast.FunctionDef) -> list[str]:
    of = function.args
    return [one.arg for one in (*of.args, *of.kwonlyargs)]


def load_after(paths: Sequence[str], previous: Previous | None = None) -> Config | Sweep | None:
    """The config files as one, later ones over earlier ones, after the Outcomes *previous*."""
    found = [load(path, previous=previous) for path in paths]
    return functools.reduce(operator.or_, found) if found else None
