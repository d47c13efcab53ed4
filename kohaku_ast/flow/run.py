"""Runs of a flow, and the Configs that they are made of, each asked for when it can start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.config.sweep import Sweep
from kohaku_ast.config.sweep_parts import Walk
from kohaku_ast.runner.bind import Binder, Bound
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import Lend

WAITING, RUNNING, RETRYING = "waiting", "running", "retrying"
SUCCEEDED, FAILED, SKIPPED, INTERRUPTED = "succeeded", "failed", "skipped", "interrupted"
"""The states of a run; the last four are final."""


@dataclass(eq=False)
class Run:
    """One run. The flow writes it, everybody else only reads."""

    #: Its number in the flow, from 0.
    index: int
    work: ScriptConfigs
    config: Config
    state: str = WAITING
    #: Which of the workers it has, from 0.
    slot: int = 0
    #: 1, and one more for each time that it is tried again.
    attempt: int = 1
    #: In seconds since the epoch; 0 before.
    started: float = 0.0
    ended: float = 0.0
    outcome: Outcome | None = None
    #: Whether its Script is the only one of the flow.
    is_alone: bool = True
    #: How many runs the flow has, if that is known.
    total: int | None = None
    #: Its folder of records, and the file with what it prints.
    folder: Path | None = None
    log: Path | None = None
    #: What everybody who keeps something about runs keeps here, by name.
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long its last attempt took; 0 if it could not even be started."""
        return max(0.0, self.ended - self.started) if self.started else 0.0

    def named(self, outcome: Outcome) -> Outcome:
        """*outcome*, saying that it is of this run."""
        log = str(self.log) if self.log else ""
        return replace(outcome, index=self.index, label=self.label, script=self.work.name, log=log)

    @property
    def number(self) -> str:
        """``[2/4]``, or ``[2]`` if nobody knows how many there will be."""
        return f"[{self.index + 1}]" if self.total is None else f"[{self.index + 1}/{self.total}]"

    @property
    def title(self) -> str:
        """Its label for who sees the flow: in one of several Scripts with the Script's name."""
        is_enough = self.is_alone or not self.config.label
        return self.label if is_enough else f"{self.work.name} {self.label}"

    @cached_property
    def label(self) -> str:
        """What tells it from the others: ``lr=0.1 bs=32``, else the Script's name."""
        return self.config.label or self.work.name


class Queue:
    """Gives the Configs of several Works, one Work after the other."""

    def __init__(self, works: Sequence[ScriptConfigs], listens: bool) -> None:
        """*listens*: generators get the Outcome of each run as the value of their ``yield``."""
        self.listens = listens
        #: The last Outcome of each Work.
        self.previous: dict[str, Outcome] = {}
        self._waiting = list(works)
        #: Whether there is one Work.
        self.is_alone = len(works) == 1
        self._work: ScriptConfigs | None = None
        self._walk: Walk | None = None
        self._begun = False

    def next(self, outcome: Outcome | None = None) -> tuple[ScriptConfigs, Config] | None:
        """The next of them; None when all have been given.

        *outcome* is that of the last run. Raises ConfigError for what is no Config; what a
        generator raises comes through.
        """
        while True:
            if self._walk is None:
                if not self._waiting:
                    return None
                self._work = self._waiting.pop(0)
                self._walk, self._begun = iter(self._work.sweep(self.previous)), False
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

    def close(self) -> None:
        """Let the generator that was asked last know that nothing more is wanted."""
        if self._walk is not None:
            self._walk.close()
            self._walk = None
        self._waiting.clear()


Previous: TypeAlias = Mapping[str, Outcome]
"""Script name -> the last Outcome of it in this flow."""

Configs: TypeAlias = Config | Iterable[Any] | Callable[[Previous], Any]
"""One Config; a Sweep, an iterable or a generator of them; or what makes one of these from the
Outcomes of the Scripts before.
"""


@dataclass(frozen=True)
class ScriptConfigs:
    """A Script, ready to be bound, and its Configs."""

    #: What the flow calls it.
    name: str
    binder: Binder
    configs: Configs

    def sweep(self, previous: Previous) -> Sweep:
        """Its Configs; asked for when its first run can start.

        Raises ConfigError if there are none.
        """
        configs = self.configs
        if callable(configs) and not isinstance(configs, (Config, Sweep)):
            configs = configs(previous)
        return Sweep.of(configs, self.name)


class Handle(Protocol):
    """A run under way in another process."""

    @property
    def pid(self) -> int:
        """The process; 0 if there is none, or not yet."""

    def wait(self, timeout: float | None = None) -> Outcome:
        """The Outcome, when it is over."""

    def signal(self, number: int) -> None:
        """Send a signal to the whole process group; one that is gone is no error."""

    def close(self) -> None:
        """Leave nothing behind."""


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
    told = RunError(type(error).__name__, f"it could not be started: {why}", "")
    return Outcome("failed", error=told, exit_status=1, raised=NotStartedError(why))


class Launcher(Protocol):
    """Starts runs in one mode."""

    #: Whether a run is over when ``start`` comes back.
    is_inline: bool
    #: Calls what is the script's own of a run in this process: Ctrl-C is for it then.
    lend: Lend

    def start(self, run: Run, bound: Bound, done: Done) -> Handle | None:
        """Start *run*; raises KogineError if that cannot be."""

    def close(self) -> None:
        """Nothing will be started any more."""
