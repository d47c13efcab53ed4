"""``engine="native"``: a system in this process, in one thread, or one for each node that asks."""

from __future__ import annotations

import atexit
import contextvars
import sys
import threading
import traceback
from typing import Any

from kohaku_ast.errors import SystemsError, SystemsTypeError, label, read_number
from kohaku_ast.pipeline.failure import trim_traceback
from kohaku_ast.systems.connections import running_order
from kohaku_ast.systems.engine import Artefact, Engine, Handle, steps_text, write_json
from kohaku_ast.systems.rebuild import describe
from kohaku_ast.systems.schedule import QUEUE, Actor, Group, connect, cross_threads, deadlock
from kohaku_ast.users_traceback import public

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from kohaku_ast.systems.engine import SystemLike


class NativeEngine(Engine):
    """Calls the components here. Messages are the objects themselves.

    Components of nodes with ``threads=True`` have a thread for each node, all others share one.
    Where a queue is full, what feeds it waits.
    """

    name = "native"

    def __init__(self, queue: int = QUEUE) -> None:
        """*queue* is the number of messages that may wait at an input that does not say."""
        self.queue = int(read_number("queue", queue, 1, of=SystemsError))

    def compile(self, system: SystemLike, folder: str) -> Artefact:
        """*system* itself; with a folder, its description there as ``system.json``."""
        files = {"system": write_json(folder, "system.json", describe(system))} if folder else {}
        return Artefact(system, folder, files)

    def launch(
        self, artefact: Artefact, iterations: int | None = None, **options: Any
    ) -> NativeHandle:
        """Start the threads."""
        for name in options:
            raise SystemsTypeError(f"the native engine has no option {name!r}")
        actors = [Actor(one, iterations) for one in running_order(artefact.system.components)]
        connect(actors, self.queue)
        shared: dict[str, list[Actor]] = {}
        for one in actors:
            node = one.component.node
            shared.setdefault(node.name if node.threads else "", []).append(one)
        return NativeHandle(artefact.system.name, actors, [*map(Group, shared.values())])


class NativeHandle(Handle):
    """A system that runs in threads of this process."""

    def __init__(self, name: str, actors: list[Actor], groups: list[Group]) -> None:
        self._name, self._actors, self._groups = name, actors, groups
        self._lock = threading.Lock()
        self._asleep = 0
        self._running = len(groups)
        self._is_stopping = False
        self._error: BaseException | None = None
        self._is_seen = False
        self._lines: list[str] = []
        cross_threads(groups)
        self._ended = threading.Event()
        self._set_up = threading.Barrier(len(groups))
        context = contextvars.copy_context  # what is logged belongs to the run that launched it
        atexit.register(self._report)
        threads = [
            threading.Thread(target=context().run, args=(self._run, one), name=f"system {name}")
            for one in groups
        ]
        try:
            for one in threads:
                one.start()
        except BaseException:  # Ctrl-C: nobody gets this Handle, which could stop them
            self.stop()
            self._set_up.abort()
            raise

    @property
    def status(self) -> str:
        """``running``, ``succeeded``, ``failed`` or ``stopped``."""
        if not self._ended.is_set():
            return "running"
        if self._error is not None:
            return "failed"
        return "stopped" if self._is_stopping else "succeeded"

    @property
    def steps(self) -> Mapping[str, int]:
        """Component -> the steps that it has done."""
        return {one.component.name: one.steps for one in self._actors}

    @public
    def wait(self, timeout: float | None = None) -> str:
        """Wait for the end and return the status; raises what a component raised."""
        # Not join(): Ctrl-C in it leaves a thread that runs as one that has ended.
        if not self._ended.wait(timeout):
            raise TimeoutError(f"system {self._name!r} still runs after {timeout:g} s")
        self._is_seen = True
        atexit.unregister(self._report)
        if self._error is not None:
            raise self._error
        return self.status

    def stop(self) -> None:
        """Have the sources end; what they have sent still goes its way."""
        self._is_stopping = True
        for one in self._groups:
            one.changed.set()

    def logs(self) -> str:
        """What happened to each component, a line each. What they print stands where they do."""
        return "".join(f"{line}\n" for line in self._lines)

    def _report(self) -> None:
        """At the end of the process: print an error that nobody waited for."""
        if self._error is not None and not self._is_seen:
            sys.stderr.write(f"{label('error', sys.stderr)}system {self._name!r} failed:\n")
            traceback.print_exception(type(self._error), self._error, self._error.__traceback__)

    def _run(self, group: Group) -> None:
        try:
            try:
                group.setup()
            except BaseException as error:
                self._fail(error)
            self._set_up.wait()  # no step before each component is set up
            self._steps(group)
        except BaseException as error:
            self._fail(error)
        finally:
            group.end()
            for late in group.teardown():
                self._fail(late)
            self._lines += [
                f"{one.component.name}: {steps_text(one.steps)}" for one in group.actors
            ]
            with self._lock:
                self._running -= 1
                is_last = not self._running
            if is_last:
                self._ended.set()
            for one in self._groups:
                one.changed.set()

    def _steps(self, group: Group) -> None:
        while not group.is_over:
            if self._error is not None:
                return
            if self._is_stopping:
                group.end_sources()
            if not group.advance():
                self._sleep(group)

    def _sleep(self, group: Group) -> None:
        """Wait until something changes for *group*. Raises SystemsError for a deadlock."""
        seconds = group.wait_time()
        if seconds is None:
            with self._lock:
                self._asleep += 1
                is_last = self._asleep == self._running
                if is_last and not any(one.changed.is_set() for one in self._groups):
                    raise deadlock(self._actors)
        group.changed.wait(seconds)
        with self._lock:
            self._asleep -= seconds is None
            group.changed.clear()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._error is None:
                trim_traceback(error)
                self._error = error
                name = getattr(error, "_kogine_component", "")
                self._lines.append(f"{name or self._name}: {type(error).__name__}: {error}")
        for one in self._groups:
            one.changed.set()
