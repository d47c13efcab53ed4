"""``kogine run`` with a sweep: a run for each Config."""

from __future__ import annotations

from collections.abc import Callable

from kogine.changed import mistaken
from kogine.overrides import binder_of
from kogine.reader import Arguments
from kogine.report import report
from kogine.sweep_check import check_axes
from kogine.sweep_lines import SweepLines
from kogine.sweep_of import sweep_of

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import KogineError, SourceError
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import InlineLauncher, Launcher, SpawnLauncher
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.supply import Supply
from kohaku_ast.flow.work import Work
from kohaku_ast.runner.launch import Launch


def sweep(
    launch: Launch, read_: Arguments, entrypoint: str, config: Config | Sweep | None
) -> Callable[[], int]:
    """Check what can be checked before anything runs; what comes back runs the sweep."""
    binder = binder_of(launch, read_, entrypoint, capture="--search" in read_.values)
    try:
        found = sweep_of(read_, config, binder)
        check_axes(binder, found)
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    if "--dry-run" in read_.flags:
        from kogine.dry_run import dry_run

        return lambda: dry_run(found, binder)
    return lambda: _run_all(found, Work(launch.shown, binder, found), read_)


def _run_all(found: Sweep, work: Work, read_: Arguments) -> int:
    lines = SweepLines(read_)
    flow = Flow(
        Supply([work], listens=True), _launcher(work, read_, lines), Limits(), [lines], found.size
    )
    try:
        for _ in flow.runs():
            pass  # the observer has told of it
    except KogineError as error:
        return report(error)  # of the first run: nothing has run yet
    return flow.summary.exit_status


def _launcher(work: Work, read_: Arguments, lines: SweepLines) -> Launcher:
    """In this process if it can be; runpy and standard input serve a process only once."""
    if "--isolate" in read_.flags or not work.binder.launch.has_file:
        return SpawnLauncher(lambda run: {"wants_value": False})
    return InlineLauncher(lines.warn)
