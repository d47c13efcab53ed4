"""PathSetter: sets a path below an object that only the running script makes (``cfg.opt.lr``).

What the path may lead to is known when the name is bound. In an object with a closed set of names
(a dataclass, ``__slots__``) another name is a mistake, and the run stops there; elsewhere it is
set, and a warning at the end says so. A text is read as the type of the value that stands there.

Imported by runs with such a path only.
"""

from __future__ import annotations

import os
import sys
from _functools import partial  # type: ignore[import-not-found]  # as in bound_program.py
from _operator import getitem, itemgetter, setitem
from os.path import dirname

from kohaku_ast.errors import KogineError, RefusedTarget, UnknownTarget, ValueMismatch, near
from kohaku_ast.frames import hidden, keep_builtins, say
from kohaku_ast.transform import place
from kohaku_ast.transform.program.program import copier

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from kohaku_ast.transform.program.program import Findings, ResolvedTarget

    Step = str | int

_exit = sys.exit  # bound here: the script may change it


class PathSetter:
    """For ``cfg.opt.lr``: ``self[cfg:value]`` is a function that sets the last step and returns
    the object: a copy of it where it cannot be changed.
    """

    def __init__(
        self,
        resolved: ResolvedTarget,
        filename: str,
        line: int,
        findings: Findings,
        texts: Mapping[str, object] | None,
    ) -> None:
        """*filename* and *line* are where the site stands. *texts*, for a value that came as text,
        is what ``read_every`` made of it: what it is for each type.
        """
        self.target, self.path, self.line = resolved.target, resolved.path, line
        self.place = place(filename, line)
        self.may_be_replaced = bool(resolved.later)
        self.findings, self.texts = findings, texts

    @hidden
    def __getitem__(self, pair: slice) -> Callable[[], object]:
        owners, value = [pair.start], pair.stop
        if pair.step is not None and self._is_done(pair.start, pair.step):
            return _calling(id, None, result=pair.start)
        for step in self.path[:-1]:
            get = partial(getitem if is_item(owners[-1], step) else getattr, owners[-1], step)
            try:
                owners.append(get())
            except (LookupError, AttributeError, TypeError):
                return self._stop(self._unknown(owners[-1], step))
            except Exception:  # of a property of the script's
                return _again(get)
        try:
            for number, owner in enumerate(owners):
                self._refuse_module(owner, self.path[number:])
            self._check_name(owners[-1])
            if self.texts is not None:
                value = self._read(owners[-1])
        except KogineError as error:
            return self._stop(error)
        return self._setting(owners, value, pair.step is not None)

    def _is_done(self, owner: object, method: str) -> bool:
        """Whether *method* has nothing to set. ``begin``: a call may fill *owner* soon, and the
        path need not be there yet; ``again``: it has been filled; ``before`` and ``check`` stand
        above and below a call that may give the path another value.
        """
        findings, now = self.findings, self._now(owner)
        if method == "before":
            findings.seen[self.target] = now
        elif method == "check":
            seen = findings.seen.pop(self.target, now)  # nothing where the call loads a module
            if seen is not _value_at and not _is_equal(seen, now):
                lines = findings.replaced.get(self.target, ())
                findings.replaced[self.target] = (*lines, self.line)
        elif method == "begin" and now is _value_at:
            findings.waiting.add(self.target)
        else:
            findings.waiting.discard(self.target)
            get, value = findings.kept.get(self.target, (None, _value_at))
            return get is not None and now is value
        return True

    def _now(self, owner: object) -> object:
        """The value at the path; ``_value_at`` if there is none."""
        for step in self.path:
            owner = _value_at(owner, step)
        return owner

    def _setting(self, owners: list[Any], value: object, again: bool) -> Callable[[], object]:
        """What sets *value* in the last of *owners*; those that cannot be changed are copied.
        *again*: perhaps more than once.
        """
        for owner, step in zip(reversed(owners), reversed(self.path)):
            copy = partial(_changed_copy, owner, step)
            if not is_fixed(owner):
                if self.may_be_replaced or again:
                    get = partial(_value_at, owner, step)
                    self.findings.kept[self.target] = get, value
                setting = (setitem if is_item(owner, step) else setattr, owner, step, value)
                return _calling(*setting, result=owners[0])
            try:
                value = copy(value)
            except Exception:  # of the script's class: it is raised again where the value is set
                return _again(partial(copy, value))
        return _calling(is_item, value, "", result=value)

    def _refuse_module(self, owner: object, rest: tuple[Step, ...]) -> None:
        """Raise RefusedTarget if *owner* is a module of the user's: its text has run, so what it
        has made of the old value would stay as it is.
        """
        if type(owner) is not type(sys):
            return
        name, file = vars(owner).get("__name__"), vars(owner).get("__file__")
        if type(file) is str and file.endswith(".py") and not _is_in_library(file):
            inner = ".".join(map(str, rest))
            spelled = f"{name}.{inner}"
            hint = f"{spelled!r}, or name it" if spelled != self.target else "it"
            raise RefusedTarget(
                f"{self.place}: cannot override {self.target!r}: the module {name!r} ({file}) has "
                f"run by now. Override {hint} by its path from the script: configs/base.py is "
                f"configs.base.{inner}"
            )

    def _check_name(self, owner: Any) -> None:
        """Note that *owner* does not have the last step; raises UnknownTarget if it cannot."""
        last = self.path[-1]
        if isinstance(owner, type) and last in (declared_fields(owner) or ()):
            raise RefusedTarget(
                f"{self.place}: cannot override {self.target!r}: the class {owner.__name__} has "
                f"{str(last)!r} as a field: override it where the script makes the object"
            )
        if has(owner, last) and (not is_item(owner, last) or _takes_items(owner)):
            return
        if closed_names(owner) is not None or not _is_open(owner, last):
            raise self._unknown(owner, last)
        found = near(str(last), open_names(owner), 1)
        self.findings.created[self.target] = self._spelled(found[0]) if found else ""

    def _unknown(self, owner: Any, step: Step) -> UnknownTarget:
        """The error for an *owner* that has no *step*, with the names that it has."""
        head = f"{self.place}: cannot override {self.target!r}: {type(owner).__name__} has no "
        if isinstance(step, int) and isinstance(owner, (list, tuple)):
            return UnknownTarget(f"{head}[{step}]: it has {len(owner)} entries.")
        closed = closed_names(owner)
        if closed is None and type(owner).__module__ == "builtins" and not is_item(owner, ""):
            return UnknownTarget(f"{head}{str(step)!r}: it is {owner!r:.60}.")
        names = open_names(owner) if closed is None else closed
        found = near(str(step), names)
        hints = " or ".join([repr(name) for name in found])
        known = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        its_names = f"It has: {known}." if known else "It is empty."
        hint = f"Did you mean {hints}?" if found else its_names
        return UnknownTarget(f"{head}{str(step)!r}. {hint}")

    def _spelled(self, name: str) -> str:
        """The target with *name* as its last step."""
        head = self.target.removesuffix(str(self.path[-1]))
        return head + name if head != self.target else name

    def _read(self, owner: Any) -> object:
        """The text as the type of what stands there."""
        assert self.texts is not None
        old = _value_at(owner, self.path[-1])
        if old is _value_at:
            return _own(self.texts["str" if type(owner).__name__ in _ONLY_TEXT else "any"])
        annotation = self._annotation(owner)
        if self.texts["any"] is None and annotation is None and not isinstance(old, str):
            return None
        for kind in kinds_of(old, annotation):
            if kind in self.texts:
                return _own(self.texts[kind])
        try:
            return _made_like(old, self.texts)
        except Exception:
            raise ValueMismatch(
                f"{self.place}: {self.target}={self.texts['text']}: expected "
                f"{type(old).__name__}, got {self.texts['text']!r} (the script has {old!r:.60} "
                "there). --as-is skips this check."
            ) from None

    def _annotation(self, owner: object) -> object:
        """What the class of *owner* writes behind the name."""
        for kind in type(owner).__mro__:
            found = vars(kind).get("__annotations__")
            if isinstance(found, dict) and self.path[-1] in found:
                return found[self.path[-1]]
        return None

    def _stop(self, error: KogineError) -> Callable[[], object]:
        """End the run, with status 2, in the script's own frame."""
        if self.findings.stopped is None:  # a script that goes on may come to another path
            self.findings.stopped = error
            if self.findings.prints:
                say(f"kogine: error: {error}\n")
        return _again(partial(_exit, 2))


def _is_in_library(file: str) -> bool:
    """Whether *file* is of Python or of an installed package; as in user_code.py."""
    parts = file.replace("\\", "/").split("/")
    return not _LIBRARIES.isdisjoint(parts) or file.startswith(_PYTHON)


_LIBRARIES = {"site-packages", "dist-packages"}
_PYTHON = (dirname(os.__file__), "<")


def _is_equal(one: object, other: object) -> bool:
    """Whether both are one object, or equal values of a plain type; runs no code of the script."""
    if type(one) is not type(other) or type(one) not in (bool, int, float, str, bytes):
        return one is other
    return one is other or one == other


def _value_at(owner: Any, step: Step) -> object:
    try:
        return owner[step] if is_item(owner, step) else getattr(owner, str(step))
    except Exception:
        return _value_at  # gone: another object than the one that was set


def _again(call: Callable[[], object]) -> Callable[[], object]:
    """What calls *call*, which raises, without a frame of ours."""
    calling: Callable[[], object] = partial(next, iter(call, object()))
    return calling


def _calling(
    function: Callable[..., object], *args: object, result: object
) -> Callable[[], object]:
    """What calls *function* and returns *result*, without a frame of ours."""
    done = map(function, *((one,) for one in args))
    calling: Callable[[], object] = partial(next, map(itemgetter(1), zip(done, (result,))))
    return calling


def _own(value: object) -> object:
    """*value*, new at every depth: the script may change it."""
    if not isinstance(value, (list, dict, set, tuple)):
        return value
    load, data = copier(value)
    return load(data)


def is_item(owner: object, step: Step) -> bool:
    """Whether *step* is an item of *owner* (a key or an index) and not an attribute."""
    kind = type(owner)
    takes_items = hasattr(kind, "__setitem__") or _is_fixed_mapping(owner)
    return isinstance(step, int) or (takes_items and hasattr(kind, "keys"))


def has(owner: Any, name: Step) -> bool:
    """Whether *owner* has the key, index or attribute *name*; runs a property of the script only if
    it must.
    """
    if is_item(owner, name):
        return (
            name in owner
            if hasattr(type(owner), "keys")
            else _value_at(owner, name) is not _value_at
        )
    assert isinstance(name, str)
    places = [owner, *type(owner).__mro__]
    return any(name in getattr(one, "__dict__", ()) for one in places) or hasattr(owner, name)


# --- which names an object can have --------------------------------------------------------------


def closed_names(owner: Any) -> list[str] | None:
    """The names of an object that has a closed set of them, else None."""
    kind = type(owner)
    if isinstance(owner, type):
        return None
    if is_item(owner, ""):
        return [*map(str, owner)] if _is_sealed(owner) or _is_fixed_mapping(owner) else None
    if _pydantic_fields(kind) is not None and _setting_of(kind, "extra") == "allow":
        return None
    fields = declared_fields(kind)
    return _slots(owner) if fields is None else fields


def declared_fields(kind: Any) -> list[str] | None:
    """The fields that the class *kind* declares for its objects: of a dataclass, of attrs, pydantic
    and msgspec, of a named tuple or a TypedDict; None if it is another class.
    """
    if hasattr(kind, "__dataclass_fields__"):
        found = kind.__dataclass_fields__.items()
        return [name for name, one in found if "CLASSVAR" not in repr(one._field_type)]
    if hasattr(kind, "__struct_fields__"):
        return list(kind.__struct_fields__)
    if hasattr(kind, "__attrs_attrs__"):
        return [one.name for one in kind.__attrs_attrs__]
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return list(kind._fields)
    if hasattr(kind, "__total__"):
        return list(kind.__annotations__)
    fields = _pydantic_fields(kind)
    return None if fields is None else list(fields)


def _is_sealed(owner: Any) -> bool:
    """Whether a mapping takes no key that it lacks: of a structured config or with the flag
    ``struct`` (OmegaConf), locked (ml_collections).
    """
    library = type(owner).__module__.partition(".")[0]
    if library == "omegaconf":
        return bool(owner._get_flag("struct") or getattr(owner, "_is_typed", bool)())
    return library == "ml_collections" and bool(getattr(owner, "is_locked", False))


def _pydantic_fields(kind: Any) -> Mapping[str, object] | None:
    if not any(base.__module__.startswith("pydantic") for base in kind.__mro__):
        return None
    for attribute in ("__pydantic_fields__", "__fields__"):
        fields: Mapping[str, object] | None = getattr(kind, attribute, None)
        if fields is not None:
            return fields
    return None


def _setting_of(kind: Any, name: str) -> object:
    """A setting of a model of pydantic, of version 2 or 1."""
    found = getattr(kind, "model_config", {}).get(name)
    return getattr(getattr(kind, "Config", None), name, None) if found is None else found


def _slots(owner: object) -> list[str] | None:
    if hasattr(owner, "__dict__"):
        return None
    found = [kind.__dict__.get("__slots__") for kind in type(owner).__mro__]
    named = [[one] if isinstance(one, str) else list(one) for one in found if one is not None]
    return [name for names in named for name in names] if named else None


_SETATTR: Any = object.__setattr__


def _takes_items(owner: object) -> bool:
    return hasattr(type(owner), "__setitem__") or is_fixed(owner)


def _is_open(owner: Any, step: Step) -> bool:
    """Whether *step*, which *owner* does not have, can be set in it."""
    if is_item(owner, step):
        return hasattr(type(owner), "keys") and hasattr(type(owner), "__setitem__")
    return hasattr(owner, "__dict__") or getattr(type(owner), "__setattr__", None) is not _SETATTR


def open_names(owner: Any) -> list[str]:
    """The names of an object that can have any other one."""
    names: Iterable[object] = owner if is_item(owner, "") else dir(owner)
    return [name for name in names if isinstance(name, str) and not name.startswith("_")]


# --- objects that cannot be changed --------------------------------------------------------------


def is_fixed(owner: Any) -> bool:
    """Whether the names of *owner* cannot be set: it is a named tuple, or frozen."""
    kind = type(owner)
    if isinstance(owner, tuple):
        return kind is tuple or hasattr(kind, "_replace")
    if _is_fixed_mapping(owner) or _is_read_only(owner):
        return True
    params = getattr(kind, "__dataclass_params__", None)
    if params is not None:
        return bool(params.frozen)
    if hasattr(kind, "__attrs_attrs__"):
        return getattr(kind.__setattr__, "__name__", "") == "_frozen_setattrs"
    return _pydantic_fields(kind) is not None and bool(_setting_of(kind, "frozen"))


def _is_fixed_mapping(owner: Any) -> bool:
    """Whether *owner* is a mapping that takes no items: ``MappingProxyType``, a frozen dict."""
    name = type(owner).__name__.lower()
    is_frozen = name.startswith(("mappingproxy", "frozen", "immutable"))
    has_items = hasattr(type(owner), "__setitem__") and name not in (
        "frozenconfigdict",
        "frozendict",
    )
    return is_frozen and hasattr(type(owner), "keys") and not has_items


def _is_read_only(owner: Any) -> bool:
    """Whether *owner* is of OmegaConf and takes no value."""
    is_config = type(owner).__module__.partition(".")[0] == "omegaconf"
    return is_config and bool(owner._get_flag("readonly"))


def _changed_copy(owner: Any, name: Any, value: object) -> object:
    """A copy of *owner*, which ``is_fixed``, with *value* as *name*."""
    kind = type(owner)
    if isinstance(owner, tuple) and isinstance(name, int):
        items = list(owner)
        items[name] = value
        return tuple(items) if kind is tuple else kind(*items)
    if isinstance(owner, tuple):
        return owner._replace(**{name: value})  # type: ignore[attr-defined]
    if _is_read_only(owner):
        made = owner.copy()
        own = made._get_node_flag("readonly")
        made._set_flag("readonly", False)
        made[name] = value
        made._set_flag("readonly", own)
        return made
    if is_item(owner, ""):
        return kind({**owner, name: value})
    if hasattr(kind, "__dataclass_params__"):
        from dataclasses import replace

        return replace(owner, **{name: value})
    if hasattr(kind, "__attrs_attrs__"):
        attr = sys.modules["attr"]
        alias = next(one.alias for one in kind.__attrs_attrs__ if one.name == name)
        return attr.evolve(owner, **{alias: value})
    copy = getattr(owner, "model_copy", None) or owner.copy
    return copy(update={name: value})


# --- which type a text is read as ----------------------------------------------------------------

_ONLY_TEXT = {"SectionProxy", "_Environ"}
"""The mappings that take nothing but text: of configparser, and ``os.environ``."""
_KINDS = {
    "bool", "int", "float", "complex", "str", "bytes", "list", "tuple", "dict", "set", "frozenset",
}  # fmt: skip


def kinds_of(old: object, annotation: object = None) -> Iterator[str]:
    """The kinds of text, the first one first, that may stand in the place of *old*."""
    if old is None:
        yield "none"
    kind = type(old)
    if kind.__name__ in _KINDS and kind.__module__ == "builtins":
        yield kind.__name__
        if kind is int and annotation not in (int, "int"):
            yield "float"  # as for a default that is a whole number by chance
    elif not _is_made(old):
        yield "any"


def _is_made(old: object) -> bool:
    """Whether ``_made_like`` makes such an object from text."""
    return isinstance(old, os.PathLike) or any(
        hasattr(type(old), name) for name in ("fromisoformat", "__members__", "as_integer_ratio")
    )


def _made_like(old: Any, texts: Mapping[str, object]) -> object:
    """The text as an object of the class of *old*: a path, a date, a member, a number of numpy."""
    kind = type(old)
    text = str(texts["text"]).strip()
    if hasattr(kind, "__members__"):
        return kind[text.rpartition(".")[2]]
    if isinstance(old, os.PathLike):
        return kind(texts["str"])
    if hasattr(kind, "fromisoformat"):
        return kind.fromisoformat(text)
    return kind(text)
