"""``kogine run`` with a sweep: a run for each Config."""

from __future__ import annotations

from collections.abc import Callable

from kogine.changed import mistaken
from kogine.flow_options import flow_options
from kogine.flow_run import run_flow
from kogine.overrides import binder_of
from kogine.reader import Arguments
from kogine.sweep_check import check_axes
from kogine.sweep_lines import SweepLines
from kogine.sweep_of import sweep_of

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import SourceError
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
    work = Work(launch.shown, binder, found)
    options = flow_options(read_, mode=_usual_mode(launch, config))
    captures = "--search" in read_.values
    return lambda: run_flow([work], options, SweepLines(read_), found.size, captures)


def _usual_mode(launch: Launch, config: Config | Sweep | None) -> str:
    """In this process if it can be; runpy and standard input serve a process only once."""
    return "inline" if launch.has_file else "spawn"
