"""Sequential and Parallel: many runs of one or several Scripts. make_flow puts a Flow together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import (
    UsageError,
    UsageTypeError,
    did_you_mean,
    label,
    read_number,
    unknown,
    visible,
)
from kohaku_ast.flow.failures import Resume, no_resume
from kohaku_ast.flow.flow import Flow
from kohaku_ast.flow.launchers import MODES, make_launcher
from kohaku_ast.flow.log_watch import LogWatch, lacks_metrics
from kohaku_ast.flow.recorder import Recorder, make_recorder
from kohaku_ast.flow.report import Report, live_display
from kohaku_ast.flow.run import (
    FAILED,
    Observer,
    Queue,
    Run,
    ScriptConfigs,
    SharedFile,
    Summary,
    WantsValue,
)
from kohaku_ast.flow.settings import (
    FlowSettings,
    check_on,
    default_workers,
    parse_size,
    parse_threads,
    read_artifacts,
    read_flag,
    read_gpus,
    read_paths,
    read_text,
    usable_cores,
    workers_here,
)
from kohaku_ast.flow.shared_files import SharedFiles, make_shared_files
from kohaku_ast.runner.bind import Binder
from kohaku_ast.runner.outcome import FlowError, Outcome, Outcomes
from kohaku_ast.runner.script import Script
from kohaku_ast.users_traceback import public

if TYPE_CHECKING:
    from concurrent.futures import Executor


Warn = Callable[[str], None]
"""Called with a sentence that the user has to see."""


def tell_on_stderr(text: str) -> None:
    """Print *text* on standard error as a message of kogine."""
    print(f"kogine: {visible(text)}", file=sys.stderr, flush=True)


def warn_on_stderr(text: str) -> None:
    """Print *text* on standard error as a warning of kogine."""
    print(f"{label('warning', sys.stderr)}{visible(text)}", file=sys.stderr, flush=True)


def make_flow(
    works: Sequence[ScriptConfigs],
    settings: FlowSettings,
    observers: Sequence[Observer] = (),
    *,
    total: int | None,
    listens: bool,
    wants_value: WantsValue,
    shows: bool | None = None,
    is_lent: bool = False,
    warn: Warn = warn_on_stderr,
) -> Flow:
    """The Flow of *works*; its ``runs()`` starts it. *shows* replaces ``settings.shows_output``;
    *is_lent*: code that may write files takes the runs from it.
    """
    if settings.gpus:
        from kohaku_ast.flow.gpus import GpuLeases  # here, and below: few flows have any
        from kohaku_ast.transform.program.cache import cache_folder

        leases = GpuLeases(cache_folder())
        taken = leases.take(settings.gpus, settings.workers, settings.chooses_gpus)
        settings, observers = replace(settings, gpus=taken), [*observers, leases]
    shared = make_shared_files(works, settings, observers, total, is_lent)
    recorder = make_recorder(settings, warn, tell_on_stderr, wants_value is True)
    options: dict[str, Any] = {}
    watch = LogWatch(settings.metrics, settings.log_limit)
    read_rest: Callable[[Run], None] = watch.finish
    if recorder is not None:
        read_rest = recorder.after(watch.finish)
        options = {"open_log": recorder.open, "log_failed": recorder.on_log_failed}
        # First: when another observer gets the end of a run, the record of it is complete.
        observers = [watch, recorder, *observers]
    if settings.on is not None:
        settings = _placed(settings)
    launcher = make_launcher(
        settings,
        wants_value=wants_value,
        warn=_once(warn),
        shows=settings.shows_output if shows is None else shows,
        **options,
    )
    if not isinstance(settings.mode, str):
        # The workers of an Executor count the seconds: a run may wait for a free one.
        settings = replace(settings, timeout=None)
    is_done = recorder.is_done if recorder is not None else None
    queue = Queue(works, listens, settings.keeps_order)
    if shared is None:
        return Flow(queue, launcher, settings, observers, total, is_done, read_rest)
    observers = [shared, *observers]
    return Flow(
        queue, launcher, settings, observers, total, is_done, read_rest, _unkept(shared, recorder)
    )


def _placed(settings: FlowSettings) -> FlowSettings:
    """*settings* with the cluster that they name, which is connected. Raises UsageError."""
    from kohaku_ast.executors.clusters import connect  # here: few flows have one

    assert settings.on is not None
    cluster = connect(settings.on, settings.workers or None)
    workers = settings.workers or cluster.slots or usable_cores()
    return replace(settings, mode=cluster, workers=workers)


def _unkept(shared: SharedFiles, recorder: Recorder | None) -> Callable[[], tuple[SharedFile, ...]]:
    """Finds the files that several runs have written, without those that are kept of each."""
    if recorder is None:
        return shared.find
    return lambda: tuple(one for one in shared.find() if not recorder.keeps(one.path))


def _once(warn: Warn) -> Callable[[Run, str], None]:
    """Pass each message to *warn* once: a message about one run is true of most of them."""
    seen: set[str] = set()

    def warn_once(run: Run, message: str) -> None:
        if message not in seen:
            seen.add(message)
            warn(message)

    return warn_once


@runtime_checkable
class FlowCallback(Protocol):
    """One of the *callbacks* of a flow: Hooks, of a room above this one."""

    def for_flow(self, names: Sequence[str]) -> Observer:
        """The Observer of a flow of the scripts *names*."""


Path: TypeAlias = "str | os.PathLike[str]"
_POLICIES = ("continue", "stop")


@public
class _Flow:
    """The common part of Sequential and Parallel."""

    #: Whether ``run`` raises if it stopped at a failure.
    raises = False

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        mode: str | Executor,
        on_error: str,
        workers: int | None,
        listens: bool,
        on: str | Executor | None = None,
        retries: int = 0,
        backoff: float = 1.0,
        timeout: float | None = None,
        gpus: Sequence[object] | str | None = None,
        threads: str | int = "auto",
        nice: int = 0,
        observers: Sequence[Observer] = (),
        callbacks: Iterable[FlowCallback] | FlowCallback = (),
        progress: bool | None = None,
        record: bool = True,
        resume: bool = False,
        retry_failed: bool = False,
        log_limit: str | int | None = "100MB",
        run_dir: bool = False,
        cached: bool = False,
        inputs: Sequence[Path] | Path = (),
        artifacts: str | Sequence[str] | None = None,
    ) -> None:
        if isinstance(mode, str) and mode not in MODES:
            raise UsageError(unknown("mode", mode, MODES))
        if not isinstance(mode, str) and (isinstance(mode, type) or not hasattr(mode, "submit")):
            raise UsageTypeError(f"mode is one of {', '.join(MODES)}, or an Executor, got {mode!r}")
        if on_error not in _POLICIES:
            kind = UsageError if isinstance(on_error, str) else UsageTypeError
            raise kind(f"on_error is one of {', '.join(_POLICIES)}, got {on_error!r}")
        shared, chooses_gpus = read_gpus(gpus)
        on = check_on(on)
        if workers is None:
            workers = default_workers(shared) if on is None else 0
        else:
            workers = int(read_number("max_workers", workers, least=1))
        is_one = isinstance(scripts, str) or not isinstance(scripts, Iterable)
        self.scripts = [_script(one) for one in ([scripts] if is_one else scripts)]  # type: ignore[union-attr]
        if not self.scripts:
            raise UsageError("a flow of no scripts has nothing to run")
        self.listens = listens
        self.progress = None if progress is None else read_flag("progress", progress)
        names = [one.name for one in self.scripts]
        self.observers = [*_read_observers(observers), *_read_callbacks(callbacks, names)]
        self.settings = FlowSettings(
            mode=mode,
            on=on,
            workers=workers,
            stops_on_error=on_error == "stop",
            keeps_order=isinstance(self, Sequential),
            retries=int(read_number("retries", retries, least=0)),
            backoff=read_number("backoff", backoff, least=0, is_whole=False),
            timeout=None if timeout is None else read_number("timeout", timeout, 0, is_whole=False),
            gpus=shared,
            chooses_gpus=chooses_gpus,
            threads=parse_threads(
                read_text("threads", threads), workers_here(workers, on), usable_cores()
            ),
            nice=int(read_number("nice", nice)),
            records=read_flag("record", record),
            resumes=read_flag("resume", resume),
            retries_failed=read_flag("retry_failed", retry_failed),
            log_limit=parse_size(read_text("log_limit", log_limit)),
            in_run_dir=read_flag("run_dir", run_dir),
            cached=read_flag("cached", cached),
            inputs=read_paths("inputs", inputs),
            artifacts=read_artifacts(artifacts),
        )
        #: The Summary of the last time that it ran, and the Outcomes of the last ``run()``.
        self.summary, self.outcomes = Summary(), Outcomes()

    def run(self) -> Outcomes:
        """The Outcomes in the order of the runs, failed ones among them; failures are reported on
        standard error, too.

        Raises FlowError, which has the Outcomes, if it stopped at a failure (Sequential without
        ``on_error="continue"``); KogineError, before anything runs, for Configs that do not fit;
        KeyboardInterrupt after the runs under way have been ended, and what a generator raises
        after they have finished: these have the Outcomes so far as ``outcomes``, too.
        """
        done: list[Run] = []
        try:
            for run in self._runs():
                done.append(run)
        except BaseException as error:
            outcomes = self._keep(done)
            if not isinstance(error, FlowError):  # of a flow that a generator has run
                vars(error)["outcomes"] = outcomes  # not by setattr: its class may be frozen
            raise
        if self.raises and self.settings.stops_on_error:
            return self._keep(done).raise_if_failed()
        return self._keep(done)

    def _keep(self, done: list[Run]) -> Outcomes:
        self.outcomes = Outcomes(map(_outcome, sorted(done, key=lambda run: run.index)))
        return self.outcomes

    def as_completed(self) -> Iterator[Outcome]:
        """The Outcomes in the order in which the runs end; none is kept. A run starts when the
        next Outcome is requested and a worker is free.
        """
        for run in self._runs(is_lent=True):
            yield _outcome(run)

    def _runs(self, is_lent: bool = False) -> Iterator[Run]:
        """*is_lent*: between two runs, Ctrl-C goes to the code of the caller."""
        is_shown = any(isinstance(one, Report) for one in self.observers)
        resume = _how_to_resume if self.settings.records else no_resume
        shown: list[Observer] = []
        if not is_shown:
            live = live_display(self.progress, self.settings.shows_output)
            shown = [*live, _FailureReport(resume)]
        flow = make_flow(
            self.works(),
            self.settings,
            [*self.observers, *shown],
            total=self.total(),
            listens=self.listens,
            wants_value=True,
            is_lent=is_lent,
        )
        try:
            for run in flow.runs():
                with flow.interrupts.raised() if is_lent else nullcontext():
                    yield run
        finally:
            self.summary = flow.summary
        if flow.summary.is_interrupted:
            raise KeyboardInterrupt
        if flow.broken_by is not None:
            raise flow.broken_by

    def works(self) -> list[ScriptConfigs]:
        """Its Scripts, as their files are now."""
        return [ScriptConfigs(one.name, self._binder(one), one.config) for one in self.scripts]

    def _binder(self, script: Script) -> Binder:
        binder = script.binder(capture=True)
        if script.output and not isinstance(script.config, Config):
            binder.share_output(has_folders=self.settings.records)  # type: ignore[attr-defined]
        return binder

    def total(self) -> int | None:
        """The number of its runs; None if it is not known before they have run."""
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


class _FailureReport(Observer):
    """Prints the failures of a flow in Python, the logs that are not whole, the files that several
    runs wrote, and its summary, on standard error; nothing if there is none of them, and no Ctrl-C
    or exception has ended it.
    """

    def __init__(self, resume: Resume) -> None:
        self._report = Report(sys.stderr, resume=resume) if sys.stderr is not None else None
        self._has_lines = False

    def on_end(self, run: Run) -> None:
        """Keep what is to be reported for the end."""
        is_told = run.state == FAILED or run.log_left_out or lacks_metrics(run)
        if is_told and self._report is not None:
            self._has_lines = True
            self._report.on_end(run)

    def on_finish(self, summary: Summary) -> None:
        """Print them."""
        is_cut_short = bool(summary.counts) and summary.not_started != 0
        is_told = self._has_lines or summary.shared_files or summary.is_interrupted or is_cut_short
        if is_told and self._report is not None:
            self._report.on_finish(summary)


def _how_to_resume(seed: object) -> str:
    """How to go on with an interrupted flow that keeps records."""
    return "the same flow with resume=True"


@public
class Sequential(_Flow):
    """Runs one after another: ``Sequential([Script("prep.py"), Script("train.py", sweep)]).run()``.

    A Script's config is a Config, a Sweep, an iterable or generator of Configs, or a function of
    the Outcomes so far (Script name -> Outcome) that returns one of these; the next Config is
    requested when a run can start, and a generator gets the Outcome of that run back:
    ``outcome = yield Config(...)``.
    """

    raises = True

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        mode: str | Executor = "auto",
        on_error: str = "stop",
        **options: object,
    ) -> None:
        """*mode*: ``spawn`` (a fresh interpreter for each run), ``warm`` (forked from a process
        that has imported the script's libraries), ``auto`` (``warm`` where that is safe, else
        ``spawn``), ``inline`` (all in this process), or a ``concurrent.futures.Executor``.

        *on_error*: ``stop`` or ``continue`` after a failed run. *options*: ``retries``,
        ``backoff`` and ``timeout`` (seconds), ``gpus``, ``threads``, ``nice``, ``observers``;
        ``progress=False`` shows no table of the runs on a terminal and in a notebook, and
        ``progress=True`` prints lines elsewhere, too;
        ``callbacks=[Hooks(on_failure=tell)]`` calls functions at the start and the end of each run;
        ``on="dask://HOST:PORT"`` runs them on a cluster, by its name or as an Executor;
        ``record=False`` writes no records to ``.kogine/runs``; ``resume=True`` skips runs that
        are recorded as finished, ``retry_failed=True`` only those that succeeded;
        ``log_limit="100MB"`` is the size of the log of one run, None: no limit;
        ``run_dir=True`` runs each one in the folder for its files;
        ``cached=True`` leaves out the runs whose results the records have, and ``inputs`` names the
        files that the scripts read (paths, folders, patterns), whose contents count for that;
        ``artifacts="ckpt/*.pt"``, or a list, keeps the files that a run has written and that fit.
        """
        _refuse_unknown(Sequential, options)
        super().__init__(
            scripts, mode=mode, on_error=on_error, workers=1, listens=True, **options  # type: ignore[arg-type]
        )  # fmt: skip


@public
class Parallel(_Flow):
    """Runs at the same time, each in its own process; otherwise like Sequential.

    No run gets the Outcome of another: a generator gets None back.
    """

    def __init__(
        self,
        scripts: Sequence[Script | Path] | Script | Path,
        *,
        max_workers: int | None = None,
        workers: int | None = None,
        mode: str | Executor = "auto",
        on_error: str = "continue",
        **options: object,
    ) -> None:
        """*max_workers*, or *workers*: by default one for each of *gpus*, without these one for
        each core.

        *mode*: as for Sequential, without ``inline``; an Executor is not shut down. The rest is as
        for Sequential. The output of the runs is in their logs; without records it appears where
        this process prints.
        """
        _refuse_unknown(Parallel, options)
        if mode == "inline":
            raise UsageError("runs at the same time need processes of their own: mode='spawn'")
        if workers is not None and max_workers is not None:
            raise UsageError("workers and max_workers are one setting: give one of them")
        workers = max_workers if workers is None else workers
        super().__init__(
            scripts, mode=mode, on_error=on_error, workers=workers, listens=False, **options  # type: ignore[arg-type]
        )  # fmt: skip


def _refuse_unknown(kind: type[_Flow], options: Iterable[str]) -> None:
    """Raise UsageTypeError for one of *options* that a *kind* of flow does not have."""
    own = [name for name in signature(kind).parameters if name != "options"]
    shared = signature(_Flow).parameters.values()
    known = [*own, *(one.name for one in shared if one.default is not one.empty)]
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known) or f" It has: {', '.join(known)}."
            if name.endswith("workers"):
                hint = " It runs one after another; Parallel has workers."
            raise UsageTypeError(f"{kind.__name__} has no option {name!r}.{hint}")


def _read_observers(observers: Any) -> list[Observer]:
    found: list[Observer] = list(observers) if isinstance(observers, Iterable) else [observers]
    for one in found:
        if not isinstance(one, Observer):
            raise UsageTypeError(f"observers is a list of Observers, got {one!r}")
    return found


def _read_callbacks(callbacks: Any, names: Sequence[str]) -> list[Observer]:
    """The Observers of *callbacks* for a flow of the scripts *names*."""
    found = list(callbacks) if isinstance(callbacks, Iterable) else [callbacks]
    for one in found:
        if isinstance(one, type) or not isinstance(one, FlowCallback):
            raise UsageTypeError(f"callbacks of a flow is a list of Hooks, got {one!r}")
    return [one.for_flow(names) for one in found]


def _outcome(run: Run) -> Outcome:
    """The Outcome of *run*; one without a value if the run left none."""
    return run.outcome or run.named(Outcome(run.state))


def _script(one: object) -> Script:
    if isinstance(one, Script):
        return one
    if isinstance(one, (str, os.PathLike)):
        return Script(os.fspath(one))
    raise UsageTypeError(
        f"a flow consists of Scripts or their paths, got one of type {type(one).__name__}"
    )
