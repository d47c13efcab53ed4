"""``kogine workflow sequential|parallel|run``: flows of several scripts."""

from __future__ import annotations

from collections.abc import Callable

from kogine.options import FLOW_OPTIONS, WORKFLOW_OPTIONS
from kogine.reader import Arguments, read
from kogine.subcommands import start_subcommand

from kohaku_ast.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.tables import Command, Table

SCRIPTS_OPTIONS: Table = tuple(
    row
    for row in WORKFLOW_OPTIONS
    if row[0] not in ("--search", "--minimize", "--maximize", "--study")
)
"""The options of ``sequential`` and ``parallel``."""

_OF_VALUES = ("--set", "--config", "--add", "--as-is", "--isolate")
FLOW_FILE_OPTIONS: Table = (
    *(row for row in WORKFLOW_OPTIONS if row[0] in _OF_VALUES),
    *FLOW_OPTIONS,
)
"""The options of ``run``."""

_SCRIPTS = "SCRIPT [SCRIPT ...] [TARGET=VALUE ...] [-- ARGS ...]"

WORKFLOW_COMMANDS: dict[str, Command] = {
    "sequential": (SCRIPTS_OPTIONS, _SCRIPTS, "Run scripts one after another."),
    "parallel": (SCRIPTS_OPTIONS, _SCRIPTS, "Run scripts and their sweeps at the same time."),
    "run": (
        FLOW_FILE_OPTIONS,
        "FLOW.py [TARGET=VALUE ...] [-- ARGS ...]",
        "Run the flow that a file defines.",
    ),
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


def read_options(
    arguments: list[str], table: Table, why: str, takes_more: bool = False
) -> Arguments:
    """*arguments* taken apart. Raises UsageError with *why* for an option of ``kogine run`` that is
    not in *table*: it would be ignored.
    """
    read_ = read(arguments, WORKFLOW_OPTIONS, takes_more=takes_more)
    known = {name for name, _, _ in table}
    for name in (*read_.values, *read_.flags):
        if name not in known:
            raise UsageError(f"{name}: {why}")
    return read_
