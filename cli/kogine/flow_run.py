"""Runs a flow for the command line: shown, recorded, with an exit status."""

from __future__ import annotations

from collections.abc import Sequence

from kogine.flow_options import FlowOptions
from kogine.report import report
from kogine.sweep_lines import SweepLines

from kohaku_ast.errors import KogineError
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.modes import launcher_of
from kohaku_ast.flow.supply import Supply
from kohaku_ast.flow.work import Work


def run_flow(
    works: Sequence[Work],
    options: FlowOptions,
    lines: SweepLines,
    total: int | None,
    wants_value: bool,
) -> int:
    """Run all of *works*; the exit status."""
    launcher = launcher_of(
        options.mode, options.slots, warn=lines.warn, wants_value=wants_value, nice=options.nice
    )
    supply = Supply(works, listens=options.limits.workers == 1)
    flow = Flow(supply, launcher, options.limits, [lines], total)
    try:
        for _ in flow.runs():
            pass  # the observers have told of it
    except KogineError as error:
        return report(error)  # of the first run: nothing has run yet
    return flow.summary.exit_status
