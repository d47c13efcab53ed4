"""BoundProgram: a Program with the values of one run, which are constants of its code.

The code has ``<constant>[10**6]`` in the place of a value. The objects below are subscripted in C,
so a debugger, a tracer or a profiler sees no frame of ours, and pickle can send them with the
script's functions.

A pickled value is loaded when the script reads it: that may import the script's own modules. On the
warm path.
"""

from __future__ import annotations

import marshal

# Not from collections, functools and operator: they load nine modules, 3 ms of each start.
from _collections import defaultdict  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _operator import getitem, is_, itemgetter, methodcaller
from os.path import basename

from kohaku_ast.frames import hidden
from kohaku_ast.transform.program.program import CAPTURE, FIELD_KINDS, Findings, placeholder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

    from kohaku_ast.errors import KogineError
    from kohaku_ast.transform.program.program import Program, ResolvedTarget


_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_CONTAINERS = (list, dict, set)


class _Same:
    """Returns the object itself."""

    __getitem__ = staticmethod(itemgetter(0))


class _Copy:
    """Returns a new equal list, dict or set each time, as a display does, in the same order;
    marshal would lose the order of a set.
    """

    __getitem__ = staticmethod(methodcaller("copy"))


class _DeepCopy:
    """Returns a new equal object each time, new at every depth."""

    __getitem__ = staticmethod(marshal.loads)


class _Load:
    """Returns a new object of a pickle each time."""

    def __new__(cls) -> _Load:
        # Here and not above: _pickle loads twelve modules, and few runs have pickled values.
        from _pickle import loads

        cls.__getitem__ = staticmethod(loads)
        return super().__new__(cls)

    __getitem__: Callable[[bytes], object]


class _Field:
    """Returns what the body of a class takes for a field whose default is the value: a list, dict
    or set is made anew for each instance, as a default factory does.
    """

    def __init__(self, kind: str) -> None:
        """*kind* is one of ``FIELD_KINDS``."""
        self.kind = kind

    @hidden
    def __getitem__(self, value: Any) -> object:
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
        return marshal.loads, marshal.dumps(value)
    from copy import deepcopy

    return deepcopy, value


_FIELDS = {placeholder(kind): _Field(kind) for kind in FIELD_KINDS}


class Capture:
    """Stores the value that the starting call returned."""

    value: object = None

    @hidden
    def __getitem__(self, value: object) -> object:
        self.value = value
        return value


class BoundProgram:
    """A Program with its values, ready to run once."""

    def __init__(self, program: Program, values: Mapping[str, object]) -> None:
        """*values* has one for every target in ``program.sites``; some may be Pickled."""
        self.program = program
        #: The values as another process gets them.
        self.sent = values
        self.values = {target: as_value(original(value)) for target, value in values.items()}
        self.capture = Capture()
        self.findings = Findings()
        paths = {one.target: one for one in program.meant if one and one.path}
        self._sites: list[_Site] = []
        self._constants: dict[bytes, object] = {CAPTURE: self.capture, **_FIELDS}
        groups: dict[bytes, _Site] = {}
        for number, (target, line, repeated) in enumerate(program.sites):
            value = original(values[target]) if target in paths else values[target]
            maker, site = _site(as_value(values[target]), repeated, groups)
            self._sites.append(site)
            self._constants[placeholder("value", number)] = site
            self._constants[placeholder("fresh", number)] = maker
            if target in paths:
                setter = self._setter(paths[target], line, value)
                self._constants[placeholder("setter", number)] = setter

    def _setter(self, target: ResolvedTarget, line: int, value: object) -> object:
        # Here: most runs have no such path.
        from kohaku_ast.transform.program.path_setter import PathSetter

        place = f"{basename(self.program.filename)}:{line}"
        texts = value if is_read_later(value) else None
        return PathSetter(target, place, self.findings, texts)  # type: ignore[arg-type]

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
        return {target: lines[target] for target, (get, value) in kept if get() is not value}

    def unused(self) -> list[tuple[str, int]]:
        """Target and first line of each override of which no definition ran."""
        lines: dict[str, int] = {}
        for target, line, _ in self.program.sites:
            lines.setdefault(target, line)
        for (target, _, _), site in zip(self.program.sites, self._sites):
            if site:
                lines.pop(target, None)
        return list(lines.items())


_Site: TypeAlias = "defaultdict[int, object]"
"""The object of ``constant[10**6]``: it has an item as soon as the code has read the value."""


def _site(value: object, repeated: bool, groups: dict[bytes, _Site]) -> tuple[object, _Site]:
    """The site of *value*, and before it the maker that the value of a *repeated* site goes
    through. *groups* are the values that were pickled together.
    """
    if type(value) is Pickled:
        return _pickled_site(value, repeated, groups)
    maker, origin = _maker(value)
    result = origin if repeated else maker[origin]
    return maker, defaultdict(partial(itemgetter(0), (result,)))


def _pickled_site(
    value: Pickled, repeated: bool, groups: dict[bytes, _Site]
) -> tuple[object, _Site]:
    return (_Load(), _again_site(value)) if repeated else (_Same(), _once_site(value, groups))


def _once_site(value: Pickled, groups: dict[bytes, _Site]) -> _Site:
    """The site of *value*; *groups* are the values that were pickled together, by bytes."""
    from _pickle import loads

    group = groups.setdefault(value.data, defaultdict(partial(loads, value.data)))
    # `group[0][name]`, as an iterator: the group is loaded when the iterator is read.
    found = map(itemgetter(value.name), iter(partial(getitem, group, 0), ()))
    return defaultdict(partial(next, found))


def _again_site(value: Pickled) -> _Site:
    """The site of the bytes that _Load makes *value* from."""
    from _pickle import dumps, loads

    data = dumps(Call(getitem, Call(loads, value.data), value.name))
    return defaultdict(partial(itemgetter(0), (data,)))


def _maker(value: Any) -> tuple[_Same | _Copy | _DeepCopy, Any]:
    """The maker of the object that the script gets, and the object that it makes it from."""
    if not is_display(value):
        return _Same(), (value,)
    inner = value.values() if isinstance(value, dict) else value
    if type(value) is tuple or any(map(_is_mutable, inner)):
        return _DeepCopy(), marshal.dumps(value)
    return _Copy(), value.copy()


def fill(code: CodeType, constants: Mapping[bytes, object]) -> CodeType:
    """*code* with the placeholders among its constants replaced by *constants*, at any depth."""
    filled = tuple(_constant(one, constants) for one in code.co_consts)
    if all(map(is_, filled, code.co_consts)):
        return code
    return code.replace(co_consts=filled)


def _constant(value: object, constants: Mapping[bytes, object]) -> object:
    if hasattr(value, "co_consts"):
        return fill(value, constants)  # type: ignore[arg-type]
    return constants.get(value, value) if type(value) is bytes else value


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


class Prepared:
    """A script and its modules, bound to their values, before the first line runs."""

    __slots__ = ("failed", "given", "modules")

    def __init__(
        self, given: BoundProgram, modules: Mapping[str, tuple[str, BoundProgram]]
    ) -> None:
        #: The bound script.
        self.given = given
        #: Module name -> its file, and the bound module.
        self.modules = modules
        #: Whether the script ended by an exception, or with a status other than 0.
        self.failed = False

    def note_end(self, error: BaseException) -> None:
        """Note that *error* has ended the script."""
        is_exit = isinstance(error, SystemExit)
        self.failed = not (is_exit and error.code in (None, 0))  # type: ignore[attr-defined]

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.given.program

    @property
    def stopped(self) -> KogineError | None:
        """The error about a path that has ended the run, or None."""
        return next(
            (one.findings.stopped for _, _, one in self.every() if one.findings.stopped), None
        )

    def every(self) -> Iterable[tuple[str, str, BoundProgram]]:
        """Prefix of the targets, file and BoundProgram, of the script and of each module."""
        yield "", self.program.filename, self.given
        for name, (file, given) in self.modules.items():
            yield f"{name}.", file, given
