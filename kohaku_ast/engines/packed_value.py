"""Values and exceptions on their way to another process: pickled, or an error that names the part
that cannot be sent.

State of a worker process: the values of parts that come again and again; whether it has the
``__main__`` of a flow by value.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import traceback
from collections import OrderedDict
from types import FunctionType

from kohaku_ast.errors import PipelineError, UncrossableValue
from kohaku_ast.frames import put_part
from kohaku_ast.pipeline.failure import RemoteTraceback, ScriptTraceback
from kohaku_ast.pipeline.node_like import pickled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class PackedValue:
    """A value for another process: ``open`` returns the value itself here and an equal one there.

    It is unpickled by ``open``, not on arrival, so that a value that cannot be unpickled is an
    error of its task and does not end the process.
    """

    __slots__ = ("_data", "_label", "_path", "_value", "is_received")

    def __init__(self, value: Any, label: str | Mapping[str, str]) -> None:
        self._value = value
        #: The name of the value in error messages; a mapping has one for each name of a dict.
        self._label = label
        self._data: bytes | None = None
        self._path: str | None = None
        #: Whether another process sent it.
        self.is_received = False

    def open(self) -> Any:
        """The value. Raises UncrossableValue."""
        if self._path is not None and self._value is None:
            with open(self._path, "rb") as file:
                return _read(file.read(), self._label)
        if self._data is not None and self._value is None:
            self._value = _read(self._data, self._label)
        return self._value

    def open_cached(self) -> Any:
        """The value. This process keeps the last ones: equal packed values open to one object."""
        key = self._path or self._data
        if key is None or self._value is not None:
            return self._value
        if key not in _unpacked:
            _unpacked[key] = self.open()
            while len(_unpacked) > _MOST_UNPACKED:
                _unpacked.popitem(last=False)
        return _unpacked[key]

    def pack(self) -> PackedValue:
        """Pickle the value; returns self. Raises UncrossableValue if that fails."""
        if self._data is None:
            self._data = dumps(self._value, self._label)
        return self

    def spilled(self, folder: Callable[[], str]) -> PackedValue:
        """Write a large value to a file in *folder*, so that only the path is sent and each process
        reads it once; returns self. Raises UncrossableValue.
        """
        data = self.pack()._data
        if data is not None and len(data) > _LARGE:
            handle, self._path = tempfile.mkstemp(dir=folder())
            with open(handle, "wb") as file:
                file.write(data)
        return self

    def part(self, value: Any) -> PackedValue:
        """*value*, a part of this one, packed with the same names for errors."""
        return PackedValue(value, self._label)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _arrived, (None, self._label, self._path)
        return _arrived, (self.pack()._data, self._label)


#: Values of ``open_cached``: a worker process gets one plan again and again.
_unpacked: OrderedDict[bytes | str, Any] = OrderedDict()
_MOST_UNPACKED = 4
_LARGE = 1 << 20  # bytes; below that a pipe is as fast as a file


def _arrived(
    data: bytes | None, label: str | Mapping[str, str], path: str | None = None
) -> PackedValue:
    packed = PackedValue(None, label)
    packed._data, packed._path = data, path
    packed.is_received = True
    return packed


def dumps(value: Any, label: str | Mapping[str, str]) -> bytes:
    """*value* pickled. Raises UncrossableValue, which names the part that cannot be sent."""
    try:
        return pickled(value)
    except UncrossableValue:
        raise  # that of a packed value inside, which names its node and output
    except Exception as error:
        raise UncrossableValue(_message(value, label, error)) from error


def can_be_sent(value: Any) -> bool:
    """Whether *value* can be sent to another process."""
    try:
        dumps(value, "")
        return True
    except UncrossableValue:
        return False


def sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *values* that can be sent."""
    if can_be_sent(values):
        return dict(values)
    return {name: value for name, value in values.items() if can_be_sent(value)}


def _read(data: bytes, label: str | Mapping[str, str]) -> Any:
    try:
        value = pickle.loads(data)
        if _is_alone:
            _adopt_classes()
            _adopt_functions(value)
        return value
    except Exception as error:
        names = label if isinstance(label, str) else ", ".join(label.values())
        raise UncrossableValue(
            f"{names} cannot be read in another process ({type(error).__name__}: {error}). Its "
            "class must be importable there, and must pickle."
        ) from error


_is_alone = False


def run_alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a call in a process that has nothing of the flow's ``__main__``."""
    global _is_alone
    _is_alone = True
    return function(*arguments)


def _adopt_classes() -> None:
    """Have ``__main__`` here contain the classes of the flow's, which came by value. Values go back
    with the names of their classes then: by value they would change the flow's own classes, and
    what a node pickles could not be read elsewhere.
    """
    from cloudpickle import cloudpickle  # type: ignore[import-untyped]  # it has no types

    main = sys.modules["__main__"]
    for cls in [*getattr(cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", ())]:
        if cls.__module__ == "__main__" and cls.__qualname__ == cls.__name__:
            setattr(main, cls.__name__, cls)


def _adopt_functions(nodes: Any) -> None:
    """The same for the functions that *nodes*, if they are some, refer to."""
    main = sys.modules["__main__"]
    for node in nodes if type(nodes) is list else ():
        names = getattr(getattr(node, "function", None), "__globals__", {})
        for name, one in {**names}.items() if names.get("__name__") == "__main__" else ():
            if type(one) is FunctionType and one.__globals__ is names and one.__name__ == name:
                setattr(main, name, one)


def _message(value: Any, label: str | Mapping[str, str], error: Exception) -> str:
    if type(value) is dict:
        for name, one in value.items():
            if not can_be_sent(one):
                label = f"{label} {name!r}" if isinstance(label, str) else label[name]
                value = one
                break
    if not isinstance(label, str):
        label = next(iter(label.values()))
    kind = type(value)
    return (
        f"{label} cannot be sent to another process: a {kind.__module__}.{kind.__qualname__} "
        f"({type(error).__name__}: {error}). Run it by threads, or make it inside the node, from "
        "something like a path."
    )


def pack_error(error: BaseException) -> tuple[Any, ...]:
    """*error* as bytes, or in parts if pickle cannot make it again: the class, its arguments and
    its attributes; and its traceback as text.
    """
    cause = error.__cause__
    text = (
        str(cause.args[0])  # it has no frames but ours here: a script ran in another process still
        if isinstance(cause, ScriptTraceback)
        else "".join(traceback.format_exception(type(error), error, error.__traceback__))
    )
    return (_pickled_error(error) or _error_parts(error)), text


def _pickled_error(error: BaseException) -> bytes | None:
    """None for a class whose constructor does not make an equal exception of the arguments."""
    try:
        data = dumps(error, "")
        again = pickle.loads(data)
        return data if type(again) is type(error) and str(again) == str(error) else None
    except Exception:  # whatever a constructor of the user's raises
        return None


def _error_parts(error: BaseException) -> tuple[Any, ...]:
    args = tuple(one if can_be_sent(one) else repr(one) for one in error.args)
    try:
        kind = dumps(type(error), "")
        pickle.loads(kind)
    except Exception:  # its class cannot be sent: its name and text can
        kind, args = dumps(PipelineError, ""), (f"{type(error).__name__}: {error}",)
    return kind, args, sendable(error.__dict__)


def unpack_error(packed: tuple[Any, ...]) -> BaseException:
    """The exception; its cause shows the traceback of the other process."""
    what, text = packed
    try:
        error: BaseException = pickle.loads(what) if isinstance(what, bytes) else _error_from(*what)
    except Exception:  # its class is not available here
        error = PipelineError(text.strip().rpartition("\n")[2])
    put_part(error, "__cause__", RemoteTraceback(text))
    return error


def _error_from(data: bytes, args: tuple[Any, ...], attributes: dict[str, Any]) -> BaseException:
    kind = pickle.loads(data)
    error: BaseException = kind.__new__(kind, *args)
    put_part(error, "args", args)
    error.__dict__.update(attributes)
    return error
