"""The warm server: a fresh interpreter that imports a script's libraries once and then forks.

Only C modules and our own are imported here: each run has loaded whatever this process has.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal makes enums of all it gives
import gc
import marshal
import os
import select
import sys
from _socket import socket

from kohaku_ast.runner import STARTED_WITH
from kohaku_ast.runner.child import INTERPRETER
from kohaku_ast.runner.empty_stack import is_command, leave_for
from kohaku_ast.runner.job import launch_of
from kohaku_ast.runner.loaded_modules import shadowed_by
from kohaku_ast.runner.main_module import EndWarning, new_main
from kohaku_ast.runner.transport import ENDED, FAILED, READY, receive_request, send
from kohaku_ast.runner.warm_child import Adoption, WarmEnd, start_child
from kohaku_ast.sigint import own_process
from kohaku_ast.transform import is_safe_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from kohaku_ast.runner.launch import Launch


def main(frame: FrameType) -> None:
    """Serve until the client closes the socket; in each forked child, run its script."""
    own_process()
    os.setpgid(0, 0)  # Ctrl-C is for the runs
    sock, job = socket(fileno=int(sys.argv[3])), int(sys.argv[4])
    parts, imports, is_strict = marshal.loads(os.pread(job, os.fstat(job).st_size, 0))
    # Before the libraries register their exit functions: these are to be called last.
    end, warning = WarmEnd(), EndWarning()
    started_with, ours = dict(os.environ), set(sys.modules) - STARTED_WITH
    loaded = preload(launch_of(parts), imports[: int(sys.argv[5])], [sock.fileno(), job])
    os.close(job)
    end.keep_loaded(ours)
    server = _Server(sock)
    send(sock, READY, loaded.threads)
    if is_strict and loaded.threads:
        os._exit(0)  # not as usual: that would wait for the threads
    request = server.serve()
    if request is None:
        end.expect(0)
        sys.exit(0)
    start = start_child(*request, Adoption(sock, end, warning, started_with, loaded.printed))
    if is_command(frame):
        leave_for(start)
    sys.exit(start())


class _Server:
    """Forks a child for each request, and reports how each run ended."""

    def __init__(self, sock: socket) -> None:
        self.sock = sock
        #: Process -> the number of its run.
        self.runs: dict[int, int] = {}
        # So that the garbage collector of each run does not look at the libraries: that would copy
        # the memory that they share with us.
        gc.collect()
        gc.freeze()
        self._handler = _signal.getsignal(_signal.SIGCHLD)
        self._ended, self._wake = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(self._wake, False)
        self._wake_before = _signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGCHLD, lambda number, frame: None)

    def serve(self) -> tuple[int, list[int]] | None:
        """Returns in a child, with its request, and at the end in the server, with None."""
        while True:
            ready, _, _ = select.select([self.sock, self._ended], [], [])  # type: ignore[type-var]
            if self._ended in ready:
                self._reap()
            if self.sock in ready:
                request = receive_request(self.sock)
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
            # Not -1: a library may wait for a process that it has started.
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.runs[pid]
                send(self.sock, ENDED, number, pid, os.waitstatus_to_exitcode(status))

    def _leave(self) -> None:
        """In the child: give up what belongs to the server."""
        _signal.set_wakeup_fd(self._wake_before)
        _signal.signal(_signal.SIGCHLD, self._handler)
        os.close(self._ended)
        os.close(self._wake)


def _fork() -> int:
    if sys.version_info < (3, 12):
        return os.fork()
    import warnings

    with warnings.catch_warnings():
        # Python warns if there are threads; those of BLAS libraries are prepared for a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


_ARGUMENTS = tuple(sys.argv)


class Preloaded:
    """What the imports printed, and which of them started threads."""

    __slots__ = ("printed", "threads")

    def __init__(self, printed: tuple[bytes, bytes], threads: list[str]) -> None:
        #: What the libraries wrote to stdout and stderr: each run prints it again.
        self.printed = printed
        #: The imports that started threads, which are missing in a forked process.
        self.threads = threads


def preload(
    launch: Launch, imports: Sequence[tuple[str, str, int]], descriptors: Sequence[int]
) -> Preloaded:
    """Do *imports* as the script *launch* does, but none of a module beside it.

    If one of them fails, or if the script has modules that shadow those of a library, a new
    interpreter starts again, without that import and those after it: nothing is half imported.
    *descriptors* stay open then.
    """
    before, threads = set(sys.modules), list[str]()
    _pose_as(launch)
    for number, one in enumerate(imports):
        running = _threads()
        if not _import(launch.filename, *one):
            _start_again(number, descriptors)
        if _threads() > running and _leaves_threads(running):
            threads.append(one[0])
    if shadowed_by([launch.path0], set(sys.modules) - before):
        _start_again(0, descriptors)
    if not is_safe_path():
        # Where the script's folder comes to stand. Not "": we import modules until then, and there
        # may be a `fcntl.py` in the working folder.
        sys.path.insert(0, os.devnull)
    return Preloaded(_printed(), threads)


def _pose_as(launch: Launch) -> None:
    """Set what libraries look at when they are imported."""
    sys.argv = launch.argv[:1]
    sys.modules["__main__"] = new_main(launch)
    if not is_safe_path():
        del sys.path[0]  # our own folder


def _import(filename: str, module: str, name: str, line: int) -> bool:
    """Whether the import worked, or there is no such module. A warning names the script's line."""
    statement = f"from {module} import {name}" if name else f"import {module}"
    code = compile("\n" * (line - 1) + statement, filename, "exec", dont_inherit=True)
    try:
        exec(code, {"__name__": "__main__"})
    except ModuleNotFoundError as error:
        return error.name == module.partition(".")[0]
    except BaseException:  # the script will get it itself
        return False
    return True


def _threads() -> int:
    """The number of threads, those of C libraries among them where the system lists them."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        threading = sys.modules.get("threading")
        return threading.active_count() if threading else 1


def _leaves_threads(before: int) -> bool:
    """Whether more threads than *before* are left when libraries have prepared for a fork: those
    of OpenBLAS end then, and those of OpenMP when they are told to.
    """
    pause_openmp()
    os.waitpid(_fork_quietly(), 0)
    for _ in range(_TRIES):  # a thread that has been joined is listed a moment longer
        if _threads() <= before:
            return False
        select.select([], [], [], 0.01)
    return True


def _fork_quietly() -> int:
    """The number of a child that ends at once; no library warns of the fork."""
    import warnings  # whatever starts threads has it

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid


_TRIES = 10
_PAUSE_HARD = 2
_OPENMP = ("gomp", "omp", "iomp5")


def pause_openmp() -> None:
    """End the threads of each OpenMP library that is loaded; it starts them again when it needs
    them. A pool that has worked before a fork would be waited for ever after it.
    """
    try:
        import _ctypes

        for path in _openmp_libraries():
            pause = _ctypes.dlsym(_ctypes.dlopen(path, os.RTLD_NOW), "omp_pause_resource_all")
            _ctypes.call_function(pause, (_PAUSE_HARD,))
    except (ImportError, AttributeError, OSError):
        pass  # a library that is older than OpenMP 5.0: its threads are found


def _openmp_libraries() -> list[str]:
    """The files of the OpenMP libraries in this process, where the system lists them."""
    try:
        with open("/proc/self/maps", "rb") as file:
            paths = {line.split(b" ", 5)[-1].strip() for line in file.read().splitlines()}
    except OSError:
        return []
    found = sorted(path.decode("utf-8", "surrogateescape") for path in paths if b"omp" in path)
    return [path for path in found if _is_openmp(path.rpartition("/")[2])]


def _is_openmp(name: str) -> bool:
    # `libgomp.so.1`, and `libgomp-24e2ab19.so.1.0.0` in wheels.
    stem = name.partition(".")[0].partition("-")[0]
    return stem in [f"lib{one}" for one in _OPENMP]


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
    """Flush what C code has printed: otherwise each run would write that buffer again."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        flush = _ctypes.dlsym(_ctypes.dlopen(None, 0), "fflush")  # type: ignore[arg-type]
        _ctypes.call_function(flush, (0,))
    except (ImportError, AttributeError, OSError):
        pass  # this Python or C library has none: texts may appear twice
