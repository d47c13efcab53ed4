"""In a process that a warm server has forked: becomes what a fresh interpreter would be."""

from __future__ import annotations

import marshal
import os
import sys
from io import DEFAULT_BUFFER_SIZE, FileIO, TextIOWrapper

from kohaku_ast.frames import hidden
from kohaku_ast.runner.child import start_of, told, writer
from kohaku_ast.runner.job import unpack
from kohaku_ast.runner.transport import STARTED, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from kohaku_ast.runner.job import Job
    from kohaku_ast.runner.main_module import EndWarning
    from kohaku_ast.runner.warm_server import WarmEnd


class Adoption:
    """What a child has from its server."""

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
        #: Told how the run ends.
        self.end = end
        #: Registered already; it is to be told of what.
        self.warning = warning
        #: The environment before anything was imported.
        self.environment = environment
        #: What the libraries wrote when they were imported.
        self.printed = printed


def start_child(number: int, descriptors: list[int], server: Adoption) -> Callable[[], int]:
    """What runs the script; everything that was the server's is gone."""
    job, result, *streams = descriptors
    data, cwd, environment, group = _read(job)
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

    shipment = told(become_fresh, leave)
    server.warning.tell(shipment.prepared)
    return _foreseen(start_of(shipment, leave, server.end.loaded), server.end)


def _foreseen(start: Callable[[], int], end: WarmEnd) -> Callable[[], int]:
    """*start*, which tells *end* its status; errors are left to the interpreter."""

    @hidden
    def foreseen() -> int:
        try:
            status = start()
        except SystemExit as left:
            if type(left) is SystemExit:  # one of the script's may compute its code
                end.expect(left.code)
            raise
        end.expect(status)
        return status

    return foreseen


def _read(job: int) -> tuple[bytes, str, Mapping[str, str], int]:
    with open(job, "rb", 0) as file:
        read: tuple[bytes, str, Mapping[str, str], int] = marshal.loads(file.read())
    return read


def _join(group: int) -> None:
    """Join the process *group*, or have a session; 0 asks for one."""
    if group:
        os.setpgid(0, group)
    else:
        os.setsid()


def _connect(streams: list[int]) -> None:
    """Put *streams* where a process has its stdin, stdout and stderr."""
    for place, number in enumerate(streams):
        if number < 0:
            os.close(place)
            continue
        os.dup2(number, place)
        os.close(number)


def _enter(cwd: str, wanted: Mapping[str, str], before: Mapping[str, str]) -> None:
    """What a library has put into the environment stays in it."""
    if cwd:
        os.chdir(cwd)
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
    """As if each library that is loaded had been imported just now. (``random`` does it itself.)"""
    for name, renew in _RENEW.items():
        module = sys.modules.get(name)
        if module is not None:
            try:
                renew(module)
            except Exception:
                pass  # another version of the library: it keeps what it has


def _numpy_random(module: ModuleType) -> None:
    """Seeded from the system when it was imported: all runs would draw the same numbers."""
    module.seed()


def _logging(module: ModuleType) -> None:
    """``%(relativeCreated)d`` counts from here."""
    import time

    is_ns = sys.version_info >= (3, 13)
    vars(module)["_startTime"] = time.time_ns() if is_ns else time.time()


def _processes(module: ModuleType) -> None:
    """The key that the script's own processes know each other by."""
    config = module._main_process._config if hasattr(module, "_main_process") else None
    config = config or module.current_process()._config
    config["authkey"] = module.AuthenticationString(os.urandom(32))


_RENEW = {
    "numpy.random": _numpy_random,
    "logging": _logging,
    "multiprocessing.process": _processes,
}


def renew_streams() -> None:
    """As the interpreter makes them at its start; the objects stay those that libraries know."""
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
    """What ``create_stdio`` of CPython does."""
    buffer = stream.buffer
    encoding, errors, name = stream.encoding, stream.errors, stream.name
    is_buffered = hasattr(buffer, "raw")
    # A new one: it remembers whether its file can seek.
    raw = FileIO(number, "wb" if number else "rb", closefd=False)
    raw.name = name
    if is_buffered:
        size = os.fstat(number).st_blksize
        buffer.__init__(raw, size if size > 1 else DEFAULT_BUFFER_SIZE)  # type: ignore[misc]
    lines = is_buffered and (raw.isatty() or number == 2)
    through = not is_buffered
    inner = buffer if is_buffered else raw
    stream.__init__(inner, encoding, errors, "\n", lines, through)  # type: ignore[misc]
