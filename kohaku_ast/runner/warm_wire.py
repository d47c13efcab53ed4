"""What a warm server and who asks it say to each other over a socket."""

from __future__ import annotations

import marshal

# The socket module loads selectors and enum, which a script then finds in memory.
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from sys import byteorder

READY = "ready"
"""From the server: everything is imported. With the libraries that forking may not suit."""
STARTED = "started"
"""From a run: its number, its process."""
ENDED = "ended"
"""From the server: a run's number, its process, its exit status or minus the signal."""
FAILED = "failed"
"""From the server: a run's number, and why there is no process."""

_SIZE = 4


def send(sock: socket, *message: object) -> None:
    """In one piece: runs send on the server's socket too."""
    data = marshal.dumps(message)  # type: ignore[arg-type]
    sock.sendall(len(data).to_bytes(_SIZE, byteorder) + data)


def receive(sock: socket) -> tuple[str, ...] | None:
    """The next message; None at the end."""
    size = _exactly(sock, _SIZE)
    data = size and _exactly(sock, int.from_bytes(size, byteorder))
    return marshal.loads(data) if data else None


def _exactly(sock: socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            return b""
        data += more
    return data


def ask(sock: socket, number: int, descriptors: list[int]) -> None:
    """Ask for run *number*, with its *descriptors*; -1 stands for a closed one."""
    there = [one for one in descriptors if one >= 0]
    mask = sum(1 << place for place, one in enumerate(descriptors) if one >= 0)
    data = number.to_bytes(_SIZE, byteorder) + mask.to_bytes(_SIZE, byteorder)
    rights = b"".join(one.to_bytes(_INT, byteorder) for one in there)
    sock.sendmsg([data], [(SOL_SOCKET, SCM_RIGHTS, rights)])


_INT = 4  # bytes of a C int, which descriptors are sent as
_MOST = 8  # descriptors in a message


def asked(sock: socket) -> tuple[int, list[int]] | None:
    """What ``ask`` was given, on the other side; None at the end."""
    data, rights, _, _ = sock.recvmsg(2 * _SIZE, CMSG_LEN(_MOST * _INT))
    if len(data) < 2 * _SIZE:
        return None
    numbers = iter(
        int.from_bytes(sent[at : at + _INT], byteorder)
        for _, _, sent in rights
        for at in range(0, len(sent) - len(sent) % _INT, _INT)
    )
    number, mask = (int.from_bytes(part, byteorder) for part in (data[:_SIZE], data[_SIZE:]))
    return number, [next(numbers) if mask >> place & 1 else -1 for place in range(5)]
