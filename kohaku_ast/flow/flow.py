"""Flow: starts runs while there are free workers, and gives them back as they end."""

from __future__ import annotations

import heapq
import queue
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from kohaku_ast.errors import ConfigError, KogineError
from kohaku_ast.flow.ending import Active
from kohaku_ast.flow.interrupts import Interrupts
from kohaku_ast.flow.launchers import Handle, Launcher
from kohaku_ast.flow.limits import Limits
from kohaku_ast.flow.observer import Observer, Summary
from kohaku_ast.flow.run import (
    FAILED,
    INTERRUPTED,
    RETRYING,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    Run,
)  # fmt: skip
from kohaku_ast.flow.supply import Supply
from kohaku_ast.runner.outcome import Outcome, RunError

_TICK = 0.25  # seconds between two looks at what is running


class Flow:
    """Runs what a Supply gives. Iterate ``runs()``; what it has given it does not keep."""

    def __init__(
        self,
        supply: Supply,
        launcher: Launcher,
        limits: Limits,
        observers: Sequence[Observer] = (),
        total: int | None = None,
    ) -> None:
        self.supply, self.launcher, self.limits = supply, launcher, limits
        self.observers, self.total = observers, total
        self.counts: Counter[str] = Counter()
        self.summary = Summary()
        self._active: dict[int, Active] = {}
        self._events: queue.SimpleQueue[tuple[Run, Outcome] | None] = queue.SimpleQueue()
        self._again: list[tuple[float, int, Run]] = []
        self._free = list(range(limits.workers))
        self._count = 0
        self._last: Outcome | None = None
        self._stopped = self._interrupted = False
        self._broken = ""
        self._failed_before = 0

    def runs(self) -> Iterator[Run]:
        """Each run when it is over. Raises KogineError if not even the first can be started."""
        started, is_refused = time.monotonic(), False
        with Interrupts(self._wake, is_on=not self.launcher.is_inline) as interrupts:
            try:
                yield from self._until_done(interrupts)
            except (KogineError, SyntaxError):
                is_refused = True
                raise
            except KeyboardInterrupt:  # between two runs in this process
                self._interrupted = True
            finally:
                self._kill_all()
                self.supply.close()
                self.launcher.close()
                self.summary = Summary(
                    dict(self.counts), time.monotonic() - started, self._interrupted, self._broken,
                    is_refused, self._failed_before,
                )  # fmt: skip
                for one in self.observers:
                    one.on_finish(self.summary)

    # --- the loop --------------------------------------------------------------------------------

    def _until_done(self, interrupts: Interrupts) -> Iterator[Run]:
        while True:
            yield from self._fill()
            if not self._active and not (self._again and not self._stopped):
                return
            yield from self._collect(interrupts)

    def _fill(self) -> Iterator[Run]:
        """Start as many as can be; what is over by then comes out."""
        while self._free and not self._stopped:
            run = self._next()
            if run is None:
                return
            yield from self._start(run)

    def _next(self) -> Run | None:
        if self._again and self._again[0][0] <= time.monotonic():
            return heapq.heappop(self._again)[2]
        try:
            found = self.supply.next(self._last)
        except ConfigError as error:
            if not self._count:
                raise
            self._broken, self._stopped = str(error), True
            return None
        if found is None:
            return None
        work, config = found
        run = Run(self._count, work, config, total=self.total)
        self._count += 1
        return run

    def _start(self, run: Run) -> Iterator[Run]:
        try:
            bound = run.work.binder.bind(run.config)
            if self.limits.is_done(run, bound):
                yield self._skip(run)
                return
            self._begin(run)
            handle = self.launcher.start(run, bound, self._done)
            self._active[run.index].handle = handle
            self._tell_process(run, handle)
        except KeyboardInterrupt:
            self._interrupt_inline(run)
        except (KogineError, SyntaxError) as error:
            if run.index == 0 and run.attempt == 1:
                for one in self.observers:
                    one.on_refuse(run)
                raise  # nothing has run yet: the mistake is of the whole flow
            self._active.setdefault(run.index, Active(run, None))
            self._done(run, Outcome("failed", error=RunError.of(error, None), exit_status=2))
        if self.launcher.is_inline:
            yield from self._ended_now()

    def _begin(self, run: Run) -> None:
        run.slot, run.state, run.started = heapq.heappop(self._free), RUNNING, time.time()
        deadline = time.monotonic() + self.limits.timeout if self.limits.timeout else None
        self._active[run.index] = Active(run, None, deadline)
        for one in self.observers:
            one.on_start(run, self.total)

    def _tell_process(self, run: Run, handle: Handle | None) -> None:
        if handle is not None and handle.pid:
            for one in self.observers:
                one.on_process(run, handle.pid)

    def _done(self, run: Run, outcome: Outcome) -> None:
        self._events.put((run, outcome))

    def _wake(self) -> None:
        self._events.put(None)

    # --- what has ended --------------------------------------------------------------------------

    def _ended_now(self) -> Iterator[Run]:
        while not self._events.empty():
            event = self._events.get()
            if event is not None:
                yield from self._ended(*event)

    def _collect(self, interrupts: Interrupts) -> Iterator[Run]:
        """Wait for something to happen."""
        try:
            event = self._events.get(timeout=self._patience())
        except queue.Empty:
            event = None
        self._heed(interrupts)
        if event is not None:
            yield from self._ended(*event)
            yield from self._ended_now()
        now = time.monotonic()
        for active in list(self._active.values()):
            active.check(now, self.limits.grace)
        for one in self.observers:
            one.on_tick([active.run for active in self._active.values()], self.counts)

    def _patience(self) -> float:
        due = [active.waits_until() for active in self._active.values()]
        due += [self._again[0][0]] if self._again and self._free else []
        soonest = min([one for one in due if one is not None], default=None)
        if soonest is None:
            return _TICK
        return max(0.0, min(_TICK, soonest - time.monotonic()))

    def _ended(self, run: Run, outcome: Outcome) -> Iterator[Run]:
        active = self._active.pop(run.index)
        active.end_rest(outcome.exit_status)
        if run.state == RUNNING:
            heapq.heappush(self._free, run.slot)
        run.ended = time.time()
        run.outcome = _told(outcome, active, self.limits)
        if active.reason == "interrupted":
            run.state = INTERRUPTED
        else:
            run.state = SUCCEEDED if outcome.status == "succeeded" else FAILED
            if active.reason == "timeout":
                run.state = FAILED
        if run.state == FAILED and run.attempt <= self.limits.retries and not self._stopped:
            self._retry(run)
            return
        yield self._over(run)

    def _over(self, run: Run) -> Run:
        self._note(run, run.state)
        for one in self.observers:
            one.on_end(run)
        return run

    def _skip(self, run: Run) -> Run:
        before = run.outcome.status if run.outcome is not None else SUCCEEDED
        run.state = SKIPPED
        self._failed_before += before == FAILED
        self._note(run, before)
        for one in self.observers:
            one.on_skip(run)
        return run

    def _note(self, run: Run, ended: str) -> None:
        """What comes after *run* depends on how it *ended*, now or in an earlier flow."""
        self.counts[run.state] += 1
        self._last = run.outcome
        if run.outcome is not None:
            self.supply.previous[run.work.name] = run.outcome
        if ended == FAILED and self.limits.stops_on_error:
            self._stopped = True

    def _retry(self, run: Run) -> None:
        seconds = self.limits.backoff * 2 ** (run.attempt - 1)
        run.state = RETRYING
        for one in self.observers:
            one.on_retry(run, seconds)
        run.attempt += 1
        heapq.heappush(self._again, (time.monotonic() + seconds, run.index, run))

    # --- ending early ----------------------------------------------------------------------------

    def _interrupt_inline(self, run: Run) -> None:
        self._interrupted = self._stopped = True
        self._active.setdefault(run.index, Active(run, None)).reason = "interrupted"
        self._done(run, Outcome("failed", error=RunError("KeyboardInterrupt", "", "")))

    def _heed(self, interrupts: Interrupts) -> None:
        """Once: no new runs, those under way are interrupted. Twice: they are killed."""
        if interrupts.count == 0:
            return
        if not self._interrupted:
            self._interrupted = self._stopped = True
            for active in self._active.values():
                active.end("interrupted", self.limits.grace)
        if interrupts.count > 1:
            for active in self._active.values():
                active.kill()

    def _kill_all(self) -> None:
        """Whoever stops iterating wants nothing to go on."""
        for active in self._active.values():
            active.kill()


def _told(outcome: Outcome, active: Active, limits: Limits) -> Outcome:
    """*outcome*, with the reason why we ended it."""
    if active.reason == "timeout":
        error = RunError("TimeoutError", f"took longer than {limits.timeout:g} s", "")
        return replace(outcome, status="failed", error=error)
    return outcome
