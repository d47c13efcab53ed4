"""Sequential and Parallel: many runs of one or several Scripts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import UsageError, unknown
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import MODES, launcher_of
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import Queue, Run, ScriptConfigs, WantsValue
from kohaku_ast.flow.settings import (
    Limits,
    Recording,
    Slots,
    parse_threads,
    pinned,
    usable_cores,
    usual_workers,
)
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.launch import Launch
from kohaku_ast.runner.outcome import Outcome
from kohaku_ast.runner.script import Script

if TYPE_CHECKING:
    from concurrent.futures import Executor


Warn = Callable[[str], None]
"""Told what a user has to know."""


def tell_on_stderr(text: str) -> None:
    """The usual way to say something."""
    print(f"kogine: {text}", file=sys.stderr, flush=True)


def warn_on_stderr(text: str) -> None:
    """The usual way to warn."""
    tell_on_stderr(f"warning: {text}")


@dataclass(frozen=True)
class FlowSettings:
    """How the runs are to be run, one after another or at once."""

    mode: str | Executor
    limits: Limits
    slots: Slots
    nice: int = 0
    recording: Recording = field(default_factory=Recording)

    @property
    def has_logs(self) -> bool:
        """Whether what runs print is kept; where an Executor runs them, nobody knows."""
        return self.recording.is_on and isinstance(self.mode, str)

    @property
    def shows_output(self) -> bool:
        """Whether what runs print appears where we print: one run at a time, or no logs."""
        return self.limits.workers == 1 or not self.has_logs

    def flow(
        self,
        works: Sequence[ScriptConfigs],
        observers: Sequence[Observer],
        *,
        total: int | None,
        listens: bool,
        wants_value: WantsValue,
        shows: bool | None = None,
        warn: Warn = warn_on_stderr,
    ) -> Flow:
        """The Flow of *works*; ``runs()`` starts it. *shows* replaces ``shows_output``."""
        recorder = self.recording.recorder(warn, tell_on_stderr, self._variables, self.has_logs)
        first, limits = [], self.limits
        options: dict[str, Any] = {}
        if recorder is not None:
            options = {"open_log": recorder.open, "log_failed": recorder.on_log_failed}
            # First: whoever is told of the end of a run finds its record complete.
            first, limits = [recorder], replace(limits, is_done=recorder.is_done)
        launcher = launcher_of(
            self.mode,
            self.slots,
            warn=_once(warn),
            shows=self.shows_output if shows is None else shows,
            limits=limits,
            wants_value=wants_value,
            nice=self.nice,
            **options,
        )
        if not isinstance(self.mode, str):  # its workers count the seconds: a run may have to wait
            limits = replace(limits, timeout=None)
        return Flow(Queue(works, listens), launcher, limits, [*first, *observers], total)

    def _variables(self, run: Run) -> dict[str, str]:
        return self.slots.of(run)


def _once(warn: Warn) -> Callable[[Run, str], None]:
    """What is said of one run holds for most of them."""
    said: set[str] = set()

    def say(run: Run, message: str) -> None:
        if message not in said:
            said.add(message)
            warn(message)

    return say


Path: TypeAlias = "str | os.PathLike[str]"
_POLICIES = ("continue", "stop")


class _Flow:
    """What both have in common."""

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        mode: str | Executor,
        on_error: str,
        workers: int | None,
        listens: bool,
        retries: int = 0,
        backoff: float = 1.0,
        timeout: float | None = None,
        gpus: Sequence[object] | str | None = None,
        threads: str | int = "auto",
        nice: int = 0,
        observers: Sequence[Observer] = (),
        record: bool = True,
        resume: bool = False,
        retry_failed: bool = False,
    ) -> None:
        if isinstance(mode, str) and mode not in MODES:
            raise UsageError(unknown("mode", mode, MODES))
        if not isinstance(mode, str) and (isinstance(mode, type) or not hasattr(mode, "submit")):
            raise UsageError(f"mode is one of {', '.join(MODES)}, or an Executor, got {mode!r}")
        if on_error not in _POLICIES:
            raise UsageError(f"on_error is one of {', '.join(_POLICIES)}, got {on_error!r}")
        shared = pinned(gpus)
        workers = usual_workers(shared) if workers is None else workers
        if workers < 1:
            raise UsageError(f"max_workers is at least 1, got {workers}")
        is_one = isinstance(scripts, (Script, str, os.PathLike, _Flow))
        self.scripts = [_script(one) for one in ([scripts] if is_one else scripts)]  # type: ignore[union-attr]
        if not self.scripts:
            raise UsageError("a flow of no scripts has nothing to run")
        self.mode, self.listens, self.nice = mode, listens, nice
        self.observers = list(observers)
        self.limits = Limits(workers, on_error == "stop", retries, backoff, timeout)
        self.slots = Slots(shared, parse_threads(str(threads), workers, usable_cores()))
        self.recording = Recording(record, resume, retry_failed)
        #: Of the last time that it ran.
        self.summary = Summary()

    def run(self) -> list[Outcome]:
        """The Outcomes in the order of the runs, failed ones among them.

        Raises KogineError if the first run cannot be started, and KeyboardInterrupt after the
        runs under way have been ended.
        """
        done = sorted(self._runs(), key=lambda run: run.index)
        return [_outcome(run) for run in done]

    def as_completed(self) -> Iterator[Outcome]:
        """The Outcomes as they come; nothing is kept, and no run starts unless one is asked for
        or a worker is free.
        """
        for run in self._runs(is_lent=True):
            yield _outcome(run)

    def _runs(self, is_lent: bool = False) -> Iterator[Run]:
        """*is_lent*: between two of them Ctrl-C is for who asks for them."""
        flow = self.plan().flow(
            self.works(), self.observers, total=self.total(), listens=self.listens, wants_value=True
        )
        try:
            for run in flow.runs():
                with flow.interrupts.raised() if is_lent else nullcontext():
                    yield run
        finally:
            self.summary = flow.summary
        if flow.summary.is_interrupted:
            raise KeyboardInterrupt
        if flow.summary.broken:
            from kohaku_ast.errors import ConfigError

            raise ConfigError(flow.summary.broken)

    def plan(self) -> FlowSettings:
        """How it is run."""
        return FlowSettings(self.mode, self.limits, self.slots, self.nice, self.recording)

    def works(self) -> list[ScriptConfigs]:
        """Its Scripts, read now."""
        return [
            ScriptConfigs(
                one.name, Binder(Launch(one.path), (), one.entrypoint, capture=True), one.config
            )
            for one in self.scripts
        ]

    def total(self) -> int | None:
        """The number of its runs; None if that is not known before they have run."""
        total = 0
        for script in self.scripts:
            configs = script.config
            size = 1 if isinstance(configs, Config) else None
            if isinstance(configs, Sweep):
                size = configs.size
            elif isinstance(configs, (list, tuple)):
                size = len(configs)
            if size is None:
                return None
            total += size
        return total


class Sequential(_Flow):
    """Runs one after another: ``Sequential([Script("prep.py"), Script("train.py", sweep)]).run()``.

    A Script's config is a Config, a Sweep, an iterable or generator of Configs, or a function of
    the Outcomes so far (Script name -> Outcome) that gives one of these; it is asked for the next
    Config when a run can start, and a generator gets that run's Outcome back:
    ``outcome = yield Config(...)``.
    """

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        mode: str | Executor = "inline",
        on_error: str = "stop",
        **options: object,
    ) -> None:
        """*mode*: ``inline`` (in this process), ``spawn`` (a fresh interpreter each) or ``warm``.

        *on_error*: ``stop`` or ``continue`` after a failed run. *options*: ``retries``,
        ``backoff`` and ``timeout`` (seconds), ``gpus``, ``threads``, ``nice``, ``observers``;
        ``record=False`` keeps nothing in ``.kogine/runs``; ``resume=True`` leaves out what was
        done before, ``retry_failed=True`` only what has succeeded.
        """
        super().__init__(
            scripts, mode=mode, on_error=on_error, workers=1, listens=True, **options  # type: ignore[arg-type]
        )  # fmt: skip


class Parallel(_Flow):
    """Runs at the same time, each in a process of its own; else as Sequential.

    No run sees another's Outcome: a generator gets None back.
    """

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        max_workers: int | None = None,
        mode: str | Executor = "spawn",
        on_error: str = "continue",
        **options: object,
    ) -> None:
        """*max_workers*: by default one for each of *gpus*, without these one for each usable core.

        *mode*: ``spawn``, ``warm``, or a ``concurrent.futures.Executor``, which is not shut
        down. The rest as for Sequential. What runs print is in their logs, without records
        where we print.
        """
        if mode == "inline":
            raise UsageError("runs at the same time need processes of their own: mode='spawn'")
        super().__init__(
            scripts, mode=mode, on_error=on_error, workers=max_workers, listens=False, **options  # type: ignore[arg-type]
        )  # fmt: skip


def _outcome(run: Run) -> Outcome:
    """The Outcome, saying of which run."""
    return run.outcome or run.named(Outcome(run.state))


def _script(one: object) -> Script:
    if isinstance(one, Script):
        return one
    if isinstance(one, (str, os.PathLike)):
        return Script(os.fspath(one))
    raise UsageError(
        f"a flow is of Scripts or of their paths, got one of type {type(one).__name__}"
    )
