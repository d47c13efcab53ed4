"""``kogine workflow sequential|parallel|run``: flows of several scripts."""

from __future__ import annotations

from collections.abc import Callable

from kogine.options import WORKFLOW_OPTIONS
from kogine.subcommands import start_subcommand

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

_PLACES = {
    "sequential": "workflow_scripts:workflow_sequential",
    "parallel": "workflow_scripts:workflow_parallel",
    "run": "workflow_run:workflow_run",
}


def workflow(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back runs the flow, and gives the exit status."""
    return start_subcommand("workflow", _PLACES, arguments)
