"""The warm server: a fresh interpreter that imports a script's libraries once and then forks.

Only C modules and our own are imported here: whatever this process has loaded, each run has.

At its end an interpreter empties every module. In a forked process that copies most of the memory
which it has in common with the server: 40 ms with pandas. So the libraries stay as they are,
while all that belongs to the script ends as always: its exit functions, threads, objects.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives
import atexit
import builtins
import gc
import marshal
import os
import select
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]
from _socket import socket
from io import TextIOWrapper
from itertools import takewhile

from kohaku_ast.frames import hidden
from kohaku_ast.runner import STARTED_WITH
from kohaku_ast.runner.child import INTERPRETER, unseen
from kohaku_ast.runner.empty_stack import is_command, leave_for
from kohaku_ast.runner.job import launch_of
from kohaku_ast.runner.main_module import EndWarning, hidden_by, new_main
from kohaku_ast.runner.transport import ENDED, FAILED, READY, asked, send
from kohaku_ast.runner.warm_child import Adoption, start_child
from kohaku_ast.sigint import calmly, own_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from kohaku_ast.runner.launch import Launch


def main(frame: FrameType) -> None:
    """Serve until the other side is gone; in each forked child, run its script."""
    own_process()
    os.setpgid(0, 0)  # Ctrl-C is for runs
    sock, job = socket(fileno=int(sys.argv[3])), int(sys.argv[4])
    parts, imports = marshal.loads(os.pread(job, os.fstat(job).st_size, 0))
    # Before the libraries register theirs: these are to come last.
    end, warning = WarmEnd(), EndWarning()
    started_with, ours = dict(os.environ), set(sys.modules) - STARTED_WITH
    loaded = preload(launch_of(parts), imports[: int(sys.argv[5])], [sock.fileno(), job])
    os.close(job)
    end.keep_loaded(ours)
    server = _Server(sock)
    send(sock, READY, loaded.threads)
    asked_for = server.serve()
    if asked_for is None:
        end.expect(0)
        sys.exit(0)
    start = start_child(*asked_for, Adoption(sock, end, warning, started_with, loaded.printed))
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


class _Server:
    """Forks what it is asked for, and says how each run ended."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        #: Process -> the number of its run.
        self.runs: dict[int, int] = {}
        # The libraries are not looked at by the garbage collector of each run, which would have
        # to copy the memory that they share with us.
        gc.collect()
        gc.freeze()
        self._handler = _signal.getsignal(_signal.SIGCHLD)
        self._ended, self._wake = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(self._wake, False)
        self._wake_before = _signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> tuple[int, list[int]] | None:
        """Comes back in a child, with what it is asked to do, and in the server at the end."""
        while True:
            ready, _, _ = select.select([self.sock, self._ended], [], [])  # type: ignore[type-var]
            if self._ended in ready:
                self._reap()
            if self.sock in ready:
                request = asked(self.sock)
                if request is None or self._is_child(*request):
                    return request

    def _is_child(self, number: int, descriptors: list[int]) -> bool:
        """Fork; whether this is the child."""
        try:
            pid = _fork()
        except OSError as error:
            send(self.sock, FAILED, number, f"{error.strerror} (fork)")
            pid = -1
        if pid == 0:
            self._leave()
            return True
        for one in descriptors:
            if one >= 0:
                os.close(one)
        if pid > 0:
            self.runs[pid] = number
        return False

    def _reap(self) -> None:
        os.read(self._ended, 4096)
        for pid, number in list(self.runs.items()):
            # Not -1: a library may wait for a process of its own.
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.runs[pid]
                send(self.sock, ENDED, number, pid, os.waitstatus_to_exitcode(status))

    def _leave(self) -> None:
        """In the child: be no server any more."""
        _signal.set_wakeup_fd(self._wake_before)
        _signal.signal(_signal.SIGCHLD, self._handler)
        os.close(self._ended)
        os.close(self._wake)


def _fork() -> int:
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        # Python warns if there are threads; those of BLAS libraries see to it themselves.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


_ARGUMENTS = tuple(sys.argv)


class Preloaded:
    """What came of it."""

    __slots__ = ("printed", "threads")

    def __init__(self, printed: tuple[bytes, bytes], threads: list[str]) -> None:
        #: What the libraries wrote to stdout and stderr: each run says it again.
        self.printed = printed
        #: The imports that started threads, which no forked process has.
        self.threads = threads


def preload(
    launch: Launch, imports: Sequence[tuple[str, str, int]], descriptors: Sequence[int]
) -> Preloaded:
    """Do *imports* as the script *launch* does, but nothing from beside it.

    If one of them fails, or if the script has modules that hide those of a library, this starts
    again in a new interpreter without it and what follows: nothing is left half done.
    *descriptors* stay open then.
    """
    before, threads = set(sys.modules), list[str]()
    _pose_as(launch)
    for number, one in enumerate(imports):
        running = _threads()
        if not _import(launch.filename, *one):
            _start_again(number, descriptors)
        if _threads() > running:
            threads.append(one[0])
    if hidden_by(launch.path0, set(sys.modules) - before):
        _start_again(0, descriptors)
    if not _is_safe_path():
        sys.path.insert(0, "")  # where the script's folder comes to stand
    return Preloaded(_printed(), threads)


def _is_safe_path() -> bool:
    return bool(getattr(sys.flags, "safe_path", sys.flags.isolated))


def _pose_as(launch: Launch) -> None:
    """Libraries look at these when they are imported."""
    sys.argv = launch.argv[:1]
    sys.modules["__main__"] = new_main(launch)
    if not _is_safe_path():
        del sys.path[0]  # our own folder


def _import(filename: str, module: str, name: str, line: int) -> bool:
    """Whether all is well: done, or there is no such module. A warning says the script's line."""
    statement = f"from {module} import {name}" if name else f"import {module}"
    code = compile("\n" * (line - 1) + statement, filename, "exec", dont_inherit=True)
    try:
        exec(code, {"__name__": "__main__"})
    except ModuleNotFoundError as error:
        return error.name == module.partition(".")[0]
    except BaseException:  # the script will see it itself
        return False
    return True


def _threads() -> int:
    threading = sys.modules.get("threading")
    return threading.active_count() if threading else 1


def _start_again(most: int, descriptors: Sequence[int]) -> None:
    for number in descriptors:
        os.set_inheritable(number, True)
    for number in (1, 2):
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
    command = [*INTERPRETER, *_ARGUMENTS[:5], str(most), *_ARGUMENTS[6:]]
    os.execv(sys.executable, command)


def _printed() -> tuple[bytes, bytes]:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass  # a library has closed it
    _flush_c()
    out, err = (os.pread(number, os.fstat(number).st_size, 0) for number in (1, 2))
    return out, err


def _flush_c() -> None:
    """What C code has written is still in a buffer, which each run would write again."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        flush = _ctypes.dlsym(_ctypes.dlopen(None, 0), "fflush")  # type: ignore[arg-type]
        _ctypes.call_function(flush, (0,))
    except (ImportError, AttributeError, OSError):
        pass


class WarmEnd:
    """Told what is shared and, last, how the process ends."""

    def __init__(self) -> None:
        """Its exit function is registered now: the first one is the last to be called."""
        self._kept: list[object] = []
        self._modules: dict[str, object] = {}
        self._ours: set[str] = set()
        self._latest = ""
        self._status: int | None = None
        atexit.register(self._prepare)

    def keep_loaded(self, ours: set[str]) -> None:
        """All that is loaded now stays as it is. To be followed by ``gc.freeze``.

        *ours*: the names of those that are loaded for our sake.
        """
        self._modules = {
            name: module
            for name, module in sys.modules.items()
            if name not in ("sys", "builtins", "__main__")
        }
        self._ours, self._latest = ours, next(reversed(self._modules), "")
        # Frozen, a list in itself is never freed, and neither is what it holds.
        self._kept[:] = [self._kept, self._modules, *self._modules.values()]

    def added(self) -> list[str]:
        """The modules that are new in this process, last one first."""
        return list(takewhile(self._latest.__ne__, reversed(sys.modules)))

    def loaded(self) -> list[str]:
        """The modules that nobody has looked for beside the script."""
        # Looking at them all would copy much of the memory that they share with the server.
        return [*self._ours, *self.added()]

    @hidden
    def expect(self, status: object) -> None:
        """The process is about to end with *status*, as ``sys.exit`` takes it."""
        if status is None:
            self._status = 0
        elif isinstance(status, int) and 0 <= status < 256:
            self._status = int(status)

    @hidden
    def _prepare(self) -> None:
        if self._modules and not sys.flags.verbose:
            calmly(unseen, self._plan)

    @hidden
    def _plan(self) -> None:
        # What the interpreter forgets first when it begins to empty modules.
        sys.ps1 = _Begin(self._left(), self._last())

    def _left(self) -> list[str]:
        return ["sys", "builtins", "__main__", *reversed(self.added())]

    def _last(self) -> _Last | None:
        is_usual = self._status is not None and not self._loads_others() and _flushed()
        return _Last(self._status or 0) if is_usual else None

    def _loads_others(self) -> bool:
        """Whether there are C modules, not Python's own, that may wait for the real end."""
        return any(_is_foreign(name) for name in self.added())


def _is_foreign(name: str) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    is_c = not file.endswith((".py", ".pyc")) and bool(file)
    return is_c and name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__"


def _flushed() -> bool:
    """Whether all that was printed could be written; if not, Python ends with 120 by itself."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if type(stream) is not TextIOWrapper:
                return False
            if not stream.closed:
                stream.flush()
    except (OSError, ValueError, AttributeError):
        return False
    return True


class _Begin:
    """Freed when the interpreter begins to empty modules: it finds those of libraries no more."""

    def __init__(self, left: list[str], last: _Last | None) -> None:
        """*left*: the modules that it does find."""
        self.left, self.last = left, last

    @hidden
    def __del__(self) -> None:
        unseen(self._begin)

    @hidden
    def _begin(self) -> None:
        # In place: these are the interpreter's, which goes through what it finds here.
        modules = {name: sys.modules[name] for name in self.left if name in sys.modules}
        sys.modules.clear()
        sys.modules.update(modules)
        if self.last is not None:
            vars(builtins)["kogine"] = self.last  # emptied after all others, in this order


def _c_exit() -> Callable[[tuple[int]], object]:
    """The ``exit`` of C: what C code has printed is written, its libraries close their files."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "exit")  # type: ignore[arg-type]
    except (ImportError, AttributeError, OSError):
        return lambda statuses: os._exit(*statuses)
    leave: Callable[[tuple[int]], object] = partial(_ctypes.call_function, function)
    return leave


class _Last:
    """Freed when every module is empty: nothing that the script could see is left to do."""

    def __init__(self, status: int) -> None:
        self.status = status
        #: Libraries may hold them too: they would not be freed, and so not write what they have.
        self.streams = sys.stdout, sys.stderr

    @hidden
    def __del__(self, act: Callable[[Callable[[], None]], None] = unseen) -> None:
        act(self._finish)

    @hidden
    def _finish(
        self,
        # Bound here: modules, and so their names, are empty by then.
        collect: Callable[[], int] = gc.collect,
        refused: tuple[type[Exception], ...] = (OSError, ValueError),
        leave: Callable[[tuple[int]], object] = _c_exit(),  # noqa: B008
    ) -> None:
        collect()
        for stream in self.streams:
            try:
                stream.flush()
            except refused:
                pass
        leave((self.status,))
