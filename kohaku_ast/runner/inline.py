"""Runs a script inside this process, which is afterwards as it was before.

Otherwise the second run of a sweep would go on with the model that the first one has left behind.
What the script raises goes to the caller through frames that are hidden: a notebook shows the cell,
and the script's own frames below it.
"""

from __future__ import annotations

import copy
import copyreg
import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

from kohaku_ast.config.library_state import closing_figures
from kohaku_ast.frames import contextmanager, hidden, put_traceback, trimmed
from kohaku_ast.runner.bind import Bound
from kohaku_ast.runner.empty_stack import call_hook, set_last
from kohaku_ast.runner.local_modules import LocalModules
from kohaku_ast.runner.main_module import new_main, outputs_of, warn_compiler
from kohaku_ast.runner.outcome import Clock, Outcome, RunError
from kohaku_ast.runner.process_exit import (
    UNFLUSHED,
    Lend,
    as_status,
    die_of,
    ending,
    lend_nothing,
)
from kohaku_ast.runner.process_state import (
    ProcessState,
    ending_streams,
    flush,
    standard_streams,
)
from kohaku_ast.runner.transport import is_marshallable
from kohaku_ast.runner.usage import Usage, UsageSince
from kohaku_ast.transform.program.bound_program import (
    BoundProgram,
    Pickled,
    Prepared,
    is_plain,
)


class InlineRun:
    """One run of a Script in this process."""

    def __init__(
        self, bound: Bound, local: LocalModules | None = None, lend: Lend = lend_nothing
    ) -> None:
        """*local* may serve many runs of one script."""
        self.bound, self.lend = bound, lend
        self.given = bound.prepared.given
        self.main: ModuleType = new_main(bound.launch)
        for _, _, one in bound.prepared.every():
            one.findings.prints = False  # it is raised
        #: What the script has left as a standard stream and what cannot be flushed.
        self.unflushed: list[object] = []
        self.state = ProcessState(self.main, bound.launch, bound.prepared, bound.argv, local)

    @hidden
    def whole(self) -> object:
        """Run it from its first line to its exit functions; what the starting call returns."""
        with self.as_process():
            return self.body()

    @contextmanager
    def as_process(self) -> Iterator[int]:
        """Inside, the process is the script's; the block gets its number. At the end the script's
        exit functions run and its threads end, and a child that the script has forked exits.
        """
        path0 = self.bound.launch.path0
        with (
            only_this_process() as pid,
            self.state.inside(),
            ending_streams() as self.unflushed,
            closing_figures(),
            ending(path0, self.lend),
        ):
            yield pid

    @hidden
    def body(self) -> object:
        """What runs inside ``as_process``."""
        namespace, codes, last = self._new_namespace(), self.bound.codes(), self.bound.last()

        @hidden
        def run() -> object:
            try:
                self.bound.launch.execute(codes, namespace)
                return last(namespace) if last else self.given.capture.value
            except BaseException as error:
                self.bound.prepared.note_end(error)
                if not isinstance(error, SystemExit):
                    set_last(error, trimmed(error.__traceback__))
                raise
            finally:
                self._raise_stop()

        return self.lend(run)

    @hidden
    def module(self) -> None:
        """Run the module without its guards."""
        with self.state.inside():
            namespace = self._new_namespace()
            try:
                for code in self.given.codes("module"):
                    exec(code, namespace)
            finally:
                self._raise_stop()

    def _new_namespace(self) -> dict[str, object]:
        """The namespace in which the script starts."""
        warn_compiler(self.bound.program)
        return self.main.__dict__

    @hidden
    def guard(self) -> object:
        """Run the guards, or the entrypoint; what the call in it returns."""
        last = self.bound.last()
        with self.state.inside():
            try:
                if last:
                    return last(self.main.__dict__)
                for code in self.given.codes("guard"):
                    exec(code, self.main.__dict__)
            finally:
                self._raise_stop()
        return self.given.capture.value

    def _raise_stop(self) -> None:
        """Raise the error of an override that has ended the run, whatever the script made of it."""
        error = self.bound.prepared.stopped
        if error is not None:
            raise error from None

    def outputs(self) -> dict[str, object]:
        """The globals that the Config names in ``outputs``, without those that do not exist."""
        wanted = self.bound.wanted_outputs()
        return outputs_of(self.bound.prepared, wanted, self.main.__dict__)

    def release(self, value: object, outputs: dict[str, object]) -> None:
        """Free the script's globals, unless its value or outputs may refer to them."""
        if is_marshallable(value) and is_marshallable(outputs):
            # A function and its globals refer to each other: without this a run's data stay in
            # memory, on a GPU too, until the garbage collector runs.
            _free(self.main.__dict__)


def _free(namespace: dict[str, object]) -> None:
    """Empty *namespace*: first the script's objects, whose ``__del__`` finds modules, functions and
    plain values as at the end of a process, also if they are in a cycle. Nothing is emptied under a
    daemon thread of the script.
    """
    if any(_runs_in(namespace, one) for one in threading.enumerate()):
        return
    has_destructors = any(
        isinstance(one, type) and "__del__" in vars(one) for one in namespace.values()
    )
    for name in [name for name, one in namespace.items() if _is_own(one)]:
        namespace.pop(name, None)
    if has_destructors:
        gc.collect()
    namespace.clear()


def _runs_in(namespace: dict[str, object], thread: threading.Thread) -> bool:
    call = getattr(thread, "_target", None) or thread.run
    return getattr(call, "__globals__", None) is namespace


def run_inline(
    bound: Bound, local: LocalModules | None = None, lend: Lend = lend_nothing
) -> Outcome:
    """Run *bound* here. What the script raises is printed as Python prints it, and the Outcome
    has it. Only KeyboardInterrupt is raised.
    """
    run, caught = InlineRun(bound, local, lend), _Caught()
    clock, counted = Clock(), UsageSince()
    value = None
    with run.as_process() as pid:
        try:
            value = run.body()
        except KeyboardInterrupt as interrupt:
            if os.getpid() != pid:
                raise
            caught.interrupt(interrupt)
        except SystemExit as exit_:
            caught.exit(exit_)
            value = run.given.capture.value
        except BaseException as error:
            if error is bound.prepared.stopped:
                caught.stop(error)
            else:
                caught.error(error)
        if os.getpid() != pid:
            raise SystemExit(caught.status)
        outputs, usage = run.outputs(), counted.usage()
    if caught.is_interrupted:
        raise KeyboardInterrupt
    if run.unflushed:
        caught.status = UNFLUSHED
    outcome = caught.outcome(value, outputs, clock, usage)
    run.release(value, outputs)
    return outcome


class _Caught:
    """How a script ended."""

    def __init__(self) -> None:
        self.status = 0
        self.run_error: RunError | None = None
        self.is_interrupted = False

    def exit(self, raised: SystemExit) -> None:
        """By ``sys.exit``."""
        self.status = _exit_status(raised)

    def error(self, raised: BaseException) -> None:
        """By an exception: the script's own hook shows it, as at the end of a process."""
        self.status = 1
        self.run_error = RunError.of(raised, trimmed(raised.__traceback__))
        self._print(raised)

    def interrupt(self, raised: KeyboardInterrupt) -> None:
        """By Ctrl-C, shown before the exit functions are called. The script may not have begun."""
        self.is_interrupted = True
        if trimmed(raised.__traceback__) is not None:
            self._print(raised)

    def _print(self, raised: BaseException) -> None:
        trace = trimmed(raised.__traceback__)
        put_traceback(raised, trace)
        _flush()
        try:
            call_hook(sys.excepthook, raised, trace)
        except SystemExit as exit_:
            self.exit(exit_)
            self.is_interrupted = False
        # Its frames hold all that the script has made.
        traceback.clear_frames(trace)
        put_traceback(raised, None)

    def stop(self, error: BaseException) -> None:
        """By an override that the script has no place for."""
        self.status = 2
        self.run_error = RunError.of(error, None)
        _flush()
        print(f"kogine: error: {error}", file=sys.stderr)

    def outcome(
        self, value: object, outputs: dict[str, object], clock: Clock, usage: Usage
    ) -> Outcome:
        status = "failed" if self.status or self.run_error else "succeeded"
        times = clock.started, clock.now()
        return Outcome(status, value, outputs, self.run_error, self.status, *times, usage=usage)


_SHARED = (FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, Pickled)
"""Classes whose values runs share: a script calls them and does not change them. A method may be
meant to change its own object.
"""


def with_own_values(bound: Bound, warn: Callable[[str], None]) -> Bound:
    """*bound* with copies of its values; *warn* gets a message about each that cannot be copied."""
    if not any(map(_is_own, _values(bound))):
        return bound
    copies = _Copies(warn)
    given = BoundProgram(bound.program, copies.of(bound.prepared.given.sent))
    modules = {
        name: (file, BoundProgram(one.program, copies.of(one.sent), one.is_pure))
        for name, (file, one) in bound.prepared.modules.items()
    }
    prepared = Prepared(given, modules, bound.prepared.later)
    return Bound(
        bound.launch, bound.config, prepared, bound.names, bound.argv[1:],
        lambda values: copies.of(bound.for_script(values)),
    )  # fmt: skip


def _values(bound: Bound) -> Iterator[object]:
    for _, _, given in bound.prepared.every():
        yield from given.sent.values()
    if bound.config is not None:
        yield from bound.config.args
        yield from bound.config.kwargs.values()


def _is_own(value: object) -> bool:
    """Whether a run may change *value*; each run gets copies of what literals make anyway."""
    return not isinstance(value, _SHARED) and not is_plain(value)


class _Copies:
    """The copies for one run: an object that two values share is copied once."""

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
    """Inside, a value that contains a module can be copied: its copy has the same module."""
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
def only_this_process() -> Iterator[int]:
    """Only this process leaves the block, which gets its number: a child that the script has
    forked ends there. It would go on with the next run, or with the caller's program.
    """
    pid, status = os.getpid(), 0
    try:
        yield pid
    except BaseException as error:
        if os.getpid() == pid:
            raise
        status = _print_end(error)
    if os.getpid() != pid:
        _flush()
        os._exit(status)


def _exit_status(raised: SystemExit) -> int:
    """The exit status; a code that is neither None nor a number is printed, as Python does."""
    code = raised.code
    if isinstance(code, int) or code is None:
        return as_status(code or 0)
    _flush()
    try:
        print(code, file=sys.stderr)
    except (OSError, ValueError, AttributeError):
        pass  # it is closed, or deleted
    return 1


def _print_end(error: BaseException) -> int:
    """Print *error* as at the end of a process; the exit status."""
    if isinstance(error, SystemExit):
        return _exit_status(error)
    put_traceback(error, trimmed(error.__traceback__))
    call_hook(sys.excepthook, error, error.__traceback__)
    if isinstance(error, KeyboardInterrupt):
        _flush()
        die_of(signal.SIGINT)
    return 1


def _flush() -> None:
    for stream in standard_streams():
        flush(stream)
