"""A run inside this process: everything that it borrows is given back.

Else the second run of a sweep would train on with the model that the first one has left behind.
"""

from __future__ import annotations

import copy
import copyreg
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.empty_stack import call_hook, trimmed
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.main_module import new_main, warn_compiler
from kohaku_ast.runner.outcome import Outcome, RunError
from kohaku_ast.runner.process_exit import Lend, as_status, die_of, ending, lend_nothing
from kohaku_ast.runner.process_state import Borrowed
from kohaku_ast.transform.program.bound_program import (
    BoundProgram,
    Pickled,
    Prepared,
    is_plain,
    load,
)


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


_SHARED = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, Pickled)
"""What a script calls, it does not change; a method may be there to tell its object something."""


def with_own_values(bound: Bound, warn: Callable[[str], None]) -> Bound:
    """*bound* with copies of the values; *warn* is told of those that cannot be copied."""
    if not any(map(_is_own, _values(bound))):
        return bound
    copies = _Copies(warn)
    given = BoundProgram(bound.program, copies.of(bound.prepared.given.sent))
    modules = {
        name: (file, BoundProgram(one.program, copies.of(one.sent)))
        for name, (file, one) in bound.prepared.modules.items()
    }
    return Bound(
        bound.launch, bound.config, Prepared(given, modules), bound.names, bound.argv[1:],
        lambda values: copies.of(bound.anew(values)),
    )  # fmt: skip


def _values(bound: Bound) -> Iterator[object]:
    for _, _, given in bound.prepared.every():
        yield from given.sent.values()
    yield from bound.names.values()
    if bound.config is not None:
        yield from bound.config.args
        yield from bound.config.kwargs.values()


def _is_own(value: object) -> bool:
    """Whether a run may change *value*; of displays it gets copies anyway."""
    return not isinstance(value, _SHARED) and not is_plain(value)


class _Copies:
    """For one run: what is one object in two values stays one."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._memo: dict[int, object] = {}

    def of(self, values: Mapping[str, object]) -> dict[str, object]:
        with _modules_shared():
            return {
                name: self._copy(name, value) if _is_own(value) else value
                for name, value in values.items()
            }

    def _copy(self, name: str, value: object) -> object:
        try:
            return copy.deepcopy(value, self._memo)
        except Exception as error:  # whatever its class raises
            self._warn(
                f"the value of {name!r} cannot be copied ({type(error).__name__}: {error}): "
                "all runs in this process share it, with what they do to it"
            )
            return value


@contextmanager
def _modules_shared() -> Iterator[None]:
    """Inside, a module in a value is no reason not to copy it: copies name the same one."""
    before = copyreg.dispatch_table.get(ModuleType)
    copyreg.pickle(ModuleType, lambda module: module.__name__)
    try:
        yield
    finally:
        if before is None:
            del copyreg.dispatch_table[ModuleType]
        else:
            copyreg.dispatch_table[ModuleType] = before


@contextmanager
def parent_alone() -> Iterator[int]:
    """Nobody but this process, whose number is given, comes out of the block. A child would go
    on with the next run, or with the caller's program, as a second one of us.
    """
    pid, status = os.getpid(), 0
    try:
        yield pid
    except BaseException as error:
        if os.getpid() == pid:
            raise
        status = _shown(error)
    if os.getpid() != pid:
        _flush()
        os._exit(status)


def _shown(error: BaseException) -> int:
    """The exit status for *error*, which is printed as at the end of a process."""
    if isinstance(error, SystemExit):
        if isinstance(error.code, int) or error.code is None:
            return as_status(error.code or 0)
        print(error.code, file=sys.stderr)
        return 1
    error.__traceback__ = trimmed(error.__traceback__)
    call_hook(sys.excepthook, error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        _flush()
        die_of(signal.SIGINT)
    return 1


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # as for every process that ends with a closed stream
