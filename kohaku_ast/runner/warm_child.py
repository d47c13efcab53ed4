"""A process that a warm server has forked: it becomes what a fresh interpreter would be.

At its end an interpreter empties every module. In a forked process that copies most of the memory
that it shares with the server: 40 ms with pandas. So the libraries stay as they are, while all that
belongs to the script ends as always: its exit functions, threads, objects.
"""

from __future__ import annotations

import atexit
import builtins
import gc
import marshal
import os
import sys

# functools loads ten modules.
from _functools import partial  # type: ignore[import-not-found]
from io import DEFAULT_BUFFER_SIZE, FileIO, TextIOWrapper
from itertools import takewhile

from kohaku_ast.frames import hidden, keep_builtins, unseen
from kohaku_ast.runner.child import or_report, start_of, writer
from kohaku_ast.runner.job import unpack
from kohaku_ast.runner.transport import STARTED, send
from kohaku_ast.sigint import call_blocked

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from kohaku_ast.runner.job import Job
    from kohaku_ast.runner.main_module import EndWarning


class Adoption:
    """What a child gets from its server."""

    __slots__ = ("end", "environment", "printed", "sock", "warning")

    def __init__(
        self,
        sock: socket,
        end: WarmEnd,
        warning: EndWarning,
        environment: Mapping[str, str],
        printed: tuple[bytes, bytes],
    ) -> None:
        self.sock = sock
        #: Is to know how the run ends.
        self.end = end
        #: Registered with atexit already; the run's overrides are still unknown to it.
        self.warning = warning
        #: The environment before anything was imported.
        self.environment = environment
        #: What the libraries wrote when they were imported.
        self.printed = printed


def start_child(number: int, descriptors: list[int], server: Adoption) -> Callable[[], int]:
    """What runs the script, after the process has become like a fresh one."""
    source, result, *streams = descriptors
    data, cwd, environment, group = _read(source)
    _join(group)
    send(server.sock, STARTED, number, os.getpid())
    server.sock.close()
    leave = writer(result)

    def become_fresh() -> Job:
        _connect(streams)
        _enter(cwd, environment, server.environment)
        renew_inherited()
        renew_streams()
        _repeat(server.printed)
        return unpack(data)

    job = or_report(become_fresh, leave)
    server.warning.watch(job.prepared)
    return _foreseen(start_of(job, leave, server.end.loaded), server.end)


def _foreseen(start: Callable[[], int], end: WarmEnd) -> Callable[[], int]:
    """*start*; it also gives its status to *end*. Errors are for the interpreter."""

    @hidden
    def foreseen() -> int:
        try:
            status = start()
        except SystemExit as left:
            if type(left) is SystemExit:  # a subclass of the script's may compute its code
                end.expect(left.code)
            raise
        end.expect(status)
        return status

    return foreseen


def _read(source: int) -> tuple[bytes, str, Mapping[str, str], int]:
    with open(source, "rb", 0) as file:
        read: tuple[bytes, str, Mapping[str, str], int] = marshal.loads(file.read())
    return read


def _join(group: int) -> None:
    """Join the process *group*; start a session for 0."""
    if group:
        os.setpgid(0, group)
    else:
        os.setsid()


def _connect(streams: list[int]) -> None:
    """Let *streams* be stdin, stdout and stderr."""
    for place, number in enumerate(streams):
        if number < 0:
            os.close(place)
            continue
        os.dup2(number, place)
        os.close(number)


def _enter(cwd: str, wanted: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Change folder and environment to those of the run; what a library has set stays."""
    if cwd:
        try:
            os.chdir(cwd)
        except OSError:  # another run has removed it
            from kohaku_ast.config.config_process import write_folder

            write_folder(cwd)
    for name in before.keys() - wanted.keys():
        os.environ.pop(name, None)
    for name, text in wanted.items():
        if before.get(name) != text:
            os.environ[name] = text


def _repeat(printed: tuple[bytes, bytes]) -> None:
    for number, text in zip((1, 2), printed):
        try:
            while text:
                text = text[os.write(number, text) :]
        except OSError:
            pass  # as for a library that prints to a closed stream


def renew_inherited() -> None:
    """Renew what each loaded library did at its import and must differ from run to run.

    ``random`` renews its seed itself.
    """
    for name, renew in _RENEW.items():
        module = sys.modules.get(name)
        if module is not None:
            try:
                renew(module)
            except Exception:
                pass  # another version of the library: it stays as it is


def _numpy_random(module: ModuleType) -> None:
    """Seed it from the system again: otherwise all runs draw the same numbers."""
    module.seed()


def _torch_random(module: ModuleType) -> None:
    """The same for torch; generators of its devices do not exist yet."""
    module.default_generator.seed()


def _logging(module: ModuleType) -> None:
    """Let ``%(relativeCreated)d`` count from here."""
    import time

    is_ns = sys.version_info >= (3, 13)
    vars(module)["_startTime"] = time.time_ns() if is_ns else time.time()


def _processes(module: ModuleType) -> None:
    """Renew the key by which the script's own processes recognise each other."""
    config = module._main_process._config if hasattr(module, "_main_process") else None
    config = config or module.current_process()._config
    config["authkey"] = module.AuthenticationString(os.urandom(32))


_RENEW = {
    "numpy.random": _numpy_random,
    "torch": _torch_random,
    "logging": _logging,
    "multiprocessing.process": _processes,
}


def renew_streams() -> None:
    """Renew stdin, stdout and stderr as at an interpreter's start; the objects stay the same, since
    libraries may refer to them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, f"__{name}__")
        if not _is_open(number):
            setattr(sys, f"__{name}__", None)
            if getattr(sys, name) is stream:
                setattr(sys, name, None)
        elif isinstance(stream, TextIOWrapper):
            _renew(stream, number)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _renew(stream: TextIOWrapper, number: int) -> None:
    """Initialise *stream* as ``create_stdio`` of CPython does."""
    buffer = stream.buffer
    encoding, errors, name = stream.encoding, stream.errors, stream.name
    is_buffered = hasattr(buffer, "raw")
    # A new one: FileIO remembers whether its file can seek.
    raw = FileIO(number, "wb" if number else "rb", closefd=False)
    raw.name = name
    if is_buffered:
        size = os.fstat(number).st_blksize
        buffer.__init__(raw, size if size > 1 else DEFAULT_BUFFER_SIZE)  # type: ignore[misc]
    lines = is_buffered and (raw.isatty() or number == 2)
    through = not is_buffered
    inner = buffer if is_buffered else raw
    stream.__init__(inner, encoding, errors, "\n", lines, through)  # type: ignore[misc]


class WarmEnd:
    """The end of a forked process: knows what it shares with the server and how it exits."""

    def __init__(self) -> None:
        """Registers its exit function now: the first one is called last."""
        self._kept: list[object] = []
        self._modules: dict[str, object] = {}
        self._ours: set[str] = set()
        self._latest = ""
        self._status: int | None = None
        atexit.register(self._prepare)

    def keep_loaded(self, ours: set[str]) -> None:
        """Keep all modules that are loaded now as they are. To be followed by ``gc.freeze``.

        *ours*: the names of those that only we need.
        """
        self._modules = {
            name: module
            for name, module in sys.modules.items()
            if name not in ("sys", "builtins", "__main__")
        }
        self._ours, self._latest = ours, next(reversed(self._modules), "")
        # A frozen list that contains itself is never freed, and neither is its content.
        self._kept[:] = [self._kept, self._modules, *self._modules.values()]

    def added(self) -> list[str]:
        """The modules that are new in this process, the last one first."""
        return list(takewhile(self._latest.__ne__, reversed(sys.modules)))

    def loaded(self) -> list[str]:
        """The modules for which nobody has looked for a file beside the script."""
        # Looking at all modules would copy much of the memory that they share with the server.
        return [*self._ours, *self.added()]

    @hidden
    def expect(self, status: object) -> None:
        """Note that the process is about to end with *status*, as ``sys.exit`` takes it."""
        if status is None:
            self._status = 0
        elif isinstance(status, int) and 0 <= status < 256:
            self._status = int(status)

    @hidden
    def _prepare(self) -> None:
        if self._modules and not sys.flags.verbose:
            call_blocked(unseen, self._plan)

    @hidden
    def _plan(self) -> None:
        # The first object that the interpreter frees when it begins to empty modules.
        sys.ps1 = _Begin(self._left(), self._last())

    def _left(self) -> list[str]:
        return ["sys", "builtins", "__main__", *reversed(self.added())]

    def _last(self) -> _Last | None:
        is_usual = self._status is not None and not self._loads_others() and _flushed()
        return _Last(self._status or 0) if is_usual else None

    def _loads_others(self) -> bool:
        """Whether there are C modules, not Python's own, that may need the whole end."""
        return any(_is_foreign(name) for name in self.added())


def _is_foreign(name: str) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    is_c = not file.endswith((".py", ".pyc")) and bool(file)
    return is_c and name.partition(".")[0] not in sys.stdlib_module_names and name != "__main__"


def _flushed() -> bool:
    """Whether all output could be written; if not, Python itself exits with 120."""
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
    """Freed when the interpreter begins to empty modules: then it hides those of libraries."""

    def __init__(self, left: list[str], last: _Last | None) -> None:
        """*left*: the modules that the interpreter is still to empty."""
        self.left, self.last = left, last

    @hidden
    def __del__(self) -> None:
        unseen(self._begin)

    @hidden
    def _begin(self) -> None:
        # In place: this very dict is the one that the interpreter goes through.
        modules = {name: sys.modules[name] for name in self.left if name in sys.modules}
        sys.modules.clear()
        sys.modules.update(modules)
        if self.last is not None:
            vars(builtins)["kogine"] = self.last  # emptied after all others, in this order


def _c_exit() -> Callable[[tuple[int]], object]:
    """The ``exit`` of C: it flushes what C code has printed, and C libraries close their files."""
    try:
        import _ctypes  # ctypes itself would stay in memory

        function = _ctypes.dlsym(_ctypes.dlopen(None, 0), "exit")  # type: ignore[arg-type]
    except (ImportError, AttributeError, OSError):
        return lambda statuses: os._exit(*statuses)
    leave: Callable[[tuple[int]], object] = partial(_ctypes.call_function, function)
    return leave


class _Last:
    """Freed when every module is empty: then it ends the process, of which the script can see
    nothing more.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        #: Libraries may refer to them too: then they would not be freed, and so not flushed.
        self.streams = sys.stdout, sys.stderr

    @hidden
    def __del__(self, act: Callable[[Callable[[], None]], None] = unseen) -> None:
        act(self._finish)

    @hidden
    def _finish(
        self,
        # Bound here: modules are empty by then, so that no name can be found.
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
