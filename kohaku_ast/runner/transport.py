"""Sends values, exceptions and messages to another process, and reads them there.

On the start path of every spawned run: nothing slow is imported here.

State of this process: ``_latest``, for the message about a value that cannot be unpickled.
"""

from __future__ import annotations

import marshal
import sys
from _thread import _local, get_ident  # threading loads more
from sys import byteorder

from kohaku_ast.errors import UncrossableValue
from kohaku_ast.frames import keep_builtins, put_part, put_traceback

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType, TracebackType
    from typing import Any, TypeAlias


Values: TypeAlias = "Mapping[str, Mapping[str, object]]"
"""Kind -> name -> value; ``_called`` names the kinds in messages."""

_display = sys.__excepthook__  # bound here: the script may change it

_latest = _local()
"""The value that is being unpickled, in each thread."""


def dump_values(
    values: Values, along: Callable[[], Iterable[ModuleType]] = tuple
) -> tuple[bool, bytes]:
    """Whether *values* are plain, and their bytes. The modules *along* are not available where the
    bytes go: what the values need of them goes with the values.

    Raises UncrossableValue, which names the value.
    """
    if is_marshallable(values):
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
    """The values of ``dump_values``. Raises UncrossableValue, which names the value."""
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


def import_unpickler(data: bytes) -> None:
    """Import what unpickles *data*, before the script's folder is entered: these modules and those
    that they import may have the names of files there.
    """
    import pickle  # noqa: F401

    if b"cloudpickle" in data:
        import cloudpickle  # type: ignore[import-untyped]  # noqa: F401  # it has no types


def _pickled(named: object, along: list[ModuleType]) -> bytes:
    from kohaku_ast.runner.module_references import dumps_with_places as dumps

    data: bytes
    if along:
        from kohaku_ast.runner.local_modules import by_value

        try:
            with by_value(along):
                data = dumps(named)
            return data
        except Exception:  # they contain what cannot be sent: perhaps they are found all the same
            pass
    data = dumps(named)
    return data


class _Name:
    """The name of the value that follows in the bytes. Unpickled, it is a text, and notes in
    ``_latest`` which value comes next.
    """

    __slots__ = ("kind", "name")

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name

    def __reduce__(self) -> tuple[object, ...]:
        return _begin, (self.kind, self.name)


def _begin(kind: str, name: str) -> str:
    _latest.kind, _latest.name = kind, name
    return name


_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def is_marshallable(value: object, depth: int = 8) -> bool:
    """Whether marshal keeps *value* and all in it, type for type, and its order: it sorts sets."""
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is dict:
        items = [*value, *value.values()]  # type: ignore[misc, attr-defined]
    elif kind in (list, tuple) or (kind in (set, frozenset) and len(value) < 2):  # type: ignore[arg-type]
        items = list(value)  # type: ignore[call-overload]
    else:
        return False
    return depth > 0 and all(is_marshallable(one, depth - 1) for one in items)


_MOVE = "Run it in this process, or give something that it can be made from, such as a path."


class Uncrossed:
    """Stands for a value that could not be sent from another process."""

    __slots__ = ("shown",)

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @classmethod
    def of(cls, value: object) -> Uncrossed:
        """What stands for *value*."""
        return cls(f"<{type(value).__qualname__} that cannot be sent to another process>")

    def __repr__(self) -> str:
        return self.shown


def name_uncrossable(
    objects: Mapping[str, Mapping[str, object]], error: Exception
) -> UncrossableValue:
    """The error for the first of *objects* that cannot be sent: each one is tried."""
    import cloudpickle

    for kind, values in objects.items():
        for name, value in values.items():
            try:
                cloudpickle.dumps(value)
            except Exception as own:
                return UncrossableValue(_message(_called(kind, name), value, own))
    return UncrossableValue(f"a value cannot be sent to another process: {error}")


def unreadable(kind: str, name: str, error: Exception) -> UncrossableValue:
    """The error for a value that was sent and whose unpickling has failed with *error*."""
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
    """The bytes for ``load_raised``; empty if the class of *error* cannot be sent.

    Arguments that cannot be sent go as text, such attributes are left out.
    """
    import pickle

    kind = _dumped(type(error))
    if not kind:
        return b""
    args = [_dumped(one) or _dumped(repr(one)) for one in error.args]
    attributes = {name: _dumped(one) for name, one in vars(error).items()}
    return pickle.dumps((kind, args, {name: one for name, one in attributes.items() if one}))


def load_raised(data: bytes) -> BaseException | None:
    """The exception, without a traceback; None if it cannot be unpickled here."""
    import pickle

    try:
        kind, args, attributes = pickle.loads(data)
        found: type[BaseException] = pickle.loads(kind)
        values = tuple([pickle.loads(one) for one in args])
        error = found.__new__(found, *values)
        put_part(error, "args", values)
        error.__dict__.update({name: pickle.loads(one) for name, one in attributes.items()})
    except Exception:  # a class or a value of a module that is not available here
        return None
    return error


def _dumped(value: Any) -> bytes:
    import pickle

    import cloudpickle

    try:
        data: bytes = cloudpickle.dumps(value)
        pickle.loads(data)
    except Exception:  # whatever its class raises, in either direction
        return b""
    return data


_MOST_TEXT = 20_000
"""The last characters of a traceback, at most: a RecursionError has thousands of lines."""


def describe_error(error: BaseException, trace: TracebackType | None) -> tuple[str, str, str]:
    """The name of its class, its message, and the traceback as Python prints it."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__", "kohaku_ast.errors"):
        name = f"{kind.__module__}.{name}"
    try:
        message = str(error)
    except BaseException:  # SystemExit too, which Python ignores here
        message = "<exception str() failed>"  # Python's own words
    return name, message, (printed(error, trace) or f"{name}: {message}\n")[-_MOST_TEXT:]


def printed(error: BaseException, trace: TracebackType | None) -> str:
    """*error* as Python prints it, with *trace*; empty if it cannot be printed."""
    is_of_cell = trace is not None and trace.tb_frame.f_code.co_filename.lower().endswith(".ipynb")
    if is_of_cell or hasattr(error, "shown"):
        from kohaku_ast.notebook.notebook_process import error_text

        return error_text(error, trace)
    if sys.version_info >= (3, 13):  # where Python prints it by this module, in colours at times
        try:
            from traceback import TracebackException

            return "".join(TracebackException(type(error), error, trace, compact=True).format())
        except Exception:  # a script may leave modules that do not work: then Python does without
            pass
    before = vars(sys).get("stderr", _display)
    listener: Any = _Listener(before)
    own = error.__traceback__
    put_traceback(error, trace)
    sys.stderr = listener
    try:
        _display(type(error), error, trace)  # with our builtins: the script sees one printing
    finally:
        put_traceback(error, own)
        sys.stderr = before
        if before is _display:  # the script has deleted it
            del sys.stderr
    return "".join(listener.parts)


class _Listener:
    """Stands for ``sys.stderr`` while one thread prints an exception, and takes its text."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.parts: list[str] = []
        self._thread = get_ident()

    def write(self, text: str) -> object:
        """Take *text*; that of another thread goes where it went before."""
        if get_ident() != self._thread:
            return self.stream.write(text)
        self.parts.append(text)
        return len(text)

    def flush(self) -> None:
        """Flush what other threads write."""
        if get_ident() != self._thread:
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


READY = "ready"
"""From the warm server: all is imported. With the libraries that may not work after a fork."""
STARTED = "started"
"""From a run: its number and process."""
ENDED = "ended"
"""From the warm server: a run's number, its process, its exit status or minus the signal."""
FAILED = "failed"
"""From the warm server: a run's number, and why there is no process."""

_SIZE = 4


def send(sock: socket, *message: object) -> None:
    """Send *message* in one piece: runs send on the server's socket too."""
    data = marshal.dumps(message)  # type: ignore[arg-type]
    sock.sendall(len(data).to_bytes(_SIZE, byteorder) + data)


def receive(sock: socket) -> tuple[str, ...] | None:
    """The next message; None when the other side has closed the socket."""
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


def send_request(sock: socket, number: int, descriptors: list[int]) -> None:
    """Ask the warm server for run *number* with these *descriptors*; -1 stands for a closed one."""
    from _socket import SCM_RIGHTS, SOL_SOCKET  # here, and below: a spawned run needs neither

    there = [one for one in descriptors if one >= 0]
    mask = sum(1 << place for place, one in enumerate(descriptors) if one >= 0)
    data = number.to_bytes(_SIZE, byteorder) + mask.to_bytes(_SIZE, byteorder)
    rights = b"".join(one.to_bytes(_INT, byteorder) for one in there)
    sock.sendmsg([data], [(SOL_SOCKET, SCM_RIGHTS, rights)])


_INT = 4  # bytes of a C int, as which descriptors are sent
_MOST = 8  # descriptors in a message


def receive_request(sock: socket) -> tuple[int, list[int]] | None:
    """The number and descriptors of ``send_request``; None when the socket has been closed."""
    from _socket import CMSG_LEN

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
