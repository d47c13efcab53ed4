"""BoundProgram: a Program with the values of one run, which are constants of its code.

The code has ``(first[key], track[mark], value)[choice]`` in the place of a value, all of them
constants. A value that literals can make and nobody can change is ``value`` itself. Any other one
comes from ``first[key]``: a new list each time, or the object. ``track[mark]`` notes that the value
was read.

The objects are subscripted in C, so a debugger, a tracer or a profiler sees no frame of ours. They
are hashable; marshal writes them as bytes, with which the code of a plain value works anywhere; and
cloudpickle sends them as a whole, so that a worker needs no module of ours.

A pickled value is loaded when the script reads it: that may import the script's own modules. On the
warm path.
"""

from __future__ import annotations

import sys

# Not from collections, functools and operator: they load nine modules, 3 ms of each start.
from _collections import defaultdict  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _operator import getitem, is_, itemgetter, setitem

from kohaku_ast.frames import hidden, keep_builtins
from kohaku_ast.transform.program.program import (
    CAPTURE,
    FIELD_KINDS,
    Findings,
    copier,
    placeholder,
)

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import CodeType
    from typing import Any, Protocol

    from kohaku_ast.errors import KogineError
    from kohaku_ast.transform.program.program import Program, ResolvedTarget
else:
    Protocol = object


_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_CONTAINERS = (list, dict, set)


def _constant(get: Callable[..., object], data: bytes = b"", **more: object) -> bytes:
    """A constant whose subscript is *get* of the index; marshal writes it as *data*."""
    # `__main__`, so that cloudpickle sends the class as a whole.
    names = {"__slots__": (), "__module__": "__main__", "__getitem__": staticmethod(get), **more}
    made: bytes = type("constant", (bytes,), names)(data)
    return made


class _Field(bytes):
    """Returns what the body of a class takes for a field whose default is the value: a list, dict
    or set is made anew for each instance, as a default factory does.
    """

    kind: str

    def __new__(cls, kind: str) -> _Field:
        """*kind* is one of ``FIELD_KINDS``."""
        made = super().__new__(cls)
        made.kind = kind
        return made

    @hidden
    def __getitem__(self, value: Any) -> object:  # type: ignore[override]
        import dataclasses  # the script has imported it, or attrs has

        is_shared = type(value).__hash__ is None and not isinstance(value, dataclasses.Field)
        factory = partial(*_remaking(value)) if is_shared else None
        if self.kind == "factory":
            return factory or dataclasses.MISSING
        if self.kind == "default":
            return dataclasses.MISSING if factory else value
        if factory is None:
            return value
        if self.kind == "attrs":
            import attr  # as above

            return attr.Factory(factory)
        return dataclasses.field(default_factory=factory)


def _remaking(value: Any) -> tuple[Callable[..., object], object]:
    """A function and its argument: each call makes an object equal to *value*."""
    if is_plain(value):
        return copier(value)
    from copy import deepcopy

    return deepcopy, value


_FIELDS: dict[object, object] = {placeholder(kind): _Field(kind) for kind in FIELD_KINDS}


class Capture(bytes):
    """Stores the value that the starting call returned."""

    value: object = None

    @hidden
    def __getitem__(self, value: object) -> object:  # type: ignore[override]
        self.value = value
        return value


class BoundProgram:
    """A Program with its values, ready to run."""

    def __init__(
        self, program: Program, values: Mapping[str, object], is_pure: bool | None = None
    ) -> None:
        """*values* has one for every target in ``program.sites``; some may be Pickled. *is_pure*:
        as in the Program, for a module that another script imports.
        """
        self.program = program
        #: The values as another process gets them, those of added globals too.
        self.sent = values
        self.values = {
            target: as_value(original(value))
            for target, value in values.items()
            if target not in program.added
        }
        self.capture = Capture()
        self.findings = Findings()
        self.is_pure = program.is_pure if is_pure is None else is_pure
        self._reads = _Reads(program.sites)
        paths = {one.target: one for one in program.meant if one and one.path}
        self._constants: dict[object, object] = {CAPTURE: self.capture, **_FIELDS}
        groups: dict[bytes, defaultdict[int, object]] = {}
        for number, (target, line, repeated) in enumerate(program.sites):
            given = values.get(target)  # none for one of another module, which is only watched
            parts = _parts(as_value(given), repeated, groups)
            track = _NOTHING if repeated and self.is_pure else self._reads.track(number)
            for kind, part in zip(("first", "key", "value", "choice"), parts):
                self._constants[placeholder(kind, number)] = part
            self._constants[placeholder("track", number)] = track
            self._constants[placeholder("mark", number)] = 1
            if target in paths:
                setter = self._setter(paths[target], line, original(given))
                self._constants[placeholder("setter", number)] = setter
        self._constants |= _equal_constants(self._constants)

    def _setter(self, target: ResolvedTarget, line: int, value: object) -> object:
        # Here: most runs have no such path.
        from kohaku_ast.transform.program.path_setter import PathSetter

        texts = value if is_read_later(value) else None
        return PathSetter(target, self.program.filename, line, self.findings, texts)  # type: ignore[arg-type]

    def as_sent(self, target: str, value: object) -> object:
        """*value* of *target*; the Pickled, if that is what the script gets."""
        sent = self.sent.get(target)
        return sent if type(sent) is Pickled else value

    def codes(self, role: str = "") -> list[CodeType]:
        """The code of the Program with the values in it; with *role*, only the segments that
        have it.
        """
        segments = self.program.segments
        return [fill(code, self._constants) for own, code in segments if role in ("", own)]

    def replaced(self) -> dict[str, tuple[int, ...]]:
        """Each target below an object whose value the script has replaced -> the lines that store
        another one.
        """
        lines = {one.target: one.later for one in self.program.meant if one}
        kept = self.findings.kept.items()
        stored = {
            target: lines[target]
            for target, (get, value) in kept
            if lines[target] and get() is not value
        }
        return {**self.findings.replaced, **stored}

    def note_child(self) -> None:
        """Note that another process has got the Program: it may run the functions."""
        for number, (_, _, repeated) in enumerate(self.program.sites):
            if repeated:
                self._reads.note(number)

    def unused(self) -> list[tuple[str, int]]:
        """Target and first line of each override of which no definition ran."""
        lines: dict[str, int] = {}
        for target, line, repeated in self.program.sites:
            if repeated is not None:  # what is only watched needs not run
                lines[target] = min(line, lines.get(target, line))
        for number, (target, _, repeated) in enumerate(self.program.sites):
            used = self._reads.happened(number) and target not in self.findings.waiting
            if used or (repeated and self.is_pure):
                lines.pop(target, None)
        return list(lines.items())


_NOTHING = (0, 0)
"""Stands for parts of a site that it does not need."""


class _Reads:
    """Which sites the code has read, also in forked children, and which were sent elsewhere."""

    def __init__(self, sites: Sequence[tuple[str, int, bool | None]]) -> None:
        repeated = [is_repeated for _, _, is_repeated in sites]
        self._flags = _shared_bytes(len(sites)) if any(repeated) else bytearray(len(sites))
        self._sent = [defaultdict(partial(itemgetter(0), (_REDUCED,))) for _ in sites]

    def track(self, number: int) -> bytes:
        """The constant whose subscript with 1 notes that site *number* was read; so does pickle."""
        note = partial(setitem, self._flags, number)
        sent = staticmethod(self._sent[number].__getitem__)
        return _constant(note, _REDUCED[1][0], __reduce_ex__=sent)

    def note(self, number: int) -> None:
        """Note that site *number* may have been read."""
        self._flags[number] = 1

    def happened(self, number: int) -> bool:
        """Whether site *number* was read, as far as anybody can know."""
        return bool(self._flags[number] or self._sent[number])


_REDUCED = bytes, (b"\0\0",)


def _shared_bytes(count: int) -> bytearray:
    """So many zero bytes that forked children share with this process, where it can fork."""
    try:
        from mmap import mmap
    except ImportError:
        return bytearray(count)
    return mmap(-1, count)  # type: ignore[return-value]  # it has all that is used of one


def _parts(
    value: Any, repeated: bool | None, groups: dict[bytes, defaultdict[int, object]]
) -> tuple[object, object, object, int]:
    """The constants first, key, value and choice of a site. *repeated*: it may run several times.
    *groups* are the values that were pickled together.
    """
    if type(value) is Pickled:
        return *_pickled_source(value, repeated, groups), None, 0
    if is_display(value):
        return *_display_source(value), None, 0
    if is_plain(value):
        return _NOTHING, 0, sys.intern(value) if _is_name(value) else value, 2
    return _constant({0: value}.__getitem__), 0, None, 0


def _display_source(value: Any) -> tuple[bytes, object]:
    """First and key of a list, dict or set, which the code makes anew each time, as a display
    does, in the same order.
    """
    inner = value.values() if isinstance(value, dict) else value
    if type(value) is tuple or any(map(_is_mutable, inner)):
        load, data = copier(value)
        return _constant(load), data
    if type(value) is dict:
        return _constant(dict), tuple(value.items())
    return _constant(type(value)), (frozenset if type(value) is set else tuple)(value)


def _pickled_source(
    value: Pickled, repeated: bool | None, groups: dict[bytes, defaultdict[int, object]]
) -> tuple[bytes, object]:
    """First and key of *value*: a new object each time if *repeated*, else one, which is loaded
    when the code reads it, and with it all that were pickled with it.
    """
    # Here and not above: _pickle loads twelve modules, and few runs have pickled values.
    from _pickle import dumps, loads

    if repeated:
        return _constant(loads), dumps(Call(getitem, Call(loads, value.data), value.name))
    group = groups.setdefault(value.data, defaultdict(partial(loads, value.data)))
    # `group[0][name]`, as an iterator: the group is loaded when the iterator is read.
    found = map(itemgetter(value.name), iter(partial(getitem, group, 0), ()))
    return _constant(defaultdict(partial(next, found)).__getitem__), 0


def _is_name(value: object) -> bool:
    """Whether the compiler would intern *value*."""
    return type(value) is str and value.isascii() and value.replace("_", "a").isalnum()


def _equal_constants(constants: Mapping[object, object]) -> dict[object, object]:
    """Class and value -> the one object for all equal constants, as the compiler has it."""
    values = [one for key, one in constants.items() if type(key) is bytes and b":value:" in key]
    return {(type(one), one): one for one in values if type(one) in _MERGED}


_MERGED = (int, float, complex, str, bytes, tuple)


def fill(code: CodeType, constants: dict[object, object]) -> CodeType:
    """*code* with the placeholders among its constants replaced by *constants*, at any depth."""
    filled = tuple(_filled(one, constants) for one in code.co_consts)
    if all(map(is_, filled, code.co_consts)):
        return code
    return code.replace(co_consts=filled)


def _filled(value: object, constants: dict[object, object]) -> object:
    kind = type(value)
    if hasattr(value, "co_consts"):
        return fill(value, constants)  # type: ignore[arg-type]
    if kind not in _MERGED:
        return value
    if kind in (bytes, int) and value in constants:
        return constants[value]
    if kind is tuple:
        inner = tuple(_filled(one, constants) for one in value)  # type: ignore[attr-defined]
        if not all(map(is_, inner, value)):  # type: ignore[call-overload]
            value = constants.setdefault((kind, inner), inner)
    equal = constants.get((kind, value), value)
    return equal if equal is not value and repr(equal) == repr(value) else value  # 0.0, -0.0


def is_display(value: object) -> bool:
    """Whether a list, dict or set display of literals can make *value*: such a value is copied,
    because the script may change it (an edited script would make a new one).
    """
    try:
        return _is_mutable(value) and _is_plain(value)
    except RecursionError:
        return False  # a list that contains itself


def is_plain(value: object) -> bool:
    """Whether literals can make *value* and all in it."""
    try:
        return _is_plain(value)
    except RecursionError:
        return False


def _is_mutable(value: object) -> bool:
    """Whether *value* is a list, dict or set, or a tuple with one in it."""
    kind = type(value)
    return kind in _CONTAINERS or (kind is tuple and any(map(_is_mutable, value)))  # type: ignore[call-overload]


def _is_plain(value: object) -> bool:
    if type(value) in _PLAIN:
        return True
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(inner) for key, inner in value.items())
    if type(value) in (list, tuple, set, frozenset):
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    return False


class Pickled:
    """One of the values that were pickled together, by its name."""

    __slots__ = ("data", "name", "value")

    def __init__(self, data: bytes, name: str, value: object = None) -> None:
        """*data* is a pickled dict with *name* in it."""
        self.data, self.name = data, name
        #: The object that was pickled; it stays in the process that pickled it.
        self.value = value

    def __reduce__(self) -> tuple[object, ...]:
        return Pickled, (self.data, self.name)


READ_LATER = "\0kogine: read as"
"""The key by which a dict says that it holds one text, read as each kind that it may be."""


def is_read_later(value: object) -> bool:
    """Whether *value* is a text whose type only the running script knows (see ``read_every``)."""
    return type(value) is dict and READ_LATER in value


def as_value(value: object) -> object:
    """*value*; of a text that is read later what it is without a type."""
    return value["any"] if is_read_later(value) else value  # type: ignore[index]


def original(value: object) -> object:
    """*value*, or the object that a Pickled was made from."""
    return value.value if type(value) is Pickled else value


def load(value: object) -> object:
    """*value*, loaded now if it is Pickled."""
    if type(value) is not Pickled:
        return value
    from _pickle import loads

    values: dict[str, object] = loads(value.data)
    return values[value.name]


class Call:
    """Pickles as a call: another process gets the result of the call, which is made there."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


_EXIT_CODE = SystemExit.__dict__["code"].__get__


class Prepared:
    """A script and its modules, bound to their values, before the first line runs."""

    __slots__ = ("failed", "given", "has_child", "lacking", "later", "modules")

    def __init__(
        self,
        given: BoundProgram,
        modules: Mapping[str, tuple[str, BoundProgram]],
        later: LateOverrides | None = None,
    ) -> None:
        #: The bound script.
        self.given = given
        #: Module name -> its file, and the bound module.
        self.modules = dict(modules)
        #: The overrides of modules that only the running script can find.
        self.later = later
        #: Whether the script ended by an exception, or with a status other than 0.
        self.failed = False
        #: What the Config wants as outputs and the script has not left, each with similar names.
        self.lacking: dict[str, list[str]] = {}
        #: Whether another process has got the Programs: it may import other modules.
        self.has_child = False

    @hidden
    def note_end(self, error: BaseException) -> None:
        """Note that *error* has ended the script."""
        # Not `error.code` and `==`, which may be code of the script's.
        code = _EXIT_CODE(error) if isinstance(error, SystemExit) else 1
        is_zero = isinstance(code, int) and int.__int__(code) == 0
        self.failed = code is not None and not is_zero

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.given.program

    @property
    @hidden
    def stopped(self) -> KogineError | None:
        """The error about a path that has ended the run, or None."""
        # No generator: its frames cannot be hidden, and a debugger that runs on would stop there.
        stopped = self.given.findings.stopped
        for _, given in self.modules.values():
            stopped = stopped or given.findings.stopped
        return stopped

    @property
    def has_overrides(self) -> bool:
        """Whether anything has another value than its text says."""
        return bool(self.given.program.sites or self.modules or self.later)

    def note_child(self) -> None:
        """Note that another process has got all Programs."""
        self.has_child = True
        for _, _, given in self.every():
            given.note_child()

    def every(self) -> Iterable[tuple[str, str, BoundProgram]]:
        """Prefix of the targets, file and BoundProgram, of the script and of each module."""
        yield "", self.program.filename, self.given
        for name, (file, given) in self.modules.items():
            yield f"{name}.", file, given


class LateOverrides(Protocol):
    """The overrides of modules that nobody could find before the script runs."""

    #: Those that wait for their module: ``Override``, each with the module before its target.
    overrides: list[Any]

    def of_module(self, name: str, is_module: Callable[[str], bool]) -> list[Any]:
        """Take those for the module *name*; what *is_module* is for a module in that package."""

    def bind(self, file: str, data: bytes, overrides: list[Any]) -> BoundProgram:
        """The module in *file*, with the text *data*, bound to *overrides*; raises KogineError."""

    def targets(self) -> list[str]:
        """The targets whose module was not imported."""
