"""Which of the displays it is."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from kohaku_ast.flow.display.failures import Again, no_command
from kohaku_ast.flow.display.log_warnings import LogWarnings
from kohaku_ast.flow.display.log_watch import LogWatch
from kohaku_ast.flow.observer import Observer


def choose_display(
    is_json: bool,
    metrics: bool,
    stream: TextIO,
    again: Again = no_command,
    shows_output: bool = False,
) -> list[Observer]:
    """The observers that show a flow on *stream*; all of them, in this order.

    JSON if asked for; on a terminal the live table and the summary; elsewhere a line for each
    change and the summary. *metrics*: whether numbers that scripts print are read as metrics.
    *again* gives the command that repeats a run. *shows_output*: what the runs print appears here
    too; then there is no table, and a line above the output of each.
    """
    watch = LogWatch(metrics)
    if is_json:
        from kohaku_ast.flow.display.json_lines import JsonLines

        return [watch, JsonLines(stream, again)]
    from kohaku_ast.flow.display.summary import Report

    report = Report(stream, again)
    if shows_output:
        from kohaku_ast.flow.display.heads import Heads

        return [Heads(stream), report]
    warnings = LogWarnings(stream)
    if can_be_painted(stream):
        from kohaku_ast.flow.display.live_table import LiveTable  # rich: 45 ms

        return [watch, LiveTable(stream), warnings, report]
    from kohaku_ast.flow.display.lines import Lines

    return [watch, Lines(stream), warnings, report]


def can_be_painted(stream: TextIO) -> bool:
    """Whether *stream* is a terminal whose cursor can be moved."""
    try:
        is_terminal = stream.isatty() and stream.fileno() >= 0
    except (OSError, ValueError):
        return False
    if not is_terminal or os.environ.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    if sys.platform == "win32":
        from rich.console import Console

        return not Console(file=stream).legacy_windows
    return True
