"""The fingerprint of a value: a digest that is the same in every process for equal values.

Types count (``1``, ``True``, ``1.0`` and ``"1"`` differ), and so does the order of dicts; that of
sets does not. The user's functions and classes count by their code and all that it reads.
"""

from __future__ import annotations

import copyreg
import enum
import functools
import pickle
import struct
import sys
from collections.abc import Callable
from hashlib import blake2b
from pathlib import PurePath
from types import BuiltinFunctionType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from kohaku_ast.cache.change_detector import MISSING, ChangeDetector, OptionalPart, ReadOnce
from kohaku_ast.cache.code_dependencies import is_followed, parts_of
from kohaku_ast.user_code import library_label

_LONG = 96
"""Longer text and bytes count by their digest."""
_DEEPEST_SETS = 8
"""Depth of sets in sets. Objects in sets that refer to each other could take exponential time."""


class Unhashable(Exception):  # noqa: N818  # it says what the value is
    """A value has no fingerprint: nothing shows whether a part of it is the same next time."""

    def __init__(self, value: object, reason: str = "") -> None:
        kind = type(value)
        self.type_name = f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins.")
        self.reason = reason
        super().__init__(f"{self.type_name}{reason and ': ' + reason}")


Refer = Callable[[Any], bytes]
"""Encodes a function, class, module or node of the user's that is part of a value."""


def fingerprint(value: object, refer: Refer | None = None) -> bytes:
    """A digest of *value*. Raises Unhashable."""
    return blake2b(encoded(value, refer), digest_size=16).digest()


def encoded(value: object, refer: Refer | None = None) -> bytes:
    """*value* as unambiguous bytes, short for plain values. Code in it is encoded by *refer*, or in
    full without it. Raises Unhashable.
    """
    return encoded_with_objects(value, refer)[0]


def encoded_with_objects(value: object, refer: Refer | None = None) -> tuple[bytes, list[Any]]:
    """The same, and the objects in *value* that are more than their content, in the order in which
    they were met: a program can compare them by ``is``, or change them.
    """
    kind = type(value)
    if kind in _PLAIN:
        return _PLAIN[kind](value), []
    writer = Writer(refer)
    try:
        writer.write(value)
        writer.follow()
    except RecursionError:
        raise Unhashable(value, "nested too deep") from None
    except Unhashable:
        raise
    except Exception as error:  # the value's own __reduce__, __getstate__, properties
        raise Unhashable(value, f"{type(error).__name__}: {error}") from error
    return writer.done(), writer.alive


def is_plain(value: object) -> bool:
    """Whether *value* can never change: the same object is always the same value."""
    if type(value) in (tuple, frozenset):
        return all(is_plain(one) for one in value)  # type: ignore[attr-defined]  # it is one
    return type(value) in _PLAIN


class Writer:
    """Encodes one value. Objects that can change get a number when they are first met, so that
    cycles end and two references to one list differ from two lists.
    """

    def __init__(self, refer: Refer | None = None, sets: int = 0) -> None:
        self._parts: list[bytes] = []
        self.put = self._parts.append
        self._numbers: dict[int, int] = {}
        #: The objects that have numbers: an id is unique only as long as its object lives.
        self.alive: list[Any] = []
        self._followed: list[Any] = []
        self._refer = refer
        self.sets = sets

    def done(self) -> bytes:
        """The encoded value, or its digest if that is shorter."""
        return _short(b"#", b"".join(self._parts))

    def write(self, value: Any) -> None:
        """Write *value*, or its number if it was met before."""
        kind = type(value)
        plain = _PLAIN.get(kind)
        if plain is not None:
            self.put(plain(value))
        elif kind is tuple:
            self._items(b"(", value)
        elif kind is ReadOnce:
            self.write(value.value)
        elif kind is OptionalPart:
            self._try(value.value)
        elif not self.is_known(value):
            container = _CONTAINERS.get(kind)
            if container is not None:
                container(self, value)
            elif is_followed(value):
                self._write_code(value)
            else:
                write_object(self, value)

    def _write_code(self, value: Any) -> None:
        if self._refer is not None:
            found = self._refer(value)
            self.put(b"F%d:" % len(found) + found)
        else:
            self.put(b"F")
            self._followed.append(value)

    def _try(self, value: object) -> None:
        """Write *value*, or a mark if it has no fingerprint."""
        parts, known, followed = len(self._parts), len(self.alive), len(self._followed)
        try:
            self.write(value)
        except Unhashable:
            del self._parts[parts:], self.alive[known:], self._followed[followed:]
            self._numbers = {key: one for key, one in self._numbers.items() if one < known}
            self.put(b"?")

    def is_known(self, value: object) -> bool:
        """Whether *value* was met before: then its number is written, else it gets a number."""
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if number < len(self.alive):
            self.put(b"@%d;" % number)
            return True
        self.alive.append(value)
        return False

    def follow(self) -> None:
        """Write the parts of the functions and classes in the value, and of those they read."""
        detector = ChangeDetector()
        for thing in self._followed:  # grows on the way
            self.put(b"{")
            for label, part in parts_of(thing, detector):
                self.put(_text(label))
                self.write(part)

    def _items(self, mark: bytes, values: Any) -> None:
        self.put(b"%s%d;" % (mark, len(values)))
        for one in values:
            plain = _PLAIN.get(type(one))  # without a call of write: it takes a third less time
            if plain is not None:
                self.put(plain(one))
            else:
                self.write(one)

    def write_list(self, value: list[Any]) -> None:
        """Write a list, in order."""
        self._items(b"[", value)

    def write_dict(self, value: Any, mark: bytes = b"D") -> None:
        """Write a dict, in its order, which a program can see."""
        self.put(b"%s%d;" % (mark, len(value)))
        for pair in value.items():
            for one in pair:
                plain = _PLAIN.get(type(one))
                if plain is not None:
                    self.put(plain(one))
                else:
                    self.write(one)

    def write_set(self, value: Any) -> None:
        """Write a set: each item on its own, sorted, since the order differs between processes.

        Code in it is written in full: ``refer`` may depend on the objects that were met before.
        """
        if self.sets >= _DEEPEST_SETS:
            raise Unhashable(value, "sets of objects that hold sets")
        items = []
        for one in value:
            writer = Writer(sets=self.sets + 1)
            writer.write(one)
            writer.follow()
            items.append(writer.done())
        self.put(b"S%d;" % len(items))
        for item in sorted(items):
            self.put(b"%d:" % len(item) + item)


def _short(mark: bytes, data: bytes) -> bytes:
    if len(data) <= _LONG:
        return data
    return mark + blake2b(data, digest_size=16).digest()


def _text(value: str) -> bytes:
    data = value.encode("utf-8", "surrogatepass")
    return b"s%d:" % len(data) + (data if len(data) <= _LONG else _short(b"", data))


def _bytes(value: bytes) -> bytes:
    return b"b%d:" % len(value) + _short(b"", value)


def _float(value: float) -> bytes:
    if value != value:
        return b"fnan....."
    return b"f" + struct.pack("<d", value)


_PLAIN: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N",
    bool: lambda value: b"T" if value else b"t",
    int: lambda value: b"i%x;" % value,
    float: _float,
    complex: lambda value: b"c" + _float(value.real) + _float(value.imag),
    str: _text,
    bytes: _bytes,
    type(Ellipsis): lambda _: b".",
    type(NotImplemented): lambda _: b"!",
    type(MISSING): lambda _: b"?",
}


def _write_view(writer: Writer, value: Any) -> None:
    copy: Any = getattr(value, "copy", dict)()  # of the class that it shows: an OrderedDict
    if type(copy) is dict:
        writer.write_dict(value, b"P")
    else:
        writer.put(b"V")
        writer.write(copy)


_CONTAINERS: dict[type, Callable[[Writer, Any], object]] = {
    list: Writer.write_list,
    dict: Writer.write_dict,
    MappingProxyType: _write_view,
    set: Writer.write_set,
    frozenset: lambda writer, value: (writer.put(b"z"), writer.write_set(value)),  # type: ignore[func-returns-value]
    bytearray: lambda writer, value: writer.put(b"B" + _bytes(bytes(value))),
}

_STATELESS = {"_thread.lock", "_thread.RLock"}
"""Objects that no result depends on: many objects hold them, and pickle refuses them."""


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
        own_doc = value.__doc__ != getattr(value.fget, "__doc__", None)
        writer.write((value.fget, value.fset, value.fdel, *([value.__doc__] if own_doc else [])))
    elif kind is functools.singledispatchmethod and "_method_cache" in vars(value):
        _mark(writer, b"m", value)  # Python 3.13 remembers the objects that it was read from
        writer.write((value.func, value.dispatcher))
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
    """Write a library's wrapper of a user's function: ``lru_cache``, ``njit``, ``jit``."""
    if not callable(value) or is_followed(type(value)):
        return False
    for name in ("__wrapped__", "py_func"):
        inner = getattr(value, "__dict__", {}).get(name)
        if callable(inner):
            _mark(writer, b"W", value)
            writer.write(inner)
            if isinstance(value, functools._lru_cache_wrapper):
                own = {key: one for key, one in vars(value).items() if key not in _OF_LRU}
                # Nothing for a plain `@lru_cache`: older results stay those of their keys.
                if own or value.cache_parameters() != {"maxsize": 128, "typed": False}:
                    writer.write((value.cache_parameters(), _sorted_state(own)))
            return True
    return False


_OF_LRU = {*functools.WRAPPER_ASSIGNMENTS, "__wrapped__", "cache_parameters"}


def _write_data(writer: Writer, value: Any) -> bool:
    """Write arrays, tables and tensors. If there is one, its library is loaded."""
    for library, write in (("numpy", _write_array), ("pandas", _write_table), ("torch", _tensor)):
        module = sys.modules.get(library)
        if module is not None and write(writer, value, module):
            return True
    return False


def _write_array(writer: Writer, value: Any, numpy: Any) -> bool:
    """Write type, shape and bytes, or each item of an array of objects. Subclasses are pickled."""
    if "numpy.ma" in sys.modules and isinstance(value, numpy.ma.MaskedArray):
        left_out = (value.hardmask, value.mask is numpy.ma.nomask)  # by pickle
        if any(left_out):
            writer.write(("masked", left_out))
        return False
    if isinstance(value, numpy.generic):
        value = numpy.asarray(value)
        writer.put(b"g")
    if type(value) not in (numpy.ndarray, numpy.memmap):
        return False
    dtype = value.dtype.str if value.dtype.names is None else repr(value.dtype.descr)
    writer.put(b"A")
    writer.write((dtype, value.dtype.name, value.shape))  # two kinds of 8-bit floats have one str
    unusual = _unusual(value)
    if unusual:  # most arrays have none, and keys of before stay as they are
        writer.put(b"U")
        writer.write(unusual)
    if value.dtype.hasobject:
        writer.write_list(value.ravel().tolist())
    else:
        _digest(writer, numpy.ascontiguousarray(value).reshape(-1).view(numpy.uint8))
    return True


def _unusual(array: Any) -> list[Any]:
    """What a program can see of an array besides type, shape and items, where it is not as usual:
    another order in memory, no right to write, a file, metadata of the type.
    """
    found: list[Any] = [] if array.flags.c_contiguous else [("strides", array.strides)]
    found += [] if array.flags.writeable else ["read-only"]
    found += [("memmap", array.mode)] if hasattr(array, "mode") else []
    found += ["aligned"] if array.dtype.isalignedstruct else []
    return found + _metadata(array.dtype)


def _metadata(dtype: Any) -> list[Any]:
    """The metadata of a type and of its fields."""
    found: list[Any] = [] if dtype.metadata is None else [dict(dtype.metadata)]
    for name in dtype.names or ():
        inner = _metadata(dtype.fields[name][0])
        found += [(name, inner)] if inner else []
    return found + (_metadata(dtype.base) if dtype.subdtype else [])


def _digest(writer: Writer, flat: Any) -> None:
    writer.put(blake2b(memoryview(flat), digest_size=16).digest())


def _write_table(writer: Writer, value: Any, pandas: Any) -> bool:
    """Write by columns: how pandas groups them into blocks is not part of the value."""
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
        writer.write((value.codes.copy(), value.categories, value.ordered))  # a view is read-only
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
    if not value.is_contiguous():
        writer.write(("strides", tuple(value.stride())))
    flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    if flat.numel():
        import ctypes  # torch may be installed without numpy

        _digest(writer, (ctypes.c_ubyte * flat.numel()).from_address(flat.data_ptr()))
    return True


def _write_pickled(writer: Writer, value: Any) -> None:
    """Write what pickle's reduce returns: type, constructor, arguments and state, one by one, since
    pickled sets have no order.
    """
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
    if isinstance(value, BaseException) and (value.__cause__ or value.__context__):
        writer.write((OptionalPart(value.__cause__), OptionalPart(value.__context__)))
    if is_followed(type(value)) and _hides(type(value)):
        for name, one in sorted(getattr(value, "__dict__", {}).items()):
            writer.write((name, OptionalPart(one)))


def _hides(kind: type) -> bool:
    """Whether a class defines how it is pickled: that may leave out attributes that it reads."""
    names = ("__getstate__", "__reduce__", "__reduce_ex__")
    return any(getattr(kind, name, None) is not getattr(object, name, None) for name in names)


def _write_named(writer: Writer, value: Any, name: str) -> None:
    """Write an object that pickle stores by name: its name, if it leads to it, and attributes."""
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
    """Attributes sorted by name: the order in which they were set does not count."""
    if isinstance(state, tuple) and len(state) == 2:
        return tuple(_sorted_state(one) for one in state)
    if type(state) is dict and all(type(name) is str for name in state):
        return [(name, state[name]) for name in sorted(state)]
    return state
