"""``kogine workflow sequential|parallel|run``: flows of several scripts."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from kogine.options import WORKFLOW_OPTIONS

from kohaku_ast.errors import UsageError, near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.tables import Command

_SCRIPTS = "SCRIPT [SCRIPT ...] [TARGET=VALUE ...] [-- ARGS ...]"

WORKFLOW_COMMANDS: dict[str, Command] = {
    "sequential": (WORKFLOW_OPTIONS, _SCRIPTS, "Run scripts one after another."),
    "parallel": (WORKFLOW_OPTIONS, _SCRIPTS, "Run scripts and their sweeps at the same time."),
    "run": (WORKFLOW_OPTIONS, "FLOW.py [TARGET=VALUE ...]", "Run the flow that a file defines."),
}
"""The commands, with their options, what stands behind them and their help."""

_MODULES = {
    "sequential": "kogine.workflow_scripts",
    "parallel": "kogine.workflow_scripts",
    "run": "kogine.workflow_run",
}


def workflow(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back runs the flow, and gives the exit status."""
    name = next(iter(arguments), "")
    if not name:
        from kogine.commands import commands

        return commands(["workflow", "--help"]) or (lambda: 0)
    if name not in WORKFLOW_COMMANDS:
        known = list(WORKFLOW_COMMANDS)
        found = near(name, known, 1)
        hint = f" Did you mean {found[0]!r}?" if found else ""
        raise UsageError(
            f"unknown workflow command {name!r} (expected one of: {', '.join(known)}).{hint}"
        )
    module = import_module(_MODULES[name])
    start: Callable[[], int] = getattr(module, f"workflow_{name}")(arguments[1:])
    return start
