"""``kogine run``: a script with other values, once or many times; or a list of what it has."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType

import click
from kogine.command import Choice
from kogine.command_with_script import CommandWithScript, refuse_without
from kogine.option_types import ScriptFile
from kogine.options import (
    flag,
    flow_options,
    option,
    record_options,
    search_options,
    sweep_options,
    together,
    value_options,
)
from kogine.report import report
from kogine.script_command import ScriptCommand
from kogine.source import show_syntax_error

from kohaku_ast.config.config import Config
from kohaku_ast.display.table import group_rows, print_table
from kohaku_ast.errors import KogineError, UsageError
from kohaku_ast.flow.flows import tell_on_stderr, warn_on_stderr
from kohaku_ast.flow.observer import Summary
from kohaku_ast.flow.output import Copy, Tee
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import FAILED, INTERRUPTED, SUCCEEDED, Run, ScriptConfigs
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.job import IF_POSSIBLE
from kohaku_ast.runner.launch import find_launch, split_function
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.process_exit import die_of
from kohaku_ast.runner.script import COLUMNS, as_row, type_text
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.store.record import working_folder
from kohaku_ast.store.run_folder import RUNS
from kohaku_ast.transform.find.disk_caches import find_cached
from kohaku_ast.transform.find.entrypoints import Entrypoint
from kohaku_ast.transform.find.inspection import Inspection, inspect_source, with_modules
from kohaku_ast.transform.find.parameters import Parameter
from kohaku_ast.transform.find.source import decode

FORMATS = ("table", "json", "py")

_inspect_options = together(
    flag("--inspect", group="Inspecting", help="List what can be overridden; run nothing."),
    flag("--all", group="Inspecting", help="Also derived names, imports and the rest."),
    flag("--modules", group="Inspecting", help="Also settings of the local modules it imports."),
    option(
        "--format",
        group="Inspecting",
        type=Choice(FORMATS),
        show_default="table",
        help="How the list is printed.",
    ),
)


@click.command(
    cls=CommandWithScript,
    usage="SCRIPT [TARGET=VALUE ...] [ARGS ...] [-- ARGS ...]",
    examples=(
        "kogine run --inspect train.py",
        "kogine run train.py lr=0.01 Args.depth=9",
        "kogine run train.py --sweep lr=0.1,0.2 --workers 2 -- --option-of-the-script 3",
    ),
)
@click.argument("script", type=ScriptFile(), required=False)
@value_options
@_inspect_options
@sweep_options
@search_options
@flow_options
@record_options
def run(command: ScriptCommand) -> Callable[[], int]:
    """Run a script with other values, as if its definitions had been edited."""
    if "inspect" in command.options:  # added to any command line: the rest is left alone
        return inspect(command)
    for name in ("all", "modules", "format"):
        refuse_without(command, name, "--inspect")
    refuse_without(command, "backoff", "--retries")
    for name in ("minimize", "maximize", "study"):
        if name in command.options and "search" not in command.options:
            raise UsageError(f"--{name} is for a search: add --search optuna")
    from kogine.start import start

    return start(command)


JSON_VERSION = 1


def inspect(command: ScriptCommand) -> Callable[[], int]:
    """Read and inspect the script; what comes back prints it."""
    script = split_function(command.script)[0]
    launch = find_launch(script, (), command.is_module)
    try:
        source = decode(launch.data, launch.filename, launch.path0, launch.package)
        found = inspect_source(source)
    except SyntaxError as error:
        status = show_syntax_error(error)
        return lambda: status
    if "modules" in command.options:
        found = with_modules(found)
    form = command.option("format", "table")
    shown = {"table": _show_table, "json": _show_json, "py": _show_py}[form]
    return functools.partial(shown, found, script, "all" in command.options)


def _write(text: str) -> None:
    """*text* to standard output as UTF-8, whatever the terminal's encoding: it is a file's."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def _show_py(found: Inspection, script: str, everything: bool) -> int:
    from kohaku_ast.config.template import config_text

    _write(config_text(found, found.listed(everything), script))
    return 0


def _show_json(found: Inspection, script: str, everything: bool) -> int:
    import json

    document = {
        "version": JSON_VERSION,
        "script": script,
        "entrypoint": {
            "guards": found.entrypoint.guards,
            "calls": [{"text": one.text, "line": one.line} for one in found.entrypoint.calls],
            "marked": found.entrypoint.marked,
            "reads_argv": found.entrypoint.reads_argv,
        },
        "cached": [
            {"name": one.name, "line": one.line, "reads": one.reads}
            for one in find_cached(found.source)
        ],
        "parameters": [as_json(one) for one in found.listed(everything)],
    }
    _write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 0


def as_json(parameter: Parameter) -> dict[str, object]:
    """One parameter of ``--format json``; docs/reference/inspect.md says what each field holds."""
    return {
        "target": parameter.target,
        "short": parameter.short,
        "kind": parameter.kind,
        "module": parameter.module[0] if parameter.module else "",
        "default": "\n".join(parameter.default.splitlines()),
        "type": type_text(parameter),
        "help": parameter.help,
        "section": parameter.section,
        "line": parameter.line,
        "also": parameter.also,
        "derived_from": parameter.derived_from,
        "setting": parameter.is_setting,
        "refused": parameter.refused,
    }


def _show_table(found: Inspection, script: str, everything: bool) -> int:
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    listed = found.listed(everything)
    if listed:
        print_table(COLUMNS, group_rows([(one.section, as_row(one)) for one in listed]), sys.stdout)
        print()
    else:
        print(f"{script}: no settings found.")
    hidden = len(found.parameters) - len(listed)
    if hidden:
        print(f"{hidden} more with --all: derived values, imports, functions and the rest")
    for line in [*start_lines(found.entrypoint), *cache_lines(found)]:
        print(line)
    return 0


def cache_lines(found: Inspection) -> list[str]:
    """The functions whose results on disk do not know of overrides."""
    return [
        f"cached on disk: {one.name}() at line {one.line} reads {', '.join(one.reads)}; "
        "an override of these does not renew its results"
        for one in find_cached(found.source)
        if one.reads
    ]


def start_lines(entry: Entrypoint) -> list[str]:
    """How the script starts, in words."""
    lines = [f"entrypoint: {_starts(entry)}"]
    if entry.marked:
        lines[0] = f"entrypoint: {entry.marked}(), marked with @kohaku_ast.entrypoint"
    if entry.reads_argv:
        lines.append("reads sys.argv: pass arguments after --")
    return lines


def _starts(entry: Entrypoint) -> str:
    guards = ", ".join(map(str, entry.guards))
    where = f"guard{'s' * (len(entry.guards) > 1)} at line {guards}"
    if len(entry.guards) == len(entry.calls) == 1:
        return f"{where} calls {entry.calls[0].text}"
    calls = [f"line {call.line} calls {call.text}" for call in entry.calls]
    if entry.guards or calls:
        return "; ".join([where] * bool(entry.guards) + calls)
    return "none, the module runs from top to bottom"


_PASSED_ON = ("SIGTERM", "SIGHUP", "SIGQUIT")


def recorded(binder: Binder, bound: Bound) -> Callable[[], int]:
    """What runs it: in a process of its own, so that its end is seen whatever it is. This process
    ends as that one did.
    """
    work = ScriptConfigs(bound.launch.shown, binder, bound.config or Config())
    return lambda: _run(Run(0, work, bound.config or Config(), total=1), bound)


def _run(run: Run, bound: Bound) -> int:
    root = Path(working_folder(), RUNS)
    recorder = Recorder(root, warn=warn_on_stderr, tell=tell_on_stderr)
    tee = Tee()
    with _Signals() as signals:
        try:
            outcome = _watched(run, bound, recorder, tee, signals)
        except KogineError as error:
            recorder.on_refuse(run)
            return report(error)
        finally:
            tee.report_error(recorder.on_log_failed)
            tee.close()
            recorder.on_finish(Summary())
    return _end_alike(outcome.exit_status)


def _watched(run: Run, bound: Bound, recorder: Recorder, tee: Tee, signals: _Signals) -> Outcome:
    log = recorder.open(run, bound)
    copy = None if log is None else tee.begin(log)
    early = set(signals.seen)
    spawned = _spawned(bound, copy)
    signals.pass_on(spawned, early)
    recorder.on_process(run, spawned.pid)
    run.outcome = spawned.wait()
    run.started, run.ended = run.outcome.started, run.outcome.ended
    run.state = SUCCEEDED if run.outcome.status == SUCCEEDED else FAILED
    if signals.seen and run.outcome.exit_status == -signal.SIGINT:
        run.state = INTERRUPTED
    if copy is not None:
        copy.finish()
    recorder.on_end(run)
    return run.outcome


def _spawned(bound: Bound, copy: Copy | None) -> SpawnedRun:
    try:
        return SpawnedRun(
            bound,
            wants_value=IF_POSSIBLE,  # type: ignore[arg-type]  # it is handed through
            stdout=None if copy is None else copy.stdout,
            stderr=None if copy is None else copy.stderr,
        )
    finally:
        if copy is not None:
            copy.close_writers()


class _Signals:
    """Inside, what asks us to end asks the script. The terminal sends SIGINT to both of us: it is
    only noted.
    """

    def __init__(self) -> None:
        #: All that have come.
        self.seen: list[int] = []
        self._spawned: SpawnedRun | None = None

    def pass_on(self, spawned: SpawnedRun, early: Collection[int]) -> None:
        """To *spawned* from now on, which was not there yet when those of *early* came."""
        self._spawned = spawned
        for number in set(self.seen):
            if number != signal.SIGINT or number in early:
                spawned.signal(number)

    def __enter__(self) -> _Signals:
        names = ("SIGINT", *_PASSED_ON)
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before = {
            number: signal.signal(number, self._note)
            for number in numbers
            # What is ignored, as under nohup, is ignored by the script as well.
            if signal.getsignal(number) not in (signal.SIG_IGN, None)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.seen.append(number)
        if number != signal.SIGINT and self._spawned is not None:
            self._spawned.signal(number)


def _end_alike(status: int) -> int:
    """*status*, or the death by the signal that killed the script."""
    if status >= 0 or os.name != "posix":
        return status
    return die_of(-status)
