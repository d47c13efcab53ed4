"""Values that may go to another process: pickled only if they do, and named if they cannot."""

from __future__ import annotations

import pickle
import tempfile
from collections import OrderedDict

from kohaku_ast.errors import UncrossableValue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Parcel:
    """A value that opens to itself here, and to an equal one in another process.

    What it holds is read when it is opened, not when it arrives: a value that cannot be read
    there is an error of its task, not the end of the process.
    """

    __slots__ = ("_data", "_label", "_path", "_value", "has_crossed")

    def __init__(self, value: Any, label: str | Mapping[str, str]) -> None:
        self._value = value
        #: What errors call the value, or the values of a dict (of each name, if it is a mapping).
        self._label = label
        self._data: bytes | None = None
        self._path: str | None = None
        #: Whether it came from another process.
        self.has_crossed = False

    def open(self) -> Any:
        """The value. Raises UncrossableValue."""
        if self._path is not None and self._value is None:
            with open(self._path, "rb") as file:
                return _read(file.read(), self._label)
        if self._data is not None and self._value is None:
            self._value = _read(self._data, self._label)
        return self._value

    def open_kept(self) -> Any:
        """The value; the same object for equal parcels that come to this process one after
        another.
        """
        key = self._path or self._data
        if key is None or self._value is not None:
            return self._value
        if key not in _OPENED:
            _OPENED[key] = self.open()
            while len(_OPENED) > _MOST_OPENED:
                _OPENED.popitem(last=False)
        return _OPENED[key]

    def pack(self) -> Parcel:
        """Itself, surely fit to be sent. Raises UncrossableValue."""
        if self._data is None:
            self._data = dumps(self._value, self._label)
        return self

    def laid_down(self, folder: Callable[[], str]) -> Parcel:
        """Itself; if it is large, what is sent is where it lies in *folder*, and each process
        reads it once. Raises UncrossableValue.
        """
        data = self.pack()._data
        if data is not None and len(data) > _LARGE:
            handle, self._path = tempfile.mkstemp(dir=folder())
            with open(handle, "wb") as file:
                file.write(data)
        return self

    def part(self, value: Any) -> Parcel:
        """A parcel of *value*, a part of what this one holds."""
        return Parcel(value, self._label)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._path is not None:
            return _arrived, (None, self._label, self._path)
        return _arrived, (self.pack()._data, self._label)


#: What came in parcels of ``open_kept``: a worker process gets one plan again and again.
_OPENED: OrderedDict[bytes | str, Any] = OrderedDict()
_MOST_OPENED = 4
_LARGE = 1 << 20  # bytes; below that a pipe is as fast as a file


def _arrived(data: bytes | None, label: str | Mapping[str, str], path: str | None = None) -> Parcel:
    parcel = Parcel(None, label)
    parcel._data, parcel._path = data, path
    parcel.has_crossed = True
    return parcel


def dumps(value: Any, label: str | Mapping[str, str]) -> bytes:
    """*value* as bytes. Raises UncrossableValue that says which part of it cannot be sent."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        try:
            import cloudpickle  # type: ignore[import-untyped]  # it has no types

            return cloudpickle.dumps(value)  # type: ignore[no-any-return]
        except Exception as error:
            raise UncrossableValue(_message(value, label, error)) from error


def can_cross(value: Any) -> bool:
    """Whether *value* can be sent to another process."""
    try:
        dumps(value, "")
        return True
    except UncrossableValue:
        return False


def crossing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of *values* that can be sent."""
    if can_cross(values):
        return dict(values)
    return {name: value for name, value in values.items() if can_cross(value)}


def _read(data: bytes, label: str | Mapping[str, str]) -> Any:
    try:
        return pickle.loads(data)
    except Exception as error:
        names = label if isinstance(label, str) else ", ".join(label.values())
        raise UncrossableValue(
            f"{names} cannot be read in another process ({type(error).__name__}: {error}). Its "
            "class must be importable there, and must pickle."
        ) from error


def _message(value: Any, label: str | Mapping[str, str], error: Exception) -> str:
    if type(value) is dict:
        for name, one in value.items():
            if not can_cross(one):
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
