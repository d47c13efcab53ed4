"""FlowHooks: calls Hooks at the start and the end of the runs of a flow."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from kohaku_ast.flow.run import FAILED, INTERRUPTED, RUNNING, Observer, Run, Summary
from kohaku_ast.pipeline.callbacks import Context, HookEvent
from kohaku_ast.runner.outcome import FlowError, Outcome, RunError
from kohaku_ast.store.record import Record
from kohaku_ast.store.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Keep = Callable[[HookEvent, str, str], None]


class FlowHooks(Observer):
    """Calls hooks once at the start and once at the end of each run, however often it is tried.

    Runs that are skipped or cached have neither. When the end of a run is reported, its record is
    complete.
    """

    calls_users = True

    def __init__(self, script: str, call_all: Callable[[HookEvent, Keep], None]) -> None:
        """*script* is the name of the one that they are for; empty: all. *call_all* calls those of
        an event, and what it gets besides with the hook and the text of each error.
        """
        self._script, self._call_all = script, call_all
        #: Run index -> a run that has started and not ended.
        self._open: dict[int, Run] = {}

    def on_start(self, run: Run, total: int | None) -> None:
        """The first attempt starts: call ``on_start``."""
        if run.index not in self._open and self._is_meant(run):
            self._open[run.index] = run
            self._tell(run, RUNNING, Outcome(RUNNING))

    def on_end(self, run: Run) -> None:
        """It has ended."""
        self._end(run, run.state, run.outcome or Outcome(run.state))

    def on_refuse(self, run: Run) -> None:
        """It could not be started, though it was to start."""
        if run.index in self._open:
            why = RunError("NotStarted", "it could not be started; the flow says why", "")
            self._end(run, FAILED, Outcome(FAILED, error=why, exit_status=2))

    def on_finish(self, summary: Summary) -> None:
        """Runs without an end were interrupted."""
        for run in list(self._open.values()):
            self._end(run, INTERRUPTED, Outcome(INTERRUPTED))

    def _is_meant(self, run: Run) -> bool:
        return self._script in ("", run.work.name)

    def _end(self, run: Run, state: str, outcome: Outcome) -> None:
        self._open.pop(run.index, None)
        if self._is_meant(run):
            before = len(run.hook_errors)
            self._tell(run, state, outcome)
            if len(run.hook_errors) > before and run.folder is not None:
                _add_errors(run.folder, run.hook_errors)  # its record is closed

    def _tell(self, run: Run, state: str, outcome: Outcome) -> None:
        outcome = run.named(outcome)
        data = cast("dict[str, Any]", run.notes.setdefault("hooks", {}))
        context = Context((run.work.name,), data=data, item=run.index)
        event = HookEvent(
            run.work.name,
            state,
            context.ending(_error(state, outcome)),
            _inputs(run),
            outcome.outputs,
            run.seconds if run.ended or not run.started else run.now() - run.started,
            outcome=outcome,
        )
        self.call(partial(self._call_all, event, partial(_keep, run)))


def _keep(run: Run, event: HookEvent, hook: str, error: str) -> None:
    run.hook_errors = (*run.hook_errors, {"hook": hook, "error": error})


def _add_errors(folder: Path, errors: Sequence[Mapping[str, str]]) -> None:
    """Write *errors* into the record in *folder*, which is closed, if that is possible."""
    record = Record.read(folder)
    if record is not None:
        with suppress(OSError):
            RunFolder(folder).write({**record.facts, "hook_errors": errors})


def _inputs(run: Run) -> dict[str, object]:
    """The values that the Config of *run* gives, as the run has them where that is known."""
    config = run.config
    given = {**config.new_globals, **config.globals_dict, **config.kwargs}
    return {name: run.params.get(name, value) for name, value in given.items()}


def _error(state: str, outcome: Outcome) -> BaseException | None:
    """The exception that a hook gets of a run: the script's own one may be in another process."""
    if state == INTERRUPTED:
        return KeyboardInterrupt()
    return FlowError(outcome.why, [outcome]) if state == FAILED else None
