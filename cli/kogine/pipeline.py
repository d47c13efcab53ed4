"""``kogine pipeline run|graph``: the pipeline that a Python file defines."""

from __future__ import annotations

from collections.abc import Callable

from kogine.subcommands import start_subcommand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kogine.tables import Command

_PART = (
    ("--from", True, "NODE: begin there; what it takes from above is given or in the cache."),
    ("--to", True, "NODE: end there; it and what it needs."),
)
RUN_OPTIONS = (
    *_PART,
    ("--output", True, "NAMES: the outputs to print, a,b; without it those that no node reads."),
    ("--json", False, "Print the results as one JSON object."),
    ("--no-progress", False, "Show no bar on a terminal."),
)
GRAPH_OPTIONS = (
    ("-o", True, "FILE: draw there, as .svg, .html or .mmd; without it print every edge in words."),
    ("--depth", True, "N: show pipelines inside open, so many levels deep."),
    *_PART,
)
_FILE = "FLOW.py[:NAME]"

PIPELINE_COMMANDS: dict[str, Command] = {
    "run": (
        RUN_OPTIONS,
        f"{_FILE} [INPUT=VALUE ...] [-- ARGS ...]",
        "Run the pipeline that a file defines.",
    ),
    "graph": (
        GRAPH_OPTIONS,
        f"{_FILE} [-- ARGS ...]",
        "Draw the pipeline that a file defines, or explain it.",
    ),
}
"""The commands, with their options, what stands behind them and their help."""


def pipeline(arguments: list[str]) -> Callable[[], int]:
    """Read and check everything; what comes back does it, and gives the exit status."""
    places = {name: f"pipeline_{name}:pipeline_{name}" for name in PIPELINE_COMMANDS}
    return start_subcommand("pipeline", places, arguments)
