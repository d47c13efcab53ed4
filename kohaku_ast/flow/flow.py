"""Flow: the loop that starts runs while workers are free, and yields them as they end."""

from __future__ import annotations

import heapq
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TypeAlias

from kohaku_ast.config.config import Config
from kohaku_ast.errors import ConfigError, KogineError
from kohaku_ast.flow.run import (
    ASKING,
    CACHED,
    FAILED,
    INTERRUPTED,
    NO_ROOM,
    PRUNED,
    RETRYING,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    Handle,
    Launcher,
    NotStartedError,
    Observer,
    Queue,
    Run,
    ScriptConfigs,
    SharedFile,
    Summary,
    not_started,
)
from kohaku_ast.flow.settings import GRACE, FlowSettings
from kohaku_ast.flow.signals import Interrupts
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.outcome import Outcome, RunError

HURRY = 5.0
"""The same after SIGTERM to this process: its sender usually waits 10 seconds before SIGKILL."""

_STUCK = 3
"""A killed process gets this many times as long to end: it may have much memory to free."""

_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_LADDER = (signal.SIGINT, signal.SIGTERM, _KILL)
_CONTINUE = getattr(signal, "SIGCONT", None)


Events: TypeAlias = "SimpleQueue[tuple[RunningJob, Outcome] | None]"
"""The runs that have ended, with their Outcomes; None: something else has happened."""


@dataclass(eq=False)
class RunningJob:
    """A run under way, and the signals that end it: one after another, each if it still runs."""

    run: Run
    handle: Handle | None
    #: Gets its Outcome.
    events: Events
    #: When its time is up; monotonic seconds.
    deadline: float | None = None
    #: The index in ``_LADDER`` of the next signal, and when it is due.
    rung: int = 0
    due: float | None = None
    #: Why the flow ends it: ``timeout`` or ``interrupted``.
    reason: str = ""
    #: Whether the observers have got its process.
    is_reported: bool = False
    #: Whether it was killed and has not ended: it waits for a disk, or its warm server hangs.
    is_stuck: bool = False

    def done(self, run: Run, outcome: Outcome) -> None:
        """Report the end of *run*; from any thread."""
        self.events.put((self, outcome))

    def end(self, reason: str, grace: float = GRACE, first: int = signal.SIGTERM) -> None:
        """Send *first*; ``check`` sends the harder signals."""
        if not self.reason:
            self.reason = reason
            self.rung = _LADDER.index(first)
            self._step(grace)

    def kill(self, grace: float = GRACE) -> None:
        """Send SIGKILL."""
        self.reason = self.reason or "interrupted"
        if self.rung < len(_LADDER):
            self.rung = len(_LADDER) - 1
            self._step(grace)

    def end_rest(self, status: int) -> None:
        """After its end with *status*: end its child processes too if it was killed."""
        # A script that ended by itself may leave a process running on purpose.
        if self.handle is not None and (self.reason or status < 0):
            self.handle.signal(_KILL)

    def check(self, now: float, grace: float = GRACE) -> None:
        """Send the signal that is due, if one is."""
        if self.deadline is not None and now >= self.deadline and not self.reason:
            self.end("timeout", grace)
        elif self.due is not None and now >= self.due:
            self._step(grace)

    def _step(self, grace: float) -> None:
        if self.rung == len(_LADDER):
            self.is_stuck, self.due = True, None
            return
        if self.handle is not None:
            self.handle.signal(_LADDER[self.rung])
            if _CONTINUE is not None:
                self.handle.signal(_CONTINUE)  # a stopped process receives only SIGKILL
        self.rung += 1
        self.due = time.monotonic() + grace * (_STUCK if self.rung == len(_LADDER) else 1)

    def waits_until(self) -> float | None:
        """When ``check`` is to be called again; monotonic seconds."""
        times = [one for one in (self.due, None if self.reason else self.deadline) if one]
        return min(times, default=None)


_LOOK_AGAIN = 0.2  # seconds until another flow may have ended a run
_TICK = 0.25  # seconds between two checks of the runs under way
_STUCK_ERROR = RunError("Lost", "it was killed, and did not end", "")


class Flow:
    """Runs the Configs of a Queue: iterate ``runs()``. It keeps no run that has ended."""

    def __init__(
        self,
        queue: Queue,
        launcher: Launcher,
        settings: FlowSettings,
        observers: Sequence[Observer] = (),
        total: int | None = None,
        is_done: Callable[[Run, Bound], bool | None] | None = None,
        read_rest: Callable[[Run], None] = lambda run: None,
        find_shared: Callable[[], tuple[SharedFile, ...]] = tuple,
    ) -> None:
        """*is_done* says of each run whether it need not run, and gives it its Outcome then; None:
        it cannot say so yet. *read_rest* reads the rest of what a run has printed, before its
        Outcome is passed on. *find_shared* gives, at the end, the files that several runs wrote.
        """
        self.read_rest, self.find_shared = read_rest, find_shared
        self.queue, self.launcher, self.settings = queue, launcher, settings
        self.observers, self.total, self.is_done = observers, total, is_done
        self.counts: Counter[str] = Counter()
        self.summary = Summary()
        self._active: dict[int, RunningJob] = {}
        self._events: Events = SimpleQueue()
        self._retries: list[tuple[float, int, Run]] = []
        self._free = list(range(settings.workers))
        self._started = 0
        self._last_outcome: Outcome | None = None
        self._stopped = self._interrupted = False
        #: The error in the Configs that ended the flow.
        self.broken_by: ConfigError | None = None
        self._raised: Exception | SystemExit | None = None
        self._failed_before = 0
        self._grace = settings.grace
        #: Whether no run is started until one has ended; and run index -> how often it had to wait.
        self._is_full = False
        self._postponed: Counter[int] = Counter()
        #: The signals that ask this process to end, while the flow runs.
        self.interrupts = Interrupts(self._wake)
        launcher.lend = self.interrupts.lend
        for one in observers:
            if one.calls_users:
                one.call = self.interrupts.call  # type: ignore[method-assign]
        self.has_records, self.is_inline = settings.records, launcher.is_inline

    def runs(self) -> Iterator[Run]:
        """Each run when it has ended. Raises KogineError if the first one cannot be started."""
        started, is_refused = time.monotonic(), False
        with self.interrupts:
            try:
                self.queue.check()
                yield from self._until_done()
            except (KogineError, SyntaxError):
                is_refused = True
                raise
            except KeyboardInterrupt:  # in a thread, or where other code handles SIGINT
                self._interrupted = True
            finally:
                self._kill_all()
                self.queue.close()
                unshown = self.launcher.close()
                self.summary = Summary(
                    dict(self.counts), time.monotonic() - started, self._interrupted,
                    str(self.broken_by or ""),
                    is_refused, self._failed_before, self.interrupts.deadly, self._not_started(),
                    (unshown.strerror or "") if unshown else "", self.find_shared(),
                )  # fmt: skip
                for one in self.observers:
                    one.on_finish(self.summary)

    # --- the loop --------------------------------------------------------------------------------

    def _until_done(self) -> Iterator[Run]:
        while True:
            yield from self._fill()
            self._handle_interrupts()
            if self._stopped:
                yield from self._fail_retries()
            if not self._active and not self._retries:
                break
            yield from self._wait()
        if self._raised is not None:
            raise self._raised

    def _fill(self) -> Iterator[Run]:
        """Start runs while there are free workers; yield those that have ended meanwhile."""
        while self._free and not (self._stopped or self._is_full or self.interrupts.count):
            run = self._next()
            if run is None:
                return
            yield from self._start(run)

    def _next(self) -> Run | None:
        if self._retries and self._retries[0][0] <= time.monotonic():
            return heapq.heappop(self._retries)[2]
        if self._retries and self.queue.depends:
            return None  # the next Config depends on how this run ends
        try:
            is_idle = not self._active and not self._retries
            found = self._ask(is_idle)
        except ConfigError as error:
            if not self._started:
                raise
            self.broken_by, self._stopped = error, True
            return None
        except (Exception, SystemExit) as error:  # of the user's code: runs under way may end
            self._raised, self._stopped = error, True
            return None
        if found is None:
            return None
        work, config = found
        run = Run(self._started, work, config, total=self.total, is_alone=self.queue.is_alone)
        if self.settings.env:
            run.belongs = {"env": dict(self.settings.env)}
        self._started += 1
        return run

    def _ask(self, is_idle: bool) -> tuple[ScriptConfigs, Config] | None:
        token = ASKING.set(self)
        try:
            return self.queue.next(self._last_outcome, is_idle)
        finally:
            ASKING.reset(token)

    def observe(self, observer: Observer) -> None:
        """Have *observer* told of what happens from here on."""
        self.observers = [*self.observers, observer]

    def _start(self, run: Run) -> Iterator[Run]:
        try:
            bound = run.work.binder.bind(run.config)
            is_done = self.is_done is not None and self.is_done(run, bound)
            if is_done is None:
                heapq.heappush(self._retries, (time.monotonic() + _LOOK_AGAIN, run.index, run))
                return
            if is_done:
                yield self._skip(run)
                return
            active = self._begin(run)
            active.handle = self.launcher.start(run, bound, active.done)
            self._report_process(active)
        except KeyboardInterrupt:
            self._interrupt_inline(run)
        except (KogineError, SyntaxError) as error:
            if run.index == 0 and run.attempt == 1:
                for one in self.observers:
                    one.on_refuse(run)
                raise  # nothing has run yet: the whole flow is wrong
            self._fail(run, RunError.of(error, None), 2)
        except NO_ROOM as error:
            self._activate(run).done(run, not_started(error))
            self._is_full = not self.launcher.is_inline
        if self.launcher.is_inline:
            self._handle_interrupts()
        # A run that could not be started has ended, too: the next Config may depend on it.
        yield from self._ended_now()

    def _begin(self, run: Run) -> RunningJob:
        run.slot, run.state = heapq.heappop(self._free), RUNNING
        run.start_clock()
        active = self._activate(run)
        for one in self.observers:
            one.on_start(run, self.total)
        return active

    def _activate(self, run: Run) -> RunningJob:
        if run.index not in self._active:
            active = RunningJob(run, None, self._events, self._deadline())
            self._active[run.index] = active
        return self._active[run.index]

    def _deadline(self) -> float | None:
        return time.monotonic() + self.settings.timeout if self.settings.timeout else None

    def _report_process(self, active: RunningJob) -> None:
        if not active.is_reported and active.handle is not None and active.handle.pid:
            # The imports of a warm server take none of the time of its first run.
            active.is_reported, active.deadline = True, self._deadline()
            for one in self.observers:
                one.on_process(active.run, active.handle.pid)

    def _fail(self, run: Run, error: RunError, status: int) -> None:
        active = self._activate(run)
        active.done(run, Outcome("failed", error=error, exit_status=status))

    def _wake(self) -> None:
        self._events.put(None)

    # --- ends -------------------------------------------------------------------------------------

    def _ended_now(self) -> Iterator[Run]:
        while not self._events.empty():
            event = self._events.get()
            if event is not None:
                yield from self._ended(*event)

    def _wait(self) -> Iterator[Run]:
        """Wait until a run has ended, a signal is due or ``_TICK`` is over; yield ended runs."""
        try:
            event = self._events.get(timeout=self._seconds_to_wait())
        except Empty:
            event = None
        self._handle_interrupts()
        if event is not None:
            yield from self._ended(*event)
            yield from self._ended_now()
        now = time.monotonic()
        for active in list(self._active.values()):
            self._report_process(active)
            active.check(now, self._grace)
            if active.is_stuck:
                self._fail(active.run, _STUCK_ERROR, -_KILL)
        for one in self.observers:
            one.on_tick([active.run for active in self._active.values()], self.counts)
        for active in self._active.values():
            if active.run.pruned and not active.reason:
                active.end(PRUNED, self._grace, signal.SIGINT)

    def _seconds_to_wait(self) -> float:
        due = [active.waits_until() for active in self._active.values()]
        due += [self._retries[0][0]] if self._retries and self._free else []
        soonest = min([one for one in due if one is not None], default=None)
        if soonest is None:
            return _TICK
        return max(0.0, min(_TICK, soonest - time.monotonic()))

    def _ended(self, active: RunningJob, outcome: Outcome) -> Iterator[Run]:
        run = active.run
        if self._active.get(run.index) is not active:
            return  # it was stuck: its end is already reported
        self._report_process(active)  # a forked run may end before anybody has looked at it
        del self._active[run.index]
        active.end_rest(outcome.exit_status)
        if run.state == RUNNING:
            heapq.heappush(self._free, run.slot)
        run.ended = run.now()
        run.outcome = _with_reason(outcome, active, self.settings.timeout)
        if active.reason == "interrupted":
            run.state = INTERRUPTED
        else:
            run.state = SUCCEEDED if outcome.status == "succeeded" else FAILED
            if active.reason == "timeout":
                run.state = FAILED
            if active.reason == PRUNED:
                run.state = PRUNED
        self._is_full = isinstance(outcome.raised, NotStartedError) and bool(self._active)
        if self._is_full and not self._stopped:
            self._postponed[run.index] += 1
            self._retry(run, 0.0)
            return
        attempt = run.attempt - self._postponed[run.index]
        if run.state == FAILED and attempt <= self.settings.retries and not self._stopped:
            self._retry(run, self.settings.backoff * 2 ** (attempt - 1))
            return
        self._postponed.pop(run.index, None)
        yield self._end(run)

    def _end(self, run: Run) -> Run:
        self.read_rest(run)
        self._count_state(run, run.state)
        for one in self.observers:
            one.on_end(run)
        return run

    def _skip(self, run: Run) -> Run:
        before = run.outcome.status if run.outcome is not None else SUCCEEDED
        run.state = CACHED if run.cached else SKIPPED
        self._failed_before += before == FAILED
        self._count_state(run, before)
        for one in self.observers:
            one.on_skip(run)
        return run

    def _count_state(self, run: Run, ended: str) -> None:
        """Count *run*, which *ended* so now or in an earlier flow, and give its Outcome on."""
        self.counts[run.state] += 1
        if run.outcome is not None:
            run.outcome = run.named(run.outcome)
        self._last_outcome = run.outcome
        if run.outcome is not None:
            self.queue.previous[run.work.name] = run.outcome
        if ended == FAILED and self.settings.stops_on_error:
            self._stopped = True

    def _retry(self, run: Run, seconds: float) -> None:
        run.state = RETRYING
        for one in self.observers:
            one.on_retry(run, seconds)
        run.attempt += 1
        heapq.heappush(self._retries, (time.monotonic() + seconds, run.index, run))

    def _not_started(self) -> int | None:
        """The number of runs that will never start; None if their number is not known."""
        if not self._stopped:
            return 0
        return None if self.total is None else max(0, self.total - sum(self.counts.values()))

    # --- ending early ----------------------------------------------------------------------------

    def _fail_retries(self) -> Iterator[Run]:
        """Runs that wait for a retry have failed: nothing is started any more."""
        while self._retries:
            run = heapq.heappop(self._retries)[2]
            if run.state == RETRYING:
                run.state, run.attempt = FAILED, run.attempt - 1
                yield self._end(run)

    def _interrupt_inline(self, run: Run) -> None:
        self._interrupted = self._stopped = True
        self._activate(run).reason = "interrupted"
        self._fail(run, RunError("KeyboardInterrupt", "", ""), -signal.SIGINT)

    def _handle_interrupts(self) -> None:
        """One signal: start no more runs, interrupt those under way. Two: kill them."""
        count, deadly = self.interrupts.count, self.interrupts.deadly
        if count == 0:
            return
        if deadly:  # its sender will soon send SIGKILL
            self._grace = min(self.settings.grace, HURRY)
        if not self._interrupted:
            self._interrupted = self._stopped = True
            for active in self._active.values():
                first = signal.SIGTERM if deadly else signal.SIGINT
                active.end("interrupted", self._grace, first)
        if count > 1:
            for active in self._active.values():
                active.kill(self._grace)

    def _kill_all(self) -> None:
        """Nothing goes on when the caller stops iterating."""
        for active in self._active.values():
            active.kill()


def _with_reason(outcome: Outcome, active: RunningJob, timeout: float | None) -> Outcome:
    """*outcome*, with an error that says so if the run was ended by its *timeout*."""
    if active.reason == "timeout":
        error = RunError("TimeoutError", f"took longer than {timeout:g} s", "")
        return replace(outcome, status="failed", error=error)
    if active.reason == PRUNED:
        return replace(outcome, status=PRUNED, error=None)
    return outcome
