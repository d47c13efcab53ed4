"""The commands of kogine, once: the help and the completion are made from these tables.

On the path of completion: imports nothing heavy.
"""

from __future__ import annotations

from kogine.config import CONFIG_COMMANDS
from kogine.options import FREEZE_OPTIONS, RUN_OPTIONS, TRANSFORM_OPTIONS
from kogine.pipeline import PIPELINE_COMMANDS
from kogine.workflow import WORKFLOW_COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

Table: TypeAlias = "Sequence[tuple[str, bool, str]]"
"""Rows of an option's name, whether it takes a value, and its help."""

Command: TypeAlias = "tuple[Table, str, str]"
"""Its options, what stands behind it, and its help."""

COMMANDS: dict[str, Command] = {
    "run": (
        RUN_OPTIONS,
        "SCRIPT [TARGET=VALUE ...] [-- ARGS ...]",
        "Run a script, or -m MODULE, with other values, as if its definitions had been edited.",
    ),
    "transform": (
        TRANSFORM_OPTIONS,
        "SCRIPT [TARGET=VALUE ...]",
        "Print the rewritten source that run compiles.",
    ),
    "freeze": (
        FREEZE_OPTIONS,
        "SCRIPT [TARGET=VALUE ...]",
        "Write a standalone script that has the values in its definitions.",
    ),
    "completion": (
        (),
        "bash|zsh|fish",
        "Print the script that completes kogine's command lines in a shell.",
    ),
}

GROUPS: dict[str, tuple[Mapping[str, Command], str]] = {
    "workflow": (WORKFLOW_COMMANDS, "Run several scripts, one after another or at once."),
    "pipeline": (PIPELINE_COMMANDS, "Run or draw the pipeline that a file defines."),
    "config": (CONFIG_COMMANDS, "Look at, check, make, compare and convert configs."),
}
"""The commands that have commands of their own."""
