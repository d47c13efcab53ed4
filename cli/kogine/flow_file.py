"""``kogine workflow run``: runs a file with overrides, and then the flow that it defines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack

from kogine.flow_run import output, read_flow_options, run_flow
from kogine.repeat_command import repeat_command_of_run
from kogine.report import explain_script_error, report
from kogine.script_command import ScriptCommand, binder_of, merge_configs

from kohaku_ast import sigint
from kohaku_ast.errors import KogineError, SourceError, UsageError
from kohaku_ast.flow.flows import Parallel, Sequential
from kohaku_ast.frames import hidden
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.loaded_modules import show_own
from kohaku_ast.runner.main_module import run_here, warn_at_end, warn_compiler
from kohaku_ast.runner.process_state import handed_on


def start_flow(command: ScriptCommand) -> Callable[[], int]:
    """The result runs the file's module body with the overrides, and then the flow in it. The
    process is the file's, as with ``python flow.py``: its generators can import local modules.
    """
    read_flow_options(command)  # a mistake in the options comes before the file runs
    launch = Launch(command.script, command.argv)
    try:
        bound = _bound(launch, command)
    except (SyntaxError, ValueError, SourceError) as error:
        return explain_script_error(launch, error)
    return _start(bound, command)


def _bound(launch: Launch, command: ScriptCommand) -> Bound:
    with output("json" in command.options):  # the output of config files is no JSON
        config = merge_configs(command.config_files, "workflow run")
    binder = binder_of(launch, command, "")
    binder.split = True  # without the guard, which is for `python flow.py` and may run the flow
    bound = binder.bind(config)
    launch.argv[1:] = bound.argv[1:]
    return bound


def _start(bound: Bound, command: ScriptCommand) -> Callable[[], int]:
    @hidden
    def start() -> int:
        is_silent = sigint.is_silent()
        with ExitStack() as of_file:
            of_file.enter_context(output("json" in command.options))  # its output is no JSON
            of_file.enter_context(handed_on(bound.prepared))

            def last(names: Mapping[str, object]) -> int:
                show_own()
                if is_silent:
                    sigint.silence()
                of_file.close()  # it is not for the scripts of the flow
                return _run_flow_in(names, command)

            warn_compiler(bound.program)
            warn_at_end(bound.prepared)
            codes = bound.prepared.given.codes("module")
            try:
                status = run_here(bound.launch, codes, last)
            except KogineError as error:  # of a Script or a flow in the file
                show_own()
                return report(UsageError(f"{_place(error, bound.launch)}{error}"))
        assert isinstance(status, int)
        return status

    return start


def _run_flow_in(names: Mapping[str, object], command: ScriptCommand) -> int:
    try:
        return _run(_flow_in(names, command.script), command)
    except KogineError as error:
        return report(error)


def _run(flow: Sequential | Parallel, command: ScriptCommand) -> int:
    options = read_flow_options(command, flow.settings, threads=flow.settings.threads)
    return run_flow(flow.works(), options, repeat_command_of_run, flow.total(), flow.observers)


def _place(error: KogineError, launch: Launch) -> str:
    """``flow.py:3: ``, the last line of the file in the traceback of *error*."""
    place, trace = "", error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == launch.filename:
            place = f"{launch.shown}:{trace.tb_lineno}: "
        trace = trace.tb_next
    return place


def _flow_in(names: Mapping[str, object], path: str) -> Sequential | Parallel:
    """The flow called ``flow``, else the only one. Raises UsageError."""
    found = {name: one for name, one in names.items() if isinstance(one, (Sequential, Parallel))}
    chosen = found.get("flow") or (next(iter(found.values())) if len(found) == 1 else None)
    if isinstance(chosen, (Sequential, Parallel)):
        return chosen
    if found:
        raise UsageError(f"{path}: several flows ({', '.join(found)}): call one of them flow")
    raise UsageError(
        f"{path}: no flow: write flow = Sequential([Script(...), ...]) at module level, outside "
        "of the guard"
    )
