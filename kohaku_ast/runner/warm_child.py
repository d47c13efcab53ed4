"""In a process that a warm server has forked: becomes what a fresh interpreter would be."""

from __future__ import annotations

import marshal
import os

from kohaku_ast.frames import hidden
from kohaku_ast.runner.inherited import renew_inherited
from kohaku_ast.runner.shipment import unpack
from kohaku_ast.runner.shipped import start_of, told, writer
from kohaku_ast.runner.standard_streams import renew_streams
from kohaku_ast.runner.warm_wire import STARTED, send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Mapping

    from kohaku_ast.runner.process import EndWarning
    from kohaku_ast.runner.shipment import Shipment
    from kohaku_ast.runner.warm_end import WarmEnd


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

    def become_fresh() -> Shipment:
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
