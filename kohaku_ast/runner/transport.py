"""Values, exceptions and messages to another process, and back.

Read on the start path of every spawned run: imports nothing heavy.
"""

from __future__ import annotations

import marshal

# The socket module loads selectors and enum, which a script then finds in memory.
from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socket
from _thread import _local  # threading loads more
from sys import byteorder

from kohaku_ast.errors import UncrossableValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType, TracebackType
    from typing import Any, TypeAlias


Values: TypeAlias = "Mapping[str, Mapping[str, object]]"
"""Kind -> name -> value; the kinds are those of ``uncrossable``."""

_latest = _local()
"""The value that is being made again, in each thread."""


def dump_values(
    values: Values, along: Callable[[], Iterable[ModuleType]] = tuple
) -> tuple[bool, bytes]:
    """Whether *values* are plain, and their bytes. Those of the modules *along* are not to be had
    where they go, and go with them.

    Raises UncrossableValue, which names the value.
    """
    if _is_plain(values):
        return True, marshal.dumps(values)  # type: ignore[arg-type]  # they are plain
    named = {
        kind: {_Name(kind, name): value for name, value in some.items()}
        for kind, some in values.items()
    }
    try:
        return False, _pickled(named, list(along()))
    except Exception as error:
        raise name_uncrossable(values, error) from error


def load_values(is_plain: bool, data: bytes) -> Values:
    """What ``dump_values`` was given. Raises UncrossableValue, which names the value."""
    if is_plain:
        plain: Values = marshal.loads(data)
        return plain
    import pickle

    _latest.kind = _latest.name = ""
    try:
        loaded: Values = pickle.loads(data)
    except Exception as error:
        raise unreadable(_latest.kind, _latest.name, error) from error
    return loaded


def _pickled(named: object, along: list[ModuleType]) -> bytes:
    from cloudpickle import dumps  # type: ignore[import-untyped]  # it has no types

    data: bytes
    if along:
        from kohaku_ast.runner.local_modules import by_value

        try:
            with by_value(along):
                data = dumps(named)
            return data
        except Exception:  # what they hold cannot be sent: perhaps they are found all the same
            pass
    data = dumps(named)
    return data


class _Name:
    """The name of the value after it. Made again it is a text, and notes that the value comes."""

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def __reduce__(self) -> tuple[object, ...]:
        return _begin, (self.kind, self.name)


def _begin(kind: str, name: str) -> str:
    _latest.kind, _latest.name = kind, name
    return name


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def _is_plain(value: object, depth: int = 8) -> bool:
    """Whether marshal carries *value* and all in it, type for type."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        items = [*value, *value.values()]  # type: ignore[misc, attr-defined]
    elif kind in (list, tuple, set, frozenset):
        items = list(value)  # type: ignore[call-overload]
    else:
        return False
    return depth > 0 and all(_is_plain(one, depth - 1) for one in items)


_MOVE = "Run it in this process, or give something that it can be made from, such as a path."


class Uncrossed:
    """In the place of a value that could not be sent from another process."""

    __slots__ = ("shown",)

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @classmethod
    def of(cls, value: object) -> Uncrossed:
        """The one for *value*."""
        return cls(f"<{type(value).__qualname__} that cannot be sent to another process>")

    def __repr__(self) -> str:
        return self.shown


def name_uncrossable(
    objects: Mapping[str, Mapping[str, object]], error: Exception
) -> UncrossableValue:
    """The error for the first of *objects* that cannot be sent, found by trying each."""
    import cloudpickle

    for kind, values in objects.items():
        for name, value in values.items():
            try:
                cloudpickle.dumps(value)
            except Exception as own:
                return UncrossableValue(_message(_called(kind, name), value, own))
    return UncrossableValue(f"a value cannot be sent to another process: {error}")


def unreadable(kind: str, name: str, error: Exception) -> UncrossableValue:
    """The error for the value that could be sent but, with *error*, not be made again there."""
    what = _called(kind, name) if kind else "a value"
    return UncrossableValue(
        f"{what} cannot be made again in the process that it was sent to "
        f"({type(error).__name__}: {error}). {_MOVE}"
    )


def _called(kind: str, name: str) -> str:
    words = {"args": "argument", "kwargs": "argument", "outputs": "output", "value": "result"}
    function, hash_, number = name.removesuffix(")").partition("(#")
    if hash_ and number.isdigit():
        return f"argument {int(number) + 1} of {function}()"
    return f"the {words.get(kind, 'value of')} {name!r}"


def _message(what: str, value: object, error: Exception) -> str:
    kind = type(value)
    return (
        f"{what} cannot be sent to another process: a {kind.__module__}.{kind.__qualname__} "
        f"({type(error).__name__}: {error}). {_MOVE}"
    )


def pack_raised(error: BaseException) -> bytes:
    """What ``load_raised`` reads; empty if its class cannot be sent.

    Arguments that cannot be sent go as text, attributes are left out.
    """
    import pickle

    kind = _sent(type(error))
    if not kind:
        return b""
    args = [_sent(one) or _sent(repr(one)) for one in error.args]
    attributes = {name: _sent(one) for name, one in vars(error).items()}
    return pickle.dumps((kind, args, {name: one for name, one in attributes.items() if one}))


def load_raised(data: bytes) -> BaseException | None:
    """The exception, without a traceback; None if this process cannot have it."""
    import pickle

    try:
        kind, args, attributes = pickle.loads(data)
        found: type[BaseException] = pickle.loads(kind)
        values = tuple([pickle.loads(one) for one in args])
        error = found.__new__(found, *values)
        error.args = values
        error.__dict__.update({name: pickle.loads(one) for name, one in attributes.items()})
    except Exception:  # a class or a value of a module that is not to be had here
        return None
    return error


def _sent(value: Any) -> bytes:
    import pickle

    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(value)
        pickle.loads(data)
    except Exception:
        return b""
    return data


_MOST_TEXT = 20_000
"""Characters of a traceback that are kept: that of a RecursionError has thousands of lines."""


def describe_error(error: BaseException, trace: TracebackType | None) -> tuple[str, str, str]:
    """The name of its class, its message, and the traceback as Python prints it."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__", "kohaku_ast.errors"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(error)
    except BaseException:  # SystemExit, too: Python passes over it here
        message = "<exception str() failed>"  # Python's own words
    try:
        import traceback

        text = "".join(traceback.format_exception(kind, error, trace))
    except Exception:  # a script may leave nothing that works
        text = f"{name}: {message}\n"
    return name, message, text[-_MOST_TEXT:]


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
