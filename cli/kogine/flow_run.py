"""Runs a flow for the command line: reads its options, shows its runs, gives its exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TextIO

from kogine.repeat_command import resume_command
from kogine.report import report, say_unprinted
from kogine.script_command import ScriptCommand

from kohaku_ast import sigint
from kohaku_ast.errors import KogineError, UsageError, visible
from kohaku_ast.flow.failures import Again, Resume, command_from_record, no_resume
from kohaku_ast.flow.flows import make_flow
from kohaku_ast.flow.json_report import JsonLines
from kohaku_ast.flow.report import choose_display, only_json
from kohaku_ast.flow.run import Observer, Run, ScriptConfigs
from kohaku_ast.flow.settings import (
    FlowSettings,
    default_workers,
    parse_size,
    parse_threads,
    read_artifacts,
    read_gpus,
    usable_cores,
    workers_here,
)
from kohaku_ast.runner.job import IF_POSSIBLE

if TYPE_CHECKING:
    from kohaku_ast.flow.settings import Mode


def run_flow(
    works: Sequence[ScriptConfigs],
    options: FlowOptions,
    again: Again,
    total: int | None,
    observers: Sequence[Observer] = (),
) -> int:
    """Run all of *works*; the exit status. *again* gives the command that repeats a run."""
    settings = options.settings
    shows = settings.shows_output and not options.is_json
    again = partial(_repeats, again)
    is_last = sigint.is_silent()  # this process does nothing else
    if is_last:
        sigint.ignore_at_exit()
    with output(options.is_json) as stream:
        display = choose_display(options.is_json, stream, again, shows, options.resume)
        try:
            flow = make_flow(
                works,
                settings,
                [*display, *observers],
                total=total,
                listens=settings.workers == 1,
                # A script must not fail because of a returned value that nobody asked for.
                wants_value=IF_POSSIBLE,
                shows=shows,
            )
            flow.interrupts.is_last = is_last
            for _ in flow.runs():
                pass  # the observers print it
        except KogineError as error:
            # There is no GPU for it, or the first run was refused: nothing has run yet.
            return report(error)
    unprinted = [one.error for one in display if isinstance(one, JsonLines) and one.error]
    if unprinted:
        say_unprinted(unprinted[0])
    return flow.summary.exit_status or int(bool(unprinted))


def _repeats(again: Again, run: Run) -> str:
    """The command that *again* gives; if none makes the values, the one that takes them, and a
    script from standard input, from the record.
    """
    command = again(run)
    if command or run.folder is None:
        return command
    is_piped = run.work.binder.launch.shown == "<stdin>"
    return command_from_record(run.folder, "reproduce" if is_piped else "repeat")


@contextmanager
def output(is_json: bool) -> Iterator[TextIO]:
    """The stream for the lines of a flow. Inside, with *is_json*, standard output gets only JSON;
    the output of config files and scripts goes to standard error.
    """
    if is_json:
        with only_json() as stream:
            yield stream
    elif sys.stderr is not None:
        yield sys.stderr
    else:  # standard error was closed when this process started
        with open(os.devnull, "w") as null:
            yield null


def print_lines(*texts: str) -> None:
    """Print *texts*, except empty ones, on standard error, after all earlier output."""
    sys.stdout.flush()
    for text in texts:
        if text:
            print(visible(text), file=sys.stderr, flush=True)


_PROCESS_OPTIONS = ("timeout", "gpus", "nice", "threads")
"""Options that need a process for each run."""


@dataclass(frozen=True)
class FlowOptions:
    """How a command line runs and shows its runs."""

    settings: FlowSettings
    is_json: bool
    #: Gives the command that goes on with it after Ctrl-C.
    resume: Resume = no_resume


def read_flow_options(
    command: ScriptCommand,
    usual: FlowSettings = FlowSettings(),  # noqa: B008  # it is frozen
    *,
    spreads: bool = False,
    threads: int | None = None,
) -> FlowOptions:
    """The settings of *command*; where it has none, those of *usual*. Raises UsageError.

    *spreads*: without ``--workers`` there is one for each GPU, or for each usable core. *threads*
    holds without ``--threads``; None: the cores are shared out.
    """
    gpus, chooses_gpus = read_gpus(command.option("gpus"), (usual.gpus, usual.chooses_gpus))
    workers = _workers(command, usual.workers, spreads, gpus)
    policy = "stop" if usual.stops_on_error else "continue"
    on = command.option("on", usual.on)
    settings = replace(
        usual,
        mode=_mode(command, usual.mode, workers),
        on=on,
        workers=workers,
        stops_on_error=command.option("on_error", policy) == "stop",
        retries=command.option("retries", usual.retries),
        backoff=command.option("backoff", usual.backoff),
        timeout=command.option("timeout", usual.timeout) or None,
        gpus=gpus,
        chooses_gpus=chooses_gpus,
        threads=_threads(command, workers_here(workers, on), threads),
        nice=command.option("nice", usual.nice),
        records=_records(command, usual.records),
        resumes=usual.resumes or "resume" in command.options,
        retries_failed=usual.retries_failed or "retry_failed" in command.options,
        cached=usual.cached or "cached" in command.options,
        inputs=(*usual.inputs, *command.option("inputs", ())),
        metrics="no_metrics" not in command.options,
        log_limit=_log_limit(command, usual.log_limit),
        artifacts=read_artifacts(command.option("artifacts", usual.artifacts)),
        in_run_dir=usual.in_run_dir or "run_dir" in command.options,
    )
    resume = partial(resume_command, command) if settings.records else no_resume
    given = command.options
    return FlowOptions(settings, "json" in given, resume)


def _records(command: ScriptCommand, otherwise: bool) -> bool:
    options = command.options
    if {"record", "no_record"} <= options.keys():
        raise UsageError("--record and --no-record: take one away")
    return "no_record" not in options and (otherwise or "record" in options)


def _log_limit(command: ScriptCommand, otherwise: int) -> int:
    if {"log_limit", "no_record"} <= command.options.keys():
        raise UsageError("--log-limit has no effect with --no-record: take one away")
    return parse_size(command.option("log_limit")) if "log_limit" in command.options else otherwise


def _workers(command: ScriptCommand, otherwise: int, spreads: bool, gpus: tuple[str, ...]) -> int:
    if "on" in command.options and command.option("workers", "auto") == "auto":
        return 0  # as many as the cluster can run
    if spreads and "workers" not in command.options:
        return default_workers(gpus)
    text = command.option("workers", otherwise)
    return usable_cores() if text == "auto" else int(text)


def _mode(command: ScriptCommand, otherwise: Mode, workers: int) -> Mode:
    if "on" in command.options:
        return str(command.option("mode", "auto"))
    if not isinstance(otherwise, str):
        return otherwise
    needs = [f"--{name}" for name in _PROCESS_OPTIONS if name in command.options]
    usual = "auto" if otherwise == "inline" and (workers > 1 or needs) else otherwise
    mode: str = command.option("mode", usual)
    if mode == "inline" and workers > 1:
        raise UsageError(f"--mode inline runs in this process: take away --workers {workers}")
    if mode == "inline" and needs:
        raise UsageError(f"{needs[0]} needs processes of their own: take away --mode inline")
    return mode


def _threads(command: ScriptCommand, workers: int, otherwise: int | None) -> int:
    if otherwise is None or "threads" in command.options:
        return parse_threads(command.option("threads", "auto"), workers, usable_cores())
    return otherwise
