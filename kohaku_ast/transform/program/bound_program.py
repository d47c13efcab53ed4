"""The values of one run, put into a Program's code as constants.

The code says ``<constant>[10**6]`` where a value goes. All objects below answer that from C,
so no frame of ours is seen by a debugger, a tracer or a profiler, and pickle can carry them
with the script's functions.

Nothing is loaded before the script asks: it may have to import the script's own modules.
"""

from __future__ import annotations

import marshal

# Not from collections, functools and operator: these load nine modules, 3 ms of every start.
from _collections import defaultdict  # type: ignore[import-not-found]
from _functools import partial  # type: ignore[import-not-found]
from _operator import getitem, is_, itemgetter, methodcaller, setitem

from kohaku_ast.frames import hidden
from kohaku_ast.transform.program.program import CAPTURE, placeholder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType
    from typing import Any, TypeAlias

    from kohaku_ast.transform.program.program import Program


_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))
_CONTAINERS = (list, dict, set)


class _Same:
    """Gives the object itself."""

    __getitem__ = staticmethod(itemgetter(0))


class _Copy:
    """Gives a new equal list, dict or set each time, as a display does. In its very order, which
    marshal does not keep for sets.
    """

    __getitem__ = staticmethod(methodcaller("copy"))


class _DeepCopy:
    """Gives a new equal object each time, new at every depth."""

    __getitem__ = staticmethod(marshal.loads)


class _Load:
    """Gives what a pickle describes, made anew each time."""

    def __new__(cls) -> _Load:
        # Here and not above: _pickle loads twelve modules, and few runs have pickled values.
        from _pickle import loads

        cls.__getitem__ = staticmethod(loads)
        return super().__new__(cls)

    __getitem__: Callable[[bytes], object]


class _Setter:
    """Finds, for ``cfg.opt.lr = value``, what sets the last step below *cfg*."""

    def __init__(self, target: str, path: tuple[str | int, ...], created: list[str]) -> None:
        self.target, self.path, self.created = target, path, created

    def __getitem__(self, owner: object) -> object:
        for step in self.path[:-1]:
            get = partial(_get_item if _is_item(owner, step) else getattr, owner, step)
            try:
                owner = get()
            except Exception:
                # When this is called, it fails again: in the script's own frame.
                return partial(next, iter(get, self))
        last = self.path[-1]
        if _is_item(owner, last):
            if isinstance(last, str) and last not in owner:  # type: ignore[operator]
                self.created.append(self.target)
            return partial(setitem, owner, last)
        if not _has(owner, str(last)):
            self.created.append(self.target)
        return partial(setattr, owner, str(last))


_get_item: Callable[[object, object], object] = getitem  # type: ignore[assignment]


def _is_item(owner: object, step: str | int) -> bool:
    """Whether *step* is an item of *owner* (a mapping, or a position) and not an attribute."""
    kind = type(owner)
    return isinstance(step, int) or (hasattr(kind, "keys") and hasattr(kind, "__setitem__"))


def _has(owner: object, name: str) -> bool:
    """``hasattr`` that runs no property of the script if it can help it."""
    places = [owner, *type(owner).__mro__]
    return any(name in getattr(one, "__dict__", ()) for one in places) or hasattr(owner, name)


class Capture:
    """Keeps what the starting call returned."""

    value: object = None

    @hidden
    def __getitem__(self, value: object) -> object:
        self.value = value
        return value


class BoundProgram:
    """A Program bound to values, ready to run once."""

    def __init__(self, program: Program, values: Mapping[str, object]) -> None:
        """*values* has one for every target in ``program.sites``; some may be Pickled."""
        self.program = program
        #: As another process gets them.
        self.sent = values
        self.values = {target: original(value) for target, value in values.items()}
        self.capture = Capture()
        #: Targets that named an attribute or key which was not there before.
        self.created: list[str] = []
        paths = {one.target: one.path for one in program.meant if one}
        self._sites: list[_Site] = []
        self._constants: dict[bytes, object] = {CAPTURE: self.capture}
        groups: dict[bytes, _Site] = {}
        for number, (target, _, repeated) in enumerate(program.sites):
            maker, site = _site(values[target], repeated, groups)
            self._sites.append(site)
            self._constants[placeholder("value", number)] = site
            self._constants[placeholder("fresh", number)] = maker
            setter = _Setter(target, paths.get(target, ()), self.created)
            self._constants[placeholder("setter", number)] = setter

    def codes(self, role: str = "") -> list[CodeType]:
        """The Program's code with the values in it, all of it or what has the *role*."""
        segments = self.program.segments
        return [fill(code, self._constants) for own, code in segments if role in ("", own)]

    def unused(self) -> list[tuple[str, int]]:
        """Target and first line of the overrides none of whose definitions ran."""
        lines: dict[str, int] = {}
        for target, line, _ in self.program.sites:
            lines.setdefault(target, line)
        for (target, _, _), site in zip(self.program.sites, self._sites):
            if site:
                lines.pop(target, None)
        return list(lines.items())


_Site: TypeAlias = "defaultdict[int, object]"
"""What ``constant[10**6]`` is asked of: it holds an item once it has been asked."""


def _site(value: object, repeated: bool, groups: dict[bytes, _Site]) -> tuple[object, _Site]:
    """The site of *value*. Where code may run *repeated*ly, what it gives goes through the first
    of the two. *groups* are the values that are pickled together.
    """
    if type(value) is Pickled:
        return _pickled_site(value, repeated, groups)
    maker, kept = _maker(value)
    given = kept if repeated else maker[kept]
    return maker, defaultdict(partial(itemgetter(0), (given,)))


def _pickled_site(
    value: Pickled, repeated: bool, groups: dict[bytes, _Site]
) -> tuple[object, _Site]:
    return (_Load(), _again_site(value)) if repeated else (_Same(), _once_site(value, groups))


def _once_site(value: Pickled, groups: dict[bytes, _Site]) -> _Site:
    """A site that gives *value*; *groups* are the values that were pickled together, by bytes."""
    from _pickle import loads

    group = groups.setdefault(value.data, defaultdict(partial(loads, value.data)))
    # `group[0][name]`: an iterator that asks the group when it is asked itself.
    found = map(itemgetter(value.name), iter(partial(getitem, group, 0), ()))
    return defaultdict(partial(next, found))


def _again_site(value: Pickled) -> _Site:
    """A site that gives what _Load makes *value* from."""
    from _pickle import dumps, loads

    data = dumps(Call(getitem, Call(loads, value.data), value.name))
    return defaultdict(partial(itemgetter(0), (data,)))


def _maker(value: Any) -> tuple[_Same | _Copy | _DeepCopy, Any]:
    """What makes the object to use, and what it makes it from."""
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
    """Whether *value* is what a list, dict or set display of literals makes: such a value is
    copied, because the script may change it (an edited script would make it anew).
    """
    try:
        return _is_mutable(value) and _is_plain(value)
    except RecursionError:
        return False  # a list that holds itself


def is_plain(value: object) -> bool:
    """Whether *value* and all in it are what literals make."""
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
        #: What was pickled; it stays where it was pickled.
        self.value = value

    def __reduce__(self) -> tuple[object, ...]:
        return Pickled, (self.data, self.name)


def original(value: object) -> object:
    """*value* as its config has made it."""
    return value.value if type(value) is Pickled else value


def load(value: object) -> object:
    """*value*, made now if it is Pickled."""
    if type(value) is not Pickled:
        return value
    from _pickle import loads

    values: dict[str, object] = loads(value.data)
    return values[value.name]


class Call:
    """What another process gets for it is the result of a call that is made there."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


class Prepared:
    """Everything that has to be known before the first line runs."""

    __slots__ = ("given", "modules")

    def __init__(
        self, given: BoundProgram, modules: Mapping[str, tuple[str, BoundProgram]]
    ) -> None:
        #: The script.
        self.given = given
        #: Module name -> its file, and the module under its overrides.
        self.modules = modules

    @property
    def program(self) -> Program:
        """The script's Program."""
        return self.given.program

    def every(self) -> Iterable[tuple[str, str, BoundProgram]]:
        """What targets start with, file and overrides: of the script and of each module."""
        yield "", self.program.filename, self.given
        for name, (file, given) in self.modules.items():
            yield f"{name}.", file, given
