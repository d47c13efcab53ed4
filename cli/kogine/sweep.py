"""``kogine run`` with a sweep: a run for each Config."""

from __future__ import annotations

from collections.abc import Callable

from kogine.again import again_of_sweep
from kogine.flow_options import flow_options
from kogine.flow_run import run_flow
from kogine.overrides import binder_of
from kogine.report import mistaken
from kogine.script_command import ScriptCommand
from kogine.sort_words import refuse_lost_overrides
from kogine.sweep_check import check_axes
from kogine.sweep_of import own_axes, sweep_of

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import SourceError
from kohaku_ast.flow.run import ScriptConfigs
from kohaku_ast.runner.launch import Launch


def sweep(
    launch: Launch, command: ScriptCommand, entrypoint: str, config: Config | Sweep | None
) -> Callable[[], int]:
    """Check what can be checked before anything runs; what comes back runs the sweep."""
    is_search = "search" in command.options
    # A generator may look at what its runs returned, and so may who reads records.
    listens = is_search or (isinstance(config, Sweep) and config.listens)
    spreads = not listens and _spreads(command, config)
    options = flow_options(command, mode=_usual_mode(launch), spreads=spreads)
    captures = listens or options.is_json or options.plan.recording.is_on
    binder = binder_of(launch, command, entrypoint, capture=captures)
    try:
        found = sweep_of(command, config, binder)
        check_axes(binder, found)
        if command.argv:
            axes = own_axes(command).targets
            refuse_lost_overrides(command, command.script, binder, axes)
    except (SyntaxError, ValueError, SourceError) as error:
        return mistaken(launch, error)
    if "dry_run" in command.options and not is_search:
        from kogine.dry_run import dry_run

        return lambda: dry_run(found, binder)
    work = ScriptConfigs(launch.shown, binder, found)
    if is_search:
        from kogine.search import search

        return search(found, work, command, options)
    return lambda: run_flow([work], options, again_of_sweep(command), found.size)


def _usual_mode(launch: Launch) -> str:
    """In this process if it can be; runpy and standard input serve a process only once."""
    return "inline" if launch.has_file else "spawn"


def _spreads(command: ScriptCommand, config: Config | Sweep | None) -> bool:
    """Whether there are many runs for processes of their own; ``--isolate`` keeps them in a row."""
    has_axes = any(one in command.options for one in ("sweep", "trials", "n"))
    is_apart = command.option("mode") in ("spawn", "warm") or "gpus" in command.options
    return (has_axes or isinstance(config, Sweep)) and is_apart and "isolate" not in command.options
