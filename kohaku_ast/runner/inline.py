"""A run inside this process: everything that it borrows is given back."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from kohaku_ast.runner.borrowed import Borrowed
from kohaku_ast.runner.bottom import call_hook, trimmed
from kohaku_ast.runner.bound import Bound
from kohaku_ast.runner.exit_status import as_status
from kohaku_ast.runner.forked import parent_alone
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.main_module import new_main
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process import warn_compiler
from kohaku_ast.runner.process_end import Lend, ending, lend_nothing
from kohaku_ast.transform.program.bound_program import load


class InlineRun:
    """One run of a Script in this process."""

    def __init__(
        self, bound: Bound, local: LocalModules | None = None, lend: Lend = lend_nothing
    ) -> None:
        """*local* is kept from run to run by who runs one script often."""
        self.bound, self.lend = bound, lend
        self.given = bound.prepared.given
        self.main: ModuleType = new_main(bound.launch)
        self.borrowed = Borrowed(self.main, bound.launch, bound.prepared, bound.argv, local)

    def whole(self) -> object:
        """Run it from its first line to its exit functions; what the starting call returned."""
        with self.as_process():
            return self.body()

    @contextmanager
    def as_process(self) -> Iterator[int]:
        """Inside, the process, whose number is given, is the script's; at the end it ends as a
        process does, and a child that the script has forked ends indeed.
        """
        path0 = self.bound.launch.path0
        with parent_alone() as pid, self.borrowed.inside(), ending(path0, self.lend):
            yield pid

    def body(self) -> object:
        """What runs inside ``as_process``."""
        namespace, codes, last = self._begun(), self.bound.codes(), self.bound.last()

        def run() -> object:
            self.bound.launch.execute(codes, namespace)
            return last(namespace) if last else self.given.capture.value

        return self.lend(run)

    def module(self) -> None:
        """Run the module without its guards."""
        with self.borrowed.inside():
            namespace = self._begun()
            for code in self.given.codes("module"):
                exec(code, namespace)

    def _begun(self) -> dict[str, object]:
        """The namespace in which the script starts."""
        warn_compiler(self.bound.program)
        namespace = self.main.__dict__
        names = self.bound.anew(self.bound.names)
        namespace.update((name, load(value)) for name, value in names.items())
        return namespace

    def guard(self) -> object:
        """Run the guards, or the entrypoint; what the call in it returned."""
        last = self.bound.last()
        with self.borrowed.inside():
            if last:
                return last(self.main.__dict__)
            for code in self.given.codes("guard"):
                exec(code, self.main.__dict__)
        return self.given.capture.value

    def outputs(self) -> dict[str, object]:
        """The globals that the Config names, as far as they are there."""
        config, namespace = self.bound.config, self.main.__dict__
        names = config.outputs if config else ()
        return {name: namespace[name] for name in names if name in namespace}

    def release(self, value: object, outputs: dict[str, object]) -> None:
        """Let go of the script's globals, unless what it has given needs them."""
        if _is_plain(value) and _is_plain(outputs):
            # A function and its globals hold each other: without this a run's data stay in memory
            # until the garbage collector comes by, on a GPU too.
            self.main.__dict__.clear()


def run_inline(
    bound: Bound, local: LocalModules | None = None, lend: Lend = lend_nothing
) -> Outcome:
    """Run *bound* here. What the script raises is printed as Python does and is in the Outcome.

    Raises KeyboardInterrupt alone.
    """
    run, caught = InlineRun(bound, local, lend), _Caught()
    started = time.time()
    value = None
    with run.as_process() as pid:
        try:
            value = run.body()
        except KeyboardInterrupt:
            raise
        except SystemExit as exit_:
            caught.exit(exit_)
            value = run.given.capture.value
        except BaseException as error:
            caught.error(error)
        if os.getpid() != pid:
            raise SystemExit(caught.status)
        outputs = run.outputs()
    outcome = caught.outcome(value, outputs, started)
    run.release(value, outputs)
    return outcome


class _Caught:
    """How a script ended."""

    def __init__(self) -> None:
        self.status = 0
        self.run_error: RunError | None = None

    def exit(self, raised: SystemExit) -> None:
        """By ``sys.exit``: what is neither None nor a number is printed, and the status is 1."""
        code = raised.code
        if isinstance(code, int) or code is None:
            self.status = as_status(code or 0)
            return
        self.status = 1
        sys.stdout.flush()
        print(code, file=sys.stderr)

    def error(self, raised: BaseException) -> None:
        """By an exception: the script's own hook shows it, as at the end of a process."""
        self.status = 1
        trace = trimmed(raised.__traceback__)
        raised.__traceback__ = trace
        self.run_error = RunError.of(raised, trace)
        sys.stdout.flush()
        try:
            call_hook(sys.excepthook, raised, trace)
        except SystemExit as exit_:
            self.exit(exit_)
        # Its frames hold all that the script has made.
        traceback.clear_frames(trace)
        raised.__traceback__ = None

    def outcome(self, value: object, outputs: dict[str, object], started: float) -> Outcome:
        status = "failed" if self.status or self.run_error else "succeeded"
        return Outcome(status, value, outputs, self.run_error, self.status, started, time.time())


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def _is_plain(value: object, depth: int = 4) -> bool:
    """Whether *value* can hold nothing of the script's namespace."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if not depth or kind not in (list, tuple, dict, set, frozenset):
        return False
    inner: Callable[[object], bool] = lambda one: _is_plain(one, depth - 1)  # noqa: E731
    if isinstance(value, dict):
        return all(map(inner, value)) and all(map(inner, value.values()))
    return all(map(inner, value))  # type: ignore[call-overload]
