"""Objects that are called as nodes: made ready once in each process, with an identity of their own.

State of this process: which objects are ready, and those that other processes have sent: a worker
gets a member again and again, and makes it ready once.
"""

from __future__ import annotations

import functools
import inspect
import operator
import os
import pickle
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Any
from uuid import uuid4

from kohaku_ast.cache.code_identity import Unidentified, digest_of_code
from kohaku_ast.cache.fingerprint import Unhashable, fingerprint
from kohaku_ast.frames import contextmanager
from kohaku_ast.pipeline.node_like import is_async, pickled

_NONE: Any = object()


class _Ready:
    """Whether an object has been made ready by its ``init()``, and what it was before."""

    def __init__(self, key: str = "") -> None:
        self.key = key or uuid4().hex
        self.lock = threading.Lock()
        #: The process that has called ``init()``.
        self.pid = 0
        #: The object before that, pickled; empty if that is not possible.
        self.data = b""
        #: The names of its attributes then; and for those that ``init()`` has changed, what it has
        #: set, and the digest of the value before.
        self.names: tuple[str, ...] | None = None
        self.fixed: dict[str, tuple[Any, bytes]] = {}
        #: How many calls of the object run now, and what was in its settings after the last one.
        self._running, self._parts = 0, _NONE
        #: Name -> what was in a container that ``init()`` has made, after the last call.
        self._made: dict[str, list[Any]] = {}

    @contextmanager
    def calling(self, instance: Any, init: Any) -> Iterator[None]:
        """Inside, *instance* is ready: its method *init* was called in this process, and again if
        the user has set something since. What its calls set themselves does not matter.
        """
        with self.lock:
            self._notice(instance)
            is_changed = not self._running and not _are_same(self._parts, self._found(instance))
            if self.pid != os.getpid() or is_changed:
                self.make(instance, init)
                self.pid = os.getpid()
            self._running += 1
        try:
            yield
        finally:
            with self.lock:
                self._running -= 1
                self._parts = self._found(instance)
                self._made = {
                    name: _parts_of([made])
                    for name, (made, _) in self.fixed.items()
                    if type(made) in _CONTAINERS
                }

    def notice(self, instance: Any) -> None:
        """A container that ``init()`` has made, and the user has changed since, is a setting of his
        from now on.
        """
        with self.lock:
            self._notice(instance)

    def _notice(self, instance: Any) -> None:
        if not self._made or self._running:
            return
        now = attributes_of(instance)
        for name, parts in self._made.items():
            made, digest = self.fixed.get(name, (_NONE, b""))
            if now.get(name) is made and not _are_same(parts, _parts_of([made])):
                self.fixed[name] = _NONE, digest

    def _found(self, instance: Any) -> list[Any]:
        return _parts_of([value for _, value, digest in self.settings(instance) if not digest])

    def make(self, instance: Any, init: Any) -> None:
        """Call *init*, a method of *instance*."""
        first = self.before(instance)
        for name, (made, _) in self.fixed.items():
            if first is not instance and attributes_of(instance).get(name) is made:
                object.__setattr__(instance, name, getattr(first, name))
        before = attributes_of(instance)
        if self.names is not None:
            before = {name: before[name] for name in self.names if name in before}
        digests = {name: _digest(value) for name, value in before.items()}
        self.data = _pickled_if_possible(first)
        call(init, (), {})
        after = attributes_of(instance)
        self.names = tuple(before)
        self.fixed = {
            name: (after.get(name), digests[name])
            for name in before
            if after.get(name) is not before[name] or _digest(after[name]) != digests[name]
        }

    def settings(self, instance: Any) -> Iterator[tuple[str, Any, bytes]]:
        """Name, value and digest of each attribute that the results of *instance* depend on; the
        digest is empty where the value is to be read.
        """
        now = attributes_of(instance)
        for name in now if self.names is None else self.names:
            made, digest = self.fixed.get(name, (_NONE, b""))
            yield name, now.get(name), digest if now.get(name) is made else b""

    def before(self, instance: Any) -> Any:
        """*instance* as it was before ``init()``, with what the user has set since."""
        if self.names is None or not self.data:
            return instance
        found = pickle.loads(self.data)
        for name, value in attributes_of(instance).items():
            if name in self.names and value is not self.fixed.get(name, (_NONE,))[0]:
                object.__setattr__(found, name, value)
        return found


_STATES: dict[int, tuple[weakref.ref[Any], _Ready]] = {}
"""By the ``id`` of an object, as long as it lives: several pipelines may have it as a member."""


def _ready(instance: Any, key: str = "") -> _Ready:
    found = _STATES.get(id(instance))
    if found is not None and found[0]() is instance:
        return found[1]
    made, number = _Ready(key), id(instance)
    try:
        _STATES[number] = weakref.ref(instance, lambda _: _STATES.pop(number, None) and None), made
    except TypeError:  # its class has slots
        pass
    return made


class Callee:
    """Calls an object as a function would be called, after its ``init()``, which runs once in each
    process and before the first call there.

    Its results depend on its class and on its attributes as they were before ``init()``, or as the
    user has set them since: what ``init()`` loads is no part of a key in a cache.
    """

    def __init__(self, instance: Any, key: str = "") -> None:
        #: The object.
        self.instance = instance
        self._init, self._ready = _init_of(instance), _ready(instance, key)
        function = type(instance).__call__
        functools.update_wrapper(self, function, updated=())
        self.__dict__["__name__"] = type(instance).__name__
        signature = inspect.signature(function)
        self.__signature__ = signature.replace(parameters=[*signature.parameters.values()][1:])
        self.__globals__ = getattr(function, "__globals__", {})

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the object returns."""
        with self.calling():
            return call(self.instance, args, kwargs)

    def calling(self) -> AbstractContextManager[None]:
        """Inside, the object is ready."""
        if self._init is None:
            return nullcontext()
        return self._ready.calling(self.instance, self._init)

    def cache_identity(self) -> tuple[Any, ...]:
        """What its results depend on, for keys in a cache. Raises Unidentified."""
        self._ready.notice(self.instance)
        settings = self._ready.settings(self.instance)
        parts = [(name, digest or setting_digest(name, value)) for name, value, digest in settings]
        return (type(self.instance), *parts)

    def __reduce__(self) -> tuple[Any, ...]:
        self._ready.notice(self.instance)
        return _received, (self._ready.key, pickled(self._ready.before(self.instance)))


class AsyncCallee(Callee):
    """The same for an object with an ``async def __call__``."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the object returns."""
        with self.calling():
            return await call(self.instance, args, kwargs)


def _init_of(instance: Any) -> Any:
    """Its ``init``; None if it has none, or one that takes arguments and means something else."""
    found = getattr(instance, "init", None)
    if not inspect.ismethod(found):
        return None
    needed = [
        one for one in inspect.signature(found).parameters.values() if one.default is one.empty
    ]
    return None if needed else found


class Spread:
    """Calls a function, or a Callee, with ``*args`` or ``**kwargs``: its inputs are a tuple and a
    dict, since a node needs a name for each.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.__wrapped__ = inner
        self.__name__ = getattr(inner, "__name__", type(inner).__name__)

    __signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
            for name in ("args", "kwargs")
        ]
    )

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What the function returns."""
        return call(self.inner, args, kwargs)

    def cache_identity(self) -> tuple[Any, ...]:
        """What its results depend on, for keys in a cache."""
        return (self.inner,)


class AsyncSpread(Spread):
    """The same for a function that is async."""

    async def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What the function returns."""
        return await call(self.inner, args, kwargs)


def spread(function: Any) -> Any:
    """*function*, or a Spread of one that takes ``*args`` or ``**kwargs``."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a function without Python code
        return function
    if not any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters):
        return function
    return (AsyncSpread if is_async(function) else Spread)(function)


def callee_of(instance: Any, key: str = "") -> Callee:
    """The Callee of an object whose class has ``__call__``."""
    has_coroutine = inspect.iscoroutinefunction(type(instance).__call__)
    return (AsyncCallee if has_coroutine else Callee)(instance, key)


def call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What *function* returns. ``trim_traceback`` knows this function by its name: the frames below
    it are the user's.
    """
    return function(*args, **kwargs)


_RECEIVED: OrderedDict[str, tuple[bytes, Callee]] = OrderedDict()
_MOST = 64  # objects that are kept, each with what its init() has loaded
_LOCK = threading.Lock()


def _received(key: str, data: bytes) -> Callee:
    """The Callee of an object that another process has sent as *data*."""
    digest = blake2b(data, digest_size=16).digest()
    with _LOCK:
        found = _RECEIVED.get(key)
        if found is None or found[0] != digest:
            found = _RECEIVED[key] = digest, callee_of(pickle.loads(data), key)
            while len(_RECEIVED) > _MOST:
                _RECEIVED.popitem(last=False)
        return found[1]


def _pickled_if_possible(value: Any) -> bytes:
    try:
        return pickled(value)
    except Exception:  # whatever its own methods raise: it then stays in this process
        return b""


def attributes_of(instance: Any) -> dict[str, Any]:
    """Name -> value of the attributes of an object itself, in its dict and its slots."""
    found = dict(getattr(instance, "__dict__", {}))
    for cls in type(instance).__mro__:
        slots = vars(cls).get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(instance, name):
                found[name] = getattr(instance, name)
    return found


def _digest(value: Any) -> bytes:
    """A digest of *value*; empty if it has none."""
    try:
        return fingerprint(value, digest_of_code)
    except Unhashable:
        return b""


def _parts_of(values: list[Any]) -> list[Any]:
    """*values*, and what is in the containers among them, at any depth; the first ones of many."""
    found: list[Any] = []
    seen = set()
    while values and len(found) < _MOST_PARTS:
        one = values.pop()
        found.append(one)
        if type(one) in _CONTAINERS and id(one) not in seen:
            seen.add(id(one))
            values += [*one, *one.values()] if isinstance(one, dict) else one
    return found


_MOST_PARTS = 10_000
_CONTAINERS = (list, dict, set)


def _are_same(one: Any, other: list[Any]) -> bool:
    return one is _NONE or (len(one) == len(other) and all(map(operator.is_, one, other)))


def setting_digest(name: str, value: Any) -> bytes:
    """The digest of the setting *name*. Raises Unidentified if it has none."""
    try:
        return fingerprint(value, digest_of_code)
    except Unhashable as error:
        raise Unidentified(f"its attribute {name!r}", error) from None
