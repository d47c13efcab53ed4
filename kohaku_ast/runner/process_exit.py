"""Does what Python does at the end of a process, for a script that ran inside this one.

Its exit functions are called, its threads and processes are waited for: nothing of one run happens
during the next.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias

from kohaku_ast.frames import contextmanager, hidden, put_part, put_traceback
from kohaku_ast.runner.empty_stack import call_hook
from kohaku_ast.runner.local_modules import is_own

Lend: TypeAlias = Callable[[Callable[[], Any]], Any]
"""Calls a function of the script and returns its result; meanwhile signals go to the script."""

_LOGGER = "kohaku_ast.helpers.metric_logger"
"""The helper that registers something for each script that uses it."""

_Function = tuple[Callable[..., object], tuple[object, ...], dict[str, object]]
"""An exit function with its arguments."""


@hidden
def lend_nothing(act: Callable[[], Any]) -> Any:
    """Call *act*; where signals go to the script all the time."""
    return act()


@contextmanager
def ending(folder: str, lend: Lend = lend_nothing) -> Iterator[None]:
    """After the block, end what a script in *folder* has started in it."""
    functions: list[_Function] = []
    threads, children, final = set(threading.enumerate()), _children(), set(finalizers())
    servers = {server.pid for server in _servers()}
    with _own_exit_functions(folder, functions):
        try:
            yield
        finally:
            lend(lambda: _end(threads, functions, final, children, servers))


def _end(
    threads: set[threading.Thread],
    functions: list[_Function],
    final: set[Any],
    children: list[Any],
    servers: set[int],
) -> None:
    """End them as the interpreter does: after a Ctrl-C in one step it goes on with the next. The
    KeyboardInterrupt is raised at the end.
    """
    interrupt = None
    steps: tuple[Callable[[], None], ...] = (
        lambda: _join_threads(threads),
        lambda: _call(functions),
        lambda: _finalize(final),
        lambda: _end_children(children),
        lambda: _end_servers(servers),
    )
    for step in steps:
        try:
            step()
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


@contextmanager
def _own_exit_functions(folder: str, functions: list[_Function]) -> Iterator[None]:
    """Inside, exit functions that the script itself registers, or the logger for it, go to
    *functions*. Libraries outlive the run: their exit functions stay with the process.
    """
    register, unregister = atexit.register, atexit.unregister

    def own_register(function: Any, *args: Any, **kwargs: Any) -> Any:
        names = sys._getframe(1).f_globals
        if not is_own(names, folder) and names.get("__name__") != _LOGGER:
            return register(function, *args, **kwargs)
        if not callable(function):
            raise TypeError("the first argument must be callable")
        functions.append((function, args, kwargs))
        return function

    def own_unregister(function: Any) -> None:
        functions[:] = [one for one in functions if one[0] != function]
        unregister(function)

    atexit.register, atexit.unregister = own_register, own_unregister  # type: ignore[assignment]
    try:
        yield
    finally:
        atexit.register, atexit.unregister = register, unregister


def _join_threads(before: set[threading.Thread]) -> None:
    """Wait for the new threads that keep a process alive, and for those that they start. Threads
    of an executor stay; only their work is waited for.
    """
    before = set(before)
    while new := [one for one in threading.enumerate() if one not in before and not one.daemon]:
        before.update(new)
        queues: dict[int, tuple[Any, list[threading.Thread]]] = {}
        for one in new:
            queue = worker_queue(one)
            if queue is None:
                shut_down(one)
                one.join()
            else:
                queues.setdefault(id(queue), (queue, []))[1].append(one)
        for queue, threads in queues.values():
            finish_queue(threads, queue)


def _call(functions: list[_Function]) -> None:
    """Call *functions*, the last one first; after an error, which is printed, the others too."""
    while functions:
        function, args, kwargs = functions.pop()
        try:
            function(*args, **kwargs)
        except SystemExit:
            pass
        except BaseException as error:
            colon = "" if sys.version_info >= (3, 13) else ":"
            sys.stderr.write(f"Exception ignored in atexit callback{colon} {function!r}")
            sys.stderr.write(":\n" if not colon else "\n")
            # CPython shows no more of it, and at its end no other exception is under way.
            put_part(error, "__cause__", None)
            put_part(error, "__context__", None)
            _show(error)


def _children() -> list[Any]:
    # The script may have a module of this name.
    active = getattr(sys.modules.get("multiprocessing"), "active_children", None)
    return active() if active else []


def _finalize(before: set[Any]) -> None:
    """Call the new finalizers, as multiprocessing does at exit, before it ends its children: a pool
    whose workers have been killed would wait for them for ever.
    """
    ended_by = sys.exc_info()[1]
    for rank, finalizer in sorted(finalizers().items(), reverse=True):
        if rank not in before:
            try:
                finalizer()
            except Exception as error:
                _show(error, ended_by)


def flush_at_exit(stream: Any) -> Exception | None:
    """Flush *stream*, unless it is closed, as the interpreter does at its end; what it raises."""
    try:
        is_closed = stream is None or bool(stream.closed)
    except Exception:  # it is detached, or of a class of the script's own
        is_closed = False
    try:
        if not is_closed:
            stream.flush()
    except Exception as error:
        return error
    return None


UNFLUSHED = 120
"""The exit status of Python if standard output or error cannot be flushed at its end."""


def show_unflushed(stream: Any, error: BaseException) -> None:
    """Print, as Python does at its end, that *stream*, standard output, raises *error*."""
    is_new = sys.version_info >= (3, 13)
    where = "on flushing sys.stdout:" if is_new else f"in: {stream!r}"
    try:
        sys.stderr.write(f"Exception ignored {where}\n")
        _show(error)
    except Exception:  # of a stream of the script's own
        pass


def _show(error: BaseException, ended_by: BaseException | None = None) -> None:
    """Print *error* as the interpreter does at its end, without our own frame. *ended_by*, which is
    under way to the caller, is over by then, and no part of it.
    """
    trace = error.__traceback__
    put_traceback(error, trace and trace.tb_next)
    link: BaseException | None = error
    while link is not None and ended_by is not None:
        if link.__context__ is ended_by:
            put_part(link, "__context__", None)
        link = link.__context__
    call_hook(sys.__excepthook__, error, error.__traceback__)


def _end_children(before: list[Any]) -> None:
    """Terminate new daemons and wait for other children, as multiprocessing does at exit."""
    for child in _children():
        if child not in before:
            if child.daemon:
                child.terminate()
            child.join()


class _Server(NamedTuple):
    """A process that multiprocessing starts for itself, and that ends when a pipe to it closes."""

    #: What has started it, and its attributes with the pipe and the number.
    owner: Any
    pipe: str
    number: str

    @property
    def pid(self) -> int:
        """The number of the process."""
        return int(getattr(self.owner, self.number))

    def end(self) -> None:
        """Close its pipe, and wait for its end; not for long, as another process may hold it."""
        pid = self.pid
        os.close(getattr(self.owner, self.pipe))
        for name in (self.pipe, self.number):
            setattr(self.owner, name, None)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            try:
                if os.waitpid(pid, os.WNOHANG)[0]:
                    return
            except ChildProcessError:  # the script has waited for it
                return
            time.sleep(0.001)


_PATIENCE = 1.0
# Not those of loky: exit functions of joblib, which are called at the end of the process, use them.
_SERVERS = {
    # First: it has the pipe of the tracker, too.
    "multiprocessing.forkserver": ("_forkserver", "_forkserver_alive_fd", "_forkserver_pid"),
    "multiprocessing.resource_tracker": ("_resource_tracker", "_fd", "_pid"),
}


def _servers() -> list[_Server]:
    """Those that run, in the order in which they end."""
    names = ((sys.modules.get(module), names) for module, names in _SERVERS.items())
    found = (_Server(getattr(module, owner, None), *more) for module, (owner, *more) in names)
    return [one for one in found if getattr(one.owner, one.number, None) is not None]


def _end_servers(before: set[int]) -> None:
    """End the new ones: they have the run's output, whose reader waits for all who may print."""
    for one in _servers():
        if one.pid not in before:
            one.end()


class _Mark:
    """A work item at which the threads of an executor wait for each other."""

    def __init__(self) -> None:
        self.reached: list[bool] = []
        self.go = threading.Event()

    def run(self, *_: object) -> None:
        """Wait for the other threads; called by a thread of an executor."""
        self.reached.append(True)
        self.go.wait()


def worker_queue(thread: threading.Thread) -> Any:
    """The work queue of *thread* if it belongs to a ThreadPoolExecutor; else None."""
    module = sys.modules.get("concurrent.futures.thread")
    return getattr(module, "_threads_queues", {}).get(thread)


def finish_queue(threads: list[threading.Thread], queue: Any) -> None:
    """Wait until *threads* have done all the work in their *queue*. They go on waiting for more:
    the executor may belong to a library, which the next run uses too.
    """
    while True:
        mark = _Mark()
        for _ in threads:
            queue.put(mark)
        while sum(one.is_alive() for one in threads) > len(mark.reached):
            time.sleep(0.001)
        is_done = queue.empty()  # no work runs now that could submit more
        mark.go.set()
        if is_done or not mark.reached:
            return


def shut_down(thread: threading.Thread) -> None:
    """Shut down the ProcessPoolExecutor that *thread* manages, if any: the thread waits for it."""
    executor = getattr(thread, "executor_reference", lambda: None)()
    if executor is not None:
        executor.shutdown()


def finalizers() -> dict[Any, Any]:
    """Rank -> what multiprocessing calls at exit: for pools, managers and queues."""
    util = sys.modules.get("multiprocessing.util")
    found = dict(getattr(util, "_finalizer_registry", {}))
    return {rank: one for rank, one in found.items() if rank[0] is not None and rank[0] >= 0}


def as_status(code: int) -> int:
    """The exit status of a process for *code*: one byte, and 255 for numbers too large for C."""
    if os.name != "posix":
        return int(code)
    return code & 0xFF if -(2**63) <= code < 2**63 else 255


def die_of(number: int) -> int:
    """End this process by the signal *number*; the exit status for it, if the signal is blocked."""
    try:
        signal.signal(number, signal.SIG_DFL)
    except OSError:
        pass  # SIGKILL, for which there are no handlers
    if os.name == "posix":
        os.kill(os.getpid(), number)
    else:
        signal.raise_signal(number)
    return 128 + number


def die_with_parent(parent: int, number: int = getattr(signal, "SIGKILL", 9)) -> bool:
    """Have the system kill this process when the process *parent*, or the thread of it that has
    started this one, ends; whether it can. *number* is the signal; with 0 it is not killed.
    """
    if sys.platform != "linux":
        return False
    import ctypes  # here: it takes 2 ms

    if ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(number)) != 0:
        return False
    if os.getppid() != parent:
        os._exit(1)  # it ended before
    return True


_SET_DEATH_SIGNAL = 1
"""PR_SET_PDEATHSIG."""
