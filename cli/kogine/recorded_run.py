"""``kogine run --record``: one run in a process of its own, whose Record shows how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import FrameType

from kogine.report import printing, report, say_unprinted
from kogine.script_command import ScriptCommand

from kohaku_ast.config.config import Config
from kohaku_ast.errors import KogineError
from kohaku_ast.flow.flows import tell_on_stderr, warn_on_stderr
from kohaku_ast.flow.log_watch import LogWatch
from kohaku_ast.flow.output import Copy, Tee
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import (
    FAILED,
    INTERRUPTED,
    SUCCEEDED,
    Observer,
    Run,
    ScriptConfigs,
    Summary,
)
from kohaku_ast.flow.settings import FlowSettings, files_variable
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.job import IF_POSSIBLE
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.process_exit import die_of
from kohaku_ast.runner.spawn import SpawnedRun
from kohaku_ast.store.environment import RESUMED_FROM, resumed_by_user
from kohaku_ast.store.record import working_folder
from kohaku_ast.store.run_folder import RUNS

_TICK = 0.25  # seconds between two looks at what the script has printed
_SENT_ON = ("SIGTERM", "SIGHUP", "SIGQUIT")


def run_recorded(binder: Binder, bound: Bound, command: ScriptCommand) -> Callable[[], int]:
    """Run the script in a process of its own: however it ends, this process sees it, writes it into
    the Record and ends in the same way. With ``--cached`` print what a record has instead, if one
    may stand in for the run.
    """
    work = ScriptConfigs(bound.launch.shown, binder, bound.config or Config())
    recorder = Recorder(
        Path(working_folder(), RUNS),
        cached="cached" in command.options,
        inputs=command.option("inputs", ()),
        warn=warn_on_stderr,
        tell=tell_on_stderr,
    )
    run = Run(0, work, bound.config or Config(), total=1)
    named = resumed_by_user()
    if named:
        run.resumed_from = Path(named)
    return lambda: _run(run, bound, recorder)


def _run(run: Run, bound: Bound, recorder: Recorder) -> int:
    try:
        if recorder.is_done(run, bound):
            return _print_cached(run)
    except KogineError as error:
        return report(error)
    tee = Tee(most=FlowSettings.log_limit)
    with _Signals() as signals:
        try:
            outcome = _run_watched(run, bound, recorder, tee, signals)
        except KogineError as error:
            recorder.on_refuse(run)
            return report(error)
        finally:
            tee.report_error(recorder.on_log_failed)
            unshown = tee.close()
            recorder.on_finish(Summary())
    if unshown is not None:
        say_unprinted(unshown)
    return _end_as(outcome.exit_status or int(unshown is not None))


@printing
def _print_cached(run: Run) -> int:
    """Print what the run printed that stands in for *run*, and say so."""
    tell_on_stderr(f"cached: not run; its output is that of {run.cached}")
    if run.log is not None:
        with open(run.log, "rb") as log:
            while data := log.read(_CHUNK):
                sys.stdout.buffer.write(data)
    return 0


_CHUNK = 1 << 20


def _run_watched(
    run: Run, bound: Bound, recorder: Recorder, tee: Tee, signals: _Signals
) -> Outcome:
    run.start_clock()
    watch = LogWatch(log_limit=FlowSettings.log_limit)
    watch.on_start(run, 1)
    log = recorder.open(run, bound)
    copy = None if log is None else tee.begin(log)
    early = set(signals.seen)
    spawned = _spawn(run, bound, copy)
    signals.send_on(spawned, early)
    recorder.on_process(run, spawned.pid)
    run.outcome = _wait(spawned, run, (watch, recorder))
    run.ended = run.now()
    run.state = SUCCEEDED if run.outcome.status == SUCCEEDED else FAILED
    if signals.seen and run.outcome.exit_status == -signal.SIGINT:
        run.state = INTERRUPTED
    if copy is not None:
        copy.finish()
    watch.finish(run)
    recorder.keep_artifacts(run)
    recorder.on_end(run)
    return run.outcome


def _wait(spawned: SpawnedRun, run: Run, observers: Sequence[Observer]) -> Outcome:
    """The Outcome; meanwhile *observers* read and keep what the script prints."""
    while True:
        try:
            return spawned.wait(_TICK)
        except subprocess.TimeoutExpired:
            for one in observers:
                one.on_tick([run], {})


def _spawn(run: Run, bound: Bound, copy: Copy | None) -> SpawnedRun:
    variables = files_variable(run)
    if RESUMED_FROM in os.environ and run.resumed_from is None:
        variables[RESUMED_FROM] = ""
    try:
        return SpawnedRun(
            bound,
            env={**os.environ, **variables} if variables else None,
            wants_value=IF_POSSIBLE,  # type: ignore[arg-type]  # it is passed through unchanged
            stdout=None if copy is None else copy.stdout,
            stderr=None if copy is None else copy.stderr,
        )
    finally:
        if copy is not None:
            copy.close_writers()


class _Signals:
    """Inside, a signal that should end this process is sent on to the script. The terminal sends
    SIGINT to both processes: it is only noted.
    """

    def __init__(self) -> None:
        #: All signals that arrived.
        self.seen: list[int] = []
        self._spawned: SpawnedRun | None = None

    def send_on(self, spawned: SpawnedRun, early: Collection[int]) -> None:
        """From now on to *spawned*; those of *early* arrived before it was started."""
        self._spawned = spawned
        for number in set(self.seen):
            if number != signal.SIGINT or number in early:
                spawned.signal(number)

    def __enter__(self) -> _Signals:
        names = ("SIGINT", *_SENT_ON)
        numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
        self._before = {
            number: signal.signal(number, self._note)
            for number in numbers
            # A signal that is ignored, as under nohup, is ignored by the script as well.
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


def _end_as(status: int) -> int:
    """The exit status *status*; if a signal killed the script, the same one kills this process."""
    if status >= 0 or os.name != "posix":
        return status
    return die_of(-status)
