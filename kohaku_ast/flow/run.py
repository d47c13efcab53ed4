"""A Run of a flow; the Queue that its Configs come from; the Launcher that starts it; the
Observer that watches the flow and changes nothing in it, and the Summary of how it ended.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from kohaku_ast.config.axis import Walk
from kohaku_ast.config.cells import CellText, is_cell
from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.errors import ConfigError
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.outcome import Clock, Outcome, RunError
from kohaku_ast.runner.process_exit import Lend
from kohaku_ast.runner.script import call_with

WAITING, RUNNING, RETRYING = "waiting", "running", "retrying"
SUCCEEDED, FAILED, SKIPPED, INTERRUPTED = "succeeded", "failed", "skipped", "interrupted"
CACHED = "cached"
PRUNED = "pruned"
"""The states of a run; the last five are final."""


@dataclass(eq=False)
class Run:
    """One run. Only the flow changes it; observers read it."""

    #: Its number in the flow, from 0.
    index: int
    work: ScriptConfigs
    config: Config
    state: str = WAITING
    #: The number of its worker, from 0.
    slot: int = 0
    #: 1, and one more for each retry.
    attempt: int = 1
    #: Seconds since the epoch; 0 before it starts.
    started: float = 0.0
    ended: float = 0.0
    outcome: Outcome | None = None
    #: The clock of its attempt; None before it starts.
    clock: Clock | None = None
    #: Whether its Script is the only one of the flow.
    is_alone: bool = True
    #: How many runs the flow has, if that is known.
    total: int | None = None
    #: The folder of its record, and its log: the file with its output.
    folder: Path | None = None
    log: Path | None = None
    #: The folder of the record of the run that it goes on with.
    resumed_from: Path | None = None
    #: Where and why a search has it ended early; empty if it has not.
    pruned: str = ""
    #: Every parameter's value as far as its record knows it, and the last number of each metric
    #: that it has printed so far.
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    #: The name of the record that stands in for it, because its result is cached.
    cached: str = ""
    #: Path -> file in the store, for each file that was kept of it.
    artifacts: Mapping[str, str] = field(default_factory=dict)
    #: Bytes of its output that its log lacks, because logs are limited.
    log_left_out: int = 0
    #: Fields of its record that say where it belongs: its ``parent`` and ``node``, and the ``env``
    #: of that node.
    belongs: Mapping[str, object] = field(default_factory=dict)
    #: ``hook`` and ``error`` of each hook that has raised.
    hook_errors: tuple[Mapping[str, str], ...] = ()
    #: Name -> what an observer keeps about it.
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The seconds of its last attempt; 0 if it could not be started."""
        return max(0.0, self.ended - self.started) if self.started else 0.0

    def start_clock(self) -> None:
        """Begin to count the seconds of an attempt."""
        self.clock = Clock()
        self.started = self.clock.started

    def now(self) -> float:
        """The time, in seconds since the epoch, to compare with ``started``."""
        return self.clock.now() if self.clock is not None else time.time()

    def named(self, outcome: Outcome) -> Outcome:
        """*outcome* with what this run knows of itself: its label, parameters, metrics, files."""
        return replace(
            outcome,
            index=self.index, label=self.label, script=self.work.name,
            log=str(self.log) if self.log else "",
            params=self.params or outcome.params,
            metrics=dict(self.metrics) or outcome.metrics,
            artifacts=self.artifacts or outcome.artifacts,
            record=str(self.folder) if self.folder else "",
        )  # fmt: skip

    @property
    def number(self) -> str:
        """``[2/4]``, or ``[2]`` if the number of runs is not known."""
        return f"[{self.index + 1}]" if self.total is None else f"[{self.index + 1}/{self.total}]"

    @property
    def title(self) -> str:
        """Its label in displays: with the name of its Script if the flow has several."""
        is_unique = self.is_alone or not self.config.label
        return self.label if is_unique else f"{self.work.name} {self.label}"

    @cached_property
    def label(self) -> str:
        """The values in which it differs: ``lr=0.1 bs=32``, else the Script's name."""
        return (self.config.label or self.work.name) + repeat_text(self.config)

    @property
    def repeat(self) -> int | None:
        """Its number among the runs of one Config, from 0; None if each Config runs once."""
        number = self.config.metadata.get("repeat")
        return number if isinstance(number, int) else None

    @property
    def group(self) -> str:
        """The label that it shares with the other runs of its Config."""
        label = str(self.config.metadata.get("repeat_of", ""))
        return label if self.is_alone and label else f"{self.work.name} {label}".rstrip()


def repeat_text(config: Config) -> str:
    """`` (2 of 5)`` if only this tells *config* from its repeats; else empty."""
    number, of = (config.metadata.get(name) for name in ("repeat", "repeats"))
    return f" ({number + 1} of {of})" if isinstance(number, int) and of else ""


class AskingFlow(Protocol):
    """What a flow lets those see who choose its next Config."""

    #: Whether its runs have records, and whether they are all in this process.
    has_records: bool
    is_inline: bool

    def observe(self, observer: Observer) -> None:
        """Have *observer* told of what happens from here on."""


ASKING: ContextVar[AskingFlow | None] = ContextVar("kogine-asking-flow", default=None)
"""The flow that asks for its next Config, as long as it does."""


class Queue:
    """The Configs of several Scripts, one Script after the other; each is made when it can run."""

    def __init__(
        self, works: Sequence[ScriptConfigs], listens: bool, keeps_order: bool = False
    ) -> None:
        """*listens*: ``yield`` gives a generator of Configs the Outcome of the run.

        *keeps_order*: a Script waits until the runs of the one above it have ended.
        """
        self.listens, self.keeps_order = listens, keeps_order
        #: Name of a Script -> its last Outcome.
        self.previous: dict[str, Outcome] = {}
        self._waiting = list(works)
        #: Whether there is one Script.
        self.is_alone = len(works) == 1
        self._work: ScriptConfigs | None = None
        self._sweep: Sweep | None = None
        self._walk: Walk | None = None
        self._begun = False

    @property
    def depends(self) -> bool:
        """Whether the next Config may depend on the runs under way."""
        is_plain = self.is_alone and self._sweep is not None and not self._sweep.listens
        return self.listens and not is_plain

    def next(
        self, outcome: Outcome | None = None, is_idle: bool = True
    ) -> tuple[ScriptConfigs, Config] | None:
        """The next Config and its Script; None after the last, and if it has to wait.

        *outcome* is that of the last run. *is_idle*: no run is under way. Raises ConfigError for a
        value that is no Config, and whatever a generator of the user's raises.
        """
        while True:
            if self._walk is None:
                if not self._waiting or (self.keeps_order and not is_idle):
                    return None
                self._work = self._waiting.pop(0)
                self._sweep = self._work.sweep(self.previous)
                self._walk, self._begun = iter(self._sweep), False
            try:
                assert self._work is not None
                return self._work, self._step(self._walk, outcome)
            except StopIteration:
                self._walk = None

    def _step(self, walk: Walk, outcome: Outcome | None) -> Config:
        if not self._begun:
            self._begun = True
            return next(walk)
        return walk.send(outcome if self.listens else None)

    def check(self) -> None:
        """Raise KogineError if a Config that is known beforehand does not fit its Script, or if a
        search would get no Outcomes.
        """
        for work in self._waiting:
            if not self.listens and work.needs_outcomes:
                raise ConfigError(
                    f"{work.name}: search: it chooses each Config from the results of the runs "
                    "before it, and this flow runs several at the same time. Run it one after "
                    "another: in Sequential, or with --workers 1"
                )
            work.check()

    def close(self) -> None:
        """Close the generator of the current Script; no more Configs are made."""
        if self._walk is not None:
            self._walk.close()
            self._walk = None
        self._waiting.clear()


Previous: TypeAlias = Mapping[str, Outcome]
"""Script name -> the last Outcome of it in this flow."""

Configs: TypeAlias = Config | Iterable[Any] | Callable[[Previous], Any]
"""One Config; a Sweep, an iterable or a generator of them; or a function that makes one of these
from the Outcomes of the Scripts before.
"""


@dataclass(frozen=True)
class ScriptConfigs:
    """A Script of a flow, with its Binder and its Configs."""

    #: Its name in the flow.
    name: str
    binder: Binder
    configs: Configs

    def sweep(self, previous: Previous) -> Sweep:
        """Its Configs; called when its first run can start.

        Raises ConfigError if there are none.
        """
        configs = self.configs
        if callable(configs) and not isinstance(configs, (Config, Sweep)):
            configs = call_with(configs, previous)
        return Sweep.of(configs, self.name)

    @property
    def needs_outcomes(self) -> bool:
        """Whether a search is among its Configs, as far as they are known before a run."""
        configs = self.configs
        if not isinstance(configs, (Sweep, list, tuple)):
            return False
        return Sweep.of(configs, self.name).needs_outcomes

    def check(self) -> None:
        """Raise what binding its Configs would raise, as far as they are known before a run."""
        configs = self.configs
        if not isinstance(configs, (Config, Sweep, list, tuple)):
            return
        sweep = Sweep.of(configs, self.name)
        if not sweep.is_settled or sweep.is_random:
            return
        seen: set[object] = set()
        for config in islice(sweep, _MOST_CHECKED):
            kind = (*config.globals_dict, len(config.args), *config.kwargs, *config.new_globals)
            new = {kind, *_texts(config)} - seen
            if (
                new and len(seen) < _MOST_BOUND
            ):  # of those that differ in objects alone one is enough
                seen |= new
                self.binder.bind(config)


def _texts(config: Config) -> Iterator[object]:
    """The values of *config* that are read by the types of the script, which may refuse them."""
    for target, value in config.globals_dict.items():
        if isinstance(value, CellText):
            yield target, str(value), value.is_quoted, value.is_null
        elif is_cell(value):
            yield target, repr(value)


_MOST_CHECKED = 10_000
"""Configs of one Script that are looked at before the first run."""

_MOST_BOUND = 2_000
"""Shapes and texts of them that are checked: more would take over a second."""


class Handle(Protocol):
    """A run under way in another process."""

    @property
    def pid(self) -> int:
        """The process; 0 if there is none, or not yet."""

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for its end and return its Outcome."""

    def signal(self, number: int) -> None:
        """Send a signal to its process group; no error if the group has ended."""

    def close(self) -> None:
        """Release its process and files."""


Done = Callable[[Run, Outcome], None]
"""Called, from any thread, when a run has ended."""

OpenLog = Callable[[Run, Bound], "int | None"]
"""Gives the descriptor of the file for what a run prints; None: it prints where we do."""

WantsValue: TypeAlias = 'bool | Literal["if possible"]'
"""Whether the value that the starting call returns is sent back: False; True, and a value that
cannot be sent is an error; ``"if possible"``, and a placeholder comes in place of such a value.
"""

NO_ROOM = (OSError, RuntimeError, MemoryError)
"""Raised if the machine has no room for another run; RuntimeError if no thread can be started."""


class NotStartedError(Exception):
    """There was no descriptor, process, thread or memory left to start a run with."""


def not_started(error: Exception) -> Outcome:
    """The Outcome of a run that *error* kept from being started."""
    why = getattr(error, "strerror", None) or str(error) or "no memory is left"
    failure = RunError(type(error).__name__, f"it could not be started: {why}", "")
    return Outcome("failed", error=failure, exit_status=1, raised=NotStartedError(why))


class Launcher(Protocol):
    """Starts runs in one mode."""

    #: Whether a run has ended when ``start`` returns.
    is_inline: bool
    #: Calls the script of a run in this process: Ctrl-C goes to the script then.
    lend: Lend

    def start(self, run: Run, bound: Bound, done: Done) -> Handle | None:
        """Start *run* and call *done* when it has ended. Raises KogineError if it cannot start."""

    def close(self) -> OSError | None:
        """Release everything: no more runs are started. Returns why not all that runs print could
        be shown; None if it could, or if its reader has ended.
        """


@dataclass(frozen=True)
class SharedFile:
    """A file in the working folder that more than one run has written."""

    #: Relative to the working folder.
    path: str
    #: The numbers of the first 20 of these runs, from 0; empty if runs at the same time make it
    #: unknown which ones they are.
    indexes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Summary:
    """How a flow ended."""

    #: State -> number of runs that ended in it.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: In seconds.
    seconds: float = 0.0
    #: Whether Ctrl-C ended it.
    is_interrupted: bool = False
    #: The error in the Configs that ended the flow.
    broken: str = ""
    #: Whether the first run could not be started; an exception says why.
    is_refused: bool = False
    #: The number of skipped runs that had failed before.
    failed_before: int = 0
    #: The signal other than SIGINT that ended it, and ends this process then; 0: none.
    deadly: int = 0
    #: The number of runs that it did not start; None if it is not known.
    not_started: int | None = 0
    #: Why not all that runs print could be shown; empty if it could, or if its reader has ended.
    unshown: str = ""
    #: The files that more than one run has written; what earlier runs wrote there is gone.
    shared_files: tuple[SharedFile, ...] = ()

    @property
    def exit_status(self) -> int:
        """130 after Ctrl-C and 128 + N after another signal N, as in shells; 2 for an error in the
        Configs, 1 if a run failed, now or before, or if not all of its output could be shown, else
        0.
        """
        if self.is_interrupted:
            return 128 + (self.deadly or signal.SIGINT)
        if self.broken:
            return 2
        return int(bool(self.counts.get(FAILED) or self.failed_before or self.unshown))

    def __str__(self) -> str:
        states = (SUCCEEDED, CACHED, SKIPPED, PRUNED, FAILED, INTERRUPTED)
        counts = [f"{self.counts[one]} {one}" for one in states if self.counts.get(one)]
        total = sum(self.counts.values())
        words = f": {', '.join(counts)}" if counts else ""
        left = f"; {self.not_started} not started" if self.not_started else ""
        return f"{total} run{'s' if total != 1 else ''}{words} in {self.seconds:.1f} s{left}"


class Observer:
    """Override the methods you need; they are called in the thread that runs the flow."""

    #: Whether it calls functions of the user's, which may write files at any time.
    calls_users = False

    def call(self, act: Callable[[], object]) -> None:
        """Call *act*, code of the user's. A flow puts one here where Ctrl-C ends that code."""
        act()

    def on_start(self, run: Run, total: int | None) -> None:
        """*run* starts, one of *total* runs, or None if their number is not known."""

    def on_process(self, run: Run, pid: int) -> None:
        """*run* has its own process, *pid*."""

    def on_retry(self, run: Run, seconds: float) -> None:
        """*run* has failed and is retried after *seconds*."""

    def on_skip(self, run: Run) -> None:
        """*run* is skipped: its ``outcome`` says how it ended before; or its ``cached`` names the
        record of a run that succeeded and stands in for it.
        """

    def on_refuse(self, run: Run) -> None:
        """*run*, the first one, could not be started: the flow ends."""

    def on_end(self, run: Run) -> None:
        """*run* has ended; its ``outcome`` says how."""

    def on_tick(self, running: Sequence[Run], counts: Mapping[str, int]) -> None:
        """Called a few times a second while runs are under way."""

    def on_finish(self, summary: Summary) -> None:
        """The flow has ended."""
