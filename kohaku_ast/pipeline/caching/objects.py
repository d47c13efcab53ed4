"""Values of other types: by what they say themselves, as data, else as pickle takes them apart."""

from __future__ import annotations

import copyreg
import enum
import pickle
import struct
import sys
from hashlib import blake2b
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from kohaku_ast.pipeline.caching.fingerprint import Unhashable, Writer
from kohaku_ast.pipeline.caching.live_code import is_followed
from kohaku_ast.pipeline.caching.parts import Maybe
from kohaku_ast.user_code import library_label

_STATELESS = {"_thread.lock", "_thread.RLock"}
"""What no result is made of: kept in many objects, refused by pickle."""


def write_object(writer: Writer, value: Any) -> None:
    """Write *value*, of any type. Raises Unhashable."""
    kind = type(value)
    own = getattr(kind, "__kogine_fingerprint__", None)
    if own is not None:
        _mark(writer, b"K", value)
        writer.write(own(value))
    elif isinstance(value, (type, FunctionType)):
        writer.put(b"L")
        writer.write(library_label(value.__module__ or "builtins", value.__qualname__))
    elif isinstance(value, ModuleType):
        writer.put(b"M")
        writer.write(library_label(value.__name__))
    elif isinstance(value, enum.Enum):
        _mark(writer, b"E", value)
        writer.write((value.name, value.value))
    elif isinstance(value, PurePath):
        writer.put(b"/")
        writer.write((kind.__name__, str(value)))
    elif isinstance(value, (set, frozenset)):
        _mark(writer, b"Z", value)
        writer.write_set(value)
        writer.write(getattr(value, "__dict__", None))
    elif isinstance(value, struct.Struct):
        _mark(writer, b"s", value)
        writer.write(value.format)
    elif isinstance(value, MethodType):
        writer.put(b"m")
        writer.write((value.__func__, value.__self__))
    elif isinstance(value, (staticmethod, classmethod)):
        _mark(writer, b"m", value)
        writer.write(value.__func__)
    elif isinstance(value, property):
        _mark(writer, b"m", value)
        writer.write((value.fget, value.fset, value.fdel))
    elif isinstance(value, BuiltinFunctionType):
        _write_builtin(writer, value)
    elif f"{kind.__module__}.{kind.__qualname__}" in _STATELESS:
        _mark(writer, b"l", value)
    elif not (_write_wrapper(writer, value) or _write_data(writer, value)):
        _write_pickled(writer, value)


def _mark(writer: Writer, mark: bytes, value: object) -> None:
    writer.put(mark)
    writer.write(type(value))


def _write_builtin(writer: Writer, value: Any) -> None:
    """``len``, ``math.sqrt``; ``[].append`` with its list."""
    writer.put(b"L")
    owner = value.__self__
    if owner is None or isinstance(owner, ModuleType):
        writer.write(library_label(value.__module__ or "builtins", value.__qualname__))
    else:
        writer.write((value.__name__, owner))


def _write_wrapper(writer: Writer, value: Any) -> bool:
    """What a library made of a function of the user's: ``lru_cache``, ``njit``, ``jit``."""
    if not callable(value) or is_followed(type(value)):
        return False
    for name in ("__wrapped__", "py_func"):
        inner = getattr(value, "__dict__", {}).get(name)
        if callable(inner):
            _mark(writer, b"W", value)
            writer.write(inner)
            return True
    return False


def _write_data(writer: Writer, value: Any) -> bool:
    """Arrays, tables and tensors; their libraries are loaded if there is one."""
    for library, write in (("numpy", _write_array), ("pandas", _write_table), ("torch", _tensor)):
        module = sys.modules.get(library)
        if module is not None and write(writer, value, module):
            return True
    return False


def _write_array(writer: Writer, value: Any, numpy: Any) -> bool:
    """Type, shape and bytes; of objects, each. Subclasses are left to pickle."""
    if isinstance(value, numpy.generic):
        value = numpy.asarray(value)
        writer.put(b"g")
    if type(value) not in (numpy.ndarray, numpy.memmap):
        return False
    dtype = value.dtype.str if value.dtype.names is None else repr(value.dtype.descr)
    writer.put(b"A")
    writer.write((dtype, value.dtype.name, value.shape))  # two kinds of 8-bit floats have one str
    if value.dtype.hasobject:
        writer.write_list(value.ravel().tolist())
    else:
        _digest(writer, numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8))
    return True


def _digest(writer: Writer, flat: Any) -> None:
    writer.put(blake2b(memoryview(flat), digest_size=16).digest())


def _write_table(writer: Writer, value: Any, pandas: Any) -> bool:
    """By columns: how pandas has grouped them into blocks is no part of the value."""
    if isinstance(value, pandas.DataFrame):
        _mark(writer, b"df", value)
        writer.write((value.columns, value.index, dict(value.attrs)))
        for number in range(value.shape[1]):
            writer.write(value.iloc[:, number].array)
        return True
    if isinstance(value, pandas.Series):
        _mark(writer, b"se", value)
        writer.write((value.name, value.index, dict(value.attrs), value.array))
        return True
    if type(value) is pandas.Index:
        writer.put(b"ix")
        writer.write((list(value.names), value.array))
        return True
    if isinstance(value, pandas.api.extensions.ExtensionArray):
        return _write_column(writer, value, pandas)
    return False


def _write_column(writer: Writer, value: Any, pandas: Any) -> bool:
    writer.put(b"ea")
    writer.write(str(value.dtype))
    if isinstance(value, pandas.Categorical):
        writer.write((value.codes, value.categories, value.ordered))
    else:
        missing = value.isna()
        writer.write(missing)
        writer.write_list([one for one, gone in zip(value, missing) if not gone])
    return True


def _tensor(writer: Writer, value: Any, torch: Any) -> bool:
    tensor = getattr(torch, "Tensor", None)  # torch may be half imported
    if tensor is None or not isinstance(value, tensor):
        return False
    _mark(writer, b"t", value)
    writer.write((str(value.dtype), tuple(value.shape), value.device.type, value.requires_grad))
    flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    if flat.numel():
        import ctypes  # torch may be installed without numpy

        _digest(writer, (ctypes.c_ubyte * flat.numel()).from_address(flat.data_ptr()))
    return True


def _write_pickled(writer: Writer, value: Any) -> None:
    """The type, what makes it anew, and its state, each in turn: pickled sets have no order."""
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(4)
    except Exception as error:
        raise Unhashable(value, str(error)) from None
    if isinstance(reduced, str):
        _write_named(writer, value, reduced)
        return
    _mark(writer, b"O", value)
    make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
    writer.write((make, arguments))
    writer.write(_sorted_state(state))
    for found in (items, pairs):
        writer.write(None if found is None else list(found))
    if is_followed(type(value)) and _hides(type(value)):
        for name, one in sorted(getattr(value, "__dict__", {}).items()):
            writer.write((name, Maybe(one)))


def _hides(kind: type) -> bool:
    """Whether a class says itself what is pickled of it: that may be less than what it reads."""
    for name in ("__getstate__", "__reduce__", "__reduce_ex__"):
        if getattr(kind, name, None) is not getattr(object, name, None):
            return True
    return False


def _write_named(writer: Writer, value: Any, name: str) -> None:
    """What pickle would only name: its name, if it is there, and what was set on it."""
    module = pickle.whichmodule(value, name)  # type: ignore[attr-defined]  # of typeshed
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise Unhashable(value, "known by its name only")
    _mark(writer, b"N", value)
    writer.write(library_label(module, name))
    writer.write(_sorted_state(getattr(value, "__dict__", None)))


def _sorted_state(state: Any) -> Any:
    """Attributes by name: in which order they were set is seen by nobody."""
    if isinstance(state, tuple) and len(state) == 2:
        return tuple(_sorted_state(one) for one in state)
    if type(state) is dict and all(type(name) is str for name in state):
        return [(name, state[name]) for name in sorted(state)]
    return state
