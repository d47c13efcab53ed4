"""The record of one run of a script node: as that of a flow's run, with its pipeline as parent.

State of this process: ``_tools``, what the records of one store have in common.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kohaku_ast.config.config import Config
from kohaku_ast.flow.log_watch import LogWatch
from kohaku_ast.flow.output import Copy, Tee, logged
from kohaku_ast.flow.recorder import Recorder
from kohaku_ast.flow.run import FAILED, INTERRUPTED, SUCCEEDED, Run, ScriptConfigs
from kohaku_ast.flow.settings import FlowSettings, files_variable
from kohaku_ast.frames import contextmanager, trimmed
from kohaku_ast.helpers.run_context import CurrentRun, enter_run
from kohaku_ast.pipeline.failure import warn
from kohaku_ast.pipeline.node_output import own_streams
from kohaku_ast.pipeline.script_process import OwnProcess
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import as_status
from kohaku_ast.runner.usage import UsageSince
from kohaku_ast.store.environment import RUN_DIR
from kohaku_ast.store.identity import program_hash
from kohaku_ast.store.pipeline_record import RecordPlace, digest, field_of, marks, shown_values
from kohaku_ast.store.record import working_folder

Result = tuple[Any, Mapping[str, Any]]
"""What the script has returned, and its outputs."""
Start = Callable[..., Any]
"""Starts the script in a process of its own, with these options: a handle."""
Wait = Callable[[Any, Callable[[], None]], Outcome]
"""Waits for the end of a handle, and calls the function a few times a second meanwhile."""

_ENV = "env"
_LIMIT = FlowSettings.log_limit
_AGE = 60.0
"""Seconds after which git is asked again."""


class ScriptRecord:
    """The record of one run of a script node, with its log and the folder for its files."""

    def __init__(
        self, binder: Binder, bound: Bound, place: RecordPlace, process: OwnProcess | None = None
    ) -> None:
        tools = _tools_for(Path(place.root))
        self._recorder, self._tee = tools.recorder, tools.tee
        self._bound = bound
        config = bound.config or Config()
        work = ScriptConfigs(bound.launch.shown, binder, config)
        self._run = Run(next(tools.numbers), work, config)
        env = {} if process is None else process.shown()
        node = {"parent": place.parent, "node": place.node}
        self._run.belongs = {**node, "env": env} if env else node
        self._process = process
        if process is not None:
            self._run.notes[_ENV] = [[name, one.hex()] for name, one in process.identity()]
        values = shown_values(config.globals_dict)
        self._run.__dict__["label"] = f"{place.node} {values}".rstrip()
        self._watch = LogWatch(log_limit=_LIMIT)
        self._pid = os.getpid()

    def here(self, call: Callable[[], Result]) -> Result:
        """What *call* returns, which runs the script in this process."""
        outcome, used = Outcome(FAILED, exit_status=1), UsageSince()
        log = self._open(self._pid)
        try:
            with own_streams(), self._as_process(log), enter_run(CurrentRun(self._files)):
                value, outputs = call()
            outcome = Outcome(SUCCEEDED, value, outputs)
            return value, outputs
        except BaseException as error:
            outcome = _failure(error)
            raise
        finally:
            if os.getpid() == self._pid:  # else a child that the script has forked ends
                ended = self._run.now()
                self._end(
                    replace(outcome, started=self._run.started, ended=ended, usage=used.usage())
                )

    @contextmanager
    def _as_process(self, log: int | None) -> Iterator[None]:
        """Inside, output goes to the log as well, and the script knows the folder for its files."""
        before = os.environ.get(RUN_DIR)
        os.environ.update(files_variable(self._run))
        try:
            if log is None:
                yield
            else:
                with logged(log, self._tee):
                    yield
        finally:
            os.environ.pop(RUN_DIR, None)
            if before is not None:
                os.environ[RUN_DIR] = before

    @property
    def _files(self) -> str:
        return files_variable(self._run).get(RUN_DIR, "")

    def elsewhere(self, start: Start, wait: Wait) -> Outcome:
        """The Outcome of the script in the process that *start* starts."""
        log = self._open()
        copy = None if log is None else self._tee.begin(log)
        outcome = Outcome(FAILED, exit_status=1)
        try:
            handle = self._started(start, copy)
            self._recorder.on_process(self._run, handle.pid)
            outcome = wait(handle, self._tick)
            if copy is not None:
                copy.finish()
        finally:
            self._end(outcome)
        return outcome

    def _started(self, start: Start, copy: Copy | None) -> Any:
        own = os.environ if self._process is None else self._process.variables()
        env = {**own, **files_variable(self._run)}
        if copy is None:
            return start(env=env)
        try:
            return start(env=env, stdout=copy.stdout, stderr=copy.stderr)
        finally:
            copy.close_writers()

    def _open(self, pid: int | None = None) -> int | None:
        self._run.start_clock()
        self._watch.on_start(self._run, None)
        return self._recorder.open(self._run, self._bound, pid)

    def _tick(self) -> None:
        self._watch.on_tick([self._run], {})
        self._recorder.on_tick([self._run], {})

    def _end(self, outcome: Outcome) -> None:
        run = self._run
        run.outcome, run.ended, run.state = outcome, run.now(), outcome.status
        self._tee.report_error(self._recorder.on_log_failed)
        self._watch.finish(run)
        self._recorder.on_end(run)


def _failure(error: BaseException) -> Outcome:
    """How a script ended that has raised *error*, or the PipelineError for its exit status."""
    code = getattr(error.__cause__, "code", None) if isinstance(error.__cause__, SystemExit) else 0
    if code:
        return Outcome(FAILED, exit_status=as_status(code) if isinstance(code, int) else 1)
    status = INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    return Outcome(status, error=RunError.of(error, trimmed(error.__traceback__)), exit_status=1)


class _NodeRecorder(Recorder):
    """Records what other nodes give to a script by kind and size: it may be large."""

    def form(self, value: Any) -> dict[str, object]:
        """*value* as a field."""
        return field_of(value, self.sources)

    def make_identity(self, run: Run, bound: Bound) -> str:
        """Of the values, what the record has of them."""
        values = marks(run.config.globals_dict)
        parts = [program_hash(bound, working_folder()), run.belongs.get("node"), values]
        env = run.notes.get(_ENV)
        return digest([*parts, env] if env else parts)


class _Tools:
    def __init__(self, root: Path) -> None:
        self.made, self.pid = time.monotonic(), os.getpid()
        self.recorder = _NodeRecorder(root, log_limit=_LIMIT, warn=warn)
        self.tee = Tee(most=_LIMIT)
        self.numbers = itertools.count()


_tools: dict[Path, _Tools] = {}


def _tools_for(root: Path) -> _Tools:
    found = _tools.get(root)
    if found is None or found.pid != os.getpid() or time.monotonic() - found.made > _AGE:
        if found is not None and found.pid == os.getpid():
            found.tee.close()
        found = _tools[root] = _Tools(root)
    return found


def close(root: Path) -> None:
    """End the process that copies what scripts print: the pipeline has ended."""
    found = _tools.get(root)
    if found is not None and found.pid == os.getpid():
        found.tee.close()
