"""``kogine run`` after its command line is read: ``start`` is the main path, step by step. On the
warm path.
"""

from __future__ import annotations

from kogine.report import explain_script_error
from kogine.script_command import binder_of, find_script, load_configs

from kohaku_ast.errors import SourceError, UsageError
from kohaku_ast.frames import hidden, keep_builtins
from kohaku_ast.runner.launch import plain_python
from kohaku_ast.runner.main_module import run_here

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kogine.script_command import ScriptCommand

    from kohaku_ast.runner.bind import Binder, Bound
    from kohaku_ast.runner.launch import Launch

_WITHOUT_EFFECT = {"no_record", "no_metrics"}
"""Options for what a single run does anyway."""
_RECORDING = {"record", "cached", "inputs"}
_OF_ONE_RUN = {
    "config",
    "add",
    "set",
    "as_is",
    "entrypoint",
    "output",
    *_RECORDING,
    *_WITHOUT_EFFECT,
}
"""The options with which a single run stays one; each other option makes it a flow."""


def start(command: ScriptCommand) -> Callable[[], int]:
    """Check all that can be checked before anything runs; the result runs the script and gives the
    exit status. Both ways to read a command line, with click and without, end here.

    Raises KogineError.
    """
    launch, entrypoint = find_script(command)
    if launch.is_notebook and "output" not in command.options:
        from kohaku_ast.notebook.notebook_process import check_needs

        check_needs(launch.shown, launch.data)
    if "output" in command.options:
        from kohaku_ast.runner.executed_notebook import executed

        launch = executed(launch, command.option("output"), entrypoint, "-o ")
    if "no_record" in command.options:
        from kohaku_ast.helpers.run_context import CurrentRun, enter_run

        enter_run(CurrentRun())  # else what the script logs has a record of its own
    if _leaves_script_unchanged(command, launch, entrypoint):
        return _run_unchanged(launch)
    config = load_configs(command.config_files, is_json="json" in command.options)
    # By its name: a single run does not import sweeps.
    if type(config).__name__ == "Sweep" or _is_flow(command):
        from kogine.sweep import sweep

        return sweep(launch, command, entrypoint, config)
    is_recorded = bool(command.options.keys() & _RECORDING) and _may_record(command)
    try:
        binder = binder_of(launch, command, entrypoint, capture=is_recorded)
        _refuse_lost_overrides(command, binder)
        bound = binder.bind(config)  # type: ignore[arg-type]  # it is no Sweep
    except (SyntaxError, ValueError, SourceError) as error:
        return explain_script_error(launch, error)
    if is_recorded:
        from kogine.recorded_run import run_recorded

        return run_recorded(binder, bound, command)
    return _run_here(bound)


def _is_flow(command: ScriptCommand) -> bool:
    """Whether the options make a flow of the run. ``--format`` is for flows, and makes none."""
    makes_flow = command.options.keys() - _OF_ONE_RUN
    if "format" not in makes_flow:
        return bool(makes_flow)
    if makes_flow - {"format", "json"}:
        return True
    raise UsageError(
        "--format has no effect without --inspect or a flow: a single run prints what the script "
        "prints. --json alone makes a flow of it"
    )


def _may_record(command: ScriptCommand) -> bool:
    """Whether ``--no-record`` is not given. UsageError beside an option that needs the record."""
    needing = command.options.keys() & {"cached", "inputs"}
    if "no_record" in command.options and needing:
        raise UsageError(f"--{min(needing)} needs a record of the run: take away --no-record")
    return "no_record" not in command.options


def _leaves_script_unchanged(command: ScriptCommand, launch: Launch, entrypoint: str) -> bool:
    if command.overrides or entrypoint or command.options.keys() - _WITHOUT_EFFECT:
        return False
    if launch.is_notebook:
        return False  # its child processes need its Program: they cannot read its file
    # The script may mark its entrypoint: `@kohaku_ast.entrypoint`, or by a module of its own.
    return b"entrypoint" not in launch.data


def _run_unchanged(launch: Launch) -> Callable[[], int]:
    """Run the script as it is: the compiler gets the same bytes as under plain Python."""

    @hidden
    def run() -> int:
        try:
            code = launch.compile()
        except (SyntaxError, ValueError):
            return plain_python(launch)
        run_here(launch, [code])
        return 0

    return run


def _refuse_lost_overrides(command: ScriptCommand, binder: Binder) -> None:
    if command.overrides and command.argv:
        from kogine.script_arguments import refuse_lost_overrides

        refuse_lost_overrides(command, command.script, binder)


def _run_here(bound: Bound) -> Callable[[], int]:
    """Run the Program in this process, as ``__main__``."""
    from kohaku_ast.runner.children import (  # a script without overrides needs neither
        forget_loaded,
        hand_on,
    )
    from kohaku_ast.runner.main_module import warn_at_end, warn_compiler

    launch = bound.launch
    launch.argv[1:] = bound.argv[1:]

    @hidden
    def run() -> int:
        try:
            warn_compiler(bound.program)
        except Warning:  # -W made it an error: Python refuses the script
            return plain_python(launch)
        warn_at_end(bound.prepared)
        forget_loaded(bound.prepared)
        hand_on(bound.prepared)
        try:
            run_here(launch, bound.codes(), bound.last())
        except BaseException as error:
            bound.prepared.note_end(error)
            raise
        return 2 if bound.prepared.stopped else 0

    return run
