"""Messages as Arrow arrays, and back: what a connection of Dora carries.

What Arrow gives back exactly as it was goes as Arrow, which nodes in other languages read; other
objects are pickled.
"""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import pyarrow as pa

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "kogine.kind"
"""Key of a message's metadata: how the array is read."""
_SHAPE, _DTYPE = "kogine.shape", "kogine.dtype"
_SCALARS = (bool, int, float, str)


def encode(message: Any) -> tuple[Any, dict[str, Any]]:
    """*message* as an Arrow array, and the metadata with which ``decode`` reads it."""
    kind = type(message)
    if isinstance(message, pa.Array):
        return message, {KIND: "arrow"}
    if kind is bytes:
        return _of_bytes(message), {KIND: "bytes"}
    if kind.__module__ == "numpy" and kind.__name__ == "ndarray" and _is_plain(message):
        metadata = {KIND: "array", _DTYPE: message.dtype.str}
        metadata[_SHAPE] = ",".join(map(str, message.shape))
        return pa.array(message.reshape(-1)), metadata
    if kind in _SCALARS or kind is dict or kind is list:
        array = _exact(message, is_list=kind is list)
        if array is not None:
            return array, {KIND: "list" if kind is list else "value"}
    return _of_bytes(_pickled(message)), {KIND: "pickle"}


def decode(array: Any, metadata: Mapping[str, Any], hint: Any = Any) -> Any:
    """The message; one without our metadata, of a node that is not ours, as a *hint*."""
    kind = metadata.get(KIND)
    if kind is None:
        return _of_others(array, hint)
    if kind == "bytes":
        return _to_bytes(array)
    if kind == "pickle":
        return pickle.loads(_to_bytes(array))
    if kind == "array":
        shape = tuple(int(one) for one in metadata[_SHAPE].split(",") if one)
        # A copy: what comes without one is read-only, and lies in memory that Dora takes back.
        return array.to_numpy(zero_copy_only=False).astype(metadata[_DTYPE]).reshape(shape)
    if kind == "list":
        return array.to_pylist()
    return array if kind == "arrow" else array[0].as_py()


def _of_others(array: Any, hint: Any) -> Any:
    """What a node that is not ours has sent, as a port of the type *hint* takes it."""
    if hint is bytes:
        return _to_bytes(array)
    if hint is list:
        return array.to_pylist()
    if hint in (*_SCALARS, dict):
        return array[0].as_py()
    if getattr(hint, "__module__", "") == "numpy":
        return array.to_numpy(zero_copy_only=False).copy()
    return array


def _of_bytes(data: bytes) -> Any:
    return pa.Array.from_buffers(pa.uint8(), len(data), [None, pa.py_buffer(data)])


def _to_bytes(array: Any) -> bytes:
    data = array.buffers()[1]
    return (
        b"" if data is None else bytes(memoryview(data)[array.offset : array.offset + len(array)])
    )


def _pickled(message: Any) -> bytes:
    try:
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    except (
        Exception
    ):  # functions without a name, classes of a function: these take ten times as long
        return cloudpickle.dumps(message)  # type: ignore[no-any-return]


def _is_plain(array: Any) -> bool:
    """Whether Arrow has the type of a numpy *array*: numbers in the order of this machine."""
    return array.dtype.kind in "biuf" and array.dtype.isnative and array.dtype.itemsize <= 8


def _exact(message: Any, is_list: bool) -> Any:
    """*message* as an array that gives it back exactly; None if there is none."""
    try:
        array = pa.array(message if is_list else [message])
        back = array.to_pylist() if is_list else array[0].as_py()
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return None
    return array if _is_same(message, back) else None


def _is_same(first: Any, second: Any) -> bool:
    if type(first) is not type(second):
        return False
    if type(first) is list:
        return len(first) == len(second) and all(map(_is_same, first, second))
    if type(first) is dict:
        return [*first] == [*second] and all(map(_is_same, first.values(), second.values()))
    return first is None or (
        type(first) in (*_SCALARS, bytes) and (first == second or first != first)
    )
